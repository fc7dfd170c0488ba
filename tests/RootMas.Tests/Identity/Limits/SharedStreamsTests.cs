using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Limits;

/// <summary>Streams and sockets of a user that are open on several instances.</summary>
public sealed class SharedStreamsTests : IAsyncDisposable
{
    private readonly string _prefix = RedisServer.NewPrefix();
    private readonly List<RedisPool> _pools = [];
    private readonly List<SharedStreams> _shared = [];

    public async ValueTask DisposeAsync()
    {
        _shared.ForEach(static s => s.Dispose());
        foreach (var pool in _pools)
        {
            await pool.DisposeAsync();
        }
    }

    [RedisFact]
    public async Task All_instances_together_open_exactly_as_many_as_the_limit_says()
    {
        var server = await RedisServer.SharedAsync();
        var (one, two) = (await MakeAsync(server, 20), await MakeAsync(server, 20));
        var alice = AccessPipeline.User("alice");
        var opened = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => Task.Run(() => (i % 2 == 0 ? one : two).TryOpenAsync(alice, StreamKind.Events).AsTask())));
        Assert.Equal(20, opened.Count(static p => p is null));
        Assert.All(opened.Where(static p => p is not null), static p => Assert.Equal(429, p!.Status));
        Assert.Contains("20 event streams open", (await two.TryOpenAsync(alice, StreamKind.Events))!.Detail, StringComparison.Ordinal);
        Assert.Null(await two.TryOpenAsync(alice, StreamKind.Socket)); // counted apart
        Assert.Null(await two.TryOpenAsync(AccessPipeline.User("bob"), StreamKind.Events));
        await one.CloseAsync(alice, StreamKind.Events);
        Assert.Null(await two.TryOpenAsync(alice, StreamKind.Events));
        Assert.NotNull(await one.TryOpenAsync(alice, StreamKind.Events));
    }

    [RedisFact]
    public async Task Without_Redis_each_instance_allows_its_part_and_a_Redis_that_forgot_is_told_again()
    {
        await using var server = await RedisServer.StartAsync();
        var (one, two) = (await MakeAsync(server, 4), await MakeAsync(server, 4));
        var alice = AccessPipeline.User("alice");
        Assert.Null(await one.TryOpenAsync(alice, StreamKind.Events));
        await server.KillAsync();
        Assert.Null(await one.TryOpenAsync(alice, StreamKind.Events));
        Assert.NotNull(await one.TryOpenAsync(alice, StreamKind.Events)); // two of four are its part
        Assert.Null(await two.TryOpenAsync(alice, StreamKind.Events));
        await server.StartAgainAsync();
        await Wait.UntilAsync(() => _pools.TrueForAll(static p => p.IsConnected));
        foreach (var shared in _shared)
        {
            await shared.RenewAsync();
        }

        Assert.Null(await two.TryOpenAsync(alice, StreamKind.Events));
        Assert.NotNull(await one.TryOpenAsync(alice, StreamKind.Events));
    }

    private async Task<OpenStreams> MakeAsync(RedisServer server, int most)
    {
        _pools.Add(await server.PoolAsync(_prefix));
        _shared.Add(new SharedStreams(_pools[^1], Instance.New("serve"), static () => 2, TimeProvider.System, NullLogger<SharedStreams>.Instance));
        return new OpenStreams(new LimitOptions { StreamsPerUser = most }, new ServerOptions(), _shared[^1]);
    }
}
