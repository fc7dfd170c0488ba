using RootMas.Runtime.Runs;

namespace RootMas.Server.Models.Budgets;

/// <summary>What is counted together, and how much it may come to in a day.</summary>
/// <param name="Key">Names the count: <c>all</c>, <c>user:ID</c>, <c>agent:NAME</c>.</param>
internal sealed record SpendLimit(string Key, Money Most)
{
    public const string Everybody = "all";

    public string Scope => Key.Split(':', 2)[0];

    public static string OfUser(string userId) => $"user:{userId}";

    public static string OfAgent(string agent) => $"agent:{agent}";
}

/// <summary>One request that wants money set aside.</summary>
/// <param name="Day">UTC.</param>
/// <param name="Least">Without so many micro-dollars it is not worth asking.</param>
/// <param name="Wanted">The most that it can cost, in micro-dollars.</param>
/// <param name="Life">After this nobody settles any more: whoever asked is dead.</param>
internal sealed record SpendRequest(DateOnly Day, IReadOnlyList<SpendLimit> Limits, long Least, long Wanted, TimeSpan Life)
{
    /// <summary>All counts that its cost belongs to, limited or not.</summary>
    public IReadOnlyList<string> Counts { get; init; } = [.. Limits.Select(static l => l.Key)];
}

internal enum SpendOutcome
{
    /// <summary>Set aside, perhaps less than was wanted: then it is all that is left.</summary>
    Granted,

    /// <summary>The day's money is spent.</summary>
    Over,

    /// <summary>What is left is set aside by others who may not need it.</summary>
    Busy,
}

/// <summary>What became of a <see cref="SpendRequest"/>.</summary>
/// <param name="Held">Micro-dollars that are set aside until <see cref="ISpendStore.SettleAsync"/>.</param>
/// <param name="Limit">The one that is in the way.</param>
/// <param name="Bucket">Where the store finds it again.</param>
internal sealed record SpendAnswer(SpendOutcome Outcome, long Held = 0, SpendLimit? Limit = null, long Bucket = 0);

/// <summary>What a count stands at, in micro-dollars.</summary>
internal readonly record struct SpendFigure(long Spent, long Held);

/// <summary>
/// The day's counters: what was spent and what is set aside for requests under way. However many ask at once, what was spent and set aside never comes to more than the limit.
/// The truth is the ledger: a store without counters begins from it.
/// </summary>
internal interface ISpendStore
{
    /// <summary>It reads the ledger once a day, so it has to be told of every cost, also where no limit applies: one may be set before the day is over.</summary>
    bool CountsAll => false;

    /// <param name="cancellationToken">Ends the wait for others who ask at the same time, not the asking.</param>
    ValueTask<SpendAnswer> HoldAsync(SpendRequest request, CancellationToken cancellationToken = default);

    /// <summary>Gives back what <see cref="HoldAsync"/> set aside, and counts what it really cost.</summary>
    /// <param name="row">Id of the row of the ledger that says so, written or not; null: not known.</param>
    ValueTask SettleAsync(SpendRequest request, SpendAnswer held, long cost, string? row);

    /// <summary>In the order of the keys.</summary>
    ValueTask<IReadOnlyList<SpendFigure>> ReadAsync(DateOnly day, IReadOnlyList<string> keys);
}
