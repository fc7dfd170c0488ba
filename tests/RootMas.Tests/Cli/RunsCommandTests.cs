using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas runs</c> and <c>rootmas approvals</c>.</summary>
public sealed class RunsCommandTests() : SimulatedTests("""{"default":{"text":"The answer."}}""")
{
    [Fact]
    public async Task Runs_are_listed_for_people_for_pipes_and_as_json()
    {
        using var pipe = new CliSession(App.Data);
        using var person = new CliSession(App.Data) { IsPerson = true };
        await pipe.DoAsync("chat", "hello");

        var row = Assert.Single((await pipe.DoAsync("runs", "list")).Split('\n', StringSplitOptions.RemoveEmptyEntries)).Split('\t');
        Assert.Equal((36, "completed", "communicator"), (row[0].Length, row[1], row[2]));
        Assert.Contains("Status", await person.DoAsync("runs", "list", "--status", "completed"));
        Assert.Contains(row[0], person.Output.ToString());
        Assert.Equal("", await pipe.DoAsync("runs", "list", "--status", "failed"));
        Assert.Equal(row[0], JsonDocument.Parse(await pipe.DoAsync("runs", "list", "--json", "--limit", "1")).RootElement.GetProperty("items")[0].GetProperty("id").GetString());
        Assert.Equal(2, await pipe.RunAsync("runs", "list", "--status", "happy"));
        Assert.Equal(2, await pipe.RunAsync("runs", "list", "--limit", "999"));
    }

    [Fact]
    public async Task A_run_is_shown_with_its_children_and_its_answer()
    {
        Sim.Use("""
            rules:
              - match: { agent: communicator, last_role: user }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "look" } } ] }
            default: { text: "The answer." }
            """);
        using var pipe = new CliSession(App.Data);
        await pipe.DoAsync("chat", "hello");
        var id = IdOf(pipe);
        var shown = (await pipe.DoAsync("runs", "show", id)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.StartsWith(id, shown[0]);
        Assert.Contains("  researcher  ", shown[1]);
        Assert.StartsWith("  ", shown[1]);
        Assert.Equal("The answer.", shown[^1]);
        Assert.Equal(id, JsonDocument.Parse(await pipe.DoAsync("runs", "show", id, "--json")).RootElement.GetProperty("id").GetString());
    }

    [Fact]
    public async Task An_attached_command_leaves_the_run_alone_and_cancel_ends_it()
    {
        Sim.Use("""{"default":{"text":"one two three four"}}""");
        Sim.Hold(new HoldSpec { At = HoldPoint.Middle });
        using var starter = new CliSession(App.Data) { IsPerson = true };
        using var watcher = new CliSession(App.Data) { IsPerson = true };
        var chat = starter.RunAsync("chat", "hello");
        await starter.Output.ContainsAsync("one");
        var id = IdOf(starter);
        var attached = watcher.RunAsync("runs", "attach", id);
        await watcher.Output.ContainsAsync("one");
        watcher.Press();
        Assert.Equal(130, await attached);
        Assert.Contains($"The run goes on. See it with: rootmas runs attach {id}", watcher.Notes.ToString());
        Assert.Equal("running", (await App.GetJsonAsync("/api/v1/runs/" + id)).GetProperty("status").GetString());

        await watcher.DoAsync("runs", "cancel", id);
        Assert.Contains("Cancelled.", watcher.Notes.ToString());
        Assert.Equal(130, await chat);
    }

    [Fact]
    public async Task A_run_that_had_ended_is_not_cancelled()
    {
        using var pipe = new CliSession(App.Data);
        await pipe.DoAsync("chat", "hello");
        var id = IdOf(pipe);
        Assert.Equal(5, await pipe.RunAsync("runs", "cancel", id));
        Assert.Equal("The run had ended (completed).\n", pipe.Notes.ToString());
        Assert.Equal("completed", (await App.GetJsonAsync("/api/v1/runs/" + id)).GetProperty("status").GetString());
    }

    [Fact]
    public async Task A_name_that_is_none_means_nothing_else()
    {
        using var pipe = new CliSession(App.Data);
        await pipe.DoAsync("memory", "add", "The office is on the third floor.");
        string[][] commands =
        [
            ["memory", "forget"], ["memory", "why"], ["runs", "show"], ["runs", "cancel"], ["runs", "attach"], ["documents", "show"], ["documents", "delete"],
            ["queue", "purge"], ["users", "remove"], ["secrets", "remove"], ["api-keys", "revoke"], ["approvals", "deny"], ["chat", "hello", "--conversation"],
        ];
        foreach (var (command, name) in commands.SelectMany(static c => new[] { (c, ""), (c, "."), (c, ".."), (c, " ") }))
        {
            Assert.True(await pipe.RunAsync([.. command, name]) == 2, $"{string.Join(' ', command)} '{name}': {pipe.Output}{pipe.Notes}");
            Assert.StartsWith("Name the ", pipe.Notes.ToString(), StringComparison.Ordinal);
            Assert.Equal("", pipe.Output.ToString());
        }

        Assert.Contains("The office is on the third floor.", await pipe.DoAsync("memory", "list"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_question_of_somebody_elses_run_is_left_to_its_owner()
    {
        Sim.Use("""{"default":{"tool_calls":[{"name":"ask_user","arguments":{"question":"Which colour?"}}]}}""");
        using var ann = await App.AsAsync("ann");
        var conversation = (await ann.PostAsync("/api/v1/conversations", new { }, System.Net.HttpStatusCode.Created)).GetProperty("id").GetString();
        var run = (await ann.PostAsync($"/api/v1/conversations/{conversation}/runs", new { message = "paint it" }, System.Net.HttpStatusCode.Accepted)).GetProperty("run_id").GetString()!;
        await Wait.UntilAsync(async a => (await a.GetAsync("/api/v1/runs/" + run)).GetProperty("status").GetString() == "waiting_input", ann, "the run did not ask");
        using var person = new CliSession(App.Data) { IsPerson = true };
        Assert.Equal(1, await person.RunAsync("runs", "attach", run));
        Assert.Contains("waits for a word of the run's owner", person.Notes.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("asks:", person.Notes.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("runs answer", person.Notes.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_retry_is_a_new_run_of_the_same_input()
    {
        using var pipe = new CliSession(App.Data);
        await pipe.DoAsync("chat", "hello");
        await pipe.DoAsync("runs", "retry", IdOf(pipe));
        var again = pipe.Notes.ToString().Split("rootmas runs attach ")[1].Trim();
        Assert.Equal("The answer.\n", await pipe.DoAsync("runs", "attach", again));

        await pipe.DoAsync("runs", "retry", again, "--from-seq", "2");
        Assert.Equal(2, await pipe.RunAsync("runs", "retry", again, "--from-seq", "-1"));
        Assert.Contains("1 or more", pipe.Notes.ToString());
        using var refused = await App.PostAsync($"/api/v1/runs/{again}/retry", """{"from_seq":0}""");
        Assert.Contains("\"must be at least 1\"", await refused.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_question_is_answered_and_a_second_answer_is_a_conflict()
    {
        Sim.Use("""
            rules:
              - match: { last_role: tool }
                answer: { text: "You chose {{tool_result}}." }
            default: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour?" } } ] }
            """);
        using var pipe = new CliSession(App.Data);
        await pipe.RunAsync("chat", "paint it");
        var id = IdOf(pipe);
        Assert.Equal(5, await pipe.RunAsync("runs", "resolve", id, "call_1", "done"));
        await pipe.DoAsync("runs", "answer", id, "green");
        Assert.Equal("You chose green.\n", await pipe.DoAsync("runs", "attach", id));
        Assert.Equal(5, await pipe.RunAsync("runs", "answer", id, "red"));
        Assert.Equal(2, await pipe.RunAsync("runs", "resolve", id, "call_1", "perhaps"));
    }

    [Fact]
    public async Task What_a_run_below_asked_before_is_asked_of_whoever_attaches_to_its_root()
    {
        Sim.Use($$$"""
            rules:
              - match: { agent: communicator, last_role: user }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "pay" } } ] }
              - match: { agent: multi_tool, last_role: user }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{{Sim.BaseUrl}}}/_tool/pay", body: "five" } } ] }
            default: { text: "Done." }
            """);
        using var pipe = new CliSession(App.Data);
        using var person = new CliSession(App.Data) { IsPerson = true };
        Assert.Equal(1, await pipe.RunAsync("chat", "pay"));
        var root = IdOf(pipe);
        Assert.Equal(1, await pipe.RunAsync("runs", "attach", root));
        Assert.Contains("rootmas approvals approve ", pipe.Notes.ToString());

        person.Type("y");
        Assert.Equal("Done.\n", await person.DoAsync("runs", "attach", root));
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);
    }

    [Fact]
    public async Task Approvals_are_listed_and_decided()
    {
        Sim.Use($$$"""
            rules:
              - match: { last_role: tool }
                answer: { text: "{{tool_result}}" }
            default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{{Sim.BaseUrl}}}/_tool/pay", body: "five" } } ] }
            """);
        using var pipe = new CliSession(App.Data);
        using var person = new CliSession(App.Data) { IsPerson = true };
        Assert.Equal(1, await pipe.RunAsync("chat", "pay", "--agent", "multi_tool"));
        var approval = pipe.Notes.ToString().Split("rootmas approvals approve ")[1].Split(' ')[0];
        Assert.Contains("http_request", await person.DoAsync("approvals", "list"));
        Assert.Equal(approval, (await pipe.DoAsync("approvals", "list")).Split('\t')[0]);
        Assert.Contains(approval, await pipe.DoAsync("approvals", "list", "--json"));

        await pipe.DoAsync("approvals", "deny", approval, "--reason", "too dear");
        Assert.Contains("deny: http_request {", pipe.Notes.ToString());
        Assert.Equal(5, await pipe.RunAsync("approvals", "approve", approval));
        Assert.Contains("already decided: denied", pipe.Notes.ToString());
        Assert.Equal(3, await pipe.RunAsync("approvals", "approve", Guid.CreateVersion7().ToString()));
        Assert.Empty(Sim.ToolCounts);

        await pipe.RunAsync("chat", "pay", "--agent", "multi_tool");
        var (id, next) = (IdOf(pipe), pipe.Notes.ToString().Split("rootmas approvals approve ")[1].Split(' ')[0]);
        await pipe.DoAsync("approvals", "approve", next);
        await pipe.DoAsync("runs", "attach", id);
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);
    }

    [Fact]
    public async Task AnApproval_is_decided_by_its_id_however_many_came_after_it_and_the_list_says_that_there_are_more()
    {
        Sim.Use("""
            rules:
              - match: { last_role: tool }
                answer: { text: "{{tool_result}}" }
            default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/pay", body: "five" } } ] }
            """);
        using var pipe = new CliSession(App.Data);
        Assert.Equal(1, await pipe.RunAsync("chat", "pay", "--agent", "multi_tool"));
        var (run, first) = (IdOf(pipe), pipe.Notes.ToString().Split("rootmas approvals approve ")[1].Split(' ')[0]);
        Assert.Equal(first, (await pipe.DoAsync("approvals", "list")).Split('\t')[0]);
        Assert.DoesNotContain("More wait", pipe.Notes.ToString());
        await App.Get<IDatabase>().WriteAsync(
            session => session.ExecuteAsync(
                """
                WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
                INSERT INTO approvals (id, run_id, owner_id, agent, call, tool, arguments, arguments_hash, approver, reason, status, created_at, expires_at)
                SELECT 'later-' || n.i, a.run_id, a.owner_id, a.agent, a.call, a.tool, a.arguments, a.arguments_hash, a.approver, a.reason, a.status, a.created_at, a.expires_at FROM approvals a, n WHERE a.id = @first
                """,
                new { first }),
            default);
        foreach (var (arguments, rows) in new (string[], int)[] { ([], 50), (["--limit", "200"], 200) })
        {
            Assert.Equal(rows, (await pipe.DoAsync(["approvals", "list", .. arguments])).Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
            Assert.Contains($"More wait than these {rows}", pipe.Notes.ToString());
        }

        await pipe.DoAsync("approvals", "approve", first);
        await pipe.DoAsync("runs", "attach", run);
        Assert.Equal(1, Sim.ToolCounts["pay"].Effects);
    }

    [Fact]
    public async Task What_is_not_there_is_not_found()
    {
        using var pipe = new CliSession(App.Data);
        var nobody = Guid.CreateVersion7().ToString();
        foreach (var command in new string[][] { ["show", nobody], ["attach", nobody], ["cancel", nobody], ["retry", nobody], ["answer", nobody, "x"], ["show", "nonsense"] })
        {
            Assert.True(await pipe.RunAsync(["runs", .. command]) == 3, $"{command[0]} {pipe.Notes}");
            Assert.NotEqual("", pipe.Notes.ToString());
            Assert.Equal("", pipe.Output.ToString());
        }
    }

    private static string IdOf(CliSession session) => session.Notes.ToString().Split("run ")[1][..36];
}
