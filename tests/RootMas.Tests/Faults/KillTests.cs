using System.Diagnostics;
using System.Net;
using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F2–F4 of CHECKS.md: the process is really killed. F1 is in ThirteenAgentsTests.</summary>
public sealed class KillTests
{
    private static string OneTool(string method, string tool) => $$$"""
        rules:
          - name: call
            match: { last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: {{{method}}}, url: "BASE/_tool/{{{tool}}}"{{{(method == "GET" ? "" : ", json: { n: 1 }")}}} } } ] }
          - name: done
            match: { last_role: tool }
            answer: { text: "It is done." }
        """;

    [Fact]
    public async Task An_unsafe_call_cut_between_effect_and_result_asks_a_person_and_is_not_repeated()
    {
        await using var world = await FaultWorld.StartAsync(OneTool("POST", "order"));
        var hold = world.Sim.Hold(new HoldSpec { Tool = "order", At = HoldPoint.After });
        var id = await world.AskAsync(new { message = "order it", agent = "multi_tool" });
        await world.ApproveAsync(id);
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(2));
        await world.KillAndRestartAsync();
        hold.Release();

        var run = await world.WaitAsync(id, "needs_review");
        Assert.Contains("may h", run.GetProperty("reason").GetString(), StringComparison.Ordinal);
        await world.KillAndRestartAsync();
        await world.WaitAsync(id, "needs_review");
        Assert.Equal("repeat_too_early", (await world.PostAsync($"/api/v1/runs/{id}/resolve", new { call_id = "call_1", outcome = "repeat" }, HttpStatusCode.Conflict)).GetProperty("code").GetString());
        await world.PostAsync($"/api/v1/runs/{id}/resolve", new { call_id = "call_1", outcome = "done", result = "Order 1 was placed." }, HttpStatusCode.Accepted);
        Assert.Equal("It is done.", (await world.WaitAsync(id, "completed")).GetProperty("answer").GetProperty("text").GetString());
        Assert.Equal(1, world.Sim.ToolCounts["order"].Effects);
        await world.Checker.CheckAsync();
    }

    [Theory]
    [InlineData("POST", "idempotent", true)]
    [InlineData("GET", "look", false)]
    public async Task A_read_or_idempotent_call_cut_between_effect_and_result_goes_on_by_itself(string method, string tool, bool approve)
    {
        await using var world = await FaultWorld.StartAsync(OneTool(method, tool));
        var hold = world.Sim.Hold(new HoldSpec { Tool = tool, At = HoldPoint.After, Call = 1 });
        var id = await world.AskAsync(new { message = "do it", agent = "multi_tool" });
        if (approve)
        {
            await world.ApproveAsync(id);
        }

        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(2));
        await world.KillAndRestartAsync();
        hold.Release();
        await world.WaitAsync(id, "completed");
        var count = world.Sim.ToolCounts[tool];
        Assert.Equal(2, count.Requests);
        Assert.Equal(method == "GET" ? 2 : 1, count.Effects);
        await world.Checker.CheckAsync();
    }

    [Fact]
    public async Task A_run_that_waits_for_an_approval_still_waits_after_a_kill_and_works_once()
    {
        await using var world = await FaultWorld.StartAsync(OneTool("POST", "order"));
        var id = await world.AskAsync(new { message = "order it", agent = "multi_tool" });
        await world.WaitAsync(id, "waiting_approval");
        await world.KillAndRestartAsync();
        await world.ApproveAsync(id);
        await world.WaitAsync(id, "completed");
        Assert.Equal(1, world.Sim.ToolCounts["order"].Effects);
        await world.Checker.CheckAsync();
    }

    [Fact]
    public async Task A_run_that_waits_for_a_child_goes_on_after_a_kill()
    {
        await using var world = await FaultWorld.StartAsync("""
            rules:
              - match: { last_role: user, last_user: "ask one" }
                answer: { tool_calls: [ { name: delegate, arguments: { agent: researcher, task: "look it up" } } ] }
              - name: child
                match: { last_user: "look it up" }
                answer: { text: "The child has found it." }
              - match: { last_role: tool }
                answer: { text: "So it is." }
            """);
        var hold = world.Sim.Hold(new HoldSpec { Rule = "child", At = HoldPoint.Middle });
        var id = await world.AskAsync(new { message = "ask one" });
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(2));
        await world.WaitAsync(id, "waiting_children");
        await world.KillAndRestartAsync();
        world.Sim.ReleaseAll();
        Assert.Equal("So it is.", (await world.WaitAsync(id, "completed")).GetProperty("answer").GetProperty("text").GetString());
        await world.Checker.CheckAsync();
    }

    [Fact]
    public async Task A_run_that_waits_for_the_models_to_come_back_goes_on_after_a_kill()
    {
        await using var world = await FaultWorld.StartAsync("""
            default: { fault: { kind: status, status: 503 } }
            """);
        var id = await world.AskAsync(new { message = "hello" });
        await world.WaitAsync(id, "waiting_timer");
        await world.KillAndRestartAsync();
        await world.WaitAsync(id, "waiting_timer"); // still, or again: the models are still away
        world.Sim.Use("""default: { text: "Back again." }""");
        Assert.Equal("Back again.", (await world.WaitAsync(id, "completed")).GetProperty("answer").GetProperty("text").GetString());
        var log = await world.Checker.EventsAsync(id);
        var tries = log.OfType<TimerStarted>().Select(static t => t.Try).ToList();
        Assert.Equal(Enumerable.Range(1, tries.Count), tries); // the same wait went on, it did not begin anew
        Assert.Equal(tries.Count, log.OfType<TimerFired>().Count());
        Assert.Single(log.OfType<MessageCompleted>());
        await world.Checker.CheckAsync();
    }

    [Fact]
    public async Task A_stop_with_two_hundred_open_runs_and_streams_loses_nothing_and_ends_in_time()
    {
        await using var world = await FaultWorld.StartAsync("""default: { text: "one two three four five six seven eight nine ten eleven twelve", tokens_per_second: 0.1 }""");
        var ids = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => world.AskAsync(new { message = $"run {i}", team = "solo" })));
        var open = await Task.WhenAll(ids.Select(id => OpenAsync(world.Server.Http, id)));
        var streams = open.Select(ReadToEndAsync).ToList();
        await world.Sim.WaitForCallsAsync(100);
        var began = Stopwatch.GetTimestamp();
        Assert.Equal(0, await world.Server.TerminateAsync(TimeSpan.FromMinutes(2)));
        Assert.InRange(Stopwatch.GetElapsedTime(began).TotalSeconds, 0, 5 * 25); // promised: 25 s
        Assert.All(await Task.WhenAll(streams), static text => Assert.Contains("come back with Last-Event-ID", text, StringComparison.Ordinal));

        world.Sim.Use("""default: { text: "quick" }""");
        await world.Server.StartAgainAsync();
        foreach (var id in ids)
        {
            await world.WaitAsync(id, "completed");
        }

        world.Checker.UnaccountedCalls = 0;
        await world.Checker.CheckAsync();
    }

    private static async Task<HttpResponseMessage> OpenAsync(HttpClient http, string id)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{id}/events");
        request.Headers.Accept.ParseAdd("text/event-stream");
        var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        return response;
    }

    private static async Task<string> ReadToEndAsync(HttpResponseMessage response)
    {
        using (response)
        {
            return await response.Content.ReadAsStringAsync();
        }
    }
}
