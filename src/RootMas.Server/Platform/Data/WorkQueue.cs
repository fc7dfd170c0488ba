using System.Diagnostics.CodeAnalysis;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// A bounded queue between asynchronous callers and dedicated threads: callers wait for a place without holding a thread, the threads block for work.
/// A Channel would do it only with continuations that run on the wrong side.
/// </summary>
internal sealed class WorkQueue<T>(int capacity) : IDisposable
    where T : class
{
    private readonly object gate = new();
    private readonly Queue<T> items = new();
    private readonly SemaphoreSlim places = new(capacity);
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
    [SuppressMessage("Reliability", "CA1849", Justification = "A wait of zero does not block.")]
    public bool TryAdd(T item)
    {
        if (!places.Wait(0))
        {
            return false;
        }

        Push(item);
        return true;
    }

    public async Task AddAsync(T item, CancellationToken cancellationToken)
    {
        await places.WaitAsync(cancellationToken);
        Push(item);
    }

    /// <summary>Blocks the calling (dedicated) thread until there is work; takes what is waiting. Zero: closed and drained.</summary>
    public int Take(List<T> into, int atMost)
    {
        var taken = 0;
        lock (gate)
        {
            while (items.Count == 0 && !closed)
            {
                sleeping++;
                Monitor.Wait(gate);
                sleeping--;
            }

            for (; taken < atMost && items.TryDequeue(out var item); taken++)
            {
                into.Add(item);
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

    private void Push(T item)
    {
        lock (gate)
        {
            ObjectDisposedException.ThrowIf(closed, typeof(IDatabase));
            items.Enqueue(item);
            if (sleeping > 0)
            {
                Monitor.Pulse(gate);
            }
        }
    }
}
