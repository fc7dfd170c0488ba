using System.Diagnostics.CodeAnalysis;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// A bounded queue between asynchronous callers and dedicated threads: callers wait for a place without holding a thread, the threads block for work. What was handed over first is taken first,
/// also when the queue was full meanwhile. A Channel would do it only with continuations that run on the wrong side.
/// </summary>
internal sealed class WorkQueue<T>(int capacity) : IDisposable
    where T : class
{
    /// <summary>How long work that can wait waits for company.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(1);

    private readonly object gate = new();
    private readonly Queue<(T Item, bool CanWait)> items = new();
    private readonly SemaphoreSlim places = new(capacity);
    private Task latecomers = Task.CompletedTask;
    private int pressing;
    private int sleeping;
    private bool closed;

    public int Count
    {
        get
        {
            lock (gate)
            {
                return items.Count;
            }
        }
    }

    /// <summary>False: the queue is full.</summary>
    /// <param name="canWait">Nobody waits for it yet: it may be held back for a moment, to be taken together with what comes next.</param>
    [SuppressMessage("Reliability", "CA1849", Justification = "A wait of zero does not block.")]
    public bool TryAdd(T item, bool canWait = false)
    {
        lock (gate)
        {
            if (!latecomers.IsCompleted || !places.Wait(0))
            {
                return false;
            }

            Push(item, canWait);
            return true;
        }
    }

    public Task AddAsync(T item, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            return latecomers = AddAfterAsync(latecomers, item, cancellationToken);
        }
    }

    /// <summary>Blocks the calling (dedicated) thread until there is work; takes what is waiting. Zero: closed and drained.</summary>
    public int Take(List<T> into, int atMost)
    {
        var taken = 0;
        lock (gate)
        {
            while (items.Count == 0 && !closed)
            {
                Sleep(Timeout.InfiniteTimeSpan);
            }

            if (pressing == 0 && !closed && items.Count < atMost)
            {
                Sleep(Patience);
            }

            for (; taken < atMost && items.TryDequeue(out var next); taken++)
            {
                pressing -= next.CanWait ? 0 : 1;
                into.Add(next.Item);
            }
        }

        if (taken > 0)
        {
            places.Release(taken);
        }

        return taken;
    }

    /// <summary>Nothing more gets in; what is inside is still handed out.</summary>
    public void Close()
    {
        lock (gate)
        {
            closed = true;
            Monitor.PulseAll(gate);
        }
    }

    public void Dispose() => places.Dispose();

    private async Task AddAfterAsync(Task earlier, T item, CancellationToken cancellationToken)
    {
        await earlier.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await places.WaitAsync(cancellationToken);
        lock (gate)
        {
            Push(item, canWait: false);
        }
    }

    private void Sleep(TimeSpan atMost)
    {
        sleeping++;
        Monitor.Wait(gate, atMost);
        sleeping--;
    }

    private void Push(T item, bool canWait)
    {
        ObjectDisposedException.ThrowIf(closed, typeof(IDatabase));
        items.Enqueue((item, canWait));
        pressing += canWait ? 0 : 1;
        if (sleeping > 0 && (!canWait || items.Count == 1))
        {
            Monitor.Pulse(gate);
        }
    }
}
