using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Models.Budgets;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models.Budgets;

/// <summary>The counter of all instances in Redis.</summary>
public sealed class RedisSpendTests() : SpendStoreTests(DatabaseKind.Postgres), IOnRedis, IOnPostgres
{
    private readonly string _prefix = RedisServer.NewPrefix();
    private readonly List<IAsyncDisposable> _opened = [];

    public override async Task DisposeAsync()
    {
        foreach (var opened in _opened)
        {
            await opened.DisposeAsync();
        }

        await base.DisposeAsync();
    }

    private protected override async Task<ISpendStore> MakeAsync() => await MakeAsync(await RedisServer.SharedAsync());

    [RedisFact]
    public async Task Several_instances_have_one_limit()
    {
        var stores = new List<ISpendStore>();
        for (var i = 0; i < 4; i++)
        {
            stores.Add(await MakeAsync(await RedisServer.SharedAsync()));
        }

        var given = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(() => stores[i % 4].HoldAsync(Ask(10, 10, Limit("all", 1_000))).AsTask())));
        Assert.Equal(1_000, given.Sum(static g => g.Held));
    }

    [RedisFact]
    public async Task An_emptied_a_killed_and_a_new_Redis_forget_nothing_that_the_ledger_knows()
    {
        await using var server = await RedisServer.StartAsync();
        var (one, two) = (await MakeAsync(server), await MakeAsync(server));
        var ask = Ask(10, 100, Limit("user:ann", 1_000));
        await SpendAsync(one, ask, 300);
        await SpendAsync(two, ask, 300);
        await server.FlushAsync();
        Clock.Advance(TimeSpan.FromSeconds(3)); // what was read of the ledger before is too old
        Assert.Equal(600, (await FigureAsync(one, "user:ann")).Spent);
        await SpendAsync(two, ask, 100); // 700

        await server.KillAsync();
        Clock.Advance(TimeSpan.FromSeconds(30));
        var held = await one.HoldAsync(ask);
        Assert.Equal((100, 100), (held.Held, (await one.HoldAsync(ask)).Held));
        await SpendAsync(two, ask, 100); // 800
        Assert.Equal(SpendOutcome.Busy, (await two.HoldAsync(ask)).Outcome); // the 200 that are left are the other's
        await one.SettleAsync(ask, held, 0, null);

        await server.StartAgainAsync();
        Clock.Advance(TimeSpan.FromSeconds(3));
        await TestCluster.UntilAsync(async () => (await server.KeysAsync(_prefix)).Length > 0 || await AskedAsync(two), "Redis counts again");
        Assert.Equal(800, (await FigureAsync(two, "user:ann")).Spent);
        await SpendAsync(two, ask, 100);
        await SpendAsync(two, ask, 100); // 1,000
        Assert.Equal(SpendOutcome.Over, (await two.HoldAsync(ask)).Outcome);

        async Task<bool> AskedAsync(ISpendStore store)
        {
            await store.HoldAsync(Ask(10, 2_000, Limit("user:ann", 1))); // over, and so nothing is set aside
            return false;
        }
    }

    private async Task SpendAsync(ISpendStore store, SpendRequest ask, long cost)
    {
        var held = await store.HoldAsync(ask);
        Assert.Equal(SpendOutcome.Granted, held.Outcome);
        await SettleAsync(store, ask, held, cost);
    }

    private async Task<ISpendStore> MakeAsync(RedisServer server)
    {
        var pool = await server.PoolAsync(_prefix);
        _opened.Add(pool);
        var days = new LedgerDays(Ledger, Clock);
        return new RedisSpend(pool, await SharedAsync(), days, Clock);
    }
}
