using System.Net;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>A run in which all thirteen agents work: delegations, a plan, calls of all three effects with approvals, a question to the user, a handoff.</summary>
internal static class ThirteenAgents
{
    public const string FinalText = "Everybody has answered, and this is the whole.";

    /// <summary>Rules of the script that answer for models. A kill can fall before, in the middle of and at the end of each.</summary>
    public static readonly string[] Answers = ["front", "plan", "task", "review", "specialist", "look", "book", "order", "told", "question", "handoff", "final"];

    private static readonly string[] Others =
        ["meta", "coordination", "researcher", "fact_checker", "model_selector", "prompt_builder", "agent_builder", "instance_factory", "multi_tool", "workflow_builder", "webapp_builder", "budget_manager"];

    /// <summary>The communicator asks all twelve others, then the user, and hands over to the researcher; the planner runs a plan of two tasks; multi_tool reads, books and orders.</summary>
    public static string Script => $$$"""
        default: { fault: { kind: status, status: 400, body: "no rule of the script" } }
        rules:
          - name: plan
            match: { structured: true, last_message: "Write a plan for the request" }
            answer: { json: { goal: "g", tasks: [
              { id: "a", agent: "researcher", task: "part a", depends_on: [], done_when: "found" },
              { id: "b", agent: "budget_manager", task: "part b", depends_on: ["a"], done_when: "done" } ] } }
          - name: review
            match: { structured: true, last_message: "All tasks are settled" }
            answer: { json: { verdict: "done", summary: "Planned and done." } }
          - name: specialist
            match: { agent: fact_checker, structured: true }
            answer: { json: { claims: [] } }
          - name: front
            match: { agent: communicator, last_role: user, last_user: "ask everybody" }
            answer:
              tool_calls:
        {{{string.Join('\n', Others.Select(static a => $$"""        - { name: delegate, arguments: { agent: {{a}}, task: "task of {{a}}" } }"""))}}}
          - name: question
            match: { agent: communicator, tool_called: delegate }
            answer: { text: "One thing is open.", tool_calls: [ { name: ask_user, arguments: { question: "For how many?" } } ] }
          - name: handoff
            match: { agent: communicator, tool_called: ask_user, tool_result: "for seven" }
            answer: { text: "The researcher goes on.", tool_calls: [ { name: handoff, arguments: { agent: researcher, reason: "it knows more" } } ] }
          - name: look
            match: { agent: multi_tool, last_role: user }
            answer: { text: "First a look.", tool_calls: [ { name: http_request, arguments: { method: GET, url: "BASE/_tool/look" } } ] }
          - name: book
            match: { agent: multi_tool, tool_result: "_tool/look" }
            answer: { text: "Now the booking.", tool_calls: [ { name: http_request, arguments: { method: POST, url: "BASE/_tool/idempotent", json: { seats: 7 } } } ] }
          - name: order
            match: { agent: multi_tool, tool_result: "_tool/idempotent" }
            answer: { text: "Now the order.", tool_calls: [ { name: http_request, arguments: { method: POST, url: "BASE/_tool/order", json: { meals: 7 } } } ] }
          - name: told
            match: { agent: multi_tool, last_role: tool }
            answer: { text: "All of it is booked and ordered." }
          - name: task
            match: { last_user: "part " }
            answer: { text: "A part of the plan is done." }
          - name: specialist
            match: { last_role: user, last_user: "task of " }
            answer: { text: "A specialist's answer in some words." }
          - name: final
            match: { agent: researcher }
            answer: { text: "{{{FinalText}}}" }
        """;

    /// <summary>The shipped team has no handoffs.</summary>
    public static async Task<FaultWorld> StartAsync((PostgresServer Server, string Database)? postgres = null)
    {
        var world = await FaultWorld.StartAsync(Script, postgres);
        await world.PostAsync("/api/v1/teams", new
        {
            name = "thirteen",
            description = "All of them.",
            pattern = "handoff",
            entry = "communicator",
            coordinator = "coordination",
            edges = new { communicator = Others, meta = (string[])["researcher", "budget_manager"] },
            handoffs = new { researcher = (string[])["communicator"] }, // and the way back
            delegate_patterns = new { meta = "plan" },
        }, HttpStatusCode.Created);
        return world;
    }
}
