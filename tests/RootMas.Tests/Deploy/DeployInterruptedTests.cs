namespace RootMas.Tests.Deploy;

/// <summary>deploy/deploy.sh after it was killed, or after the answer of a call was lost: what the next call does. The releases are stubs.</summary>
public sealed class DeployInterruptedTests : IAsyncLifetime
{
    private readonly Releases _releases = new();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _releases.DeployAsync("stop");
        _releases.Dispose();
    }

    /// <summary>Killed while it copies the database (the service has been stopped), and between the word that it switches and the switch.</summary>
    [InstalledTheory("flock", "setsid")]
    [InlineData("cp", "*--reflink*")]
    [InlineData("ln", "*releases/1.2.0*")]
    public async Task Before_the_switch_the_release_that_ran_runs_again_whether_it_is_deployed_or_called_back(string program, string arguments)
    {
        foreach (var version in (string[])["1.0.0", "1.1.0"])
        {
            Does(await _releases.DeployAsync("deploy", Make(version)));
        }

        var kills = _releases.Programs((program, $"case \"$*\" in {arguments}) kill -9 $PPID; exit 1 ;; esac\nexec '{InstalledFactAttribute.Find(program)}' \"$@\""));
        var next = Make("1.2.0");
        foreach (var call in (string[][])[["deploy", _releases.In("made", "1.1.0")], ["rollback"]])
        {
            Assert.Equal(137, (await _releases.DeployWithAsync(kills, "deploy", next)).ExitCode);
            Assert.Equal("# of 1.2.0", Agents());
            var status = await _releases.DeployAsync("status");
            Assert.True(status.ExitCode == 1, status.Said);
            Assert.Equal("the deployment of 1.2.0 was interrupted before the switch: deploy it again, or say rollback\nrelease 1.1.0\nnot running\n", status.Stdout);

            // Not also from 1.1.0 to 1.0.0.
            var back = await _releases.DeployAsync(call);
            Assert.True(back.ExitCode == 0 && back.Said.Contains("1.1.0 runs again", StringComparison.Ordinal), back.Said);
            Assert.Equal("1.1.0", _releases.Current());
            Assert.Equal("# of 1.1.0", Agents());
            Assert.Equal("release 1.1.0\nrunning\n", (await _releases.DeployAsync("status")).Stdout);
        }

        // And when it is not interrupted, the way back is the one to the release before.
        Does(await _releases.DeployAsync("rollback"));
        Assert.Equal("1.0.0", _releases.Current());
    }

    /// <summary>1.1.0 is not put over itself: it would be its own release before.</summary>
    [InstalledFact("flock", "setsid")]
    public async Task After_the_switch_the_release_before_runs_again_when_it_is_deployed()
    {
        Does(await _releases.DeployAsync("deploy", Make("1.0.0")));
        Does(await _releases.DeployAsync("deploy", Make("1.1.0")));
        Assert.Equal(137, (await _releases.DeployAsync("deploy", Make("1.2.0", kills: "migrate"))).ExitCode);
        Assert.StartsWith("the deployment of 1.2.0 was interrupted after the switch", (await _releases.DeployAsync("status")).Stdout, StringComparison.Ordinal);
        var back = await _releases.DeployAsync("deploy", _releases.In("made", "1.1.0"));
        Assert.True(back.ExitCode == 0 && back.Said.Contains("1.1.0 runs again", StringComparison.Ordinal), back.Said);
        Assert.Equal("1.1.0", _releases.Current());
        Does(await _releases.DeployAsync("rollback"));
        Assert.Equal("1.0.0", _releases.Current());
    }

    [InstalledTheory("flock", "setsid")]
    [InlineData("config", "before")]
    [InlineData("migrate", "after")]
    public async Task A_rollback_that_was_killed_goes_on_when_it_is_called_again(string command, string when)
    {
        var quiet = _releases.In("killed-1.0.0");
        File.WriteAllText(quiet, "");
        Does(await _releases.DeployAsync("deploy", Make("1.0.0", kills: command)));
        Does(await _releases.DeployAsync("deploy", Make("1.1.0")));
        File.Delete(quiet);
        Assert.Equal(137, (await _releases.DeployAsync("rollback")).ExitCode);
        Assert.StartsWith($"the rollback to 1.0.0 was interrupted {when} the switch: say rollback again, or deploy 1.1.0", (await _releases.DeployAsync("status")).Stdout, StringComparison.Ordinal);
        Does(await _releases.DeployAsync("rollback"));
        Assert.Equal("1.0.0", _releases.Current());
        Assert.Equal("# of 1.0.0", Agents());
        Assert.Equal("release 1.0.0\nrunning\n", (await _releases.DeployAsync("status")).Stdout);
    }

    [InstalledTheory("flock", "setsid")]
    [InlineData("config", "before")]
    [InlineData("migrate", "after")]
    public async Task A_first_installation_leads_back_to_nothing(string command, string when)
    {
        Assert.Equal(137, (await _releases.DeployAsync("deploy", Make("1.0.0", kills: command))).ExitCode);
        Assert.StartsWith($"the deployment of 1.0.0 was interrupted {when} the switch", (await _releases.DeployAsync("status")).Stdout, StringComparison.Ordinal);
        var back = await _releases.DeployAsync("rollback");
        Assert.True(back.ExitCode == 1 && back.Said.Contains("there was no release before: nothing is installed", StringComparison.Ordinal), back.Said);
        Assert.Equal("not installed\n", (await _releases.DeployAsync("status")).Stdout);
        Does(await _releases.DeployAsync("deploy", _releases.In("made", "1.0.0")));
    }

    [InstalledFact("flock", "setsid", "diff")]
    public async Task What_is_in_service_already_is_done_unless_it_is_another_build_or_does_not_run()
    {
        var release = Make("1.0.0");
        Does(await _releases.DeployAsync("deploy", release));
        foreach (var artifact in new[] { release, await Releases.ArchiveAsync(release) })
        {
            var again = await _releases.DeployAsync("deploy", artifact);
            Assert.True(again.ExitCode == 0 && again.Said.Contains("1.0.0 is in service already", StringComparison.Ordinal), again.Said);
        }

        await _releases.DeployAsync("stop");
        var stopped = await _releases.DeployAsync("deploy", release);
        Assert.True(stopped.ExitCode == 1 && stopped.Said.Contains("it is not ready", StringComparison.Ordinal), stopped.Said);
        Does(await _releases.DeployAsync("start"));
        File.AppendAllText(Path.Combine(release, "config", "agents.yaml"), "# built anew\n");
        var other = await _releases.DeployAsync("deploy", release);
        Assert.True(other.ExitCode == 1 && other.Said.Contains("a 1.0.0 that is not this one is in service", StringComparison.Ordinal), other.Said);
        Assert.Empty(Directory.EnumerateDirectories(_releases.In("root", "releases"), ".new*"));
    }

    private static void Does(Shell done) => Assert.True(done.ExitCode == 0, done.Said);

    /// <param name="kills">The command of the program that kills the script, the first time that it is called.</param>
    private string Make(string version, string kills = "nothing")
    {
        var mark = _releases.In("killed-" + version);
        var release = _releases.Make(version, before: $"[ \"$1\" != {kills} ] || [ -e '{mark}' ] || {{ touch '{mark}'; kill -9 $PPID; exit 1; }}\n{Releases.Stub}", smoke: "true");
        File.AppendAllText(Path.Combine(release, "config", "agents.yaml"), $"# of {version}\n");
        return release;
    }

    private string Agents() => File.ReadLines(_releases.In("config", "agents.yaml")).Last();
}
