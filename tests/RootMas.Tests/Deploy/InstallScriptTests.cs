using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>deploy/install.sh, run in a folder instead of <c>/</c>: the same steps without root and systemd.</summary>
public sealed class InstallScriptTests : IAsyncLifetime
{
    private readonly Releases _releases = new();

    private string Target => _releases.In("target");

    private string Command => In("usr", "local", "bin", "rootmas");

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await InstallAsync("uninstall", "--purge");
        _releases.Dispose();
    }

    [InstalledFact("flock", "setsid")]
    public async Task It_installs_upgrades_and_goes_again()
    {
        // Somebody wrote a setting before: it stays, and secrets are added to it.
        Directory.CreateDirectory(In("etc", "rootmas"));
        File.WriteAllText(In("etc", "rootmas", "rootmas.env"), $"ROOTMAS_URLS={_releases.Url}\n");
        var first = _releases.Make("1.0.0", smoke: "true");
        var installed = await InstallAsync("install", "--from", first);
        Does(installed);
        Assert.DoesNotContain("Next:", installed.Stderr, StringComparison.Ordinal); // it did what comes next itself
        var secrets = File.ReadAllText(In("etc", "rootmas", "rootmas.env"));
        Assert.Contains("ROOTMAS_MASTER_KEY=", secrets, StringComparison.Ordinal);
        Assert.StartsWith("ROOTMAS_URLS=", secrets, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, FileModes.Of(In("etc", "rootmas", "rootmas.env")));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, FileModes.Of(In("var", "lib", "rootmas")));
        Assert.Equal(UnixFileMode.None, FileModes.Of(In("etc", "rootmas")) & (UnixFileMode.OtherRead | UnixFileMode.OtherExecute));
        Assert.Equal(File.ReadAllText(Repository.PathOf("deploy", "systemd", "rootmas.service")), File.ReadAllText(In("etc", "systemd", "system", "rootmas.service")));

        var status = await InstallAsync("status");
        Assert.Equal("release 1.0.0\nrunning\nok\n", status.Stdout);
        Assert.Equal(1, (await InstallAsync("install", "--from", first)).ExitCode);

        // The units are those of the release, and a release that is not taken leaves none.
        var next = _releases.Make("1.1.0", smoke: "true");
        Unit(next, "# of 1.1.0\n");
        Does(await InstallAsync("upgrade", "--from", next));
        Assert.Equal("# of 1.1.0\n", File.ReadAllText(In("etc", "systemd", "system", "rootmas.service")));
        var bad = _releases.Make("1.2.0", smoke: "false");
        Unit(bad, "# of 1.2.0\n");
        Assert.NotEqual(0, (await InstallAsync("upgrade", "--from", bad)).ExitCode);
        Assert.Equal("# of 1.1.0\n", File.ReadAllText(In("etc", "systemd", "system", "rootmas.service")));
        Assert.Equal(secrets, File.ReadAllText(In("etc", "rootmas", "rootmas.env")));
        Assert.StartsWith("release 1.1.0\n", (await InstallAsync("status")).Stdout, StringComparison.Ordinal);

        // Without --purge what people made stays.
        Does(await InstallAsync("uninstall"));
        Assert.False(Directory.Exists(In("opt", "rootmas", "releases")));
        Assert.True(File.Exists(In("var", "lib", "rootmas", "rootmas.db")) && File.Exists(In("etc", "rootmas", "agents.yaml")));
        Assert.Equal(1, (await InstallAsync("status")).ExitCode);
        Does(await InstallAsync("uninstall", "--purge"));
        Assert.False(Directory.Exists(In("var", "lib", "rootmas")) || Directory.Exists(In("etc", "rootmas")) || Directory.Exists(In("opt", "rootmas")));
    }

    /// <summary>As the documents say: the command works on the installation, wherever one stands, and the line with the first password is removed.</summary>
    [InstalledFact("flock", "setsid")]
    public async Task The_command_is_that_of_the_installation_and_it_goes_on_without_the_first_password()
    {
        Directory.CreateDirectory(In("etc", "rootmas"));
        var settings = In("etc", "rootmas", "rootmas.env");
        File.WriteAllText(settings, $"ROOTMAS_URLS={_releases.Url}\n");
        Does(await InstallAsync("install", "--from", _releases.Make("1.0.0", smoke: "true")));
        await Shell.DoAsync(Command, ["backup", "create"]);
        var made = await BackupsAsync();
        Assert.NotEmpty(made);
        Assert.Contains("Usage:", (await Shell.RunAsync(Command, [])).Stdout, StringComparison.Ordinal); // the program's own words

        File.WriteAllLines(settings, File.ReadAllLines(settings).Where(static l => !l.StartsWith("ROOTMAS_ADMIN_PASSWORD=", StringComparison.Ordinal)));
        Assert.Contains("ROOTMAS_ADMIN_USERNAME=admin", File.ReadAllText(settings), StringComparison.Ordinal);
        Assert.Contains("valid", await Shell.DoAsync(Command, ["config", "check"]), StringComparison.Ordinal);
        Does(await InstallAsync("upgrade", "--from", _releases.Make("1.1.0", smoke: "true")));
        Assert.Equal("release 1.1.0\nrunning\nok\n", (await InstallAsync("status")).Stdout);
        var all = await BackupsAsync();
        Assert.True(all.Length > made.Length, "the one before the upgrade is missing");
        Assert.Empty(made.Except(all));

        async Task<string[]> BackupsAsync() => (await Shell.DoAsync(Command, ["backup", "list"])).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static l => l.Split('\t')[0]).ToArray();
    }

    [InstalledFact("flock", "setsid")]
    public async Task A_command_that_is_not_ours_stays_and_ours_goes_with_the_program()
    {
        var release = _releases.Make("1.0.0", before: Releases.Stub, smoke: "true");
        Does(await InstallAsync("install", "--from", release));
        Assert.True(File.Exists(Command));
        Does(await InstallAsync("uninstall"));
        Assert.False(File.Exists(Command));

        File.WriteAllText(Command, "mine");
        var again = await InstallAsync("install", "--from", release);
        Assert.True(again.ExitCode == 0 && again.Said.Contains("is not ours: it stays", StringComparison.Ordinal), again.Said);
        Does(await InstallAsync("uninstall"));
        Assert.Equal("mine", File.ReadAllText(Command));
    }

    [InstalledFact("flock", "setsid")]
    public async Task Before_a_release_is_in_service_the_command_says_that_none_is()
    {
        var release = _releases.Make("1.0.0", before: Releases.Stub, smoke: "true");
        Does(await InstallAsync("install", "--from", release, "--no-start"));
        var none = await Shell.RunAsync(Command, ["config", "check"]);
        Assert.True(none.ExitCode == 1 && none.Said.Contains("no release is in service yet: install.sh upgrade --from", StringComparison.Ordinal), none.Said);
        Does(await InstallAsync("upgrade", "--from", release));
        Does(await Shell.RunAsync(Command, ["config", "check"]));
    }

    [InstalledFact("flock")]
    public async Task A_machine_that_was_only_looked_at_is_not_taken_for_installed()
    {
        var status = await InstallAsync("status");
        Assert.True(status is { ExitCode: 1, Stdout: "not installed\n" }, status.Said);
        var upgraded = await InstallAsync("upgrade", "--from", _releases.Make("1.0.0", before: Releases.Stub, smoke: "true"));
        Assert.True(upgraded.ExitCode == 1 && upgraded.Said.Contains("it is not installed; say install", StringComparison.Ordinal), upgraded.Said);
        Assert.False(Directory.Exists(Target));
    }

    [InstalledFact("flock")]
    public async Task Nothing_of_an_archive_that_is_not_what_its_checksum_says_is_run()
    {
        var ran = _releases.In("ran");
        var archive = _releases.In("release.tar.gz");
        await Shell.DoAsync("tar", ["-C", _releases.Make("1.0.0", before: $"touch '{ran}'; exit 1"), "-czf", archive, "."]);
        await File.WriteAllTextAsync(archive + ".sha256", new string('0', 64) + "  release.tar.gz\n");
        foreach (var action in (string[])["install", "upgrade"])
        {
            var isThere = action == "upgrade";
            if (isThere)
            {
                Unit(In(), "# of before\n", "etc", "systemd", "system");
            }

            var refused = await InstallAsync(action, "--from", archive);
            Assert.True(refused.ExitCode == 1 && refused.Said.Contains("damaged or not ours", StringComparison.Ordinal), refused.Said);
            Assert.False(File.Exists(ran));
            Assert.Equal(isThere, Directory.Exists(In("etc")));
            Assert.False(Directory.Exists(In("opt")));
        }
    }

    [InstalledFact("flock", "setsid")]
    public async Task A_folder_is_one_of_where_it_is_called()
    {
        _releases.Make("1.0.0", before: Releases.Stub, smoke: "true");
        Does(await Shell.RunAsync("bash", [Repository.PathOf("deploy", "install.sh"), "install", "--from", "made/1.0.0", "--destdir", "target", "--wait", "180"], folder: _releases.Path));
        Assert.True(File.Exists(In("opt", "rootmas", "current", "VERSION")) && File.Exists(In("etc", "rootmas", "rootmas.env")));
        Assert.Equal("release 1.0.0\nrunning\n", (await InstallAsync("status")).Stdout);
        Assert.False(Directory.Exists(In("var", "lib", "rootmas", "target")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("remove")]
    [InlineData("install --nothing")]
    public async Task Wrong_usage_is_explained(string words)
    {
        var said = await Shell.RunAsync("bash", [Repository.PathOf("deploy", "install.sh"), .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        Assert.Equal(2, said.ExitCode);
        Assert.Contains("--destdir", said.Stderr, StringComparison.Ordinal);
    }

    private static void Unit(string release, string text) => Unit(release, text, "deploy", "systemd");

    private static void Unit(string place, string text, params string[] below)
    {
        var folder = Directory.CreateDirectory(Path.Combine([place, .. below])).FullName;
        File.WriteAllText(Path.Combine(folder, "rootmas.service"), text);
        File.WriteAllText(Path.Combine(folder, "rootmas-worker@.service"), text);
    }

    private static void Does(Shell done) => Assert.True(done.ExitCode == 0, done.Said);

    private string In(params string[] parts) => Path.Combine([Target, .. parts]);

    private Task<Shell> InstallAsync(params string[] arguments) => Shell.RunAsync("bash", [Repository.PathOf("deploy", "install.sh"), .. arguments, "--destdir", Target, .. arguments[0] is "install" or "upgrade" ? ["--wait", "180"] : Array.Empty<string>()]);
}
