namespace RootMas.Server.Models.Budgets;

/// <summary>A count of <see cref="SharedSpend"/>: what this instance may give out of it, in micro-dollars. Its owner locks.</summary>
internal sealed class SharedCount
{
    /// <summary>A row is written with its step, far sooner than this after it was settled. What a visit does not find so long afterwards will never be there.</summary>
    private static readonly TimeSpan Unwritten = TimeSpan.FromMinutes(1);

    /// <summary>What was taken in advance goes back when none of it was given out for so long; <see cref="LittleIdle"/> if it is a small part of what is left.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LittleIdle = TimeSpan.FromMinutes(1);

    /// <summary>And at any rate so long after it was taken.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(30);

    /// <summary>Where no visit comes (Redis counts), what was settled is remembered for so long.</summary>
    private static readonly TimeSpan Remembered = TimeSpan.FromMinutes(2);

    /// <summary>And no more than this of it beyond <see cref="Unwritten"/>.</summary>
    private const int MostRemembered = 5_000;

    /// <summary>What the ledger was read to have used up stays so for so long: rows may go with an erased user.</summary>
    private static readonly TimeSpan Trusted = TimeSpan.FromSeconds(15);

    /// <summary>Whoever was told to wait asks the database no sooner than this.</summary>
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(500);

    private readonly Queue<Settlement> _settled = new();
    private Settlement[] _unseen = [];
    private long _visitAt;
    private bool _mayBeMore;
    private bool _isDoubted;
    private long _most;
    private long _heldThen;
    private bool _isAll;
    private long? _seenAt;
    private TimeSpan _life;

    /// <summary>What this instance's row in the database says; 0: it is not known, or there is none.</summary>
    public long Row { get; private set; }


    /// <summary>What the ledger said at the last visit.</summary>
    public long Ledger { get; private set; }

    /// <summary>Set aside for calls that are under way.</summary>
    public long Held { get; private set; }

    /// <summary>There may be a row of it.</summary>
    public bool HasTaken => Row > 0 || _mayBeMore;

    /// <summary>Settled since the last visit began.</summary>
    public long Spent { get; private set; }

    /// <summary>When any of it was last given out.</summary>
    public long UsedAt { get; set; }

    public long? RefusedAt { get; set; }

    /// <summary>Ids of the rows that the ledger may not show as the visit begins.</summary>
    public IEnumerable<string> Unseen => _unseen.Select(static s => s.Row).OfType<string>();

    /// <summary>Ids of the rows of what was settled and may not be in the ledger yet.</summary>
    public IEnumerable<string> Settled => _settled.Select(static s => s.Row).OfType<string>();

    /// <summary>Settled before the visit, and not seen in the ledger by it.</summary>
    private long Earlier { get; set; }

    /// <summary>What was settled and is not among these rows of the ledger.</summary>
    public long SettledBeside(HashSet<string> shown) => _settled.Where(s => !s.IsIn(shown)).Sum(static s => s.Cost);

    public void Add(long held, long cost, string? row, TimeProvider clock)
    {
        Held = Math.Max(0, Held + held);
        Spent += cost;
        RefusedAt = held < 0 ? null : RefusedAt; // something is free again
        if (cost != 0)
        {
            while (_settled.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) >= (_settled.Count > MostRemembered ? Unwritten : Remembered))
            {
                _settled.Dequeue();
            }

            _settled.Enqueue(new Settlement(row, cost, clock.GetTimestamp()));
        }
    }

    /// <summary>What the row in the database says is not known, or not relied on, from now on.</summary>
    public void Mistrust() => (Row, _mayBeMore, _isDoubted) = (0, true, true);

    /// <summary>Its row says, or may say, more than is needed, and nobody here has asked for it for a while.</summary>
    public bool IsToReturn(TimeProvider clock)
    {
        if (_seenAt is not { } seen || (Row <= Held && !(_mayBeMore && clock.GetElapsedTime(seen) < 2 * _life)))
        {
            return false;
        }

        var (idle, isLittle) = (clock.GetElapsedTime(UsedAt), Row > 0 && Row <= (_most - Ledger) / 8);
        return isLittle ? idle >= LittleIdle : idle >= Idle || clock.GetElapsedTime(seen) >= Longest;
    }

    /// <summary>A visit begins.</summary>
    public void Rebase(TimeProvider clock) => (_unseen, _heldThen, _visitAt, Spent, _isAll, _isDoubted, RefusedAt) = ([.. _settled], Held, clock.GetTimestamp(), 0, false, false, null);

    /// <summary>What the row must say at least: what was held as the visit began, and what was settled and is not among these rows of the ledger.</summary>
    public long NeededWithout(HashSet<string> shown) => _heldThen + _unseen.Where(s => !s.IsIn(shown)).Sum(static s => s.Cost);

    /// <summary>A visit ends.</summary>
    public void Visited(SharedVisit visit, TimeProvider clock)
    {
        var needed = NeededWithout(visit.Shown);
        (Row, _mayBeMore, Earlier) = (_isDoubted ? 0 : visit.Row, _isDoubted || visit.Row < needed, needed - _heldThen); // doubted meanwhile it stays
        for (var left = _settled.Count; left > 0; left--)
        {
            var settled = _settled.Dequeue();
            if (!settled.IsIn(visit.Shown) && clock.GetElapsedTime(settled.At, _visitAt) < Unwritten)
            {
                _settled.Enqueue(settled);
            }
        }
    }

    /// <summary>What a visit saw for a request.</summary>
    public void Seen(SharedLook look, TimeSpan life, TimeProvider clock) => (_most, Ledger, _isAll, _seenAt, _life) = (look.Most, look.Ledger, look.IsAll, clock.GetTimestamp(), life);

    /// <summary>What a request may have without a visit; null: that is not known here.</summary>
    /// <param name="most">The limit, which may have been changed since the row was taken.</param>
    public long? Offer(SpendRequest request, long most, TimeProvider clock)
    {
        if (_seenAt is not { } seen || most != _most || clock.GetElapsedTime(seen) + request.Life > 2 * _life)
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

    private readonly record struct Settlement(string? Row, long Cost, long At)
    {
        public bool IsIn(HashSet<string> shown) => Row is not null && shown.Contains(Row);
    }
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

    /// <summary>And no more than so many calls may come to.</summary>
    private const long CallsInAdvance = 16;

    /// <param name="others">Set aside by other instances.</param>
    /// <param name="needed">What this instance needs for what it has given out already.</param>
    public static SharedLook At(long most, long ledger, long others, long needed, SpendRequest request)
    {
        var room = most - ledger - others - needed;
        if (room >= request.Wanted)
        {
            return new SharedLook(most, ledger, request.Wanted, Math.Max(request.Wanted, Math.Min(room / PartInAdvance, CallsInAdvance * request.Wanted)), false);
        }

        // The last of it is given to one who is alone; before that it pays to wait until the others have settled, and until the ledger shows what was settled here.
        return others == 0 && needed == 0 && room >= request.Least
            ? new SharedLook(most, ledger, room, room, true)
            : new SharedLook(most, ledger, null, 0, false);
    }
}
