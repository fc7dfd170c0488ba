using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F1 and F2 on PostgreSQL: the process is really killed, and the server goes on; then the server is killed too.</summary>
public sealed class KillOnPostgresTests
{
    private const string Relay = """
        rules:
          - match: { last_role: user, last_user: "ask three" }
            answer:
              tool_calls:
                - { name: delegate, arguments: { agent: researcher, task: "task one" } }
                - { name: delegate, arguments: { agent: fact_checker, task: "task two" } }
                - { name: delegate, arguments: { agent: multi_tool, task: "task three" } }
          - name: checker
            match: { structured: true }
            answer: { first_token_ms: 50, json: { claims: [] } }
          - match: { last_role: tool }
            answer: { text: "All three have answered.", first_token_ms: 100, tokens_per_second: 20 }
        default: { text: "An answer in some words.", first_token_ms: 100, tokens_per_second: 25 }
        """;

    private const string Order = """
        rules:
          - match: { last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "BASE/_tool/order", json: { n: 1 } } } ] }
          - match: { last_role: tool }
            answer: { text: "It is done." }
        """;

    [PostgresFact]
    public async Task A_run_whose_process_is_killed_at_random_moments_comes_to_the_same_end()
    {
        var server = await PostgresServer.SharedAsync();
        await using var world = await FaultWorld.StartAsync(Relay, (server, await server.NewDatabaseAsync(migrated: false)));
        var random = new Random(21);
        var id = await world.AskAsync(new { message = "ask three" });
        for (var kills = 0; kills < 4; kills++)
        {
            var before = world.Sim.Stats.Calls;
            await Task.Delay(random.Next(10, 300));
            if ((await world.RunAsync(id)).GetProperty("status").GetString() is "completed" or "failed")
            {
                break;
            }

            await world.KillAndRestartAsync();
            world.Checker.UnaccountedCalls++;
            await world.GetOnAsync(id, before);
        }

        var run = await world.WaitAsync(id, "completed");
        Assert.Equal("All three have answered.", run.GetProperty("answer").GetProperty("text").GetString());
        await world.Checker.CheckAsync();
    }

    [PostgresFact]
    public async Task An_unsafe_call_cut_between_effect_and_result_asks_a_person_and_is_not_repeated()
    {
        var server = await PostgresServer.SharedAsync();
        await using var world = await FaultWorld.StartAsync(Order, (server, await server.NewDatabaseAsync(migrated: false)));
        var hold = world.Sim.Hold(new HoldSpec { Tool = "order", At = HoldPoint.After });
        var id = await world.AskAsync(new { message = "order it", agent = "multi_tool" });
        await world.ApproveAsync(id);
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.DoesNotMatch("rootmas_runs_taken_over_total [1-9]", await world.Server.Http.GetStringAsync("/metrics")); // it went on after a person's yes
        await world.KillAndRestartAsync();
        hold.Release();
        await world.WaitAsync(id, "needs_review");
        Assert.Equal(1, world.Sim.ToolCounts["order"].Effects);
        Assert.Matches("rootmas_runs_taken_over_total 1", await world.Server.Http.GetStringAsync("/metrics"));
        await world.Checker.CheckAsync();
    }

    [PostgresFact]
    public async Task Runs_go_on_by_themselves_after_the_database_was_restarted_under_them()
    {
        await using var server = await PostgresServer.StartAsync(durable: true);
        await using var world = await FaultWorld.StartAsync(
            """default: { text: "one two three four five six seven eight", tokens_per_second: 8 }""", (server, await server.NewDatabaseAsync(migrated: false)));
        var ids = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => world.AskAsync(new { message = $"run {i}", team = "solo" })));
        await world.Sim.WaitForCallsAsync(10);
        await server.StopAsync();
        await Task.Delay(1_500); // long enough for answers to be complete while nobody can store them
        await server.StartAgainAsync();
        await ReadyAsync(world);
        foreach (var id in ids)
        {
            await world.WaitAsync(id, "completed");
        }

        world.Checker.UnaccountedCalls = 10;
        await world.Checker.CheckAsync();
    }

    private static async Task ReadyAsync(FaultWorld world)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            using var ready = await world.Server.Http.GetAsync("/health/ready", limit.Token);
            if (ready.IsSuccessStatusCode)
            {
                return;
            }

            await Task.Delay(50, limit.Token);
        }
    }
}
