using System.Runtime.ExceptionServices;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// Group commit: while as many sent writes are on their way as there are lanes, those that come wait, and go together as soon as a lane is free, in one round trip and one commit. A write that finds a free lane goes at once.
/// A lane that does not come back (a row that somebody holds) is not waited for: another one takes its place.
/// </summary>
internal sealed class PostgresGroups : IAsyncDisposable
{
    /// <summary>Round trips at a time: with one the server would wait for us between two, with more there is less in each.</summary>
    private const int Lanes = 2;

    /// <summary>Writes in one round trip.</summary>
    private const int Most = 16;

    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(50);

    private readonly Func<IReadOnlyList<SentWrite>, Task> send;
    private readonly TimeProvider time;
    private readonly ITimer impatience;
    private readonly Lock gate = new();
    private readonly Queue<SentWrite> waiting = new();
    private readonly List<Lane> open = new(Lanes);

    /// <param name="send">Sends some together. Each of them hears of its own outcome (<see cref="SentWrite.Done"/>); it does not throw.</param>
    public PostgresGroups(Func<IReadOnlyList<SentWrite>, Task> send, TimeProvider time)
    {
        this.send = send;
        this.time = time;
        impatience = time.CreateTimer(static groups => ((PostgresGroups)groups!).LookAround(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Completes with the write's outcome.</summary>
    /// <param name="alone">What to do at once where a lane is free.</param>
    public async Task RunAsync(SentWrite write, Func<SentWrite, Task> alone, CancellationToken cancellationToken)
    {
        if (Enter(write) is not { } lane)
        {
            await write.WaitAsync(cancellationToken);
            return;
        }

        try
        {
            await alone(write);
            write.Unreadable?.Throw();
        }
        finally
        {
            Leave(lane);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => impatience.DisposeAsync();

    private Lane? Enter(SentWrite write)
    {
        lock (gate)
        {
            if (open.Count < Lanes && waiting.Count == 0)
            {
                return Open();
            }

            waiting.Enqueue(write);
            if (waiting.Count == 1)
            {
                impatience.Change(Patience, Timeout.InfiniteTimeSpan);
            }

            return null;
        }
    }

    private Lane Open()
    {
        var lane = new Lane(time.GetTimestamp());
        open.Add(lane);
        return lane;
    }

    /// <summary>Somebody else goes on in its place, if anybody waits.</summary>
    private void Leave(Lane lane)
    {
        lock (gate)
        {
            if (open.Remove(lane))
            {
                GoOn();
            }
        }
    }

    private void LookAround()
    {
        lock (gate)
        {
            open.RemoveAll(lane => time.GetElapsedTime(lane.Began) >= Patience);
            GoOn();
            if (waiting.Count > 0)
            {
                impatience.Change(Patience, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Under <see cref="gate"/>.</summary>
    private void GoOn()
    {
        while (open.Count < Lanes && Next() is { Count: > 0 } group)
        {
            var lane = Open();
            _ = Task.Run(async () =>
            {
                await send(group);
                Leave(lane);
            });
        }
    }

    /// <summary>Those who waited longest, in the order in which all that share a commit take what they lock.</summary>
    private List<SentWrite> Next()
    {
        List<SentWrite> group = [];
        while (group.Count < Most && waiting.TryDequeue(out var write))
        {
            if (write.Begin())
            {
                group.Add(write);
            }
        }

        group.Sort(static (one, other) => string.CompareOrdinal(one.Order, other.Order));
        return group;
    }

    /// <param name="Began">A time stamp.</param>
    private sealed record Lane(long Began);
}

/// <summary>A write that can be sent with others.</summary>
/// <param name="work">As for <see cref="IDatabase.WriteSentAsync"/>.</param>
/// <param name="order">As for <see cref="IDatabase.WriteSentAsync"/>.</param>
internal sealed class SentWrite(Func<DbSession, ValueTask> work, string order)
{
    private readonly TaskCompletionSource outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int state; // 0: waits, 1: is sent, 2: given up

    public Func<DbSession, ValueTask> Work => work;

    public string Order => order;

    /// <summary>What its reader of rows threw, though it is durable.</summary>
    public ExceptionDispatchInfo? Unreadable { get; set; }

    /// <summary>False: its caller has gone. From here on it is not given up any more.</summary>
    public bool Begin() => Interlocked.CompareExchange(ref state, 1, 0) == 0;

    /// <param name="failure">Null: it is durable.</param>
    public void Done(Exception? failure)
    {
        if ((failure ?? Unreadable?.SourceException) is { } told)
        {
            outcome.TrySetException(told);
        }
        else
        {
            outcome.TrySetResult();
        }
    }

    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await using var given = cancellationToken.UnsafeRegister(static (write, token) => ((SentWrite)write!).GiveUp(token), this);
        await outcome.Task;
    }

    private void GiveUp(CancellationToken cancellationToken)
    {
        if (Interlocked.CompareExchange(ref state, 2, 0) == 0)
        {
            outcome.TrySetCanceled(cancellationToken);
        }
    }
}
