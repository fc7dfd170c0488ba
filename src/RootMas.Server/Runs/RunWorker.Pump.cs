namespace RootMas.Server.Runs;

/// <summary>From the queue into work: as many runs as the worker has room for, and of those that it does not have yet only a few at a time.</summary>
internal sealed partial class RunWorker
{
    /// <summary>
    /// What is being claimed has left the queue, and with it the turns of users: all that came at once would stand before the pool's connections in the order in which it came, a quiet user's run behind a busy one's hundred. A quarter of the pool as shipped;
    /// what has begun keeps the rest.
    /// </summary>
    private const int MostBeginning = 5;

    private int _slots;
    private int _places;

    private void Pump()
    {
        while (_accepting && TryTake(ref _places))
        {
            if (TryTake(ref _slots))
            {
                if (_queue.TryTake(out var ready))
                {
                    Begin(ready);
                    continue;
                }

                Interlocked.Increment(ref _slots);
            }

            Interlocked.Increment(ref _places);
            if (Volatile.Read(ref _slots) <= 0 || !_queue.MayTake)
            {
                return;
            }
        }
    }

    private void Begin(ReadyRun ready)
    {
        if (_beginning.TryAdd(ready.RunId, true))
        {
            // Not in the flow of whoever made room: its spans and log lines belong to another run.
            ThreadPool.UnsafeQueueUserWorkItem(static next => _ = next.Worker.AdvanceAsync(next.Ready), (Worker: this, Ready: ready), preferLocal: false);
            return;
        }

        // Brought twice, and the first is being claimed: that one has it, or the sweep finds it.
        ready.Offer?.Done();
        Interlocked.Increment(ref _slots);
        Interlocked.Increment(ref _places);
    }

    /// <summary>It is claimed, or somebody else has it: the next one may.</summary>
    private void HasBegun(string runId)
    {
        _beginning.TryRemove(runId, out _);
        Interlocked.Increment(ref _places);
        if (IsShared)
        {
            Pump();
        }
    }

    private static bool TryTake(ref int places)
    {
        // Never below zero, not even for a moment: whoever saw that would leave a free place to nobody.
        for (var free = Volatile.Read(ref places); free > 0;)
        {
            var seen = Interlocked.CompareExchange(ref places, free - 1, free);
            if (seen == free)
            {
                return true;
            }

            free = seen;
        }

        return false;
    }
}
