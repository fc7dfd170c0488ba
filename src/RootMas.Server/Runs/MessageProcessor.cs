using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <inheritdoc/>
internal sealed class MessageProcessor(RunStarter starter, RunVerbs verbs, RunWaiters waiters, RunStreams streams, RunReader reader, TimeProvider clock) : IMessageProcessor
{
    public CancellationToken Stopping => waiters.Stopping;

    public Task<RunAccepted> StartAsync(StartRun request, CancellationToken cancellationToken) => starter.StartAsync(request, clock.GetUtcNow());

    public IAsyncEnumerable<StreamItem> StreamAsync(string runId, StreamPosition after, bool tree, CancellationToken cancellationToken) =>
        streams.ReadAsync(runId, after, tree, watch: null, cancellationToken);

    public IAsyncEnumerable<StreamItem> StreamTreeAsync(string runId, CancellationToken cancellationToken) => streams.ReadTreeAsync(runId, cancellationToken);

    public RunWatch Watch(string runId) => streams.Watch(runId);

    public Task<RunSummary?> WaitAsync(string runId, TimeSpan atMost, CancellationToken cancellationToken) => waiters.WaitAsync(runId, atMost, cancellationToken);

    public Task<bool> CancelAsync(string runId, string ownerId, string reason, bool keepText, CancellationToken cancellationToken) =>
        verbs.CancelAsync(runId, ownerId, reason, keepText, cancellationToken);

    public Task<RunSummary?> FindAsync(string runId, string? ownerId, CancellationToken cancellationToken) => reader.FindAsync(runId, ownerId, cancellationToken);

    public Task<IReadOnlyList<RunSummary>> ListAsync(RunFilter filter, CancellationToken cancellationToken) => reader.ListAsync(filter, cancellationToken);

    public Task<Dictionary<string, string>> InputsAsync(IReadOnlyCollection<string> runIds, CancellationToken cancellationToken) => reader.InputsAsync(runIds, cancellationToken);

    public Task<IReadOnlyList<RunSummary>> TreeAsync(string runId, string? ownerId, CancellationToken cancellationToken) => reader.TreeAsync(runId, ownerId, cancellationToken);

    public Task<TokenUsage> TreeUsageAsync(string rootRunId, CancellationToken cancellationToken) => reader.TreeUsageAsync(rootRunId, cancellationToken);

    public Task<IReadOnlyList<StoredEvent>> EventsAsync(string runId, long after, int limit, CancellationToken cancellationToken) =>
        reader.EventsAsync(runId, after, limit, cancellationToken);

    public Task<InputRequested?> NewestQuestionAsync(string rootRunId, CancellationToken cancellationToken) => reader.NewestQuestionAsync(rootRunId, cancellationToken);

    public Task<RunVerdict> AnswerAsync(string runId, string ownerId, int? call, InputAnswer answer, Made? also, CancellationToken cancellationToken) =>
        verbs.AnswerAsync(runId, ownerId, call, answer, also, cancellationToken);

    public Task<RunVerdict> RetryAsync(string runId, string ownerId, long? fromSeq, RetryAsker asker, Made? also, CancellationToken cancellationToken) =>
        verbs.RetryAsync(runId, ownerId, fromSeq, asker, also, cancellationToken);

    public Task<RunVerdict> ResolveAsync(string runId, string ownerId, int call, string outcome, string? result, Made? also, CancellationToken cancellationToken, string? by = null) =>
        verbs.ResolveAsync(runId, ownerId, call, outcome, result, also, cancellationToken, by);

    public Task<IReadOnlyList<RunSummary>> OnBranchAsync(string branchId, string ownerId, CancellationToken cancellationToken) => reader.OnBranchAsync(branchId, ownerId, cancellationToken);
}
