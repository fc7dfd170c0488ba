using System.Collections.Concurrent;
using RootMas.Runtime.Runs;
using RootMas.Server.Runs.Elsewhere;

namespace RootMas.Server.Runs;

/// <summary>Callers that wait for the end of a run. What ended lately is remembered, so that whoever asks at once after starting a run costs the database nothing.</summary>
internal sealed class RunWaiters
{
    private const int Remembered = 1024;

    private readonly ConcurrentDictionary<string, RunSummary> _ended = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<string> _order = new();
    private readonly Dictionary<string, List<TaskCompletionSource<RunSummary?>>> _waiting = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private readonly RunWorker _worker;
    private readonly RunReader _reader;
    private readonly TimeProvider _clock;
    private readonly RunsElsewhere? _elsewhere;

    /// <param name="elsewhere">Null: no other instance can have a run.</param>
    public RunWaiters(RunSignals signals, RunWorker worker, RunReader reader, TimeProvider clock, RunsElsewhere? elsewhere = null)
    {
        (_worker, _reader, _clock, _elsewhere) = (worker, reader, clock, elsewhere);
        elsewhere?.Settled += runId => Wake(runId, null);
        signals.Ended += Remember;
        signals.Parked += (runId, rootRunId, status) =>
        {
            Wake(runId, null);
            if (runId != rootRunId && status.IsWaitingForHuman())
            {
                Wake(rootRunId, null);
            }
        };
        worker.Left += runId => Wake(runId, null);
    }

    /// <inheritdoc cref="IMessageProcessor.Stopping"/>
    public CancellationToken Stopping => _worker.Stopping;

    /// <inheritdoc cref="IMessageProcessor.WaitAsync"/>
    public async Task<RunSummary?> WaitAsync(string runId, TimeSpan atMost, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _worker.Stopping);
        using var timer = _clock.CreateTimer(static source => ((CancellationTokenSource)source!).Cancel(), limit, atMost, Timeout.InfiniteTimeSpan);
        IDisposable? elsewhere = null;
        try
        {
            while (true)
            {
                var waiter = Register(runId);
                try
                {
                    if (_ended.TryGetValue(runId, out var ended))
                    {
                        return ended;
                    }

                    if (!_worker.IsActive(runId))
                    {
                        elsewhere ??= _elsewhere?.FollowEnd(runId);
                        var (settled, now) = await LookAsync(runId, cancellationToken);
                        if (settled)
                        {
                            return now;
                        }
                    }

                    if (await waiter.Task.WaitAsync(limit.Token) is { } summary)
                    {
                        return summary;
                    }
                }
                finally
                {
                    Unregister(runId, waiter);
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return await _reader.FindAsync(runId, ownerId: null, cancellationToken);
        }
        finally
        {
            elsewhere?.Dispose();
        }
    }

    /// <summary>Whether there is nothing to wait for: the run is not there, has ended, or it or a part of it waits for a person.</summary>
    private async Task<(bool Settled, RunSummary? Run)> LookAsync(string runId, CancellationToken cancellationToken)
    {
        var now = await _reader.FindAsync(runId, ownerId: null, cancellationToken);
        if (now is null || now.Status.IsFinal() || now.Status.IsWaitingForHuman())
        {
            return (true, now);
        }

        return now.Status == RunStatus.WaitingChildren && await AskingPartAsync(now, cancellationToken) is { } asking
            ? (true, now with { Reason = $"A part of the work (run {asking.RunId}) waits for a person: {asking.Reason}" })
            : (false, now);
    }

    /// <summary>Of several that wait, the one that the next message answers; one that waits for something else if there is none. Null: nobody waits for a person.</summary>
    private async Task<(string RunId, string? Reason)?> AskingPartAsync(RunSummary run, CancellationToken cancellationToken)
    {
        var tree = await _reader.TreeAsync(run.RootRunId, run.OwnerId, cancellationToken);
        if (tree.FirstOrDefault(r => r.Id != run.Id && r.Status.IsWaitingForHuman()) is not { } part)
        {
            return null;
        }

        var question = await _reader.NewestQuestionAsync(run.RootRunId, cancellationToken);
        return question is null ? (part.Id, part.Reason) : (question.RunId, question.Question);
    }

    private TaskCompletionSource<RunSummary?> Register(string runId)
    {
        var waiter = new TaskCompletionSource<RunSummary?>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (!_waiting.TryGetValue(runId, out var list))
            {
                _waiting.Add(runId, list = []);
            }

            list.Add(waiter);
        }

        return waiter;
    }

    private void Unregister(string runId, TaskCompletionSource<RunSummary?> waiter)
    {
        lock (_gate)
        {
            if (_waiting.TryGetValue(runId, out var list) && list.Remove(waiter) && list.Count == 0)
            {
                _waiting.Remove(runId);
            }
        }
    }

    private void Remember(RunSummary run)
    {
        _ended[run.Id] = run;
        _order.Enqueue(run.Id);
        if (_order.Count > Remembered && _order.TryDequeue(out var oldest))
        {
            _ended.TryRemove(oldest, out _);
        }

        Wake(run.Id, run);
    }

    private void Wake(string runId, RunSummary? summary)
    {
        lock (_gate)
        {
            if (_waiting.TryGetValue(runId, out var list))
            {
                list.ForEach(waiter => waiter.TrySetResult(summary));
            }
        }
    }
}
