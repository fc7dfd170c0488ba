using System.Text.Json;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// For whoever changes several runs in one transaction: those of them that nobody is writing at the moment, which stay as they are until it ends. It waits for none of the others, since it would hold all of them up for as long
/// as the slowest, or for good: these are for the next look.
/// </summary>
internal static class FreeRuns
{
    private const string SkipLocked = "FOR NO KEY UPDATE SKIP LOCKED";

    private static readonly string Themselves = SqlDialect.InList("SELECT id FROM runs WHERE", "id", "ids", SkipLocked).Postgres;

    private static readonly string AndRoots = SqlDialect.InList("SELECT run.id FROM runs run JOIN runs root ON root.id = run.root_run_id WHERE", "run.id", "ids", SkipLocked).Postgres;

    /// <summary>SQLite's one writer holds everything: all of them, without asking.</summary>
    public static ValueTask<HashSet<string>> HoldAsync(DbSession session, IReadOnlyCollection<string> ids) => HoldAsync(session, Themselves, ids);

    /// <summary>The same together with the roots of their trees, which are told when a run leaves its worker (<see cref="TreeRest.BeginAsync"/>): a run whose root is being written is not among them.</summary>
    public static ValueTask<HashSet<string>> HoldWithRootsAsync(DbSession session, IReadOnlyCollection<string> ids) => HoldAsync(session, AndRoots, ids);

    private static async ValueTask<HashSet<string>> HoldAsync(DbSession session, string sql, IReadOnlyCollection<string> ids)
    {
        if (session.Kind == DatabaseKind.Sqlite || ids.Count == 0)
        {
            return ids.ToHashSet(StringComparer.Ordinal);
        }

        var free = await session.Prepared(sql).Set("ids", JsonSerializer.Serialize(ids)).ListAsync(static r => r.GetString(0));
        return free.ToHashSet(StringComparer.Ordinal);
    }
}
