namespace RootMas.Server.Knowledge.Documents;

/// <summary>Wakes those in this process that wait for something to happen to documents. What other processes do is found by looking from time to time.</summary>
internal sealed class DocumentSignals(TimeProvider clock)
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    private readonly SemaphoreSlim _work = new(0, 1);
    private TaskCompletionSource _change = New();

    /// <summary>There may be something to index.</summary>
    public void Wake()
    {
        try
        {
            _work.Release();
        }
        catch (SemaphoreFullException)
        {
            // The one that is being looked at sees this one too.
        }
    }

    /// <summary>A document's row changed.</summary>
    public void Changed() => Interlocked.Exchange(ref _change, New()).TrySetResult();

    /// <summary>Completes when there may be something to index, or after <paramref name="longest"/>.</summary>
    public async Task WorkAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(longest, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            await _work.WaitAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Look all the same.
        }
    }

    /// <summary>The next change: take it before looking, then nothing is missed.</summary>
    public Task NextChange() => Volatile.Read(ref _change).Task;

    /// <summary>Completes with <paramref name="change"/>, or after a moment.</summary>
    public Task ChangedAsync(Task change, CancellationToken cancellationToken) =>
        Task.WhenAny(change, Task.Delay(Look, clock, cancellationToken));

    private static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
