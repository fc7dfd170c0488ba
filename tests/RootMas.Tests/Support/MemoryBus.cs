using System.Collections.Concurrent;
using System.Threading.Channels;
using RootMas.Server.Platform.Cluster;

namespace RootMas.Tests.Support;

/// <summary>A bus between instances in one test process. It can be cut, and loses notes if it is told to, as a real one may.</summary>
internal sealed class MemoryBus : IAsyncDisposable
{
    private readonly ConcurrentBag<Place> _places = [];
    private readonly Func<bool> _loses;
    private volatile bool _isUp = true;

    /// <param name="loses">Asked for each note and receiver.</param>
    public MemoryBus(Func<bool>? loses = null) => _loses = loses ?? (static () => false);

    /// <summary>Notes that reached somebody, by topic up to its second dot.</summary>
    public ConcurrentDictionary<string, int> Delivered { get; } = new(StringComparer.Ordinal);

    /// <summary>What one instance has in its hands.</summary>
    public IClusterBus Join()
    {
        var place = new Place(this);
        _places.Add(place);
        return place;
    }

    public void Cut() => _isUp = false;

    public void Mend()
    {
        _isUp = true;
        foreach (var place in _places)
        {
            place.Missed();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var place in _places)
        {
            await place.DisposeAsync();
        }
    }

    private void Send(Place from, string topic, ReadOnlyMemory<byte> payload)
    {
        foreach (var place in _places)
        {
            if (place != from && _isUp && !_loses() && place.Take(topic, payload.ToArray()))
            {
                Delivered.AddOrUpdate(string.Join('.', topic.Split('.').Take(2)), 1, static (_, count) => count + 1);
            }
        }
    }

    private sealed class Place : IClusterBus, IAsyncDisposable
    {
        private readonly MemoryBus _bus;
        private readonly ConcurrentDictionary<Subscription, byte> _subscriptions = new();
        private readonly Channel<(string Topic, byte[] Payload)> _incoming = Channel.CreateUnbounded<(string, byte[])>(new UnboundedChannelOptions { SingleReader = true });
        private readonly Task _delivering;

        public Place(MemoryBus bus)
        {
            _bus = bus;
            _delivering = DeliverAsync();
        }

        public bool IsShared => true;

        public bool IsConnected => _bus._isUp;

        public void Publish(string topic, ReadOnlyMemory<byte> payload) => _bus.Send(this, topic, payload);

        public IDisposable Subscribe(string topic, Action<ReadOnlyMemory<byte>> heard, Action? missed = null)
        {
            var subscription = new Subscription(_subscriptions, topic, heard, missed);
            _subscriptions[subscription] = 0;
            missed?.Invoke();
            return subscription;
        }

        public bool Take(string topic, byte[] payload) => _subscriptions.Keys.Any(s => s.Topic == topic) && _incoming.Writer.TryWrite((topic, payload));

        public void Missed()
        {
            foreach (var subscription in _subscriptions.Keys)
            {
                subscription.Missed?.Invoke();
            }
        }

        public async ValueTask DisposeAsync()
        {
            _incoming.Writer.TryComplete();
            await _delivering;
        }

        private async Task DeliverAsync()
        {
            await foreach (var (topic, payload) in _incoming.Reader.ReadAllAsync())
            {
                foreach (var subscription in _subscriptions.Keys.Where(s => s.Topic == topic))
                {
                    subscription.Heard(payload);
                }
            }
        }
    }

    private sealed class Subscription(ConcurrentDictionary<Subscription, byte> all, string topic, Action<ReadOnlyMemory<byte>> heard, Action? missed) : IDisposable
    {
        public string Topic => topic;

        public Action<ReadOnlyMemory<byte>> Heard => heard;

        public Action? Missed => missed;

        public void Dispose() => all.TryRemove(this, out _);
    }
}
