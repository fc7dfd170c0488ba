using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Cli;
using RootMas.Server.Cli.Doctor;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Deploy;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>doctor</c> and its repairs, <c>top</c>: what an operator sees of the machine, the dependencies and the work.</summary>
[Collection(RabbitCollection.Name)]
public sealed class DoctorTests(RabbitServer rabbit)
{
    [Fact]
    public async Task What_is_safe_to_repair_is_repaired_and_only_when_asked()
    {
        using var cli = new CliSession();
        Assert.Equal(0, await cli.RunAsync("doctor", "--fix")); // makes the folder
        Assert.Contains("+ data: repaired", cli.Output.ToString(), StringComparison.Ordinal);
        var (open, left) = (Path.Combine(cli.Data, "notes.txt"), Path.Combine(cli.Data, "owner.json.new"));
        await File.WriteAllTextAsync(open, "x");
        await File.WriteAllTextAsync(left, "x");
        FileModes.LetOthersRead(open);
        FileModes.Set(cli.Data, (UnixFileMode)0x1ED); // 755

        Assert.Equal(1, await cli.RunAsync("doctor"));
        Assert.Contains("✗ permissions: others may look into", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.Equal((UnixFileMode)0x1ED, FileModes.Of(cli.Data));

        Assert.Equal(0, await cli.RunAsync("doctor", "--fix", "--json"));
        var states = JsonElement.Parse(cli.Output.ToString()).EnumerateArray().Where(static f => f.GetProperty("state").GetString() == "fixed").Select(static f => f.GetProperty("what").GetString());
        Assert.Equal(["permissions", "permissions", "leftovers"], states);
        Assert.Equal((UnixFileMode)0x1C0, FileModes.Of(cli.Data));
        Assert.Equal(FileModes.Private, FileModes.Of(open));
        Assert.False(File.Exists(left));
        Assert.True(File.Exists(open));
    }

    /// <summary>Only root can give a file away: elsewhere there is nothing to see.</summary>
    [Fact]
    public async Task Files_of_another_user_in_the_data_directory_are_told()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess)
        {
            return;
        }

        using var cli = new CliSession();
        Assert.Equal(0, await cli.RunAsync("doctor", "--fix"));
        var file = Path.Combine(cli.Data, "strange");
        await File.WriteAllTextAsync(file, "x");
        FileModes.Set(file, FileModes.Private);
        await Shell.DoAsync("chown", ["65534", file]);
        Assert.Equal(1, await cli.RunAsync("doctor"));
        Assert.Contains($"✗ permissions: 1 files in {cli.Data} are not root's, the first is strange", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.Contains($"chown -R root {cli.Data}", cli.Output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_lies_behind_a_link_is_not_ours_to_repair()
    {
        using var cli = new CliSession();
        using var elsewhere = new TempFolder();
        Assert.Equal(0, await cli.RunAsync("doctor", "--fix"));
        var (open, left) = (Path.Combine(elsewhere.Path, "shared.txt"), Path.Combine(elsewhere.Path, "notes.tmp"));
        await File.WriteAllTextAsync(open, "x");
        await File.WriteAllTextAsync(left, "x");
        FileModes.LetOthersRead(open);
        var mode = FileModes.Of(open);
        Directory.CreateSymbolicLink(Path.Combine(cli.Data, "backups"), elsewhere.Path);
        File.CreateSymbolicLink(Path.Combine(cli.Data, "notes.new"), left);
        Assert.Equal(0, await cli.RunAsync("doctor", "--fix"));
        Assert.True(File.Exists(left));
        Assert.Equal(mode, FileModes.Of(open));
    }

    /// <summary>Root may read everything, so the program runs as another user.</summary>
    [InstalledFact("setpriv")]
    public async Task Whoever_may_not_look_into_the_data_directory_is_told_so()
    {
        using var folder = new TempFolder();
        var (data, keys) = (Path.Combine(folder.Path, "data"), Path.Combine(folder.Path, "data", "keys"));
        Directory.CreateDirectory(keys);
        const UnixFileMode Open = (UnixFileMode)0x1ED; // 755
        FileModes.Set(folder.Path, Open);
        FileModes.Set(data, Open);
        FileModes.Set(keys, UnixFileMode.None);
        string[] asNobody = Environment.UserName == "root" ? ["--reuid=65534", "--regid=65534", "--clear-groups"] : [];
        FileModes.Set(data, asNobody.Length > 0 ? Open : (UnixFileMode)0x16D); // 555
        try
        {
            foreach (var command in (string[][])[["doctor"], ["data", "prune", "--dry-run"]])
            {
                var said = await Shell.RunAsync("setpriv", [.. asNobody, "dotnet", ServerProcess.ProgramPath(), .. command, "--data", data, "--config", Repository.PathOf("config")], new Dictionary<string, string>(StringComparer.Ordinal) { ["HOME"] = folder.Path });
                Assert.True(said.ExitCode is > 0 and < 10, said.Said);
                Assert.DoesNotContain("   at ", said.Said, StringComparison.Ordinal);
                if (command is ["doctor"])
                {
                    Assert.Contains($"✗ data: this user may not write in {data}", said.Stdout, StringComparison.Ordinal);
                }
            }
        }
        finally
        {
            FileModes.Set(data, Open);
            FileModes.Set(keys, Open);
        }
    }

    [Fact]
    public async Task A_running_server_is_asked_for_every_part_and_its_clock_is_compared()
    {
        await using var app = await TestApp.StartAsync();
        using var cli = new CliSession(app.Data);
        var said = await cli.DoAsync("doctor");
        foreach (var line in (string[])["✓ program: ", "✓ memory: ", "✓ settings: valid", "✓ disk space: ", $"✓ clock: as that of the server at {app.Url.ToString().TrimEnd('/')}", "✓ database", "✓ schedule", "· redis: ", "· models: ", "· backup key: keys are not in backups"])
        {
            Assert.Contains(line, said, StringComparison.Ordinal);
        }

        cli.Environment["ROOTMAS_BACKUP_KEY"] = "a key of the operator's";
        Assert.DoesNotContain("backup key: ", await cli.DoAsync("doctor"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_named_or_remembered_is_examined_and_not_this_folder()
    {
        await using var app = await TestApp.StartAsync();
        using var cli = new CliSession();
        cli.Environment.Remove("ROOTMAS_CONFIG"); // so there is none here
        cli.Environment.Remove("ROOTMAS_DATA");
        cli.Environment["ROOTMAS_SERVER"] = app.Url.ToString();
        cli.Environment["ROOTMAS_API_KEY"] = app.LocalToken;
        Examined("ROOTMAS_SERVER", await cli.DoAsync("doctor"));

        cli.Environment.Remove("ROOTMAS_SERVER");
        cli.Environment.Remove("ROOTMAS_API_KEY");
        cli.Type(app.LocalToken);
        await cli.DoAsync("login", app.Url.ToString());
        Examined("'rootmas login'", await cli.DoAsync("doctor"));

        // With a data directory the installation here is meant, as for all commands.
        Assert.Equal(1, await cli.RunAsync("doctor", "--data", cli.Data));
        Assert.Contains("✗ config: ", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("is asked, named by", cli.Output.ToString(), StringComparison.Ordinal);

        void Examined(string namedBy, string said)
        {
            Assert.Contains($"· server: {app.Url} is asked, named by {namedBy}; ", said, StringComparison.Ordinal);
            Assert.Contains("✓ database", said, StringComparison.Ordinal);
            Assert.DoesNotContain(" config: ", said, StringComparison.Ordinal);
            Assert.DoesNotContain(" port: ", said, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task What_is_wrong_with_an_edit_of_the_agents_is_named()
    {
        await using var app = await TestApp.StartAsync();
        using var cli = new CliSession(app.Data);
        Assert.DoesNotContain("· agents: ", await cli.DoAsync("doctor"), StringComparison.Ordinal);
        await File.WriteAllTextAsync(Path.Combine(app.Config, "agents.yaml"), "agents: [oops");
        var said = "";
        await Wait.UntilAsync(async c => (said = await c.DoAsync("doctor")).Contains("· agents: agents.yaml, ", StringComparison.Ordinal), cli, "The broken edit was not named");
        Assert.Contains("· agents: The newest edit of the agent catalog has errors", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_does_not_listen_yet_is_told_as_one()
    {
        using var cli = new CliSession();
        using var starting = new DataDirectory(cli.Data);
        starting.Acquire();
        Assert.Equal(1, await cli.RunAsync("doctor"));
        var said = cli.Output.ToString();
        Assert.Contains($"· server: process {Environment.ProcessId} owns {cli.Data} and does not listen yet", said, StringComparison.Ordinal);
        Assert.Contains("✗ server: ", said, StringComparison.Ordinal);
        Assert.DoesNotContain("a proxy before it", said, StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task PostgreSQL_is_asked_for_version_clock_and_room_and_pg_dump_must_fit()
    {
        var server = await PostgresServer.SharedAsync();
        using var cli = new CliSession();
        cli.Environment["ROOTMAS__Database__Kind"] = "postgres";
        cli.Environment["ROOTMAS__Database__ConnectionString"] = server.Url(await server.NewDatabaseAsync(migrated: true));
        cli.Environment["ROOTMAS__Database__PoolMax"] = "399";
        cli.Environment["ROOTMAS__Database__PoolMin"] = "1";
        var said = await cli.DoAsync("doctor");
        Assert.Matches("✓ postgresql: version 1[4-9]", said);
        Assert.Contains("✓ clock: as that of PostgreSQL", said, StringComparison.Ordinal);
        Assert.Matches("✓ pg_dump: version 1[4-9]", said);
        Assert.Contains("· postgresql connections: Database:PoolMax is 399", said, StringComparison.Ordinal);

        // The doctor looks where backups look.
        cli.Environment["ROOTMAS__Backups__PostgresPrograms"] = cli.Data;
        cli.Environment["ROOTMAS__Backups__OffsiteFolder"] = "/nowhere/backups";
        cli.Environment["ROOTMAS__Knowledge__Documents__PdfProgram"] = "/nowhere/pdftotext";
        said = await cli.DoAsync("doctor");
        Assert.Contains("· pg_dump: none that fits", said, StringComparison.Ordinal);
        Assert.Contains($"pg_dump was not found in {cli.Data}", said, StringComparison.Ordinal);
        Assert.Contains("· off-site backups: /nowhere/backups is not there", said, StringComparison.Ordinal);
        Assert.Contains("· pdftotext: /nowhere/pdftotext is not there", said, StringComparison.Ordinal);

        cli.Environment["ROOTMAS__Database__ConnectionString"] = $"postgres://somebody:secret-word@127.0.0.1:{ServerProcess.FreePort()}/none";
        Assert.Equal(1, await cli.RunAsync("doctor"));
        Assert.Contains("✗ postgresql: none on 127.0.0.1:", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret-word", cli.Output.ToString() + cli.Notes, StringComparison.Ordinal);
    }

    [RabbitFact]
    public async Task Redis_and_rabbitmq_are_asked_for_their_versions()
    {
        Assert.True(RedisServer.Missing is null, RedisServer.Missing);
        using var cli = new CliSession();
        var postgres = await PostgresServer.SharedAsync();
        cli.Environment["ROOTMAS__Database__Kind"] = "postgres"; // several processes need it
        cli.Environment["ROOTMAS__Database__ConnectionString"] = postgres.Url(await postgres.NewDatabaseAsync(migrated: true));
        cli.Environment["ROOTMAS__Redis__ConnectionString"] = (await RedisServer.SharedAsync()).Url;
        cli.Environment["ROOTMAS__RabbitMq__Uri"] = rabbit.Url;
        await cli.RunAsync("doctor");
        Assert.Matches("✓ redis server: version [67]", cli.Output.ToString());
        Assert.Matches(@"✓ rabbitmq server: version [34]\.", cli.Output.ToString());
        Assert.Matches(@"✓ rabbitmq queues: rootmas\.runs\.[0-9a-f]{16}\.\*, this installation's own", cli.Output.ToString());

        cli.Environment["ROOTMAS__RabbitMq__Queue"] = "mine";
        await cli.RunAsync("doctor");
        Assert.Contains("✓ rabbitmq queues: mine.*, as RabbitMq:Queue says", cli.Output.ToString(), StringComparison.Ordinal);

        cli.Environment["ROOTMAS__Redis__ConnectionString"] = $"redis://:secret-word@127.0.0.1:{ServerProcess.FreePort()}/0";
        cli.Environment["ROOTMAS__RabbitMq__Uri"] = $"amqp://me:secret-word@127.0.0.1:{ServerProcess.FreePort()}";
        Assert.Equal(1, await cli.RunAsync("doctor"));
        Assert.Contains("✗ redis server: cannot be used", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.Contains("✗ rabbitmq server: cannot be used: nothing listens at the address of RabbitMq:Uri", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("secret-word", cli.Output.ToString() + cli.Notes, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "ok")]
    [InlineData(1, "ok")]
    [InlineData(10, "note")]
    [InlineData(-10, "note")]
    public void Clocks_that_differ_are_told(int seconds, string state)
    {
        var now = new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);
        var finding = ServiceChecks.Clock("the database", now.AddSeconds(seconds), now, now.AddMilliseconds(300), TimeSpan.Zero);
        Assert.Equal(state, finding.State);
        Assert.Contains(seconds == 0 || state == "ok" ? "as that of" : seconds > 0 ? "behind" : "ahead of", finding.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Top_shows_live_runs_queue_cost_and_errors_once_in_a_pipe_and_as_json()
    {
        await using var world = await ChatWorld.StartAsync();
        await world.AskAsync(new { message = "hello", team = "solo" });
        world.Sim.Hold(new HoldSpec { At = HoldPoint.Before });
        var run = (await world.SendAsync(await world.NewConversationAsync(), new { message = "wait" })).GetProperty("run_id").GetString()!;
        using var cli = new CliSession(world.App.Data);
        var said = await cli.DoAsync("top");
        Assert.Contains("runs: ", said, StringComparison.Ordinal);
        Assert.Contains("cost: ", said, StringComparison.Ordinal);
        Assert.Contains(run, said, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', said);

        var json = JsonElement.Parse(await cli.DoAsync("top", "--json"));
        Assert.Equal(run, Assert.Single(json.GetProperty("runs").EnumerateArray()).GetProperty("id").GetString());
        Assert.True(json.GetProperty("dashboard").GetProperty("values").GetProperty("model_calls").GetDouble() >= 1);
        Assert.Equal(2, await cli.RunAsync("top", "--interval", "0"));
    }

    [Fact]
    public async Task An_operator_sees_what_others_run_however_much_ended_since_and_others_see_their_own()
    {
        await using var world = await ChatWorld.StartAsync();
        using var ann = await world.App.AsAsync("ann");
        var hold = world.Sim.Hold(new HoldSpec { At = HoldPoint.Before, Call = 1 });
        var conversation = (await ann.PostAsync("/api/v1/conversations", new { team = "solo" }, System.Net.HttpStatusCode.Created)).GetProperty("id").GetString();
        var run = (await ann.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = "wait" }, System.Net.HttpStatusCode.Accepted)).GetProperty("run_id").GetString()!;
        await hold.Reached;
        for (var i = 0; i < 101; i++)
        {
            await world.AskAsync(new { message = "hello", team = "solo" });
        }

        using var cli = new CliSession(world.App.Data);
        Assert.Contains(run, await cli.DoAsync("top"), StringComparison.Ordinal);
        Assert.Equal(run, Assert.Single(JsonElement.Parse(await cli.DoAsync("top", "--json")).GetProperty("runs").EnumerateArray()).GetProperty("id").GetString());
        Assert.DoesNotContain(run, await cli.DoAsync("runs", "list", "--status", "running"), StringComparison.Ordinal);
        Assert.Equal([run, ann.Id], Assert.Single((await cli.DoAsync("runs", "list", "--all", "--status", "running")).Split('\n', StringSplitOptions.RemoveEmptyEntries)).Split('\t').Where((_, i) => i is 0 or 5));

        using var bob = await world.App.AsAsync("bob");
        foreach (var (who, expected) in new[] { (ann, 1), (bob, 0) })
        {
            using var theirs = new CliSession();
            theirs.Environment["ROOTMAS_SERVER"] = world.App.Url.ToString();
            theirs.Environment["ROOTMAS_API_KEY"] = who.AccessToken;
            Assert.Equal(expected, JsonElement.Parse(await theirs.DoAsync("top", "--json")).GetProperty("runs").GetArrayLength());
            Assert.NotEqual(0, await theirs.RunAsync("runs", "list", "--all"));
        }

        hold.Release();
    }

    [Fact]
    public async Task Top_shows_how_queue_and_errors_change()
    {
        await using var world = await ChatWorld.StartAsync(
            """
            rules:
              - match: { last_user: "break" }
                answer: { fault: { kind: status, status: 400 } }
            default: { text: "done" }
            """,
            configure: static o =>
            {
                o.Settings["Runs:Parallelism"] = "1";
                o.Settings["Telemetry:SampleInterval"] = "1s";
            });
        using var cli = new CliSession(world.App.Data);
        async Task<string> SaysAsync(string what)
        {
            var said = "";
            await Wait.UntilAsync(async c => (said = await c.DoAsync("top")).Contains(what, StringComparison.Ordinal), cli, $"top said '{what}'");
            return said;
        }

        Assert.DoesNotContain("gave no usable answer", await SaysAsync("runs: 0 running, 0 queued"), StringComparison.Ordinal);
        var hold = world.Sim.Hold(new HoldSpec { At = HoldPoint.Before });
        List<string> runs = [];
        for (var i = 0; i < 4; i++)
        {
            runs.Add((await world.SendAsync(await world.NewConversationAsync(), new { message = "wait" })).GetProperty("run_id").GetString()!);
        }

        var busy = await SaysAsync("runs: 1 running, 3 queued");
        Assert.All(runs, run => Assert.Contains(run, busy, StringComparison.Ordinal));
        hold.Release();
        var idle = await SaysAsync("runs: 0 running, 0 queued");
        Assert.All(runs, run => Assert.DoesNotContain(run, idle, StringComparison.Ordinal));
        Assert.Contains("requests to models, 0 failed", idle, StringComparison.Ordinal);

        // A model that refuses: the count of failures, and the line of the log that says why.
        await world.EventsAsync((await world.SendAsync(await world.NewConversationAsync(), new { message = "break" })).GetProperty("run_id").GetString()!);
        await SaysAsync("gave no usable answer");
        await Wait.UntilAsync(static async c => !(await c.DoAsync("top")).Contains("requests to models, 0 failed", StringComparison.Ordinal), cli, "top counts what failed"); // the day's figures are summed every few seconds
    }

    [Fact]
    public void Top_shows_first_what_works_or_waits_for_somebody_and_says_how_much_it_leaves_out()
    {
        static JsonElement Run(string id, string status) => JsonSerializer.SerializeToElement(new { id, status, agent = "solo", created_at = "2026-01-31T12:00:00Z" });
        var queued = Enumerable.Range(10, 30).Select(static i => Run(i.ToString(System.Globalization.CultureInfo.InvariantCulture), "queued"));
        JsonElement[] others = [Run("50", "waiting_children"), Run("03", "running"), Run("02", "running"), Run("51", "needs_review"), Run("01", "waiting_approval"), Run("02", "running")];
        var picture = new TopPicture(default, default, TopView.InOrder(queued.Reverse().Concat(others)), []);
        Assert.Equal("02 03 51 01 50 10 11", string.Join(' ', picture.RunRows().Select(static r => r[0]).Take(7)));
        Assert.Equal(20, picture.RunRows().Count());
        Assert.Equal("15 more", Assert.Single(picture.Rest()));
        Assert.Equal("at least 15 more", Assert.Single((picture with { IsCut = true }).Rest()));
        Assert.Empty(new TopPicture(default, default, TopView.InOrder(others), []).Rest());
    }

    [Fact]
    public async Task Top_goes_on_until_ctrl_c_where_a_person_watches()
    {
        await using var app = await TestApp.StartAsync();
        using var person = new CliSession(app.Data) { IsPerson = true };
        var watching = person.RunAsync("top", "--interval", "0.2");
        await person.Output.ContainsAsync("runs: ");
        person.Press();
        Assert.Equal(0, await watching);
    }
}
