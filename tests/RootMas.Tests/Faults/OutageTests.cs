using System.Net;
using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F11 of CHECKS.md: all models are down, and come back.</summary>
public sealed class OutageTests
{
    [Fact]
    public async Task While_all_models_are_down_the_run_waits_and_says_so_and_finishes_by_itself_when_they_return()
    {
        // A port that the system gives nobody else while it is not listened on.
        var down = await Simulator.StartAsync(url: $"http://127.0.0.1:{ServerProcess.FreePort()}");
        var (at, url) = (down.BaseUrl, down.OpenAiUrl);
        await using var world = await ChatWorld.StartAsync(sim: down, configure: o =>
        {
            o.Settings["Runs:MaxBackoff"] = "1s";
            o.ConfigFiles["models.yaml"] = $$"""
                providers:
                  only: { base_url: "{{url}}", attempts: 3, retry_delay_seconds: 0.01, break_seconds: 0.5 }
                models:
                  first: { provider: only, free: true }
                  second: { provider: only, free: true }
                tiers: { cheap: [first, second] }
                """;
        });
        await down.DisposeAsync(); // nobody listens any more

        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        await UntilAsync(world, run, async () => (await world.App.GetJsonAsync("/api/v1/models")).GetProperty("items").EnumerateArray()
            .Where(static m => m.GetProperty("provider").GetString() == "only").All(static m => m.GetProperty("endpoint").GetProperty("circuit").GetString() == "open"));
        await UntilAsync(world, run, async () => await HealthAsync(world, "models") == "degraded");
        await UntilAsync(world, run, async () => await world.App.GetJsonAsync($"/api/v1/runs/{run}") is var now && now.GetProperty("status").GetString() == "waiting_timer"
            && now.GetProperty("reason").GetString()!.Contains("tries again by itself", StringComparison.Ordinal));

        await using var up = await Simulator.StartAsync("default: { text: \"Back again.\" }", at);
        var events = await world.EventsAsync(run);
        Assert.Equal("run.completed", events[^1].Type);
        Assert.Equal("Back again.", events.Single(static e => e.Type == "message.completed").Data.GetProperty("text").GetString());
        var timers = events.Where(static e => e.Type == "timer.started").ToList();
        Assert.NotEmpty(timers);
        Assert.All(timers, static t => Assert.Contains("No model answers at the moment", t.Data.GetProperty("reason").GetString(), StringComparison.Ordinal));
        await UntilAsync(world, run, async () => await HealthAsync(world, "models") == "healthy");

        var checker = new InvariantChecker(world.App.Data, world.App.Client, up) { Accepted = { run } };
        var rows = await checker.LedgerAsync(run);
        Assert.Equal("ok", rows[^1].Outcome);
        Assert.All(rows.SkipLast(1), static r => Assert.Equal(("unreachable", 0), (r.Outcome, r.Cost)));
        await checker.CheckAsync();
    }

    private static async Task<string?> HealthAsync(ChatWorld world, string service)
    {
        using var response = await world.App.Client.GetAsync("/health");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode); // the server is of use without models
        var text = await response.Content.ReadAsStringAsync();
        return System.Text.Json.JsonElement.Parse(text).GetProperty("services").GetProperty(service).GetString();
    }

    private static async Task UntilAsync(ChatWorld world, string run, Func<Task<bool>> condition)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (!await condition())
        {
            if (limit.IsCancellationRequested)
            {
                Assert.Fail($"What was waited for did not happen within three minutes: {await world.App.GetJsonAsync("/api/v1/models")}\n{await world.App.GetJsonAsync($"/api/v1/runs/{run}/events")}");
            }

            await Task.Delay(20);
        }
    }
}
