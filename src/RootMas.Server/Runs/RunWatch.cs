namespace RootMas.Server.Runs;

/// <summary>
/// A place at a run's live stream that was taken before the run exists: the stream begins at the first event and misses no piece, however fast the model answers.
/// Read it once, or dispose of it.
/// </summary>
public sealed class RunWatch : IDisposable
{
    private readonly RunStreams _streams;
    private readonly string _runId;

    internal RunWatch(RunStreams streams, string runId, StreamPin pin)
    {
        (_streams, _runId, Pin) = (streams, runId, pin);
        Subscription = pin.TryAttach(0, 0);
    }

    internal StreamPin Pin { get; }

    internal RunSubscription? Subscription { get; }

    /// <summary>As <see cref="IMessageProcessor.StreamAsync"/> from the beginning, without descendants.</summary>
    public IAsyncEnumerable<StreamItem> ReadAsync(CancellationToken cancellationToken) => _streams.ReadAsync(_runId, default, tree: false, this, cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        Subscription?.Dispose();
        Pin.Dispose();
    }
}
