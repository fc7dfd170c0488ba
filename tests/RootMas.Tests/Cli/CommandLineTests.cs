using System.CommandLine;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>The command line as a person or a script uses it: the built program, real processes, exit codes, stdout and stderr.</summary>
public sealed class CommandLineTests
{
    private static readonly ServerSettings Plain = new() { Environment = new Dictionary<string, string> { ["ROOTMAS_CONFIG"] = Repository.PathOf("config") } };

    private static ServerSettings With(Simulator sim) => ServerSettings.With(sim) with { Config = Repository.PathOf("config") };

    [Fact]
    public async Task Wrong_words_are_a_usage_error_and_version_is_data()
    {
        var (wrong, _, notes) = await ServerProcess.RunAsync(Plain, null, "chatt");
        var (ok, version, _) = await ServerProcess.RunAsync(Plain, null, "version");

        Assert.Equal(2, wrong);
        Assert.Equal("'chatt' is not a command. Did you mean 'chat'?\nSee: rootmas --help\n", notes);
        Assert.Equal(0, ok);
        Assert.Matches(@"^\d+\.\d+\.\d+", version);
    }

    [Fact]
    public async Task A_mistyped_option_is_never_taken_for_the_argument_of_a_command()
    {
        using var cli = new CliSession();
        foreach (var (words, said) in ((string[], string)[])
        [
            (["chat", "--jsom"], "'--jsom' is not an option. Did you mean '--json'?"), (["chat", "--jsom", "hello"], "'--jsom' is not an option."), (["chat", "-x"], "'-x' is not an option."),
            (["approvals", "approve", "--bogus"], "'--bogus' is not an option."), (["runs", "show", "--sever=http://127.0.0.1:9"], "'--sever=http://127.0.0.1:9' is not an option. Did you mean '--server'?"),
            (["documents", "upload", "--colection=notes", "a.txt"], "'--colection=notes' is not an option. Did you mean '--collection'?"),
        ])
        {
            Assert.Equal(2, await cli.RunAsync(words));
            Assert.StartsWith(said, cli.Notes.ToString(), StringComparison.Ordinal);
            Assert.Equal("", cli.Output.ToString());
        }

        foreach (var meant in (string[][])[["--", "--jsom"], ["-1"], ["-"], ["- not an option, but words"]])
        {
            Assert.Equal(7, await cli.RunAsync(["runs", "answer", "x", "--server", "http://127.0.0.1:9", .. meant]));
        }
    }

    [Fact]
    public async Task A_word_where_a_number_belongs_is_a_usage_error_of_every_command()
    {
        var options = Numbers(CommandLine.Root(), []).ToList();
        Assert.True(options.Count > 10, "there are few options with numbers");
        using var cli = new CliSession();
        foreach (var (words, option) in options)
        {
            Assert.Equal(2, await cli.RunAsync([.. words, option, "x"]));
            Assert.Matches($"{option} needs a (whole )?number: 'x' is none", cli.Notes.ToString());
        }

        foreach (var (words, said) in ((string, string)[])[("top --interval 0.1", "between 0.2 and 3600"), ("api-keys create x --days 0", "1 to 36500"), ("runs retry x --from-seq 0", "1 or more"),
            ("top --interval 0,5", "--interval needs a number: '0,5' is none."), ("eval retrieval x --min-recall 0,1", "--min-recall needs a number: '0,1' is none."), ("eval cache x --threshold 0.9 0,1", "--threshold needs a number: '0,1' is none.")])
        {
            Assert.Equal(2, await cli.RunAsync(words.Split(' ')));
            Assert.Contains(said, cli.Notes.ToString(), StringComparison.Ordinal);
        }

        static IEnumerable<(string[] Words, string Option)> Numbers(Command command, string[] words) =>
        [
            .. command.Options.Where(static o => IsNumber(o.ValueType)).Select(o => (((string[])[.. words, .. command.Arguments.Where(static a => a.Arity.MinimumNumberOfValues > 0).Select(static _ => "a")]), o.Name)),
            .. command.Subcommands.SelectMany(c => Numbers(c, [.. words, c.Name])),
        ];

        static bool IsNumber(Type type) => (Nullable.GetUnderlyingType(type) ?? type.GetElementType() ?? type) is var one && (one == typeof(int) || one == typeof(long) || one == typeof(double));
    }

    [Fact]
    public async Task Chat_works_without_a_server_and_keeps_what_was_said()
    {
        using var data = new TempFolder();
        var (code, answer, notes) = await ServerProcess.RunAsync(Plain, null, "chat", "What is 17 * 23?", "--data", data.Path);
        var (listed, runs, _) = await ServerProcess.RunAsync(Plain, null, "runs", "list", "--json", "--data", data.Path);

        Assert.True(code == 0, notes);
        Assert.Contains("391", answer);
        Assert.Contains("offline model", answer);
        Assert.Contains("calculator", notes);
        Assert.DoesNotContain("calculator {", answer);
        Assert.Equal(0, listed);
        using var json = JsonDocument.Parse(runs);
        Assert.Equal("completed", json.RootElement.GetProperty("items")[0].GetProperty("status").GetString());
    }

    [Fact]
    public async Task Chat_finds_the_server_of_its_data_directory_reads_a_pipe_and_prints_events()
    {
        await using var sim = await Simulator.StartAsync("""{"default":{"text":"Piped {{last_user}}."}}""");
        await using var server = await ServerProcess.StartAsync(With(sim));
        var (code, stdout, stderr) = await ServerProcess.RunAsync(Plain, "from a pipe", "chat", "--json", "--data", server.Data);

        Assert.True(code == 0, stderr);
        var types = stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("type").GetString()).ToList();
        Assert.Equal("run.queued", types[0]);
        Assert.Equal("run.completed", types[^1]);
        Assert.Contains("Piped from a pipe.", stdout);
        Assert.Equal(1, sim.Stats.Calls);
    }

    [Fact]
    public async Task A_second_server_on_the_same_data_is_refused_and_named()
    {
        await using var server = await ServerProcess.StartAsync(Plain with { Config = Repository.PathOf("config") });
        var (code, _, stderr) = await ServerProcess.RunAsync(Plain, null, "serve", "--data", server.Data, "--urls", "http://127.0.0.1:0");

        Assert.Equal(5, code);
        Assert.Contains(server.BaseUrl, Assert.Single(stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    [Fact]
    public async Task A_command_too_few_shows_what_there_is()
    {
        var (none, commands, notes) = await ServerProcess.RunAsync(Plain, null);
        var (group, runs, _) = await ServerProcess.RunAsync(Plain, null, "runs");

        Assert.Equal((2, 2, ""), (none, group, notes));
        Assert.Contains("doctor", commands);
        Assert.Contains("rootmas runs [command]", runs);
    }

    [Fact]
    public async Task Not_found_and_unreachable_have_their_own_exit_codes()
    {
        await using var server = await ServerProcess.StartAsync(Plain with { Config = Repository.PathOf("config") });
        var missing = await ServerProcess.RunAsync(Plain, null, "runs", "show", Guid.CreateVersion7().ToString(), "--data", server.Data);
        var unreachable = await ServerProcess.RunAsync(Plain, null, "runs", "list", "--server", "http://127.0.0.1:9");

        Assert.Equal(3, missing.ExitCode);
        Assert.Equal(7, unreachable.ExitCode);
        Assert.Contains("rootmas serve", unreachable.Stderr);
    }

    [Fact]
    public async Task Settings_problems_are_listed_at_once_with_exit_code_two()
    {
        var settings = new ServerSettings
        {
            Environment = new Dictionary<string, string> { ["ROOTMAS_CONFIG"] = Repository.PathOf("config"), ["ROOTMAS__Database__Readers"] = "many", ["ROOTMAS__Nothing__Here"] = "1" },
        };
        var (code, _, stderr) = await ServerProcess.RunAsync(settings, null, "config", "check");

        Assert.Equal(2, code);
        Assert.Contains("Database:Readers", stderr);
        Assert.Contains("Nothing:Here", stderr);
    }

    [Fact]
    public async Task Doctor_finds_nothing_wrong_offline_and_says_what_answers()
    {
        using var data = new TempFolder();
        var (code, stdout, stderr) = await ServerProcess.RunAsync(Plain with { Environment = new Dictionary<string, string>(Plain.Environment) { ["ROOTMAS_URLS"] = $"http://127.0.0.1:{ServerProcess.FreePort()}" } }, null, "doctor", "--json", "--data", data.Path);

        Assert.True(code == 0, stdout + stderr);
        using var json = JsonDocument.Parse(stdout);
        var findings = json.RootElement.EnumerateArray().ToDictionary(f => f.GetProperty("what").GetString()!, f => f.GetProperty("state").GetString());
        Assert.Equal("ok", findings["database"]);
        Assert.Equal("ok", findings["model endpoint offline"]);
    }

    [Fact]
    public async Task A_damaged_database_is_told_by_every_command_and_is_one_finding_of_the_doctor_among_others()
    {
        using var data = new TempFolder();
        var file = Path.Combine(data.Path, "rootmas.db");
        await File.WriteAllBytesAsync(file, [.. Enumerable.Range(0, 100).Select(static i => (byte)((i * 37) + 1))]);
        FileModes.Set(file, FileModes.Private);
        var settings = Plain with { Environment = new Dictionary<string, string>(Plain.Environment) { ["ROOTMAS_URLS"] = $"http://127.0.0.1:{ServerProcess.FreePort()}" } };
        foreach (var command in (string[][])[["runs", "list"], ["migrate", "--plan"], ["data", "compact"], ["doctor"]])
        {
            var (code, stdout, stderr) = await ServerProcess.RunAsync(settings, null, [.. command, "--data", data.Path]);
            Assert.True(code == 1, $"{string.Join(' ', command)} ended with {code}\n{stdout}\n{stderr}");
            Assert.Contains("The database file is damaged.", command is ["doctor"] ? stdout : stderr, StringComparison.Ordinal);
            Assert.DoesNotContain("Unhandled exception", stderr, StringComparison.Ordinal);
            if (command is ["doctor"])
            {
                Assert.Contains("✓ settings: valid", stdout, StringComparison.Ordinal);
                Assert.Contains("✗ server: The database file is damaged.", stdout, StringComparison.Ordinal);
            }
        }
    }

    [ShimFact]
    public async Task A_data_directory_without_room_is_told_and_is_a_finding_of_the_doctor()
    {
        using var data = new TempFolder();
        using var shim = await FaultShim.MakeAsync("owner.json");
        shim.FillDisk();
        var settings = Plain with { Environment = new Dictionary<string, string>(Plain.Environment.Concat(shim.Environment)) { ["ROOTMAS_URLS"] = $"http://127.0.0.1:{ServerProcess.FreePort()}" } };
        foreach (var command in (string[][])[["runs", "list"], ["serve"], ["doctor"]])
        {
            var (code, stdout, stderr) = await ServerProcess.RunAsync(settings, null, [.. command, "--data", data.Path]);
            Assert.True(code == 1, $"{string.Join(' ', command)} ended with {code}\n{stdout}\n{stderr}");
            Assert.Contains($"The data directory {data.Path} cannot be written", command is ["doctor"] ? stdout : stderr, StringComparison.Ordinal);
            Assert.DoesNotMatch("(StorageUnavailable|StartupRefused)Exception|   at RootMas", stdout + stderr); // one sentence, and no log line with a stack
            Assert.False(File.Exists(Path.Combine(data.Path, "owner.json.new")), $"{string.Join(' ', command)} left a half-written file");
        }
    }

    [Fact]
    public async Task Ctrl_c_cancels_the_run_down_to_the_providers_connection()
    {
        await using var sim = await Simulator.StartAsync("""{"default":{"text":"one two three","fault":{"kind":"hang"}}}""");
        await using var server = await ServerProcess.StartAsync(With(sim));
        await using var chat = CliProcess.Start(null, "chat", "hello", "--data", server.Data);
        await sim.WaitForCallsAsync(1);
        await chat.NotesAsync("is working");
        chat.Interrupt();

        Assert.Equal(130, await chat.EndAsync());
        Assert.Contains("Cancelling", chat.Stderr);
        await Wait.UntilAsync(() => sim.Stats.Aborted == 1);
        var (_, runs, _) = await ServerProcess.RunAsync(Plain, null, "runs", "list", "--json", "--data", server.Data);
        Assert.Contains("\"cancelled\"", runs);
    }

    [Fact]
    public async Task A_question_to_the_user_waits_over_a_restart_and_is_answered_from_another_command()
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - match: { last_role: tool }
                answer: { text: "You chose {{tool_result}}." }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } } ] }
            """);
        await using var server = await ServerProcess.StartAsync(With(sim));
        var (code, _, stderr) = await ServerProcess.RunAsync(Plain, null, "chat", "paint it", "--data", server.Data);
        Assert.Equal(1, code);
        Assert.Contains("Which colour?", stderr);
        var run = stderr[(stderr.IndexOf("run ", StringComparison.Ordinal) + 4)..][..36];
        await server.KillAsync();
        await server.StartAgainAsync();

        Assert.Equal(0, (await ServerProcess.RunAsync(Plain, null, "runs", "answer", run, "green", "--data", server.Data)).ExitCode);
        var attached = await ServerProcess.RunAsync(Plain, null, "runs", "attach", run, "--data", server.Data);
        Assert.Equal(0, attached.ExitCode);
        Assert.Equal("You chose green.", attached.Stdout.Trim());
    }

    [Fact]
    public async Task An_approval_is_listed_and_given_from_the_command_line_and_acts_once()
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - match: { agent: multi_tool, last_role: tool }
                answer: { text: "done" }
            default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/pay", body: "five" } } ] }
            """);
        var settings = With(sim);
        await using var server = await ServerProcess.StartAsync(settings with
        {
            Environment = new Dictionary<string, string>(settings.Environment) { ["ROOTMAS__Outbound__Allow__0"] = "127.0.0.1" },
        });
        var (code, _, stderr) = await ServerProcess.RunAsync(Plain, null, "chat", "pay", "--agent", "multi_tool", "--data", server.Data);
        Assert.True(code == 1 && stderr.Contains("approvals approve", StringComparison.Ordinal), stderr);
        Assert.Empty(sim.ToolCounts);
        var (_, listed, _) = await ServerProcess.RunAsync(Plain, null, "approvals", "list", "--json", "--data", server.Data);
        using var approvals = JsonDocument.Parse(listed);
        var approval = approvals.RootElement.GetProperty("items")[0];

        Assert.Equal(0, (await ServerProcess.RunAsync(Plain, null, "approvals", "approve", approval.GetProperty("id").GetString()!, "--data", server.Data)).ExitCode);
        var attached = await ServerProcess.RunAsync(Plain, null, "runs", "attach", approval.GetProperty("run_id").GetString()!, "--data", server.Data);
        Assert.True(attached.ExitCode == 0, attached.Stderr);
        Assert.Equal("done", attached.Stdout.Trim());
        Assert.Equal(1, sim.ToolCounts["pay"].Effects);
        Assert.Equal(5, (await ServerProcess.RunAsync(Plain, null, "approvals", "approve", approval.GetProperty("id").GetString()!, "--data", server.Data)).ExitCode);
    }

    [Fact]
    public async Task A_chat_goes_on_when_its_server_is_killed_and_started_again()
    {
        await using var sim = await Simulator.StartAsync("""{"default":{"text":"The whole answer, from the first to the last word."}}""");
        var hold = sim.Hold(new HoldSpec { Call = 1, At = HoldPoint.Middle });
        await using var server = await ServerProcess.StartAsync(With(sim));
        await using var chat = CliProcess.Start(null, "chat", "hello", "--data", server.Data);
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await chat.NotesAsync("is working"); // the model may be asked before the command has heard of its run
        await server.KillAsync();
        hold.Release();
        await chat.NotesAsync("Reconnecting");
        await server.StartAgainAsync();

        Assert.True(await chat.EndAsync() == 0, chat.Stderr);
        Assert.Equal("The whole answer, from the first to the last word.", chat.Stdout.Trim());
    }
}
