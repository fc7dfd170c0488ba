using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.Extensions.Logging;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>Spans, log lines, events and answers name the same run.</summary>
public sealed class TraceTests : IDisposable
{
    private const string Script = """
        rules:
          - { match: { last_user: break }, answer: { fault: { kind: status, status: 400 } } }
          - match: { agent: communicator, last_role: user }
            answer:
              tool_calls:
                - { name: calculator, arguments: { expression: "6*7" } }
                - { name: delegate, arguments: { agent: researcher, task: "Find it." } }
        default: { text: "It is 42.", usage: { input: 10, output: 5 } }
        """;

    private readonly ConcurrentQueue<Activity> _spans = new();
    private readonly ActivityListener _listener;

    public TraceTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == RootMasTelemetry.Name,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _spans.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task A_runs_spans_stand_in_one_trace_that_its_id_names()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var answer = await world.AskAsync(new { message = "What is it?" });
        var runId = answer.GetProperty("run_id").GetString()!;
        var events = await world.EventsAsync(runId);
        await world.App.StopAsync(); // whatever runs has ended its spans

        var spans = _spans.Where(s => s.TraceId.ToHexString() == Hex(runId)).ToList();
        var runs = spans.Where(s => s.OperationName.StartsWith("run ", StringComparison.Ordinal)).ToList();
        var ofRun = spans.Where(s => Equals(s.GetTagItem(RootMasTelemetry.RunIdTag), runId)).ToList();
        Assert.All(runs, static r => Assert.Equal(default, r.ParentSpanId));
        Assert.All(runs, r => Assert.Equal(runId, r.GetTagItem("rootmas.run.root_id")));
        Assert.Contains(runs, r => Equals(r.GetTagItem("rootmas.run.parent_id"), runId));

        var agents = ofRun.Where(static s => s.OperationName == "invoke_agent communicator").ToList();
        Assert.All(agents, a => Assert.Contains(runs, r => r.SpanId == a.ParentSpanId && Equals(r.GetTagItem(RootMasTelemetry.RunIdTag), runId)));
        Assert.All(agents, static a => Assert.Equal(("invoke_agent", "communicator"), (a.GetTagItem("gen_ai.operation.name"), a.GetTagItem("gen_ai.agent.name"))));
        Assert.All(agents, a => Assert.Equal(answer.GetProperty("conversation_id").GetString(), a.GetTagItem("gen_ai.conversation.id")));

        var requested = events.Where(static e => e.Type == "model.requested").Select(static e => e.Data.GetProperty("message_id").GetString()).ToList();
        var chats = ofRun.Where(static s => s.GetTagItem("rootmas.message.id") is not null).ToList();
        Assert.Equal(requested.Order(), chats.Select(static c => (string?)c.GetTagItem("rootmas.message.id")).Order());
        Assert.All(chats, c => Assert.Contains(agents, a => a.SpanId == c.ParentSpanId));
        Assert.All(chats, c => Assert.Equal("chat", c.GetTagItem("gen_ai.operation.name")));
        Assert.All(chats, c => Assert.Equal($"chat {c.GetTagItem("gen_ai.request.model")}", c.DisplayName));
        Assert.Contains(chats, static c => Equals(c.GetTagItem("rootmas.usage.input_tokens"), 10L) && Equals(c.GetTagItem("rootmas.usage.output_tokens"), 5L));

        // What a request used stands once, at its own span, for whoever adds it up.
        Assert.All(chats, static c => Assert.Null(c.GetTagItem("gen_ai.usage.input_tokens")));
        var requests = spans.Where(static s => s.OperationName.StartsWith("chat ", StringComparison.Ordinal) && s.GetTagItem("rootmas.message.id") is null).ToList();
        Assert.All(chats, c => Assert.Single(requests, r => r.ParentSpanId == c.SpanId));
        Assert.Contains(requests, static r => $"{r.GetTagItem("gen_ai.usage.input_tokens")} {r.GetTagItem("gen_ai.usage.output_tokens")}" == "10 5");

        var tool = Assert.Single(ofRun, static s => s.OperationName == "execute_tool calculator");
        Assert.Contains(agents, a => a.SpanId == tool.ParentSpanId);
        Assert.Equal(("execute_tool", "calculator"), (tool.GetTagItem("gen_ai.operation.name"), tool.GetTagItem("gen_ai.tool.name")));
        var started = Assert.Single(events, static e => e.Type == "tool.started" && e.Data.GetProperty("tool").GetString() == "calculator");
        Assert.Equal(started.Data.GetProperty("call_id").GetString(), tool.GetTagItem("gen_ai.tool.call.id"));

        var given = Assert.Single(ofRun, static s => s.OperationName == "execute_tool delegate");
        Assert.Contains(agents, a => a.SpanId == given.ParentSpanId);
        Assert.Equal(("execute_tool", "delegate", ActivityStatusCode.Unset), (given.GetTagItem("gen_ai.operation.name"), given.GetTagItem("gen_ai.tool.name"), given.Status));
        Assert.Contains(spans, static s => s.OperationName == "invoke_agent researcher");
    }

    [Fact]
    public async Task A_call_that_the_runtime_itself_refuses_has_a_span_that_says_so()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules: [ { match: { agent: communicator, last_role: user }, answer: { tool_calls: [ { name: delegate, arguments: { agent: nobody, task: "Find it." } } ] } } ]
            default: { text: "I could not." }
            """);
        var runId = (await world.AskAsync(new { message = "What is it?" })).GetProperty("run_id").GetString()!;
        await world.App.StopAsync();
        var refused = Assert.Single(_spans, s => s.TraceId.ToHexString() == Hex(runId) && s.OperationName == "execute_tool delegate");
        Assert.Equal((ActivityStatusCode.Error, "refused"), (refused.Status, refused.GetTagItem("error.type")));
    }

    [Fact]
    public async Task A_log_line_inside_a_run_carries_the_runs_id_and_trace()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var runs = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            // The second and third wait in the queue of the first: their flow is not the one that made room for them.
            var started = await world.SendAsync(await world.NewConversationAsync(), new { message = "break" });
            runs.Add(started.GetProperty("run_id").GetString()!);
        }

        foreach (var run in runs)
        {
            await world.EventsAsync(run);
        }

        var lines = world.App.Get<LogRing>().Read(LogLevel.Warning, "Cascade", 100);
        Assert.Equal(runs.Order(), lines.Select(static l => l.RunId).Order());
        Assert.All(lines, static l => Assert.Equal(Hex(l.RunId!), l.TraceId));
    }

    private static string Hex(string runId) => runId.Replace("-", "", StringComparison.Ordinal);
}
