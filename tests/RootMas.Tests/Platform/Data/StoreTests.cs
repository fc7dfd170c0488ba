using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Identity.Users;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>The small stores.</summary>
[Covers(typeof(LedgerStore))]
public abstract class StoreTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [DatabaseFact]
    public async Task The_ledger_sums_by_day_agent_and_model_and_knows_how_models_did()
    {
        await using var test = new TestDatabase();
        var ledger = new LedgerStore(test.Database, LedgerSql.InsertAsync);
        foreach (var (day, agent, outcome) in ((int, string?, string)[])[(0, "a", "ok"), (0, "a", "ok"), (0, null, "error"), (1, "a", "ok")])
        {
            await ledger.AppendAsync(Entry(Noon.AddDays(day), agent, outcome), default);
        }

        await ledger.AppendAsync(Entry(Noon, "a", "ok") with { OwnerId = "other" }, default);
        var spent = await ledger.SpendAsync("owner", Noon.AddDays(-1), default);
        Assert.Equal([("2026-03-02", "a", 1L, 5L), ("2026-03-01", "a", 2L, 10L), ("2026-03-01", "", 1L, 5L)], spent.Select(static r => (r.Day, r.Agent, r.Requests, r.CostMicroUsd)));
        Assert.Equal((20, 4, 6, 0), (spent[1].InputTokens, spent[1].CachedTokens, spent[1].OutputTokens, spent[1].Estimated));
        var stats = Assert.Single(await ledger.StatsAsync("owner", Noon.AddDays(-1), default));
        Assert.Equal((4L, 3L, 20L), (stats.Requests, stats.Succeeded, stats.CostMicroUsd));
        Assert.Equal((12.5, 3.25), (stats.MeanLatencyMs, stats.MeanTtftMs));
        Assert.Empty(await ledger.SpendAsync("nobody", Noon.AddDays(-1), default));
    }

    [DatabaseFact]
    public async Task The_local_user_is_made_once_by_however_many_at_once()
    {
        await using var test = new TestDatabase();
        var users = new UserStore(test.Database);
        var all = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => users.LocalAsync(default)));
        Assert.Single(all.Distinct());
        Assert.Equal("local", all[0].Username);
        Assert.Equal(1, await test.ScalarAsync("SELECT count(*) FROM users WHERE username = 'LOCAL'"));
    }

    [DatabaseFact]
    public async Task Of_those_who_store_the_same_version_of_an_agent_one_wins()
    {
        await using var test = new TestDatabase();
        var overrides = new CatalogOverrides(test.Database, TestChanges.Of(test.Database));
        for (var version = 1; version <= 3; version++)
        {
            var stored = await Task.WhenAll(Enumerable.Range(0, 10).Select(i => overrides.AppendAsync(new(CatalogKind.Agent, "a", version, OverrideState.Live, $"{{\"n\":{i}}}", "owner"), null, default)));
            Assert.Single(stored, static won => won);
        }

        await overrides.AppendAsync(new(CatalogKind.Team, "a", 1, OverrideState.Deleted, null, "owner"), null, default);
        var newest = await overrides.LoadAsync(default);
        Assert.Equal([(CatalogKind.Agent, 3), (CatalogKind.Team, 1)], newest.Select(static o => (o.Kind, o.Version)).Order());
        Assert.Equal(4, await overrides.RevisionAsync(default));
    }

    private static LedgerEntry Entry(DateTimeOffset at, string? agent, string outcome) => new()
    {
        Id = Guid.CreateVersion7().ToString(),
        OwnerId = "owner",
        Agent = agent,
        Purpose = "answer",
        Provider = "p",
        Model = "m",
        Tier = "cheap",
        Usage = new TokenUsage(10, 2, 3),
        Cost = new Money(5),
        Outcome = outcome,
        LatencyMs = 12.5,
        TtftMs = 3.25,
        CreatedAt = at,
    };
}

public sealed class StoreOnSqliteTests() : StoreTests(DatabaseKind.Sqlite);

public sealed class StoreOnPostgresTests() : StoreTests(DatabaseKind.Postgres), IOnPostgres;
