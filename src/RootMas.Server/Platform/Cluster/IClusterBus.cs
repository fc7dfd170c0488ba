namespace RootMas.Server.Platform.Cluster;

/// <summary>
/// Says things to the other instances of the same installation: quickly, at most once, and never so that something would be wrong if nobody heard it. What must be known is in the database; this only says "look now".
/// A seam: nobody else is there (<see cref="LocalBus"/>), or they are reached through Redis.
/// </summary>
public interface IClusterBus
{
    /// <summary>Others can be there.</summary>
    bool IsShared { get; }

    /// <summary>Others can be reached now. While it is false, whoever relies on hearing has to ask the database from time to time.</summary>
    bool IsConnected { get; }

    /// <summary>Tells the others, not oneself. Returns at once and never fails; what cannot be sent is dropped.</summary>
    void Publish(string topic, ReadOnlyMemory<byte> payload);

    /// <summary>Hears what others publish on the topic, in the order of each of them. <paramref name="heard"/> must be quick and must not throw.</summary>
    /// <param name="missed">Called when the others can be reached again (and at first): something may have been missed, so look everything up that one would have heard of.</param>
    IDisposable Subscribe(string topic, Action<ReadOnlyMemory<byte>> heard, Action? missed = null);
}

/// <summary>One process: nobody to tell.</summary>
public sealed class LocalBus : IClusterBus
{
    public bool IsShared => false;

    public bool IsConnected => true;

    public void Publish(string topic, ReadOnlyMemory<byte> payload)
    {
    }

    public IDisposable Subscribe(string topic, Action<ReadOnlyMemory<byte>> heard, Action? missed = null) => Nothing.Instance;

    private sealed class Nothing : IDisposable
    {
        public static readonly Nothing Instance = new();

        public void Dispose()
        {
        }
    }
}
