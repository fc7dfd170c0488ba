using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

/// <summary>The agents that ship ask how a plan stands and change it: while it is worked on, and in later turns.</summary>
public abstract class PlanQuestionTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - match: { agent: communicator, last_role: user, last_user: "plan it" }
            answer: { tool_calls: [ { name: delegate, arguments: { agent: meta, task: "plan it" } }, { name: delegate, arguments: { agent: coordination, task: "give it away" } } ] }
          - match: { agent: communicator, last_role: user }
            answer: { tool_calls: [ { name: delegate, arguments: { agent: coordination, task: "{{last_user}}" } } ] }
          - match: { agent: meta, structured: true, last_message_regex: "Write a plan" }
            answer: { json: { goal: "the goal", tasks: [ { id: t1, agent: researcher, task: "look", depends_on: [], done_when: "seen" }, { id: t2, agent: webapp_builder, task: "build", depends_on: [t1], done_when: "built" } ] } }
          - { match: { agent: meta, structured: true }, answer: { json: { verdict: done, summary: "All is built." } } }
          - { match: { agent: meta, last_role: user }, answer: { tool_calls: [ { name: plan_read, arguments: {} } ] } }
          - { match: { agent: coordination, last_role: user }, answer: { tool_calls: [ { name: task_status, arguments: {} } ] } }
          - match: { agent: coordination, tool_called: task_status, last_user: "give it away" }
            answer: { tool_calls: [ { name: task_update, arguments: { task_id: t1, agent: multi_tool, note: "too slow" } } ] }
          - { match: { last_role: tool }, answer: { text: "{{tool_results}}" } }
        default: { text: "{{agent}} did it" }
        """;

    [DatabaseFact]
    public async Task A_plan_is_told_and_changed_while_it_is_worked_on_and_told_in_later_turns()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var conversation = (await world.App.PostJsonAsync("/api/v1/conversations", new { }, HttpStatusCode.Created)).GetProperty("id").GetString()!; // of no team: whom a message names answers alone
        var (slow, asked) = (world.Sim.Hold(new() { Agent = "researcher", Call = 1 }), world.Sim.Hold(new() { Agent = "coordination", Call = 1 }));
        var root = (await world.SendAsync(conversation, new { message = "plan it" })).GetProperty("run_id").GetString()!;
        await slow.Reached.WaitAsync(TimeSpan.FromSeconds(60)); // the first task is worked on, and would be for ever
        await asked.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        asked.Release();
        Assert.Equal("run.completed", (await world.EventsAsync(root))[^1].Type);

        var tree = (await world.App.GetJsonAsync($"/api/v1/runs/{root}?tree=1")).GetProperty("children").EnumerateArray().ToList();
        var told = await ResultsAsync(world, Of(tree, "coordination"));
        Assert.Contains("- t1 [running] researcher: look", told[0], StringComparison.Ordinal);
        Assert.Contains("- t2 [pending] webapp_builder: build; depends on: t1", told[0], StringComparison.Ordinal);
        Assert.StartsWith("Task t1 is being changed", told[1], StringComparison.Ordinal);
        var plan = (await world.EventsAsync(Of(tree, "meta")))[^3].Data;
        Assert.Equal(["t1 done multi_tool", "t2 done webapp_builder"], plan.GetProperty("tasks").EnumerateArray()
            .Select(static t => $"{t.GetProperty("id").GetString()} {t.GetProperty("status").GetString()} {t.GetProperty("agent").GetString()}"));

        var later = (await world.AskAsync(new { message = "how does it stand?", conversation_id = conversation })).GetProperty("response").GetString();
        Assert.Contains("- t1 [done] multi_tool: look", later, StringComparison.Ordinal);
        var read = (await world.AskAsync(new { message = "and the plan?", conversation_id = conversation, agent = "meta" })).GetProperty("response").GetString();
        Assert.StartsWith("Goal: the goal\n- t1 [done] multi_tool: look", read, StringComparison.Ordinal);
        Assert.StartsWith("There is no plan", (await world.AskAsync(new { message = "and the plan?", agent = "meta" })).GetProperty("response").GetString(), StringComparison.Ordinal);
    }

    private static string Of(List<JsonElement> tree, string agent) => tree.Single(r => r.GetProperty("agent").GetString() == agent).GetProperty("id").GetString()!;

    private static async Task<List<string>> ResultsAsync(ChatWorld world, string run) =>
        [.. (await world.EventsAsync(run)).Where(static e => e.Type == "tool.completed").Select(static e => e.Data.GetProperty("result").GetString()!)];
}

public sealed class PlanQuestionOnSqliteTests() : PlanQuestionTests(DatabaseKind.Sqlite);

public sealed class PlanQuestionOnPostgresTests() : PlanQuestionTests(DatabaseKind.Postgres), IOnPostgres;
