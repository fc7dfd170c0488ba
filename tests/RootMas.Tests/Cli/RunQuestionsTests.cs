using System.Net;
using RootMas.LlmSimulator;
using RootMas.Server.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary>Questions of runs at a terminal: settled elsewhere while they stand there, and answers that the server does not take.</summary>
public sealed class RunQuestionsTests() : SimulatedTests(AskUser)
{
    private const string AskUser = """
        rules:
          - match: { last_role: tool, tool_result: green }
            answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which size?" } } ] }
          - match: { last_role: tool }
            answer: { text: "You chose {{tool_result}}." }
        default: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } } ] }
        """;

    private const string Pay = """
        tools: { pay: { cut: after, times: 1 } }
        rules:
          - match: { last_role: tool }
            answer: { text: "{{tool_result}}" }
        default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/pay", body: "five" } } ] }
        """;

    [Fact]
    public async Task A_question_that_is_answered_elsewhere_is_taken_away_with_what_was_typed_and_the_next_line_answers_the_next_one()
    {
        using var person = NewPerson();
        var chat = person.RunAsync("chat", "paint it");
        await person.Notes.ContainsAsync("Which colour?\nAnswer: ");
        person.Begin("re");
        await person.Notes.ContainsAsync("Answer: re");
        await App.PostJsonAsync($"/api/v1/runs/{RunIdOf(person)}/input", new { text = "green" }, HttpStatusCode.Accepted);
        await person.Notes.ContainsAsync("It was decided elsewhere.");
        await person.Notes.ContainsAsync("Which size?\nAnswer: ");
        person.Type("large");

        Assert.Equal(0, await chat);
        Assert.Equal("You chose large.\n", person.Output.ToString());
    }

    [Theory]
    [InlineData("approve", 1)]
    [InlineData("deny", 0)]
    public async Task A_call_of_a_run_below_that_is_decided_elsewhere_is_asked_about_no_more(string decision, int effects)
    {
        Sim.Use("""
            rules:
              - match: { agent: communicator, last_role: user }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "pay" } } ] }
              - match: { agent: multi_tool, last_role: user }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/pay", body: "five" } } ] }
            default: { text: "Done." }
            """);
        using var person = NewPerson();
        var chat = person.RunAsync("chat", "pay");
        await person.Notes.ContainsAsync("[y/N] ");
        var approval = (await App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        await App.PostJsonAsync($"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision, arguments_hash = approval.GetProperty("arguments_hash").GetString() });

        Assert.Equal(0, await chat);
        Assert.Equal("Done.\n", person.Output.ToString());
        Assert.Contains("It was decided elsewhere.", person.Notes.ToString(), StringComparison.Ordinal);
        Assert.Equal(effects, Sim.ToolCounts.Values.Sum(static t => t.Effects));
    }

    [Fact]
    public async Task A_question_of_a_run_that_is_cancelled_elsewhere_is_taken_away()
    {
        using var person = NewPerson();
        var chat = person.RunAsync("chat", "paint it");
        await person.Notes.ContainsAsync("Answer: ");
        await App.PostJsonAsync($"/api/v1/runs/{RunIdOf(person)}/cancel", new { reason = "enough" }, HttpStatusCode.Accepted);

        Assert.Equal(130, await chat);
        Assert.Contains("The run was cancelled: enough", person.Notes.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_the_server_refuses_is_asked_for_again()
    {
        using var person = NewPerson();
        person.Type(new string('x', 10_001));
        person.Type("blue");
        Assert.Equal("You chose blue.\n", await person.DoAsync("chat", "paint it"));
        Assert.Equal(2, person.Notes.ToString().Split("asks: Which colour?").Length - 1);
    }

    [Fact]
    public async Task A_repeat_is_not_offered_before_its_time_and_one_that_is_refused_leaves_the_question_standing()
    {
        Sim.Use(Pay);
        using var person = NewPerson();
        person.Type("y");
        person.Type("repeat");
        person.Type("done");
        await person.DoAsync("chat", "pay", "--agent", "multi_tool");

        var notes = person.Notes.ToString();
        Assert.Contains("repeat is possible from ", notes, StringComparison.Ordinal);
        Assert.Contains("[done/cancel] repeat\n", notes, StringComparison.Ordinal);
        Assert.Contains("Repeating is possible from ", notes, StringComparison.Ordinal); // by the server
        Assert.Contains("[done/cancel] done\n", notes, StringComparison.Ordinal);
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);
    }

    [Fact]
    public async Task Whoever_has_the_server_decides_in_the_run_of_a_bots_end_user_and_sees_the_exact_call()
    {
        Sim.Use(Pay);
        using var bot = await App.AsAsync("bot", "agent");
        var run = (await bot.PostAsync("/api/v1/chat", new { message = "pay", agent = "multi_tool", user_id = "alice" }, HttpStatusCode.Accepted)).GetProperty("run_id").GetString()!;
        using var person = NewPerson();
        person.Type("y");
        person.Type("done");
        await person.DoAsync("runs", "attach", run);

        Assert.Contains("/_tool/pay", person.Notes.ToString(), StringComparison.Ordinal);
        Assert.Contains("The call of http_request is in doubt", person.Notes.ToString(), StringComparison.Ordinal);
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);
        Assert.Equal("completed", (await App.GetJsonAsync("/api/v1/runs/" + run)).GetProperty("status").GetString());
    }

    /// <summary>Who approves must read what runs: U+202E turns what follows it, U+200B and U+00A0 look like nothing or like a space.</summary>
    [Fact]
    public async Task A_call_is_asked_about_with_every_character_that_hides_or_turns_others_by_its_number()
    {
        Sim.Use(Pay.Replace("five", "pay\\u202Eevif\\u200b\\u00a0", StringComparison.Ordinal));
        await App.PostJsonAsync("/api/v1/chat", new { message = "pay", agent = "multi_tool" }, HttpStatusCode.Accepted);
        const string exact = "pay\\u202eevif\\u200b\\u00a0";
        using var person = NewPerson();
        Assert.Contains(exact, await person.DoAsync("approvals", "list"), StringComparison.OrdinalIgnoreCase);

        var run = (await App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0].GetProperty("run_id").GetString()!;
        person.Type("n");
        await person.RunAsync("runs", "attach", run);
        Assert.Contains(exact, person.Notes.ToString(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void What_models_say_cannot_drive_or_turn_the_terminal() =>
        Assert.Equal("a [2Jb c\td\nда", Terminal.Clean("a\u001b[2Jb\u202e\u2066 c\td\n\u200fда\u2069"));

    [Fact]
    public void What_cannot_be_seen_is_written_by_its_number() =>
        Assert.Equal("\\u000a \\u3164\\ufe0f\\udb40\\udd00\\ud800é", ExactText.Of("\n \u3164\ufe0f\U000E0100\ud800é"));

    private CliSession NewPerson()
    {
        var person = new CliSession(App.Data) { IsPerson = true };
        person.Environment["NO_COLOR"] = "1";
        return person;
    }

    private static string RunIdOf(CliSession session) => session.Notes.ToString().Split("run ")[1][..36];
}
