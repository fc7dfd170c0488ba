namespace RootMas.Server.Models.Budgets;

/// <summary>A count of <see cref="SharedSpend"/>: what this instance may give out of it, in micro-dollars. Its owner locks.</summary>
internal sealed class SharedCount
{
    /// <summary>A row is written with its step, far sooner than this after it was settled; later it is either there or will never be.</summary>
    private static readonly TimeSpan Unshown = TimeSpan.FromSeconds(15);

    /// <summary>What the ledger was read to have used up stays so for so long: rows may go with an erased user.</summary>
    private static readonly TimeSpan Trusted = TimeSpan.FromSeconds(15);

    /// <summary>Whoever was told to wait asks the database no sooner than this.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly Queue<Settled> _unshown = new();
    private Settled[] _doubtful = [];
    private long _heldThen;
    private bool _isAll;
    private long? _seenAt;
    private TimeSpan _life;

    /// <summary>What this instance's row in the database says; 0: it is not known, or there is none.</summary>
    public long Row { get; set; }

    /// <summary>What the ledger said at the last visit.</summary>
    public long Ledger { get; private set; }

    /// <summary>Set aside for calls that are under way.</summary>
    public long Held { get; private set; }

    /// <summary>Settled since the last visit began.</summary>
    public long Spent { get; private set; }

    /// <summary>What was spent, as far as it is known here.</summary>
    public long Known => Ledger + Earlier + Spent;

    /// <summary>When it was last asked for.</summary>
    public long UsedAt { get; set; }

    public long? RefusedAt { get; set; }

    /// <summary>Ids of the rows that the ledger may not show as the visit begins.</summary>
    public IEnumerable<string> Doubtful => _doubtful.Select(static s => s.Row).OfType<string>();

    /// <summary>Settled before the visit, and not seen in the ledger by it.</summary>
    private long Earlier { get; set; }

    public void Add(long held, long cost, string? row, TimeProvider clock)
    {
        Held = Math.Max(0, Held + held);
        Spent += cost;
        RefusedAt = held < 0 ? null : RefusedAt; // something is free again
        if (cost != 0)
        {
            Forget(clock);
            _unshown.Enqueue(new Settled(row, cost, clock.GetTimestamp()));
        }
    }

    /// <summary>A visit begins.</summary>
    public void Rebase(TimeProvider clock)
    {
        Forget(clock);
        (_doubtful, _heldThen, Spent, _isAll, RefusedAt) = ([.. _unshown], Held, 0, false, null);
    }

    /// <summary>What the row must say at least: what was held as the visit began, and what was settled and is not among these rows of the ledger.</summary>
    public long NeededWithout(HashSet<string> shown) => _heldThen + Unseen(shown);

    /// <summary>A visit ends, whatever came of it.</summary>
    public void Visited(long row, HashSet<string> shown)
    {
        (Row, Earlier) = (row, Unseen(shown));
        for (var left = shown.Count == 0 ? 0 : _unshown.Count; left > 0; left--)
        {
            var settled = _unshown.Dequeue();
            if (settled.Row is null || !shown.Contains(settled.Row))
            {
                _unshown.Enqueue(settled);
            }
        }
    }

    /// <summary>What a visit saw for a request.</summary>
    public void Seen(SharedLook look, TimeSpan life, TimeProvider clock) => (Ledger, _isAll, _seenAt, _life) = (look.Ledger, look.IsAll, clock.GetTimestamp(), life);

    /// <summary>What a request may have without a visit; null: that is not known here.</summary>
    public long? Offer(SpendRequest request, TimeProvider clock)
    {
        if (_seenAt is not { } seen || clock.GetElapsedTime(seen) + request.Life > 2 * _life)
        {
            return null; // the row would end before the call
        }

        var available = Row - Earlier - Spent - Held;
        return available >= request.Wanted ? request.Wanted
            : _isAll && Held == 0 && Earlier == 0 && available >= request.Least ? available
            : null;
    }

    public bool IsOver(long least, long most, TimeProvider clock) =>
        _seenAt is { } seen && clock.GetElapsedTime(seen) < Trusted && most - Ledger - (_isAll && Earlier == 0 ? Spent : 0) < least;

    public bool IsRefused(TimeProvider clock) => RefusedAt is { } at && clock.GetElapsedTime(at) < Pause;

    private long Unseen(HashSet<string> shown) => _doubtful.Where(s => s.Row is null || !shown.Contains(s.Row)).Sum(static s => s.Cost);

    private void Forget(TimeProvider clock)
    {
        while (_unshown.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) >= Unshown)
        {
            _unshown.Dequeue();
        }
    }

    private readonly record struct Settled(string? Row, long Cost, long At);
}

/// <summary>How a count stands in the database for one request, in micro-dollars.</summary>
/// <param name="Ledger">Spent.</param>
/// <param name="Offer">What the request may have; null: it has to wait.</param>
/// <param name="Taken">What goes into the instance's row for it.</param>
/// <param name="IsAll">Nobody else has anything of it, and all that is left was taken.</param>
internal readonly record struct SharedLook(long Most, long Ledger, long? Offer, long Taken, bool IsAll)
{
    /// <summary>Of what is left, one instance takes no more than this part in advance.</summary>
    private const long PartInAdvance = 4;

    /// <param name="others">Set aside by other instances.</param>
    /// <param name="needed">What this instance needs for what it has given out already.</param>
    public static SharedLook At(long most, long ledger, long others, long needed, SpendRequest request)
    {
        var room = most - ledger - others - needed;
        if (room >= request.Wanted)
        {
            return new SharedLook(most, ledger, request.Wanted, Math.Max(request.Wanted, room / PartInAdvance), false);
        }

        // The last of it is given to one who is alone; before that it pays to wait until the others have settled, and until the ledger shows what was settled here.
        return others == 0 && needed == 0 && room >= request.Least
            ? new SharedLook(most, ledger, room, room, true)
            : new SharedLook(most, ledger, null, 0, false);
    }
}
