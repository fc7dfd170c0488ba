using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas chat</c> at a terminal and in a pipe, on a server of the same data directory.</summary>
public sealed class ChatCommandTests() : SimulatedTests("""{"default":{"text":"Good morning, said the model."}}""")
{
    [Fact]
    public async Task A_terminal_sees_the_answer_grow_once_and_one_quiet_line_for_each_agent_and_tool()
    {
        Sim.Use("""
            rules:
              - match: { last_role: tool }
                answer: { text: "It is {{tool_result}}.", piece_chars: 3 }
            default: { tool_calls: [ { name: calculator, arguments: { expression: "6*7" } } ] }
            """);
        using var person = new CliSession(App.Data) { IsPerson = true };
        person.Environment["NO_COLOR"] = "1";
        var shown = await person.DoAsync("chat", "six times seven");

        Assert.StartsWith("It is ", shown);
        Assert.Contains("42", shown);
        Assert.Equal(1, shown.Split("It is ").Length - 1);
        Assert.EndsWith("\n", shown);
        var notes = person.Notes.ToString();
        Assert.Single(notes.Split('\n'), l => l.Contains("communicator is working", StringComparison.Ordinal));
        Assert.Single(notes.Split('\n'), l => l.Contains("→ calculator", StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', notes + shown);
    }

    [Fact]
    public async Task What_came_while_the_connection_was_gone_is_not_missing_on_the_terminal()
    {
        const string Whole = "The whole answer, from the first to the last word.";
        Sim.Use($$"""default: { text: "{{Whole}}", piece_chars: 3 }""");
        await using var way = new CuttingProxy(App.Url.Port);
        using var person = new CliSession { IsPerson = true };
        person.Environment["NO_COLOR"] = "1";
        person.Environment["ROOTMAS_API_KEY"] = (await File.ReadAllTextAsync(Path.Combine(App.Data, "local-token"))).Trim();
        var hold = Sim.Hold(new HoldSpec { At = HoldPoint.Middle });
        var chat = person.RunAsync("chat", "hello", "--server", $"http://127.0.0.1:{way.Port}");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        await Wait.UntilAsync(static p => Task.FromResult(p.Output.ToString().Contains("The whole", StringComparison.Ordinal)), person, "nothing was shown");
        way.Let(Traffic.Refused);
        hold.Release();
        await Wait.UntilAsync(static async a => (await a.GetJsonAsync("/api/v1/runs")).GetProperty("items")[0].GetProperty("status").GetString() == "completed", App, "the run did not end");
        way.Let(Traffic.Flows);
        Assert.True(await chat == 0, person.Notes.ToString());
        var lines = person.Output.ToString().Split('\n');
        Assert.Equal(Whole, lines[^2]); // whole, below what stood there
        Assert.StartsWith(lines[0], Whole, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_pipe_gets_the_answer_alone_and_json_gets_every_event()
    {
        using var pipe = new CliSession(App.Data);
        pipe.Type("hello");
        pipe.EndInput();
        Assert.Equal("Good morning, said the model.\n", await pipe.DoAsync("chat"));

        var events = (await pipe.DoAsync("chat", "hello", "--json")).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static l => JsonDocument.Parse(l).RootElement.GetProperty("type").GetString()).ToList();
        Assert.Equal("run.queued", events[0]);

        // A model that answers at once is done before the command reads along: then the text comes whole.
        Assert.Contains("message.completed", events);
        Assert.Equal("run.completed", events[^1]);
    }

    [Fact]
    public async Task Of_an_answer_that_the_model_broke_off_it_is_said_beside_it()
    {
        Sim.Use("default: { text: \"Switch off the\", finish_reason: length }");
        using var pipe = new CliSession(App.Data);
        Assert.Equal("Switch off the\n", await pipe.DoAsync("chat", "How?"));
        Assert.Contains("its answer was too long", pipe.Notes.ToString(), StringComparison.Ordinal);
        Assert.EndsWith("Switch off the\n", await pipe.DoAsync("runs", "show", RunIdOf(pipe)), StringComparison.Ordinal);
        Assert.Contains("its answer was too long", pipe.Notes.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_cannot_be_written_is_no_lost_connection_and_no_success()
    {
        using var pipe = new CliSession(App.Data);
        pipe.Output.IsFull = true;
        foreach (var json in (string[][])[[], ["--json"]])
        {
            Assert.Equal(1, await pipe.RunAsync(["chat", "hello", .. json]));
            var notes = pipe.Notes.ToString();
            Assert.Contains("The output could not be written (No space left on device).", notes, StringComparison.Ordinal);
            Assert.Contains("rootmas runs attach " + RunIdOf(pipe), notes, StringComparison.Ordinal);
            Assert.DoesNotContain("Connection lost", notes, StringComparison.Ordinal);
        }

        pipe.Output.IsFull = false;
        Assert.Equal("Good morning, said the model.\n", await pipe.DoAsync("runs", "attach", RunIdOf(pipe)));
    }

    [Fact]
    public async Task Without_a_text_a_person_is_asked_for_it_and_nothing_is_a_usage_error()
    {
        using var person = new CliSession(App.Data) { IsPerson = true };
        person.Type("hello");
        Assert.Equal("Good morning, said the model.\n", await person.DoAsync("chat"));
        Assert.Contains("You:", person.Notes.ToString());

        using var empty = new CliSession(App.Data);
        empty.EndInput();
        Assert.Equal(2, await empty.RunAsync("chat"));
        Assert.Contains("nothing to ask", empty.Notes.ToString());
    }

    [Fact]
    public async Task A_conversation_goes_on_and_what_is_wrong_in_a_request_is_named()
    {
        using var pipe = new CliSession(App.Data);
        await pipe.DoAsync("chat", "My name is Ann");
        var conversation = pipe.Notes.ToString().Split("in conversation ")[1].Split('\n')[0];
        await pipe.DoAsync("chat", "What is my name?", "--conversation", conversation);
        Assert.Contains("My name is Ann", Sim.Calls[^1].Body);

        Assert.Equal(3, await pipe.RunAsync("chat", "hello", "--conversation", Guid.CreateVersion7().ToString()));
        Assert.NotEqual(0, await pipe.RunAsync("chat", "hello", "--team", "nobody"));
        Assert.Contains("nobody", pipe.Notes.ToString());
        Assert.Equal(conversation, Assert.Single((await App.GetJsonAsync("/api/v1/conversations")).GetProperty("items").EnumerateArray()).GetProperty("id").GetString()); // nothing is left of what was refused
    }

    [Fact]
    public async Task Ctrl_c_cancels_the_run_and_the_command_ends_with_130()
    {
        Sim.Use("""{"default":{"text":"one two three four"}}""");
        Sim.Hold(new HoldSpec { At = HoldPoint.Middle });
        using var person = new CliSession(App.Data) { IsPerson = true };
        var chat = person.RunAsync("chat", "hello");
        await person.Output.ContainsAsync("one");
        person.Press();

        Assert.Equal(130, await chat);
        Assert.Contains("Cancelling", person.Notes.ToString());
        Assert.Contains("The run was cancelled: Ctrl-C", person.Notes.ToString());
        Assert.Equal("cancelled", (await RunOfAsync(person)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Ctrl_c_at_a_question_cancels_the_run_and_asks_no_more()
    {
        Sim.Use("""{"default":{"tool_calls":[{"name":"ask_user","arguments":{"question":"Where to?"}}]}}""");
        using var person = new CliSession(App.Data) { IsPerson = true };
        var chat = person.RunAsync("chat", "hello");
        await person.Notes.ContainsAsync("Answer:");
        person.Press();

        Assert.Equal(130, await chat);
        Assert.Contains("The run was cancelled: Ctrl-C", person.Notes.ToString());
        Assert.Equal("cancelled", (await RunOfAsync(person)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task Ctrl_c_at_the_question_of_an_attached_run_leaves_it_waiting()
    {
        Sim.Use("""{"default":{"tool_calls":[{"name":"ask_user","arguments":{"question":"Where to?"}}]}}""");
        using var pipe = new CliSession(App.Data);
        Assert.NotEqual(0, await pipe.RunAsync("chat", "hello"));
        using var person = new CliSession(App.Data) { IsPerson = true };
        var attached = person.RunAsync("runs", "attach", RunIdOf(pipe));
        await person.Notes.ContainsAsync("Answer:");
        person.Press();

        Assert.Equal(130, await attached);
        Assert.Contains("rootmas runs attach " + RunIdOf(pipe), person.Notes.ToString());
        Assert.Equal("waiting_input", (await RunOfAsync(pipe)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_second_ctrl_c_leaves_a_server_that_does_not_answer_and_says_that_the_cancel_is_not_confirmed()
    {
        Sim.Use("""{"default":{"text":"one two three four"}}""");
        Sim.Hold(new HoldSpec { At = HoldPoint.Middle });
        await using var way = new CuttingProxy(App.Url.Port);
        using var person = new CliSession { IsPerson = true };
        person.Environment["ROOTMAS_API_KEY"] = App.LocalToken;
        var chat = person.RunAsync("chat", "hello", "--server", $"http://127.0.0.1:{way.Port}");
        await person.Output.ContainsAsync("one");
        way.Let(Traffic.AnswersHeld); // or the run might have ended between the two
        person.Press();
        person.Press();

        Assert.Equal(130, await chat);
        var notes = person.Notes.ToString();
        Assert.Contains("The cancel is not confirmed: the run may go on.", notes, StringComparison.Ordinal);
        Assert.Contains("rootmas runs cancel " + RunIdOf(person), notes, StringComparison.Ordinal);
        Assert.Contains("rootmas runs attach " + RunIdOf(person), notes, StringComparison.Ordinal);
        Assert.DoesNotContain("did not answer the cancel within", notes, StringComparison.Ordinal); // whoever leaves does not wait that long
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_agent_and_tool_below_has_its_lines_once_and_before_its_end_however_quick_it_was(bool isOver)
    {
        Sim.Use("""
            rules:
              - match: { agent: communicator, last_role: user }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "look" } }, { name: delegate, arguments: { agent: budget_manager, task: "count" } } ] }
              - match: { agent: researcher, last_role: user }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "call" } } ] }
              - match: { agent: budget_manager, last_role: user }
                answer: { tool_calls: [ { name: usage_report, arguments: {} } ] }
            default: { text: "Done." }
            """);
        using var pipe = new CliSession(App.Data);
        await pipe.DoAsync("chat", "look and count");
        if (isOver)
        {
            await pipe.DoAsync("runs", "attach", RunIdOf(pipe));
        }

        var lines = pipe.Notes.ToString().Split('\n').Select(static l => l.Trim()).ToList();
        foreach (var agent in (string[])["researcher", "budget_manager", "multi_tool"])
        {
            string[] told = [$"· {agent} is working", $"{agent} is done: ", $"⇐ {agent}: completed, "];
            Assert.All(told, t => Assert.Single(lines, l => l.StartsWith(t, StringComparison.Ordinal)));
            Assert.Equal(told, told.OrderBy(t => lines.FindIndex(l => l.StartsWith(t, StringComparison.Ordinal))));
        }

        Assert.Single(lines, static l => l.StartsWith("→ usage_report", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_answer_that_was_lost_is_asked_for_again_and_makes_no_second_run()
    {
        using var pipe = new CliSession(App.Data);
        await pipe.DoAsync("chat", "hello");
        var conversation = pipe.Notes.ToString().Split("in conversation ")[1].Split('\n')[0];
        var before = Sim.Calls.Count;
        await using var way = new CuttingProxy(App.Url.Port);
        using var far = new CliSession();
        far.Environment["ROOTMAS_API_KEY"] = App.LocalToken;
        way.Let(Traffic.AnswersHeld);
        var chat = far.RunAsync("chat", "hello again", "--conversation", conversation, "--server", $"http://127.0.0.1:{way.Port}");
        await Wait.UntilAsync(static s => Task.FromResult(s.Sim.Calls.Count > s.Before), (Sim: Sim, Before: before), "the run did not begin");
        way.CutAll();
        way.Let(Traffic.Flows);

        Assert.Equal(0, await chat);
        Assert.Contains("asking again", far.Notes.ToString());
        Assert.Equal(before + 1, Sim.Calls.Count);
        Assert.Equal(2, (await App.GetJsonAsync($"/api/v1/runs?conversation={conversation}")).GetProperty("items").GetArrayLength());
    }

    [Theory]
    [InlineData(true, true, "asked to end", "goes on")]
    [InlineData(true, false, "not confirmed: the run may go on when a server starts", "asked to end")]
    [InlineData(true, null, "goes on when a server starts", "end")]
    [InlineData(false, true, "until its cancel takes effect", "server starts")]
    [InlineData(false, false, "not confirmed: the run may go on.", "takes effect")]
    [InlineData(false, null, "The run goes on.", "cancel")]
    public void Leaving_says_what_becomes_of_the_run(bool isOwn, bool? isTaken, string says, string saysNot)
    {
        var text = RootMas.Server.Cli.ChatCommand.WhatBecomesOf("r1", isOwn, isTaken);
        Assert.Contains(says, text, StringComparison.Ordinal);
        Assert.DoesNotContain(saysNot, text, StringComparison.Ordinal);
        Assert.Contains("rootmas runs", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_person_approves_or_refuses_exactly_the_call_that_is_shown()
    {
        Sim.Use($$$"""
            rules:
              - match: { last_role: tool }
                answer: { text: "{{tool_result}}" }
            default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{{Sim.BaseUrl}}}/_tool/pay", body: "five" } } ] }
            """);
        using var person = new CliSession(App.Data) { IsPerson = true };
        person.Type("y");
        await person.DoAsync("chat", "pay", "--agent", "multi_tool");
        Assert.Contains("multi_tool wants to call http_request at " + Sim.BaseUrl, person.Notes.ToString());
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);

        person.Type("no");
        await person.DoAsync("chat", "pay", "--agent", "multi_tool");
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);
    }

    [Fact]
    public async Task A_person_answers_a_question_and_a_script_is_told_how_to()
    {
        Sim.Use("""
            rules:
              - match: { last_role: tool }
                answer: { text: "You chose {{tool_result}}." }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?", options: [ red, green ] } } ] }
            """);
        using var person = new CliSession(App.Data) { IsPerson = true };
        person.Type("green");
        Assert.Equal("You chose green.\n", await person.DoAsync("chat", "paint it"));
        Assert.Contains("communicator asks: Which colour?", person.Notes.ToString());
        Assert.Contains("- red", person.Notes.ToString());

        using var script = new CliSession(App.Data);
        Assert.Equal(1, await script.RunAsync("chat", "paint it"));
        Assert.Contains($"rootmas runs answer {RunIdOf(script)}", script.Notes.ToString());
    }

    [Fact]
    public async Task A_person_decides_about_a_call_that_may_have_taken_effect()
    {
        Sim.Use($$$"""
            tools: { pay: { cut: after, times: 1 } }
            rules:
              - match: { last_role: tool }
                answer: { text: "{{tool_result}}" }
            default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{{Sim.BaseUrl}}}/_tool/pay", body: "five" } } ] }
            """);
        using var person = new CliSession(App.Data) { IsPerson = true };
        person.Type("y");
        person.Type("done");
        await person.DoAsync("chat", "pay", "--agent", "multi_tool");

        Assert.Contains("is in doubt", person.Notes.ToString());
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);
    }

    [Fact]
    public async Task A_model_cannot_drive_the_terminal()
    {
        Sim.Use("""{"default":{"text":"\u001b[2Jgone\u0007"}}""");
        using var person = new CliSession(App.Data) { IsPerson = true };
        var shown = await person.DoAsync("chat", "hello");

        Assert.Contains("gone", shown);
        Assert.DoesNotContain('\u001b', shown);
        Assert.DoesNotContain('\u0007', shown);
    }

    [Fact]
    public async Task A_failed_run_is_told_with_its_reason()
    {
        Sim.Use("""{"default":{"fault":{"kind":"status","status":400}}}""");
        using var person = new CliSession(App.Data) { IsPerson = true };

        Assert.Equal(1, await person.RunAsync("chat", "hello"));
        Assert.Contains("The run failed: ", person.Notes.ToString());
    }

    [Fact]
    public async Task Without_a_server_the_command_is_one_for_as_long_as_it_takes()
    {
        using var alone = new CliSession();
        Assert.Contains("391", await alone.DoAsync("chat", "What is 17 * 23?"));
        Assert.Contains("completed", await alone.DoAsync("runs", "list"));
    }

    [Fact]
    public async Task A_pipe_that_is_longer_than_a_message_is_refused_before_anything_is_made()
    {
        using var pipe = new CliSession(App.Data);
        pipe.Type(new string('x', 10_001));
        pipe.EndInput();
        Assert.Equal(2, await pipe.RunAsync("chat"));
        Assert.Contains("more than 10,000 characters", pipe.Notes.ToString(), StringComparison.Ordinal);
        Assert.Contains("rootmas documents upload FILE", pipe.Notes.ToString(), StringComparison.Ordinal);
        Assert.Empty((await App.GetJsonAsync("/api/v1/conversations")).GetProperty("items").EnumerateArray());
    }

    private static string RunIdOf(CliSession session) => session.Notes.ToString().Split("run ")[1][..36];

    private Task<JsonElement> RunOfAsync(CliSession session) => App.GetJsonAsync("/api/v1/runs/" + RunIdOf(session));
}
