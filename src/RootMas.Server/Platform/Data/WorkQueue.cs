using System.Diagnostics;
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

    /// <summary>How long a thread that had work looks by itself whether there is more that can wait: as long, nobody needs to wake it for that.</summary>
    private static readonly TimeSpan Warmth = TimeSpan.FromMilliseconds(4);

    private readonly Lock gate = new();
    private readonly Semaphore wake = new(0, int.MaxValue); // not the lock's own signal: whoever is woken by that finds the lock taken, and sleeps once more
    private readonly Queue<(T Item, bool CanWait)> items = new();
    private readonly SemaphoreSlim places = new(capacity);
    private Task latecomers = Task.CompletedTask;
    private long firstSince; // since when the oldest item has waited
    private int pressing;
    private int sleeping; // threads that nobody has woken yet
    private int looking; // those of them that wake up by themselves within a moment
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
        bool wakes;
        lock (gate)
        {
            if (!latecomers.IsCompleted || !places.Wait(0))
            {
                return false;
            }

            wakes = Push(item, canWait);
        }

        Wake(wakes);
        return true;
    }

    public Task AddAsync(T item, CancellationToken cancellationToken)
    {
        lock (gate)
        {
            var adding = AddAfterAsync(latecomers, item, cancellationToken);
            latecomers = Task.WhenAll(latecomers, adding); // who gives up lets nobody pass those before it
            return adding;
        }
    }

    /// <summary>Blocks the calling (dedicated) thread until there is work; takes what is waiting. Zero: closed and drained.</summary>
    public int Take(List<T> into, int atMost)
    {
        var began = Stopwatch.GetTimestamp();
        while (true)
        {
            TimeSpan atMostFor;
            lock (gate)
            {
                if (IsDue(atMost, out var left))
                {
                    return TakeDue(into, atMost);
                }

                // Many threads at one queue are woken one by one; the single one that has company in mind looks for itself for a while.
                atMostFor = left ?? (atMost > 1 && Stopwatch.GetElapsedTime(began) < Warmth ? Patience : Timeout.InfiniteTimeSpan);
                sleeping++;
                looking += atMostFor == Timeout.InfiniteTimeSpan ? 0 : 1;
            }

            Sleep(atMostFor);
        }
    }

    /// <summary>Nothing more gets in; what is inside is still handed out.</summary>
    public void Close()
    {
        int sleepers;
        lock (gate)
        {
            closed = true;
            (sleepers, sleeping) = (sleeping, 0);
        }

        if (sleepers > 0)
        {
            wake.Release(sleepers);
        }
    }

    public void Dispose()
    {
        places.Dispose();
        wake.Dispose();
    }

    private async Task AddAfterAsync(Task earlier, T item, CancellationToken cancellationToken)
    {
        await earlier.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await places.WaitAsync(cancellationToken);
        bool wakes;
        lock (gate)
        {
            wakes = Push(item, canWait: false);
        }

        Wake(wakes);
    }

    /// <param name="left">How long what waits may be kept waiting; null: nothing waits.</param>
    private bool IsDue(int atMost, out TimeSpan? left)
    {
        left = null;
        if (items.Count == 0)
        {
            return closed;
        }

        left = Patience - Stopwatch.GetElapsedTime(firstSince);
        return pressing > 0 || closed || items.Count >= atMost || left <= TimeSpan.Zero;
    }

    private int TakeDue(List<T> into, int atMost)
    {
        var taken = 0;
        for (; taken < atMost && items.TryDequeue(out var next); taken++)
        {
            pressing -= next.CanWait ? 0 : 1;
            into.Add(next.Item);
        }

        if (taken > 0)
        {
            places.Release(taken);
        }

        return taken;
    }

    private void Sleep(TimeSpan atMost)
    {
        // In whole milliseconds, never too short.
        var isWoken = atMost == Timeout.InfiniteTimeSpan ? wake.WaitOne() : wake.WaitOne((int)Math.Ceiling(atMost.TotalMilliseconds));
        lock (gate)
        {
            looking -= atMost == Timeout.InfiniteTimeSpan ? 0 : 1;
            if (isWoken || sleeping > 0)
            {
                sleeping -= isWoken ? 0 : 1;
                return;
            }
        }

        wake.WaitOne(); // everybody in here is being woken, so one signal is on its way to this thread
    }

    private void Wake(bool wakes)
    {
        if (wakes)
        {
            wake.Release();
        }
    }

    /// <summary>True: somebody is to be woken, outside the lock.</summary>
    private bool Push(T item, bool canWait)
    {
        ObjectDisposedException.ThrowIf(closed, typeof(IDatabase));
        firstSince = items.Count == 0 ? Stopwatch.GetTimestamp() : firstSince;
        items.Enqueue((item, canWait));
        pressing += canWait ? 0 : 1;
        if (sleeping == 0 || (canWait && (looking > 0 || items.Count > 1)))
        {
            return false;
        }

        sleeping--;
        return true;
    }
}
