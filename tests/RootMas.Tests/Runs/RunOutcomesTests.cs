using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

public sealed class RunOutcomesOnSqliteTests() : RunOutcomesTests(DatabaseKind.Sqlite);

public sealed class RunOutcomesOnPostgresTests() : RunOutcomesTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>How runs went over time, as the dashboard reads it.</summary>
public abstract class RunOutcomesTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        default: { text: "Hello there, friend." }
        rules:
          - match: { last_role: user, last_user: "ask me" }
            answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which one?" } } ] }
        """;

    [DatabaseFact]
    public async Task Runs_are_counted_by_how_they_went_and_those_of_others_only_for_those_who_may()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var root = await world.App.AsAsync("root", "admin");
        using var ann = await world.App.AsAsync("ann");
        using var bob = await world.App.AsAsync("bob");
        await ann.PostAsync("/api/v1/chat", new { message = "hi", team = "solo" });
        var failed = (await ann.PostAsync("/api/v1/chat", new { message = "hi again", team = "solo" })).GetProperty("run_id").GetString()!;
        var stopped = (await ann.PostAsync("/api/v1/chat", new { message = "ask me", team = "solo" }, HttpStatusCode.Accepted)).GetProperty("run_id").GetString()!;
        await ann.PostAsync($"/api/v1/runs/{stopped}/cancel", new { }, HttpStatusCode.Accepted);
        await world.EventsAsync(stopped);
        await ann.PostAsync("/api/v1/chat", new { message = "ask me", team = "solo" }, HttpStatusCode.Accepted);
        await bob.PostAsync("/api/v1/chat", new { message = "hi", team = "solo" });
        await world.App.Get<IDatabase>().WriteAsync(
            async session => await session.Prepared("update runs set status = 'failed' where id = @id").Set("id", failed).RunAsync(), CancellationToken.None);

        Assert.Equal((4, 1, 1, 1), Sums(await ann.GetAsync("/api/v1/metrics/runs")));
        Assert.Equal((1, 1, 0, 0), Sums(await bob.GetAsync("/api/v1/metrics/runs?bucket=hour&scope=own")));
        Assert.Equal((5, 2, 1, 1), Sums(await root.GetAsync("/api/v1/metrics/runs?scope=all")));
        Assert.Equal((0, 0, 0, 0), Sums(await root.GetAsync("/api/v1/metrics/runs")));
        Assert.Equal((0, 0, 0, 0), Sums(await ann.GetAsync("/api/v1/metrics/runs?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z")));
        Assert.Equal("forbidden", (await ann.GetAsync("/api/v1/metrics/runs?scope=all", HttpStatusCode.Forbidden)).GetProperty("code").GetString());
        var point = (await bob.GetAsync("/api/v1/metrics/runs")).GetProperty("series")[0];
        Assert.Equal(point.GetProperty("mean_ms").GetDouble(), point.GetProperty("slowest_ms").GetDouble());
    }

    [DatabaseTheory]
    [InlineData("bucket=second", "bucket")]
    [InlineData("scope=mine", "scope")]
    [InlineData("from=yesterday", "from")]
    [InlineData("from=2020-01-01T00:00:00Z&to=2026-11-19T00:00:00Z", "from")]
    public async Task What_cannot_be_asked_is_refused_and_named(string query, string field)
    {
        await using var app = await TestApp.StartAsync();
        Assert.True((await TestUser.JsonAsync(await app.Client.GetAsync($"/api/v1/metrics/runs?{query}"), HttpStatusCode.BadRequest)).GetProperty("errors").TryGetProperty(field, out _));
    }

    private static (long Runs, long Completed, long Failed, long Cancelled) Sums(JsonElement view)
    {
        var series = view.GetProperty("series").EnumerateArray().ToList();
        long Sum(string name) => series.Sum(p => p.GetProperty(name).GetInt64());
        return (Sum("runs"), Sum("completed"), Sum("failed"), Sum("cancelled"));
    }
}
