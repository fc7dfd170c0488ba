using System.Collections.Concurrent;

namespace RootMas.Server.Runs;

/// <summary>
/// Runs whose first batch will create them: the engine's append carries only what the runtime knows, the rest (branch, message rows, who waits for the answer) lies here until then.
/// </summary>
internal sealed class PendingStarts
{
    private readonly ConcurrentDictionary<string, PendingStart> _starts = new(StringComparer.Ordinal);

    public PendingStart Add(RunCreation creation)
    {
        var start = new PendingStart(creation);
        return _starts.TryAdd(creation.Run.RunId, start) ? start : throw new InvalidOperationException("The run id is already being started.");
    }

    public PendingStart? Find(string runId) => _starts.GetValueOrDefault(runId);

    public void Remove(string runId) => _starts.TryRemove(runId, out _);
}

internal sealed class PendingStart(RunCreation creation)
{
    private readonly TaskCompletionSource<CreateResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public RunCreation Creation => creation;

    /// <summary>Completes when the run is durable, or was refused.</summary>
    public Task<CreateResult> Created => _done.Task;

    public void Complete(CreateResult result) => _done.TrySetResult(result);

    public void Fail(Exception exception) => _done.TrySetException(exception);
}
