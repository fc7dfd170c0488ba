using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.Data.Sqlite;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>deploy/deploy.sh, really run in a folder: the steps that the workflows call on a server.</summary>
public sealed class DeployScriptTests : IAsyncLifetime
{
    private readonly Releases _releases = new();

    private string Data => _releases.Data;

    public Task InitializeAsync()
    {
        _releases.Set();
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        await _releases.DeployAsync("stop");
        _releases.Dispose();
    }

    [InstalledFact("flock", "setsid", "curl")]
    public async Task A_release_is_installed_replaced_and_given_back_and_the_data_stay()
    {
        // Install: the release's own smoke test asks the team.
        var first = await _releases.DeployAsync("deploy", _releases.Make("1.0.0"));
        Assert.True(first.ExitCode == 0, first.Said);
        Assert.Equal("1.0.0", _releases.Current());
        var runs = await _releases.RunsAsync();
        Assert.Single(runs.Split('\n', StringSplitOptions.RemoveEmptyEntries));

        // Upgrade: what nobody changed here follows the release, what somebody did stays.
        File.AppendAllText(_releases.In("config", "models.yaml"), "# mine\n");
        var second = _releases.Make("2.0.0", smoke: "\"$1\" health");
        File.AppendAllText(Path.Combine(second, "config", "agents.yaml"), "# of 2.0.0\n");
        File.AppendAllText(Path.Combine(second, "config", "models.yaml"), "# of 2.0.0\n");
        var upgraded = await _releases.DeployAsync("deploy", await Releases.ArchiveAsync(second));
        Assert.True(upgraded.ExitCode == 0, upgraded.Said);
        Assert.Equal("2.0.0", _releases.Current());
        Assert.Equal(runs, await _releases.RunsAsync());
        Assert.EndsWith("# of 2.0.0\n", File.ReadAllText(_releases.In("config", "agents.yaml")), StringComparison.Ordinal);
        Assert.EndsWith("# mine\n", File.ReadAllText(_releases.In("config", "models.yaml")), StringComparison.Ordinal);
        Assert.Contains("models.yaml was changed here and stays", upgraded.Said, StringComparison.Ordinal);

        // The smoke test fails after the new release has changed the database in a way that the old one refuses.
        await using var hook = await LoopbackServer.StartAsync(context =>
        {
            MakeNewer();
            context.Response.StatusCode = 500;
            return Task.CompletedTask;
        });
        var release = _releases.Make("3.0.0", smoke: $"curl -fsS {hook.Url}");
        var third = await _releases.DeployAsync("deploy", release);
        Assert.True(third.ExitCode == 1, third.Said);
        Assert.Contains("the smoke test failed", third.Said, StringComparison.Ordinal);
        Assert.Contains("the copy from before the switch is in service", third.Said, StringComparison.Ordinal);
        Assert.Equal("2.0.0", _releases.Current());
        Assert.Equal(runs, await _releases.RunsAsync());
        Assert.True(File.Exists(Path.Combine(Assert.Single(Left("3.0.0")), "rootmas.db")));

        // The same once more: what the first one left holds what users wrote, and stays.
        third = await _releases.DeployAsync("deploy", release);
        Assert.True(third.ExitCode == 1 && third.Said.Contains("the copy from before the switch is in service", StringComparison.Ordinal), third.Said);
        Assert.Equal(runs, await _releases.RunsAsync());
        Assert.Equal(2, Left("3.0.0").Length);
        Assert.All(Left("3.0.0"), static f => Assert.True(File.Exists(Path.Combine(f, "rootmas.db"))));

        // By hand to the release before; the oldest copies go.
        var back = await _releases.DeployAsync("rollback", "--keep", "1");
        Assert.True(back.ExitCode == 0, back.Said);
        Assert.Equal("1.0.0", _releases.Current());
        Assert.EndsWith(runs, await _releases.RunsAsync(), StringComparison.Ordinal); // its smoke test asked once more
        Assert.False(Directory.Exists(_releases.In("root", "releases", "3.0.0")));
        Assert.Contains("running", (await _releases.DeployAsync("status")).Stdout, StringComparison.Ordinal);
        Assert.Equal(5, File.ReadAllLines(_releases.In("root", "deploy.log")).Length);
        Assert.Equal(2, Left("3.0.0").Length);

        string[] Left(string version) => Directory.GetDirectories(_releases.In("root", "snapshots"), $"left-by-{version}-*");
    }

    [InstalledFact("flock", "setsid")]
    public async Task A_deployment_that_was_killed_after_the_switch_is_finished_or_taken_back_by_the_next_call()
    {
        var first = await _releases.DeployAsync("deploy", _releases.Make("1.0.0", smoke: "true"));
        Assert.True(first.ExitCode == 0, first.Said);

        // The same again: it goes on, and the way back leads to the release before.
        var second = Killed("2.0.0", "migrate");
        Assert.Equal(137, (await _releases.DeployAsync("deploy", second)).ExitCode);
        Assert.Equal("2.0.0", _releases.Current());
        Assert.Contains("2.0.0 was interrupted", (await _releases.DeployAsync("status")).Stdout, StringComparison.Ordinal);
        var again = await _releases.DeployAsync("deploy", second);
        Assert.True(again.ExitCode == 0 && again.Said.Contains("goes on", StringComparison.Ordinal), again.Said);
        await IsInServiceAsync("2.0.0");
        var back = await _releases.DeployAsync("rollback");
        Assert.True(back.ExitCode == 0, back.Said);
        await IsInServiceAsync("1.0.0");

        // Taken back by hand, and by another release.
        Assert.Equal(137, (await _releases.DeployAsync("deploy", Killed("3.0.0", "migrate"))).ExitCode);
        back = await _releases.DeployAsync("rollback");
        Assert.True(back.ExitCode == 0, back.Said);
        await IsInServiceAsync("1.0.0");
        Assert.Equal(137, (await _releases.DeployAsync("deploy", Killed("4.0.0", "migrate"))).ExitCode);
        var fifth = await _releases.DeployAsync("deploy", _releases.Make("5.0.0", smoke: "true"));
        Assert.True(fifth.ExitCode == 0, fifth.Said);
        await IsInServiceAsync("5.0.0");
        Assert.Equal("1.0.0", Path.GetFileName(new DirectoryInfo(_releases.In("root", "previous")).LinkTarget));

        // Killed before the switch: the configuration of the release that runs is put back.
        var sixth = Killed("6.0.0", "config");
        File.AppendAllText(Path.Combine(sixth, "config", "agents.yaml"), "# of 6.0.0\n");
        Assert.Equal(137, (await _releases.DeployAsync("deploy", sixth)).ExitCode);
        Assert.Contains("# of 6.0.0", File.ReadAllText(_releases.In("config", "agents.yaml")), StringComparison.Ordinal);
        var refused = await _releases.DeployAsync("deploy", _releases.Make("7.0.0", before: "[ \"$1\" != config ] || exit 2"));
        Assert.True(refused.ExitCode == 1, refused.Said);
        Assert.DoesNotContain("# of 6.0.0", File.ReadAllText(_releases.In("config", "agents.yaml")), StringComparison.Ordinal);
        await IsInServiceAsync("5.0.0");

        // One that kills the script the first time that it is asked for this.
        string Killed(string version, string command)
        {
            var mark = _releases.In("killed-" + version);
            return _releases.Make(version, before: $"[ \"$1\" != {command} ] || [ -e '{mark}' ] || {{ touch '{mark}'; kill -9 $PPID; exit 1; }}", smoke: "true");
        }

        async Task IsInServiceAsync(string version)
        {
            Assert.Equal(version, _releases.Current());
            var status = await _releases.DeployAsync("status");
            Assert.True(status.ExitCode == 0 && status.Stdout.Contains("running", StringComparison.Ordinal), status.Said);
            Assert.DoesNotContain("interrupted", status.Stdout, StringComparison.Ordinal);
        }
    }

    [InstalledFact("flock", "setsid")]
    public async Task What_does_not_start_or_is_not_ours_changes_nothing()
    {
        var ours = _releases.Make("1.0.0", smoke: "true");
        var first = await _releases.DeployAsync("deploy", ours);
        Assert.True(first.ExitCode == 0, first.Said);
        var process = ProcessId();

        // A damaged archive, one without a program, settings that it does not accept: the old process is not even stopped.
        var archive = await Releases.ArchiveAsync(_releases.Make("2.0.0"));
        File.AppendAllText(archive, "x");
        foreach (var (release, said) in new[]
        {
            (archive, "damaged or not ours"),
            (_releases.In("data"), "holds no program"),
            (_releases.Make("2.1.0", before: "[ \"$1\" != config ] || { echo 'Runs:Parallelism: refused' >&2; exit 2; }"), "does not accept the settings"),
        })
        {
            var refused = await _releases.DeployAsync("deploy", release);
            Assert.True(refused.ExitCode == 1 && refused.Said.Contains(said, StringComparison.Ordinal), refused.Said);
            Assert.Equal(process, ProcessId());
        }

        // A file that the running server has set aside, and that none would start with.
        var agents = _releases.In("config", "agents.yaml");
        var before = File.ReadAllText(agents);
        File.AppendAllText(agents, "nonsense: true\n");
        var set = await _releases.DeployAsync("deploy", _releases.Make("2.1.5", smoke: "true"));
        Assert.True(set.ExitCode == 1 && set.Said.Contains("agents.yaml: nonsense", StringComparison.Ordinal), set.Said);
        Assert.Equal(process, ProcessId());
        Assert.Equal("1.0.0", _releases.Current());
        File.WriteAllText(agents, before);

        // What is in service already: there is nothing to do.
        var again = await _releases.DeployAsync("deploy", ours);
        Assert.True(again.ExitCode == 0 && again.Said.Contains("1.0.0 is in service already", StringComparison.Ordinal), again.Said);
        Assert.Equal(process, ProcessId());

        // One that ends at its start: the old one runs again.
        var broken = await _releases.DeployAsync("deploy", _releases.Make("2.2.0", before: "[ \"$1\" != serve ] || exit 1"));
        Assert.True(broken.ExitCode == 1, broken.Said);
        Assert.Contains("it ended before it was ready", broken.Said, StringComparison.Ordinal);
        Assert.Equal("1.0.0", _releases.Current());
        Assert.NotEqual(process, ProcessId());
        Assert.Empty(Directory.EnumerateDirectories(_releases.In("root", "releases"), ".new*"));
    }

    /// <summary>The run waits for its model, for an hour if need be; the deployment does not.</summary>
    [InstalledFact("flock", "setsid")]
    public async Task A_provider_of_models_that_is_away_holds_up_no_deployment()
    {
        _releases.Set($"OPENAI_BASE_URL=http://127.0.0.1:{ServerProcess.FreePort()}/v1", "OPENAI_API_KEY=none", "ROOTMAS_SMOKE_SECONDS=10");
        var done = await _releases.DeployAsync("deploy", _releases.Make("1.0.0"));
        Assert.True(done.ExitCode == 0 && done.Said.Contains("no answer in 10 s, because no model can be reached", StringComparison.Ordinal), done.Said);
        Assert.Equal("1.0.0", _releases.Current());
    }

    [InstalledFact("flock", "setsid")]
    public async Task A_smoke_test_that_does_not_end_is_one_that_fails()
    {
        _releases.Set("ROOTMAS_SMOKE_SECONDS=1");
        var first = await _releases.DeployAsync("deploy", _releases.Make("1.0.0", before: Releases.Stub, smoke: "true"));
        Assert.True(first.ExitCode == 0, first.Said);
        _releases.Set("ROOTMAS_SMOKE_SECONDS=2m");
        var odd = await _releases.DeployAsync("deploy", _releases.Make("1.5.0", before: Releases.Stub, smoke: "true"));
        Assert.True(odd.ExitCode == 0 && odd.Said.Contains("no whole number of seconds", StringComparison.Ordinal), odd.Said);
        _releases.Set("ROOTMAS_SMOKE_SECONDS=1");
        var second = await _releases.DeployAsync("deploy", _releases.Make("2.0.0", before: Releases.Stub, smoke: "sleep 1000"));
        Assert.True(second.ExitCode == 1 && second.Said.Contains("did not end in time", StringComparison.Ordinal), second.Said);
        Assert.Equal("release 1.5.0\nrunning\n", (await _releases.DeployAsync("status")).Stdout);
    }

    [InstalledFact("flock", "setsid")]
    public async Task Only_a_release_that_says_that_it_cannot_read_the_data_gets_the_copy()
    {
        foreach (var (version, code, isPut) in ((string, int, bool)[])[("1", 7, false), ("3", 2, true)]) // 7: the database does not answer
        {
            var old = await _releases.DeployAsync("deploy", _releases.Make($"{version}.0.0", before: $"[ \"$*\" != 'migrate --plan' ] || exit {code.ToString(CultureInfo.InvariantCulture)}\n{Releases.Stub}", smoke: "true"));
            Assert.True(old.ExitCode == 0, old.Said);
            var bad = await _releases.DeployAsync("deploy", _releases.Make($"{version}.1.0", before: Releases.Stub, smoke: "false"));
            Assert.True(bad.ExitCode == 1, bad.Said);
            Assert.Equal(isPut, bad.Said.Contains("the copy from before the switch is in service", StringComparison.Ordinal));
        }
    }

    [InstalledFact("flock")]
    public async Task Where_nothing_is_installed_nothing_is_made_but_by_a_deployment()
    {
        foreach (var action in (string[])["status", "start", "stop", "rollback"])
        {
            var said = await _releases.DeployAsync(action);
            Assert.True(said is { ExitCode: 1, Stdout: "not installed\n" }, said.Said);
        }

        Assert.False(Directory.Exists(_releases.In("root")) || Directory.Exists(Data));
    }

    /// <summary>systemd is stood in for by a script that writes down for each unit which release was in service when it started.</summary>
    [InstalledFact("flock")]
    public async Task Workers_of_the_machine_run_the_release_that_is_in_service_also_after_a_rollback()
    {
        var (programs, units) = (Directory.CreateDirectory(_releases.In("bin")).FullName, Directory.CreateDirectory(_releases.In("units")).FullName);
        Script(Path.Combine(programs, "systemctl"), $$"""
            cd '{{units}}'; verb=$1; shift
            case "$verb" in
              start) for unit; do case "$unit" in *worker*) [ ! -e '{{_releases.In("root", "current")}}/no-worker' ] || exit 1 ;; esac; readlink '{{_releases.In("root", "current")}}' >"$unit"; done ;;
              stop) for unit; do rm -f $unit; done ;;
              is-active) [ -e "${@: -1}" ] ;;
              list-units) for unit in ${@: -1}; do [ ! -e "$unit" ] || echo "$unit loaded active running Root-MAS worker"; done ;;
              *) exit 9 ;;
            esac
            """);
        Script(Path.Combine(programs, "runuser"), "while [ \"$1\" != -- ]; do shift; done; shift; exec \"$@\"");
        Script(Path.Combine(programs, "chgrp"), "true");
        foreach (var worker in (int[])[1, 3])
        {
            File.WriteAllText(Worker(worker), "an older release");
        }

        Assert.Equal(0, (await SystemdAsync("deploy", _releases.Make("1.0.0", before: "exit 0", smoke: "true"))).ExitCode);
        AssertAllRun("1.0.0");

        // The smoke test fails, or a worker does not start: the release before runs again, workers too.
        var bad = await SystemdAsync("deploy", _releases.Make("2.0.0", before: "exit 0", smoke: "exit 1"));
        Assert.True(bad.ExitCode == 1 && bad.Said.Contains("1.0.0 runs again", StringComparison.Ordinal), bad.Said);
        AssertAllRun("1.0.0");
        var release = _releases.Make("3.0.0", before: "exit 0", smoke: "true");
        File.WriteAllText(Path.Combine(release, "no-worker"), "");
        bad = await SystemdAsync("deploy", release);
        Assert.True(bad.ExitCode == 1 && bad.Said.Contains("a worker did not start", StringComparison.Ordinal), bad.Said);
        AssertAllRun("1.0.0");

        // Stopped and started by hand.
        Assert.Equal(0, (await SystemdAsync("stop")).ExitCode);
        Assert.Empty(Directory.EnumerateFiles(units));
        Assert.Equal(0, (await SystemdAsync("start")).ExitCode);
        AssertAllRun("1.0.0");

        string Worker(int number) => Path.Combine(units, $"rootmas-worker@{number.ToString(CultureInfo.InvariantCulture)}.service");
        void AssertAllRun(string version)
        {
            Assert.Equal([Path.Combine(units, "rootmas.service"), Worker(1), Worker(3)], Directory.EnumerateFiles(units).OrderBy(static f => f.Length).ThenBy(static f => f, StringComparer.Ordinal));
            Assert.All(Directory.EnumerateFiles(units), f => Assert.Equal($"releases/{version}\n", File.ReadAllText(f)));
        }

        Task<Shell> SystemdAsync(params string[] arguments) => Shell.RunAsync(
            "bash", [Repository.PathOf("deploy", "deploy.sh"), .. arguments, "--root", _releases.In("root"), "--data", Data, "--config", _releases.In("config"), "--wait", "180"],
            new Dictionary<string, string>(StringComparer.Ordinal) { ["PATH"] = $"{programs}:{Environment.GetEnvironmentVariable("PATH")}" });
    }

    /// <summary>ssh and scp are stood in for by scripts that do on this machine what they would do on another.</summary>
    [InstalledFact("flock")]
    public async Task Another_machine_is_given_the_archive_and_told_to_do_the_same_with_it()
    {
        var programs = Directory.CreateDirectory(_releases.In("bin")).FullName;
        Script(Path.Combine(programs, "ssh"), "echo \"ssh $1\" >&2; shift; exec bash -c \"$*\"");
        Script(Path.Combine(programs, "scp"), "echo \"scp ${@: -1}\" >&2; cp \"${@:2:$#-2}\" \"${@: -1}\" 2>/dev/null || cp \"${@:2:$#-2}\" \"$(printf %s \"${@: -1}\" | cut -d: -f2)\"");
        Script(Path.Combine(programs, "sudo"), "[ \"$1\" = -n ]; shift; exec \"$@\"");
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = $"{programs}:{Environment.GetEnvironmentVariable("PATH")}", ["TMPDIR"] = Directory.CreateDirectory(_releases.In("temporary")).FullName,
        };
        string[] there = ["--host", "me@there", "--no-systemd", "--root", _releases.In("the root"), "--data", Data, "--config", _releases.In("config")];

        // A name with a space, and a release that does not accept the settings: the answer of the other side comes back.
        var archive = await Releases.ArchiveAsync(_releases.Make("1.0.0 rc", before: "[ \"$1\" != config ] || exit 2"));
        var refused = await Shell.RunAsync("bash", [Repository.PathOf("deploy", "deploy.sh"), "deploy", archive, .. there], environment);
        Assert.True(refused.ExitCode == 1 && refused.Stderr.Contains("scp me@there:", StringComparison.Ordinal), refused.Said);
        Assert.Contains("does not accept the settings", refused.Stderr, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFiles(_releases.In("temporary"), "*", SearchOption.AllDirectories));

        // The connection is lost amid it: it goes on there all the same.
        var mark = _releases.In("went-on");
        Script(Path.Combine(programs, "ssh"), $"shift; case \"$*\" in mktemp*) exec bash -c \"$*\" ;; esac; setsid bash -c \"$*\" & p=$!; while [ ! -e '{mark}.began' ]; do sleep 0.05; done; kill -9 -$p; touch '{mark}.lost'; exit 255");
        var lost = await Shell.RunAsync(
            "bash", [Repository.PathOf("deploy", "deploy.sh"), "deploy", await Releases.ArchiveAsync(_releases.Make("2.0.0", before: $"[ \"$1\" != config ] || {{ touch '{mark}.began'; while [ ! -e '{mark}.lost' ]; do sleep 0.05; done; touch '{mark}'; exit 2; }}")), .. there], environment);
        Assert.True(lost.ExitCode == 255 && lost.Stderr.Contains("goes on", StringComparison.Ordinal), lost.Said);
        await Wait.UntilAsync(() => File.Exists(mark) && Directory.EnumerateFiles(_releases.In("temporary"), "err", SearchOption.AllDirectories).Any(static f => File.ReadAllText(f).Contains("does not accept the settings", StringComparison.Ordinal)));
        Script(Path.Combine(programs, "ssh"), "shift; exec bash -c \"$*\"");
        var folder = await Shell.RunAsync("bash", [Repository.PathOf("deploy", "deploy.sh"), "deploy", _releases.In("made"), .. there], environment);
        Assert.Contains("a folder cannot be sent", folder.Stderr, StringComparison.Ordinal);
        Assert.Equal(0, (await Shell.RunAsync("bash", [Repository.PathOf("deploy", "deploy.sh"), "stop", .. there], environment)).ExitCode);
        Assert.True(Directory.Exists(_releases.In("the root", "releases")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("deploy")]
    [InlineData("deploy a b")]
    [InlineData("undo")]
    [InlineData("stop --keep 0")]
    [InlineData("stop --nothing")]
    [InlineData("stop -- backup")]
    [InlineData("run")]
    [InlineData("run backup -- list")]
    [InlineData("stop --smoke /nowhere/smoke.sh")]
    [InlineData("stop --host me@there --data data")]
    public async Task Wrong_usage_is_explained(string words)
    {
        var said = await Shell.RunAsync("bash", [Repository.PathOf("deploy", "deploy.sh"), .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        Assert.Equal(2, said.ExitCode);
        Assert.Contains("Exit codes", said.Stderr, StringComparison.Ordinal);
    }

    /// <summary>So that the old program refuses the database, and so that one sees whether it is the one from before.</summary>
    private void MakeNewer()
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(Data, "rootmas.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "pragma foreign_keys = off; update schema_migrations set checksum = 'changed' where number = 1; delete from runs";
        command.ExecuteNonQuery();
    }

    private static void Script(string path, string text)
    {
        File.WriteAllText(path, "#!/bin/bash\n" + text + "\n");
        FileModes.Set(path, FileModes.Private | UnixFileMode.UserExecute);
    }

    private int ProcessId() => int.Parse(File.ReadAllText(_releases.In("root", "rootmas.pid")), CultureInfo.InvariantCulture);
}
