using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

/// <summary>The ledger as the dashboard reads it.</summary>
[Covers(typeof(UsageStore))]
public abstract class UsageApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly DateTimeOffset Noon = new(2026, 11, 20, 12, 0, 0, TimeSpan.Zero);
    private const string Week = "from=2026-11-16T09:00:00Z&to=2026-11-21T00:00:00Z";

    [DatabaseFact]
    public async Task Own_usage_is_summed_by_key_and_day_and_others_are_never_in_it()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        using var bob = await app.AsAsync("bob");
        await AddAsync(app, await IdOfAsync(ann), "meta", "big", 2_000, Noon, "run-1");
        await AddAsync(app, await IdOfAsync(ann), "meta", "big", 500, Noon.AddHours(1), "run-1", "timeout");
        await AddAsync(app, await IdOfAsync(ann), null, "small", 10, Noon.AddDays(-1), null);
        await AddAsync(app, await IdOfAsync(ann), "meta", "big", 7_000_000, Noon.AddDays(-30), "run-0");
        await AddAsync(app, await IdOfAsync(bob), "secret_agent", "big", 9_000_000, Noon, "run-2");

        var report = await ReadAsync(ann, $"by=model&{Week}");
        Assert.Equal("2026-11-16T00:00:00+00:00", report.GetProperty("from").GetDateTimeOffset().ToString("yyyy-MM-dd'T'HH:mm:sszzz", null));
        Assert.Equal([("big", 2, 1, "0.0025"), ("small", 1, 0, "0.00001")], report.GetProperty("items").EnumerateArray().Select(i => (Text(i, "key"), Number(i, "requests"), Number(i, "failed"), Cost(i))));
        Assert.Equal([("2026-11-19", "small"), ("2026-11-20", "big")], report.GetProperty("series").EnumerateArray().Select(p => (Text(p, "start")[..10], Text(p, "key"))));
        Assert.Equal(1, Number(report.GetProperty("items")[0], "runs"));
        Assert.Equal(120, report.GetProperty("items")[0].GetProperty("figures").GetProperty("mean_latency_ms").GetDouble());

        var hours = await ReadAsync(ann, $"by=agent&bucket=hour&{Week}");
        Assert.Equal(["2026-11-19T12", "2026-11-20T12", "2026-11-20T13"], hours.GetProperty("series").EnumerateArray().Select(p => Text(p, "start")[..13]));
        Assert.Equal(["meta", ""], hours.GetProperty("items").EnumerateArray().Select(i => Text(i, "key")));
    }

    [DatabaseFact]
    public async Task Everybodys_usage_is_for_those_with_the_permission_and_names_users()
    {
        await using var app = await TestApp.StartAsync();
        using var root = await app.AsAsync("root", "admin");
        using var ann = await app.AsAsync("ann");
        await AddAsync(app, await IdOfAsync(ann), "meta", "big", 2_000, Noon, "run-1");
        await AddAsync(app, "bot/guest", "meta", "big", 9_000, Noon, "run-2");

        foreach (var query in (string[])["scope=all", "by=user", "by=user&scope=own"])
        {
            using var refused = await ann.Client.GetAsync($"/api/v1/usage?{query}");
            Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        }

        var users = await ReadAsync(root, $"by=user&{Week}");
        Assert.Equal([("bot/guest", null), (await IdOfAsync(ann), "ann")], users.GetProperty("items").EnumerateArray().Select(i => (Text(i, "key"), i.GetProperty("label").GetString())));
        Assert.Equal("0.011", Cost((await ReadAsync(root, $"scope=all&by=tier&{Week}")).GetProperty("items")[0]));
        Assert.Empty((await ReadAsync(root, Week)).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task The_ninth_key_and_those_after_it_share_a_line()
    {
        await using var app = await TestApp.StartAsync();
        using var ann = await app.AsAsync("ann");
        var id = await IdOfAsync(ann);
        for (var i = 0; i < 10; i++)
        {
            await AddAsync(app, id, $"agent{i}", "big", 1_000 - i, Noon, "run-1");
        }

        var report = await ReadAsync(ann, $"by=agent&{Week}");
        Assert.Equal(10, report.GetProperty("items").GetArrayLength());
        var series = report.GetProperty("series").EnumerateArray().ToList();
        Assert.Equal(9, series.Count);
        Assert.Equal(2, Number(series.Single(p => p.GetProperty("key").ValueKind == JsonValueKind.Null), "requests"));
    }

    [DatabaseFact]
    public async Task What_a_run_used_is_in_the_very_next_report()
    {
        await using var app = await TestApp.StartAsync(static o => o.Settings["Models:ProbeOllama"] = "false");
        using var ann = await app.AsAsync("ann");
        for (var asked = 1; asked <= 5; asked++)
        {
            await ann.PostAsync("/api/v1/chat", new { message = "hello", team = "solo" });
            Assert.Equal(asked, (await ReadAsync(ann, "by=model")).GetProperty("items").EnumerateArray().Sum(static i => Number(i, "requests")));
        }
    }

    /// <summary>Rows that this instance did not write, as those of workers: behind a proxy every server says the same.</summary>
    [DatabaseFact]
    public async Task The_dashboard_has_todays_requests_of_everybody_whichever_instance_made_them()
    {
        await using var app = await TestApp.StartAsync();
        var now = TimeProvider.System.GetUtcNow();
        await AddAsync(app, "ann", "meta", "big", 2_000, now, "run-1");
        await AddAsync(app, "bot/guest", null, "small", 500, now, null, "timeout");
        await AddAsync(app, "bob", "meta", "big", 10, now, "run-2", "cancelled");
        await AddAsync(app, "ann", "meta", "big", 7_000_000, now.AddDays(-1), "run-0");
        await AddAsync(app, "ann", "meta", "big", 7_000_000, now.AddDays(1), "run-0"); // of a machine whose clock is wrong

        var dashboard = await app.GetJsonAsync("/api/v1/metrics/dashboard");
        Assert.Equal("0.00251", dashboard.GetProperty("cost_usd").GetString()); // money is a text
        var values = dashboard.GetProperty("values");
        Assert.Equal((3, 1, 0.00251), (values.GetProperty("model_calls").GetInt32(), values.GetProperty("model_failures").GetInt32(), values.GetProperty("cost_usd").GetDouble()));
    }

    /// <summary>On a day with millions of rows a sum takes seconds, and every open dashboard asks for it all the time.</summary>
    [DatabaseFact]
    public async Task What_took_long_to_sum_is_given_again_until_the_day_is_over()
    {
        await using var app = await TestApp.StartAsync();
        var clock = new ManualTimeProvider(Noon.AddHours(12).AddMinutes(-2));
        var database = new SlowDatabase(app.Get<IDatabase>(), clock, TimeSpan.FromSeconds(3));
        using var figures = new DayFigures(database, clock);
        async Task<int> CallsAsync()
        {
            var values = new Dictionary<string, double>(StringComparer.Ordinal);
            await figures.AddAsync(values, default);
            return (int)values["model_calls"];
        }

        await AddAsync(app, "ann", "meta", "big", 2_000, Noon, "run-1");
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => CallsAsync())), static calls => Assert.Equal(1, calls));
        await AddAsync(app, "ann", "meta", "big", 2_000, Noon, "run-1");
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal((1, 1), (await CallsAsync(), database.Looks));
        clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((2, 2), (await CallsAsync(), database.Looks));
        clock.Advance(TimeSpan.FromSeconds(55)); // it is 00:00:01
        Assert.Equal((0, 3), (await CallsAsync(), database.Looks));
    }

    [DatabaseTheory]
    [InlineData("by=colour", "by")]
    [InlineData("bucket=second", "bucket")]
    [InlineData("scope=mine", "scope")]
    [InlineData("from=yesterday", "from")]
    [InlineData("to=0001-01-01T00:00:00Z", "to")]
    [InlineData("from=2026-11-20T00:00:00Z&to=2026-11-19T00:00:00Z", "from")]
    [InlineData("from=2020-01-01T00:00:00Z&to=2026-11-19T00:00:00Z", "from")]
    public async Task What_cannot_be_asked_is_refused_and_named(string query, string field)
    {
        await using var app = await TestApp.StartAsync();
        using var response = await app.Client.GetAsync($"/api/v1/usage?{query}");
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.True((await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("errors").TryGetProperty(field, out _));
    }

    private static async Task<JsonElement> ReadAsync(TestUser user, string query) => await user.Client.GetFromJsonAsync<JsonElement>($"/api/v1/usage?{query}");

    private static async Task<string> IdOfAsync(TestUser user) =>
        (await user.Client.GetFromJsonAsync<JsonElement>("/api/v1/auth/me")).GetProperty("user").GetProperty("id").GetString()!;

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    private static int Number(JsonElement element, string name) => element.GetProperty("figures").GetProperty(name).GetInt32();

    private static string Cost(JsonElement element) => element.GetProperty("figures").GetProperty("cost_usd").GetString()!;

    private static Task AddAsync(TestApp app, string owner, string? agent, string model, long cost, DateTimeOffset at, string? run, string outcome = "ok") =>
        app.Get<LedgerStore>().AppendAsync(
            new LedgerEntry
            {
                Id = Guid.CreateVersion7(at).ToString(), RunId = run, RootRunId = run, OwnerId = owner, Agent = agent, Purpose = "answer", Provider = "p", Model = model, Tier = "cheap", Outcome = outcome,
                Usage = new TokenUsage(1000, 200, 50), Cost = new Money(cost), LatencyMs = outcome == "ok" ? 120 : 9_000, TtftMs = 30, CreatedAt = at,
            },
            CancellationToken.None);

    /// <summary>By a clock of its own.</summary>
    private sealed class SlowDatabase(IDatabase inner, ManualTimeProvider clock, TimeSpan each) : WrappedDatabase(inner)
    {
        public int Looks { get; private set; }

        public override Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            Looks++; // one at a time
            clock.Advance(each);
            return Inner.ReadAsync(work, cancellationToken);
        }
    }
}

public sealed class UsageApiOnSqliteTests() : UsageApiTests(DatabaseKind.Sqlite);

public sealed class UsageApiOnPostgresTests() : UsageApiTests(DatabaseKind.Postgres), IOnPostgres;
