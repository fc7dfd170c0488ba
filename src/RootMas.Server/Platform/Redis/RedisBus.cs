using System.Collections.Immutable;
using System.Threading.Channels;
using RootMas.Server.Platform.Cluster;
using StackExchange.Redis;

namespace RootMas.Server.Platform.Redis;

/// <summary>
/// Messages between instances over Redis' publish/subscribe. Each begins with the sender's id, so nobody hears himself. The queue of what is to be sent is bounded; what does not fit, or comes while Redis is away, is dropped,
/// and everybody is told at each new connection that something may have been missed.
/// </summary>
internal sealed partial class RedisBus : IClusterBus, IAsyncDisposable
{
    /// <summary>That it needs.</summary>
    public const int Connections = 2;

    private const int Incoming = 65_536;
    private const int SentBetweenWaits = 64;

    private readonly byte[] _self = Guid.NewGuid().ToByteArray();
    private readonly string _prefix;
    private readonly TimeSpan _patience;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly RedisCircuit _circuit;
    private readonly RedisLink _link;
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _subscribing = new(1, 1);
    private readonly Dictionary<string, ImmutableArray<Listener>> _listeners = new(StringComparer.Ordinal);
    private readonly HashSet<string> _subscribed = new(StringComparer.Ordinal);
    private readonly Channel<(string Topic, byte[] Frame)> _outgoing;
    private readonly Channel<(string Topic, byte[] Frame)> _incoming;
    private readonly Task[] _loops;
    private ConnectionMultiplexer? _multiplexer;
    private volatile bool _connected;

    public RedisBus(RedisOptions options, RedisCircuit circuit, TimeProvider time, ILogger<RedisBus> logger)
    {
        (_prefix, _circuit, _patience, _time, _logger) = (ChannelPrefix(options), circuit, circuit.Policy.Timeout, time, logger);
        _outgoing = Channel.CreateBounded<(string, byte[])>(new BoundedChannelOptions(options.QueueLength) { SingleReader = true });
        _incoming = Channel.CreateBounded<(string, byte[])>(new BoundedChannelOptions(Incoming) { SingleReader = true });
        _link = new RedisLink(options, circuit, withMessages: true, time, logger) { Opening = OpenAsync, Closed = Close };
        _loops = [Task.Run(SendAsync), Task.Run(HearAsync)];
    }

    public static string ChannelPrefix(RedisOptions options) => options.KeyPrefix + "bus:";

    public bool IsShared => true;

    public bool IsConnected => _connected && _circuit.IsClosed && _link.Commands is not null;

    public Task StartAsync()
    {
        _link.Start();
        return _link.Tried;
    }

    public void Publish(string topic, ReadOnlyMemory<byte> payload)
    {
        var frame = new byte[_self.Length + payload.Length];
        _self.CopyTo(frame, 0);
        payload.Span.CopyTo(frame.AsSpan(_self.Length));
        if (!IsConnected || !_outgoing.Writer.TryWrite((topic, frame)))
        {
            RedisMetrics.Message(topic, "dropped");
        }
    }

    public IDisposable Subscribe(string topic, Action<ReadOnlyMemory<byte>> heard, Action? missed = null)
    {
        var listener = new Listener(this, topic, heard, missed);
        lock (_lock)
        {
            _listeners[topic] = _listeners.GetValueOrDefault(topic, []).Add(listener);
        }

        _ = FollowAsync(listener);
        return listener;
    }

    public async ValueTask DisposeAsync()
    {
        _outgoing.Writer.TryComplete();
        _incoming.Writer.TryComplete();
        await _link.DisposeAsync();
        await Task.WhenAll(_loops);
    }

    /// <summary>A new multiplexer hears everything that the old one heard, before anybody relies on it.</summary>
    private async Task OpenAsync(ConnectionMultiplexer multiplexer)
    {
        await _subscribing.WaitAsync();
        try
        {
            _subscribed.Clear();
            foreach (var topic in Topics())
            {
                await ListenAsync(multiplexer, topic);
            }

            _multiplexer = multiplexer;
            _connected = true;
        }
        finally
        {
            _subscribing.Release();
        }

        foreach (var listener in Listeners())
        {
            Tell(listener);
        }
    }

    private void Close()
    {
        _connected = false;
        _multiplexer = null;
    }

    /// <summary>What Redis is asked to send follows what is listened to here.</summary>
    private async Task FollowAsync(Listener listener)
    {
        await _subscribing.WaitAsync();
        try
        {
            if (_multiplexer is not { } multiplexer)
            {
                return; // the next one that is opened hears it
            }

            var wanted = Topics().Contains(listener.Topic, StringComparer.Ordinal);
            if (wanted && !_subscribed.Contains(listener.Topic))
            {
                await ListenAsync(multiplexer, listener.Topic);
            }
            else if (!wanted && _subscribed.Remove(listener.Topic))
            {
                await multiplexer.GetSubscriber().UnsubscribeAsync(_prefix + listener.Topic).WaitAsync(_patience, _time);
            }
        }
        catch (Exception error) when (RedisErrors.IsOutage(error))
        {
            Close(); // nobody may believe that it hears
            _link.Break(error);
            return;
        }
        finally
        {
            _subscribing.Release();
        }

        Tell(listener);
    }

    private async Task ListenAsync(ConnectionMultiplexer multiplexer, string topic)
    {
        void Hear(RedisChannel channel, RedisValue value)
        {
            if ((byte[]?)value is { } frame && frame.Length >= _self.Length && !frame.AsSpan(0, _self.Length).SequenceEqual(_self) && !_incoming.Writer.TryWrite((topic, frame)))
            {
                RedisMetrics.Message(topic, "dropped");
                _link.Break(new TimeoutException()); // connecting anew tells everybody that something was missed
            }
        }

        await multiplexer.GetSubscriber().SubscribeAsync(_prefix + topic, Hear).WaitAsync(_patience, _time);
        _subscribed.Add(topic);
    }

    private async Task SendAsync()
    {
        var sent = 0;
        await foreach (var (topic, frame) in _outgoing.Reader.ReadAllAsync())
        {
            if (!_circuit.IsClosed || _link.Commands is not { } commands)
            {
                RedisMetrics.Message(topic, "dropped");
                continue;
            }

            try
            {
                // Waiting for every one would take a round trip each; waiting for some keeps the library's own queue short.
                var flags = ++sent % SentBetweenWaits == 0 ? CommandFlags.None : CommandFlags.FireAndForget;
                await commands.PublishAsync(_prefix + topic, frame, flags).WaitAsync(_patience, _time);
                RedisMetrics.Message(topic, "sent");
            }
            catch (Exception error) when (RedisErrors.IsOutage(error))
            {
                RedisMetrics.Message(topic, "dropped");
                _link.Doubt(error);
            }
        }
    }

    private async Task HearAsync()
    {
        await foreach (var (topic, frame) in _incoming.Reader.ReadAllAsync())
        {
            RedisMetrics.Message(topic, "heard");
            foreach (var listener in ListenersOf(topic))
            {
                try
                {
                    listener.Heard(frame.AsMemory(_self.Length));
                }
#pragma warning disable CA1031 // one listener's mistake must not make the others deaf
                catch (Exception error)
#pragma warning restore CA1031
                {
                    LogListenerFailed(topic, error);
                }
            }
        }
    }

    private void Tell(Listener listener)
    {
        try
        {
            listener.Missed?.Invoke();
        }
#pragma warning disable CA1031 // as above
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogListenerFailed(listener.Topic, error);
        }
    }

    private void Remove(Listener listener)
    {
        lock (_lock)
        {
            var left = _listeners.GetValueOrDefault(listener.Topic, []).Remove(listener);
            if (left.IsEmpty)
            {
                _listeners.Remove(listener.Topic);
            }
            else
            {
                _listeners[listener.Topic] = left;
            }
        }

        _ = FollowAsync(listener);
    }

    private string[] Topics()
    {
        lock (_lock)
        {
            return [.. _listeners.Keys];
        }
    }

    private Listener[] Listeners()
    {
        lock (_lock)
        {
            return [.. _listeners.Values.SelectMany(static l => l)];
        }
    }

    private ImmutableArray<Listener> ListenersOf(string topic)
    {
        lock (_lock)
        {
            return _listeners.GetValueOrDefault(topic, []);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A listener to {Topic} failed; the message is lost to it")]
    private partial void LogListenerFailed(string topic, Exception exception);

    private sealed class Listener(RedisBus bus, string topic, Action<ReadOnlyMemory<byte>> heard, Action? missed) : IDisposable
    {
        private int _disposed;

        public string Topic => topic;

        public Action<ReadOnlyMemory<byte>> Heard => heard;

        /// <summary>Null also from the end on: nobody is told any more.</summary>
        public Action? Missed => Volatile.Read(ref _disposed) == 0 ? missed : null;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _disposed, 1) == 0)
            {
                bus.Remove(this);
            }
        }
    }
}
