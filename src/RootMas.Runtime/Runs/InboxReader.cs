namespace RootMas.Runtime.Runs;

/// <summary>
/// Brings inbox rows to the attempt. A poke reads them in the background, so that a cancel reaches the step that is under way;
/// everything else waits until the loop asks.
/// </summary>
internal sealed class InboxReader : IDisposable
{
    private readonly IRunJournal _journal;
    private readonly RunExecution _execution;
    private readonly CancellationTokenSource _hard;
    private readonly CancellationTokenSource _step;
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _reading = new(1, 1);
    private List<InboxItem> _waiting = [];
    private int _pokes;
    private long _told;
    private bool _disposed;

    public InboxReader(IRunJournal journal, RunExecution execution, CancellationToken stopping)
    {
        _journal = journal;
        _execution = execution;
        _hard = CancellationTokenSource.CreateLinkedTokenSource(execution.Fenced);
        _step = CancellationTokenSource.CreateLinkedTokenSource(_hard.Token, stopping);
        HardToken = _hard.Token;
        StepToken = _step.Token;
        Seen = Folded = execution.InboxDone;
    }

    public CancellationToken StepToken { get; }

    public CancellationToken HardToken { get; }

    /// <summary>Highest row that was read.</summary>
    public long Seen { get; private set; }

    /// <summary>Highest row that the loop has taken.</summary>
    public long Folded { get; private set; }

    public void Poke()
    {
        if (Interlocked.Increment(ref _pokes) == 1)
        {
            _ = PokedAsync();
        }
    }

    /// <summary>A batch is written: its answer says how far the inbox was then.</summary>
    public void Told(AppendResult result)
    {
        if (!result.Parked && result.InboxSeq > Seen)
        {
            _told = result.InboxSeq;
            Poke();
        }
    }

    /// <summary>Waits until everything is read that was in the inbox when the last batch was written. Nothing is asked where that is known to be so.</summary>
    public ValueTask CatchUpAsync()
    {
        lock (_gate) // what was read a moment ago has also had its effect
        {
            if (_told <= Seen)
            {
                return ValueTask.CompletedTask;
            }
        }

        return new(ReadAsync(_told));
    }

    /// <summary>Reads new rows now.</summary>
    /// <param name="until">Not if this one was read meanwhile.</param>
    public async Task ReadAsync(long until = long.MaxValue)
    {
        await _reading.WaitAsync(CancellationToken.None);
        try
        {
            if (Seen >= until)
            {
                return;
            }

            var items = await _journal.ReadInboxAsync(_execution.Run.RunId, Seen, CancellationToken.None);
            if (items.Count > 0)
            {
                Take(items);
            }
        }
        finally
        {
            _reading.Release();
        }
    }

    public List<InboxItem>? TakeAll()
    {
        lock (_gate)
        {
            if (_waiting.Count == 0)
            {
                return null;
            }

            var items = _waiting;
            _waiting = [];
            Folded = items[^1].Id;
            return items;
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _step.Dispose();
            _hard.Dispose();
        }
    }

    private async Task PokedAsync()
    {
        int seen;
        do
        {
            seen = Volatile.Read(ref _pokes);
            try
            {
                await ReadAsync();
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // The journal is out of reach. Nothing is lost: the next append's answer says that there are unread rows.
                Volatile.Write(ref _pokes, 0);
                return;
            }
        }
        while (Interlocked.CompareExchange(ref _pokes, 0, seen) != seen);
    }

    private void Take(IReadOnlyList<InboxItem> items)
    {
        lock (_gate)
        {
            if (_disposed)
            {
                return;
            }

            _waiting.AddRange(items);
            if (items.Any(i => i.Payload is CancelRequested))
            {
                _hard.Cancel();
            }

            Seen = items[^1].Id;
        }
    }
}
