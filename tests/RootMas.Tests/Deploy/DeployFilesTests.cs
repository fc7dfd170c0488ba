using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>deploy/deploy.sh and the files that it is given: configuration, settings, folders, smoke tests. The releases are stubs.</summary>
public sealed class DeployFilesTests : IAsyncLifetime
{
    private readonly Releases _releases = new();

    private string Agents => _releases.In("config", "agents.yaml");

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _releases.DeployAsync("stop");
        _releases.Dispose();
    }

    /// <summary>The disk is full after ten bytes of a file; for one of the two that change.</summary>
    [InstalledTheory("flock", "setsid")]
    [InlineData("agents.yaml")]
    [InlineData("models.yaml")]
    public async Task A_full_disk_leaves_the_configuration_as_it_was(string file)
    {
        Does(await _releases.DeployAsync("deploy", Make("1.0.0")));
        var before = Config();
        var full = _releases.Programs(("cat", $"""
            case "$*" in */releases/1.1.0/config/{file}) head -c 10 "$1"; echo 'cat: write error: No space left on device' >&2; exit 1 ;; esac
            exec '{InstalledFactAttribute.Find("cat")}' "$@"
            """));
        var refused = await _releases.DeployWithAsync(full, "deploy", Make("1.1.0"));
        Assert.True(refused.ExitCode == 1 && refused.Said.Contains("the configuration of 1.1.0 cannot be put in place", StringComparison.Ordinal), refused.Said);
        Assert.Equal(before, Config());
        Assert.Equal("release 1.0.0\nrunning\n", (await _releases.DeployAsync("status")).Stdout);
        Does(await _releases.DeployAsync("deploy", _releases.In("made", "1.1.0")));
        Assert.EndsWith("# of 1.1.0\n", File.ReadAllText(Agents), StringComparison.Ordinal);
    }

    [InstalledFact("flock", "setsid")]
    public async Task What_cannot_be_put_back_is_named_and_put_back_by_a_rollback_later()
    {
        Does(await _releases.DeployAsync("deploy", Make("1.0.0")));
        var before = Config();
        var full = _releases.Programs(("cat", $"case \"$*\" in */snapshots/*) exit 1 ;; esac\nexec '{InstalledFactAttribute.Find("cat")}' \"$@\""));
        var refused = await _releases.DeployWithAsync(full, "deploy", Make("1.1.0", before: "[ \"$1\" != config ] || exit 2"));
        Assert.True(refused.ExitCode == 1 && refused.Said.Contains($"{Agents} cannot be put back as it was", StringComparison.Ordinal), refused.Said);
        Assert.Contains("make room, and say rollback", refused.Said, StringComparison.Ordinal);
        Assert.StartsWith("the deployment of 1.1.0 was interrupted before the switch", (await _releases.DeployAsync("status")).Stdout, StringComparison.Ordinal);
        Assert.NotEqual(before, Config());
        Does(await _releases.DeployAsync("rollback"));
        Assert.Equal(before, Config());
        Assert.Equal("release 1.0.0\nrunning\n", (await _releases.DeployAsync("status")).Stdout);
    }

    [InstalledFact("flock", "setsid")]
    public async Task A_file_that_follows_the_release_keeps_its_mode_and_stays_the_link_that_it_is()
    {
        Does(await _releases.DeployAsync("deploy", Make("1.0.0")));
        var elsewhere = _releases.In("else where.yaml");
        File.Move(Agents, elsewhere);
        File.CreateSymbolicLink(Agents, elsewhere);
        var mode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead;
        FileModes.Set(elsewhere, mode);
        Does(await _releases.DeployAsync("deploy", Make("1.1.0")));
        Assert.Equal(elsewhere, new FileInfo(Agents).LinkTarget);
        Assert.EndsWith("# of 1.1.0\n", File.ReadAllText(elsewhere), StringComparison.Ordinal);
        Assert.Equal(mode, FileModes.Of(elsewhere));
        Assert.False(File.Exists(_releases.In(".else where.yaml.deploy")));
    }

    [InstalledFact("flock", "setsid")]
    public async Task Settings_are_read_as_systemd_reads_them()
    {
        var found = _releases.In("found");
        _releases.Set(
            "; a comment", "   # another", "\tINDENTED=of old", "QUOTED=\"x\\\"y\\\\z\\n \\$1\"  ", "SINGLE='a \\\" b'", "PLAIN = a \"b\" c\\ \\d  ", "PARTS=\"a \"'b 'c", "EMPTY=",
            "OVER=\"one", "  two\"", "JOINED=on\\", "e", "no assignment", "EQUAL=a=b", "WINDOWS=\"w\"\r");
        var release = Make("1.0.0", before: $"[ \"$1\" != config ] || printf '%s\\n' \"$INDENTED\" \"$QUOTED\" \"$SINGLE\" \"$PLAIN\" \"$PARTS\" \"${{EMPTY-none}}\" \"$OVER\" \"$JOINED\" \"$EQUAL\" \"$WINDOWS\" >'{found}'");
        Does(await _releases.DeployAsync("deploy", release));
        Assert.Equal("of old\nx\"y\\z\\n $1\na \\\" b\na \"b\" c d\na b c\n\none\n  two\none\na=b\nw\n", File.ReadAllText(found));

        _releases.Set("export A=b");
        var refused = await _releases.DeployAsync("deploy", Make("1.1.0"));
        Assert.True(refused.ExitCode == 1 && refused.Said.Contains("'export A' is not the name of a variable", StringComparison.Ordinal), refused.Said);
    }

    [InstalledFact("flock", "setsid")]
    public async Task Folders_and_smoke_tests_are_those_of_where_it_is_called()
    {
        var ran = _releases.In("ran");
        File.WriteAllText(_releases.In("my smoke.sh"), $"[ -x \"$1\" ]\necho $PWD >'{ran}'\n");
        Does(await HereAsync("deploy", Make("1.0.0"), "--smoke", "my smoke.sh"));
        Assert.Equal(_releases.Data + "\n", File.ReadAllText(ran));
        Assert.Equal("1.0.0", _releases.Current());
        Assert.Equal("release 1.0.0\nrunning\n", (await _releases.DeployAsync("status")).Stdout);

        // One that is not there is not left out, and rolls nothing back.
        var refused = await HereAsync("deploy", Make("1.1.0"), "--smoke", "smoke.sh");
        Assert.True(refused.ExitCode == 2 && refused.Stderr.Contains("there is no file 'smoke.sh'", StringComparison.Ordinal), refused.Said);
        Assert.Equal("1.0.0", _releases.Current());

        Task<Shell> HereAsync(params string[] arguments) => Shell.RunAsync(
            "bash", [Repository.PathOf("deploy", "deploy.sh"), .. arguments, "--no-systemd", "--root", "root", "--data", "./data", "--config", "made/../config", "--wait", "180"], folder: _releases.Path);
    }

    /// <summary>ssh and scp are stood in for by scripts that do on this machine what they would do on another.</summary>
    [InstalledFact("flock", "setsid")]
    public async Task Another_machine_is_given_the_smoke_test_too()
    {
        var ran = _releases.In("ran");
        File.WriteAllText(_releases.In("my smoke.sh"), $"echo \"$0\" >'{ran}'\n");
        var environment = _releases.Programs(
            ("ssh", "shift; exec bash -c \"$*\""), ("scp", "to=${@: -1}; exec cp \"${@:2:$#-2}\" \"${to#*:}\""), ("sudo", "[ \"$1\" = -n ]; shift; exec \"$@\""));
        environment["TMPDIR"] = Directory.CreateDirectory(_releases.In("temporary")).FullName;
        Does(await _releases.DeployWithAsync(environment, "deploy", await Releases.ArchiveAsync(Make("1.0.0")), "--host", "me@there", "--smoke", _releases.In("my smoke.sh")));
        Assert.StartsWith(environment["TMPDIR"], File.ReadAllText(ran), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(environment["TMPDIR"]));
    }

    /// <summary>systemd is stood in for by a script; runuser by one that reads nothing but what the script has copied.</summary>
    [InstalledFact("flock")]
    public async Task A_smoke_test_that_the_user_of_the_service_may_not_read_is_run_from_a_copy()
    {
        var (ran, up) = (_releases.In("ran"), _releases.In("up"));
        File.WriteAllText(_releases.In("my smoke.sh"), $"echo \"$0\" >'{ran}'\n");
        var environment = _releases.Programs(
            ("systemctl", $"case \"$1\" in start) touch '{up}' ;; stop) rm -f '{up}' ;; is-active) [ -e '{up}' ] ;; esac"),
            ("runuser", "while [ \"$1\" != -- ]; do shift; done; shift; [ \"$1\" != test ] || exit 1; exec \"$@\""),
            ("chgrp", "true"));
        var done = await Shell.RunAsync(
            "bash",
            [Repository.PathOf("deploy", "deploy.sh"), "deploy", Make("1.0.0", before: "exit 0"), "--smoke", _releases.In("my smoke.sh"), "--root", _releases.In("root"), "--data", _releases.Data, "--config", _releases.In("config")],
            environment);
        Does(done);
        Assert.StartsWith(Environment.IsPrivilegedProcess ? _releases.In("root", ".smoke.") : _releases.In("my smoke.sh"), File.ReadAllText(ran), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(_releases.In("root"), ".smoke*"));
    }

    private static void Does(Shell done) => Assert.True(done.ExitCode == 0, done.Said);

    private string Make(string version, string before = "")
    {
        var release = _releases.Make(version, before: $"{before}\n{Releases.Stub}", smoke: "true");
        foreach (var file in (string[])["agents.yaml", "models.yaml"])
        {
            File.AppendAllText(Path.Combine(release, "config", file), $"# of {version}\n");
        }

        return release;
    }

    /// <summary>Each file and what is in it.</summary>
    private string[] Config() =>
        [.. Directory.EnumerateFiles(_releases.In("config"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(static f => $"{f}\n{File.ReadAllText(f)}")];
}
