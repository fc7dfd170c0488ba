using System.Globalization;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Redis;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Limits;

public sealed class RedisLimitStoreTests : LimitStoreTests, IOnRedis, IAsyncLifetime
{
    private readonly string _prefix = RedisServer.NewPrefix();
    private readonly List<RedisPool> _pools = [];
    private ILimitStore _store = null!;

    protected override ILimitStore Store => _store;

    protected override int MostRequests => 8_000;

    public async Task InitializeAsync() => _store = new RedisLimitStore(await PoolAsync(await RedisServer.SharedAsync()), Never, static () => 1, Clock);

    public async Task DisposeAsync()
    {
        foreach (var pool in _pools)
        {
            await pool.DisposeAsync();
        }
    }

    [RedisFact]
    public async Task Exactly_the_limit_passes_when_many_instances_ask_at_once_by_the_clock_of_Redis()
    {
        var server = await RedisServer.SharedAsync();
        var (key, rule) = (NewKey(), new LimitRule(200, TimeSpan.FromDays(200)));
        var stores = new List<ILimitStore>();
        for (var i = 0; i < 6; i++)
        {
            stores.Add(new RedisLimitStore(await PoolAsync(server), Never, static () => 6));
        }

        var passed = await Task.WhenAll(stores.SelectMany(store => Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            var count = 0;
            for (var n = 0; n < 100; n++)
            {
                count += (await store.TakeAsync(key, rule, 1)).IsWithin ? 1 : 0;
            }

            return count;
        }))));
        Assert.Equal(200, passed.Sum());
    }

    [RedisFact]
    public async Task A_key_is_gone_when_it_counts_nothing_any_more()
    {
        var server = await RedisServer.SharedAsync();
        var pool = await PoolAsync(server);
        var store = new RedisLimitStore(pool, Never, static () => 1);
        await store.TakeAsync(NewKey(), new LimitRule(10, TimeSpan.FromSeconds(1)), 1);
        await store.TakeAsync(NewKey(), new LimitRule(10, TimeSpan.FromHours(1)), 5);
        await store.TakeAsync(NewKey(), new LimitRule(10, TimeSpan.FromHours(1)), 0);
        string[] keys;
        do
        {
            keys = await server.KeysAsync(pool.Prefix);
        }
        while (keys.Length > 1);

        Assert.InRange(int.Parse(Assert.Single(await server.CommandAsync("TTL", Assert.Single(keys))), CultureInfo.InvariantCulture), 1, 1_801);
    }

    [RedisFact]
    public async Task Without_Redis_each_instance_allows_its_part_at_once_and_with_it_again_all_of_them_the_whole()
    {
        await using var server = await RedisServer.StartAsync();
        var pools = new List<RedisPool>();
        var stores = new List<ILimitStore>();
        for (var i = 0; i < 3; i++)
        {
            pools.Add(await PoolAsync(server));
            stores.Add(new RedisLimitStore(pools[^1], new MemoryLimitStore(100, Clock), static () => 3));
        }

        var rule = new LimitRule(30, TimeSpan.FromDays(30));
        for (var outage = 0; outage < 2; outage++)
        {
            var key = NewKey();
            Assert.Equal(30, await PassedAsync(stores, key, rule, 40));
            await server.KillAsync();
            await Wait.UntilAsync(() => pools.TrueForAll(static p => !p.IsConnected));
            Assert.Equal(10, await PassedAsync([stores[0]], key, rule, 40));
            Assert.Equal(20, await PassedAsync(stores[1..], key, rule, 40));
            await server.StartAgainAsync();
            await Wait.UntilAsync(() => pools.TrueForAll(static p => p.IsConnected));
            Assert.Equal(30, await PassedAsync(stores, NewKey(), rule, 40));
        }
    }

    [Theory]
    [InlineData(100, 60, 1, 100, 60)]
    [InlineData(100, 60, 3, 33, 60)]
    [InlineData(3, 60, 3, 1, 60)]
    [InlineData(2, 60, 3, 1, 90)]
    [InlineData(1, 60, 4, 1, 240)]
    public void A_part_is_never_more_than_its_share(int limit, int seconds, int instances, int part, int partSeconds) =>
        Assert.Equal(new LimitRule(part, TimeSpan.FromSeconds(partSeconds)), RedisLimitStore.PartOf(new LimitRule(limit, TimeSpan.FromSeconds(seconds)), instances));

    private static ILimitStore Never { get; } = new NoStore();

    private static async Task<int> PassedAsync(IReadOnlyList<ILimitStore> stores, LimitKey key, LimitRule rule, int each)
    {
        var passed = await Task.WhenAll(stores.Select(async store =>
        {
            var count = 0;
            for (var i = 0; i < each; i++)
            {
                count += (await store.TakeAsync(key, rule, 1)).IsWithin ? 1 : 0;
            }

            return count;
        }));
        return passed.Sum();
    }

    private async Task<RedisPool> PoolAsync(RedisServer server)
    {
        _pools.Add(await server.PoolAsync(_prefix));
        return _pools[^1];
    }

    /// <summary>Where Redis is there nothing else counts.</summary>
    private sealed class NoStore : ILimitStore
    {
        public ValueTask<LimitResult> TakeAsync(LimitKey key, LimitRule rule, int cost) => throw new InvalidOperationException("Redis was not asked.");
    }
}
