using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Models.Budgets;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models.Budgets;

/// <summary>What every counter of a day's cost must do: in memory, and on Redis.</summary>
public abstract class SpendStoreTests : IAsyncLifetime
{
    private readonly TestDatabase _database = new();

    protected SteppedClock Clock { get; } = new();

    protected LedgerStore Ledger { get; private set; } = null!;

    private protected DateOnly Day => LedgerDays.Today(Clock);

    private protected abstract Task<ISpendStore> MakeAsync();

    public virtual async Task InitializeAsync()
    {
        await _database.Database.OpenAsync();
        Ledger = new LedgerStore(_database.Database);
    }

    public virtual async Task DisposeAsync() => await _database.DisposeAsync();

    [DatabaseFact]
    public async Task However_many_ask_at_once_what_is_set_aside_and_spent_is_never_more_than_the_limit()
    {
        var store = await MakeAsync();
        var limit = Limit("all", 1_000);
        var given = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(() => store.HoldAsync(Ask(10, 10, Limit($"user:{i % 3}", 600), limit)).AsTask())));
        Assert.Equal(1_000, given.Sum(static g => g.Held));
        Assert.All(given, static g => Assert.True(g.Outcome == SpendOutcome.Granted ? g.Held == 10 : g.Outcome == SpendOutcome.Busy));
        Assert.Equal(new SpendFigure(0, 1_000), await FigureAsync(store, "all"));
    }

    [DatabaseFact]
    public async Task What_was_not_needed_is_free_again_and_what_was_spent_is_not()
    {
        var store = await MakeAsync();
        var ask = Ask(10, 700, Limit("user:ann", 1_000));
        var first = await store.HoldAsync(ask);
        Assert.Equal(SpendOutcome.Busy, (await store.HoldAsync(ask)).Outcome); // it may come to that much, or to less
        await store.SettleAsync(ask, first, 100);
        Assert.Equal(700, (await store.HoldAsync(ask)).Held);
        Assert.Equal(new SpendFigure(100, 700), await FigureAsync(store, "user:ann"));
    }

    [DatabaseFact]
    public async Task The_last_of_it_goes_to_one_who_is_alone_and_then_it_is_over()
    {
        var store = await MakeAsync();
        var ask = Ask(100, 700, Limit("user:ann", 1_000), Limit("all", 5_000));
        var first = await store.HoldAsync(ask);
        await store.SettleAsync(ask, first, 600);
        var last = await store.HoldAsync(ask);
        Assert.Equal((SpendOutcome.Granted, 400), (last.Outcome, last.Held));
        await store.SettleAsync(ask, last, 350);
        var over = await store.HoldAsync(ask);
        Assert.Equal((SpendOutcome.Over, "user:ann"), (over.Outcome, over.Limit?.Key));
    }

    [DatabaseFact]
    public async Task A_count_begins_from_the_ledger_and_a_new_day_from_nothing()
    {
        await AddAsync("ann", "meta", 400, Clock.GetUtcNow());
        await AddAsync("ann/guest", null, 300, Clock.GetUtcNow().AddHours(-1));
        await AddAsync("bob", "meta", 200, Clock.GetUtcNow());
        await AddAsync("ann", "meta", 5_000, Clock.GetUtcNow().AddDays(-1));
        var store = await MakeAsync();
        Assert.Equal([700, 600, 900], (await store.ReadAsync(Day, ["user:ann", "agent:meta", "all"])).Select(static f => f.Spent));
        var over = await store.HoldAsync(Ask(10, 10, Limit("user:ann", 2_000), Limit("agent:meta", 600)));
        Assert.Equal((SpendOutcome.Over, "agent:meta"), (over.Outcome, over.Limit?.Key));
        Clock.Advance(TimeSpan.FromHours(13));
        Assert.Equal(10, (await store.HoldAsync(Ask(10, 10, Limit("user:ann", 2_000), Limit("agent:meta", 600)))).Held);
        Assert.Equal(0, (await FigureAsync(store, "agent:meta")).Spent);
    }

    private protected SpendRequest Ask(long least, long wanted, params SpendLimit[] limits) => new(Day, limits, least, wanted, TimeSpan.FromMinutes(10));

    private protected static SpendLimit Limit(string key, long most) => new(key, new Money(most));

    private protected async Task<SpendFigure> FigureAsync(ISpendStore store, string key) => Assert.Single(await store.ReadAsync(Day, [key]));

    protected Task AddAsync(string owner, string? agent, long cost, DateTimeOffset at) => Ledger.AppendAsync(
        new LedgerEntry
        {
            Id = Guid.CreateVersion7(at).ToString(), OwnerId = owner, Agent = agent, Purpose = "answer", Provider = "p", Model = "m", Tier = "cheap", Outcome = "ok",
            Usage = TokenUsage.None, Cost = new Money(cost), CreatedAt = at,
        },
        CancellationToken.None);
}

public sealed class MemorySpendTests : SpendStoreTests
{
    private protected override Task<ISpendStore> MakeAsync() => Task.FromResult<ISpendStore>(new MemorySpend(new LedgerDays(Ledger, Clock), Clock, static () => 1, null));

    [Fact]
    public async Task Several_processes_that_know_of_one_another_by_the_ledger_alone_stop_short_of_the_limit_and_get_near_it()
    {
        var stores = Enumerable.Range(0, 3).Select(_ => new MemorySpend(new LedgerDays(Ledger, Clock), Clock, static () => 3, TimeSpan.FromSeconds(15))).ToList();
        var ask = Ask(1_000, 1_000, Limit("all", 90_000));
        long spent = 0;
        for (var round = 0; round < 30; round++)
        {
            foreach (var store in stores)
            {
                while (await store.HoldAsync(ask) is { Outcome: SpendOutcome.Granted } held)
                {
                    await store.SettleAsync(ask, held, held.Held);
                    await AddAsync("ann", null, held.Held, Clock.GetUtcNow());
                    spent += held.Held;
                }

                Assert.True(spent <= 90_000, $"{spent} in round {round}");
            }

            Clock.Advance(TimeSpan.FromSeconds(16));
        }

        Assert.InRange(spent, 80_000, 90_000);
    }
}

public sealed class RedisSpendTests : SpendStoreTests, IOnRedis
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

    private protected override async Task<ISpendStore> MakeAsync() => await MakeAsync(await RedisServer.SharedAsync(), 1);

    [RedisFact]
    public async Task Several_instances_have_one_limit()
    {
        var stores = new List<ISpendStore>();
        for (var i = 0; i < 4; i++)
        {
            stores.Add(await MakeAsync(await RedisServer.SharedAsync(), 4));
        }

        var given = await Task.WhenAll(Enumerable.Range(0, 200).Select(i => Task.Run(() => stores[i % 4].HoldAsync(Ask(10, 10, Limit("all", 1_000))).AsTask())));
        Assert.Equal(1_000, given.Sum(static g => g.Held));
    }

    [RedisFact]
    public async Task An_emptied_a_killed_and_a_new_Redis_forget_nothing_that_the_ledger_knows()
    {
        await using var server = await RedisServer.StartAsync();
        var (one, two) = (await MakeAsync(server, 2), await MakeAsync(server, 2));
        var ask = Ask(10, 100, Limit("user:ann", 1_000));
        await SpendAsync(one, ask, 300);
        await SpendAsync(two, ask, 300);
        await server.FlushAsync();
        Clock.Advance(TimeSpan.FromSeconds(3)); // what was read of the ledger before is too old
        Assert.Equal(600, (await FigureAsync(one, "user:ann")).Spent);
        await SpendAsync(two, ask, 100); // 700

        await server.KillAsync();
        Clock.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(100, (await one.HoldAsync(ask)).Held); // half of the 300 that are left are its own
        Assert.Equal(SpendOutcome.Busy, (await one.HoldAsync(ask)).Outcome);
        await SpendAsync(two, ask, 100); // 800

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
        await AddAsync("ann", null, cost, Clock.GetUtcNow());
        await store.SettleAsync(ask, held, cost);
    }

    private async Task<ISpendStore> MakeAsync(RedisServer server, int instances)
    {
        var pool = await server.PoolAsync(_prefix);
        _opened.Add(pool);
        var days = new LedgerDays(Ledger, Clock);
        return new RedisSpend(pool, new MemorySpend(days, Clock, () => instances, TimeSpan.FromSeconds(15)), days, Clock);
    }
}
