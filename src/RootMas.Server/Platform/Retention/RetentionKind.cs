using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Retention;

/// <summary>One kind of data that has an end. The slice that owns the tables registers it.</summary>
/// <param name="Name">As settings, metrics and commands write it: <c>run_logs</c>.</param>
/// <param name="Keep">How long it stays; zero: for ever.</param>
/// <param name="Count">How much is older than that moment.</param>
/// <param name="Prune">Removes up to so many that are older; the answer says how many it were. Fewer than asked for: that was all.</param>
internal sealed record RetentionKind(
    string Name, TimeSpan Keep, Func<DbSession, DateTimeOffset, ValueTask<long>> Count, Func<DbSession, DateTimeOffset, int, ValueTask<int>> Prune)
{
    /// <summary>The pass goes on, however few the last bite removed.</summary>
    public Func<bool> IsUnderWay { get; init; } = static () => false;

    /// <summary>
    /// The smallest id that could have been given at that moment: ids are UUIDv7, so their order is that of their making, and the primary key finds what is old without an index of its own.
    /// </summary>
    public static string IdAt(DateTimeOffset moment) => Guid.CreateVersion7(moment).ToString()[..13];
}
