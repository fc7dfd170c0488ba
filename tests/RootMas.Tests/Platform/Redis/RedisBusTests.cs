using System.Collections.Concurrent;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Redis;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Redis;

/// <summary>Messages between instances, over a real Redis.</summary>
public sealed class RedisBusTests : IAsyncLifetime
{
    private readonly List<RedisBus> _buses = [];
    private readonly string _prefix = RedisServer.NewPrefix();

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        foreach (var bus in _buses)
        {
            await bus.DisposeAsync();
        }
    }

    [RedisFact]
    public async Task The_others_hear_in_order_and_oneself_does_not()
    {
        var server = await RedisServer.SharedAsync();
        RedisBus[] buses = [await StartAsync(server), await StartAsync(server), await StartAsync(server)];
        var heard = buses.Select(static _ => new ConcurrentQueue<string>()).ToArray();
        for (var i = 0; i < buses.Length; i++)
        {
            await ListenAsync(buses[i], "topic", heard[i]);
            buses[i].Subscribe("topic", static _ => throw new InvalidOperationException("one listener fails, the others hear"));
        }

        for (var n = 0; n < 500; n++)
        {
            buses[0].Publish("topic", Encoding.UTF8.GetBytes($"{n}"));
            buses[0].Publish("other", "nobody listens to that"u8.ToArray());
        }

        await Wait.UntilAsync(() => heard[1].Count == 500 && heard[2].Count == 500);
        Assert.All(heard[1..], static h => Assert.Equal(Enumerable.Range(0, 500).Select(static n => $"{n}"), h));
        Assert.Empty(heard[0]);
    }

    [RedisFact]
    public async Task Whoever_stops_listening_hears_nothing_more_and_its_topic_is_not_sent_to_it()
    {
        var server = await RedisServer.SharedAsync();
        var (one, other) = (await StartAsync(server), await StartAsync(server));
        var heard = new ConcurrentQueue<string>();
        var first = await ListenAsync(other, "left", heard);
        var second = await ListenAsync(other, "left", heard);
        first.Dispose();
        one.Publish("left", "x"u8.ToArray());
        await Wait.UntilAsync(() => !heard.IsEmpty);
        second.Dispose();
        var channel = _prefix + "bus:left";
        while (await server.CommandAsync("PUBSUB", "NUMSUB", channel) is not [_, "0"])
        {
            // Giving it up is on its way.
        }

        Assert.Single(heard);
    }

    [RedisFact]
    public async Task After_an_outage_everybody_is_told_that_something_was_missed_and_hears_again()
    {
        await using var server = await RedisServer.StartAsync();
        var (one, other) = (await StartAsync(server), await StartAsync(server));
        var heard = new ConcurrentQueue<string>();
        var missed = 0;
        other.Subscribe("topic", message => heard.Enqueue(Encoding.UTF8.GetString(message.Span)), () => Interlocked.Increment(ref missed));
        await Wait.UntilAsync(() => missed == 1);
        for (var outage = 1; outage <= 3; outage++)
        {
            var told = missed;
            await server.KillAsync();
            await Wait.UntilAsync(() => !one.IsConnected && !other.IsConnected);
            one.Publish("topic", "into the void"u8.ToArray());
            await server.StartAgainAsync();
            await Wait.UntilAsync(() => one.IsConnected && other.IsConnected && missed > told);
            one.Publish("topic", Encoding.UTF8.GetBytes($"{outage}"));
            await Wait.UntilAsync(() => heard.Count == outage);
        }

        Assert.Equal(["1", "2", "3"], heard);
    }

    [RedisFact]
    public async Task While_Redis_stands_still_publishing_neither_waits_nor_fails_and_the_bus_says_that_it_is_deaf()
    {
        await using var server = await RedisServer.StartAsync();
        var bus = await StartAsync(server, TimeSpan.FromSeconds(2), queue: 16);
        await server.PauseAsync(true);
        for (var i = 0; i < 100_000; i++)
        {
            bus.Publish("topic", new byte[1_000]);
        }

        await Wait.UntilAsync(() => !bus.IsConnected);
        await server.PauseAsync(false);
        await Wait.UntilAsync(() => bus.IsConnected);
    }

    private async Task<IDisposable> ListenAsync(RedisBus bus, string topic, ConcurrentQueue<string> heard)
    {
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var listener = bus.Subscribe(topic, message => heard.Enqueue(Encoding.UTF8.GetString(message.Span)), () => ready.TrySetResult());
        await ready.Task;
        return listener;
    }

    private async Task<RedisBus> StartAsync(RedisServer server, TimeSpan? patience = null, int queue = 8_192)
    {
        var options = new RedisOptions { ConnectionString = server.Url, KeyPrefix = _prefix, QueueLength = queue };
        var bus = new RedisBus(options, RedisServer.Circuit(patience), TimeProvider.System, NullLogger<RedisBus>.Instance);
        _buses.Add(bus);
        await bus.StartAsync();
        await Wait.UntilAsync(() => bus.IsConnected); // a first try may take longer than it may
        return bus;
    }
}
