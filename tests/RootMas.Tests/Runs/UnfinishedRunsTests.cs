using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>How many root runs one user may have at once.</summary>
public abstract class UnfinishedRunsTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task One_run_too_many_is_429_in_every_form_and_an_end_makes_room_also_after_a_restart()
    {
        using var data = new TempFolder();
        await using var sim = await Simulator.StartAsync("default: { text: \"Hello there, friend.\" }");
        var hold = sim.Hold(new HoldSpec { At = HoldPoint.Before });
        var runs = new List<string>();
        await using (var world = await ChatWorld.StartAsync(sim: sim, data: data.Path, configure: Two))
        {
            for (var i = 0; i < 2; i++)
            {
                runs.Add((await world.SendAsync(await world.NewConversationAsync(), new { message = "Hi" })).GetProperty("run_id").GetString()!);
            }

            await RefusedAsync(world);
            hold.Release();
            await world.EventsAsync(runs[0]);
            await world.EventsAsync(runs[1]);
            hold = sim.Hold(new HoldSpec { At = HoldPoint.Before });
            for (var i = 0; i < 2; i++)
            {
                runs.Add((await world.SendAsync(await world.NewConversationAsync(), new { message = "Hi" })).GetProperty("run_id").GetString()!);
            }

            await RefusedAsync(world);
            using var retried = await world.App.PostAsync($"/api/v1/runs/{runs[0]}/retry", "{}");
            await ProblemAssert.IsProblemAsync(retried, 429, "concurrent_runs");
            await world.App.StopAsync();
        }

        sim.Hold(new HoldSpec { At = HoldPoint.Before });
        await using (var again = await ChatWorld.StartAsync(sim: sim, data: data.Path, configure: Two))
        {
            await RefusedAsync(again);
            sim.ReleaseAll();
            await again.EventsAsync(runs[2]);
            await again.EventsAsync(runs[3]);
            await again.AskAsync(new { message = "Hi", team = "solo" });
        }
    }

    [DatabaseFact]
    public async Task A_users_own_bound_holds_for_retries_too()
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"Hello there, friend.\" }");
        await using var app = await TestApp.StartAsync(o => o.ConfigFiles["models.yaml"] = $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
            models: { m: { provider: sim, free: true } }
            tiers: { cheap: [m], standard: [m], premium: [m] }
            """);
        using var ann = await app.AsAsync("ann");
        using var first = await ann.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", team = "solo" });
        var done = JsonElement.Parse(await first.Content.ReadAsStringAsync()).GetProperty("run_id").GetString();
        await app.ChangeUserAsync(ann.Id, """{"limits":{"runs":1}}""");
        var hold = sim.Hold(new HoldSpec { At = HoldPoint.Before });
        using var waiting = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message = "Hi", team = "solo" }), Headers = { { "Prefer", "wait=0" } } };
        using var accepted = await ann.Client.SendAsync(waiting);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        using var retried = await ann.Client.PostAsJsonAsync($"/api/v1/runs/{done}/retry", new { });
        await ProblemAssert.IsProblemAsync(retried, 429, "concurrent_runs");
        hold.Release();
    }

    private static void Two(TestAppOptions options) => options.Settings["Runs:UnfinishedPerUser"] = "2";

    private static async Task RefusedAsync(ChatWorld world)
    {
        using var refused = await world.App.PostAsync("/api/v1/chat", """{"message":"Hi","team":"solo"}""");
        var problem = await ProblemAssert.IsProblemAsync(refused, 429, "concurrent_runs");
        Assert.Equal("concurrent_runs", problem.GetProperty("limit").GetString());
        Assert.NotNull(refused.Headers.RetryAfter);
        using var openAi = await world.App.PostAsync("/v1/chat/completions", """{"model":"solo","messages":[{"role":"user","content":"Hi"}]}""");
        Assert.Equal(HttpStatusCode.TooManyRequests, openAi.StatusCode);
        Assert.Equal("rate_limit_error", JsonElement.Parse(await openAi.Content.ReadAsStringAsync()).GetProperty("error").GetProperty("type").GetString());
    }
}

public sealed class UnfinishedRunsOnSqliteTests() : UnfinishedRunsTests(DatabaseKind.Sqlite);

public sealed class UnfinishedRunsOnPostgresTests() : UnfinishedRunsTests(DatabaseKind.Postgres), IOnPostgres;
