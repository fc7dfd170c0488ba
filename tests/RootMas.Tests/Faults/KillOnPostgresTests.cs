using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F1 and F2 on PostgreSQL: the process is really killed, and the server goes on; then the server is killed too.</summary>
public sealed class KillOnPostgresTests
{
    private const string Order = """
        rules:
          - match: { last_role: user }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "BASE/_tool/order", json: { n: 1 } } } ] }
          - match: { last_role: tool }
            answer: { text: "It is done." }
        """;

    [PostgresFact]
    public async Task A_run_of_thirteen_agents_that_is_killed_at_half_of_the_kinds_of_moments_comes_to_the_same_end()
    {
        var server = await PostgresServer.SharedAsync();
        await using var world = await ThirteenAgents.StartAsync((server, await server.NewDatabaseAsync(migrated: false)));
        await ThirteenAgentsTests.CheckAsync(world, KillMoment.HalfOf(21), 21);
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
