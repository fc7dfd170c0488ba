using System.Data.Common;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Runs;

/// <summary>Removes logs of finished runs, and whole trees of runs whose conversation goes. Nothing of an unfinished run is ever touched.</summary>
internal static class RunRetention
{
    private static readonly SqlText Held = SqlDialect.Held("""
        SELECT id FROM runs WHERE id < @before AND id > @after AND ended_at <= @oldest AND log_pruned_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM runs AS root WHERE root.id = runs.root_run_id AND root.ended_at IS NULL)
        ORDER BY id LIMIT @limit
        """, of: "runs");

    private const string Old = """
        SELECT count(*) FROM runs WHERE id < @before AND ended_at <= @oldest AND log_pruned_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM runs AS root WHERE root.id = runs.root_run_id AND root.ended_at IS NULL)
        """;

    private static readonly string[] OfALog =
    [
        "DELETE FROM run_events WHERE run_id = @id AND seq <> (SELECT last_seq FROM runs WHERE id = @id) AND seq <> COALESCE((SELECT answer_seq FROM runs WHERE id = @id), 0)",
        "DELETE FROM run_inbox WHERE run_id = @id",
        "UPDATE runs SET log_pruned_at = @now WHERE id = @id",
    ];

    private static readonly SqlText Tree = SqlDialect.InList("SELECT id FROM runs WHERE", "id", "roots", "UNION SELECT id FROM runs WHERE parent_run_id IS NOT NULL AND root_run_id = @root");

    private static readonly string[] OfARun =
    [
        "DELETE FROM run_events WHERE run_id = @id", "DELETE FROM run_contexts WHERE run_id = @id", "DELETE FROM run_inbox WHERE run_id = @id",
        "DELETE FROM approvals WHERE run_id = @id", "DELETE FROM runs WHERE id = @id",
    ];

    /// <summary>Logs of runs that ended long ago. A child's log goes once the whole tree has ended: its parent may still look into it.</summary>
    public static RetentionKind Logs(TimeSpan keep)
    {
        var floor = ""; // everything up to it is done; a new process looks from the start again
        return new RetentionKind("run_logs", keep, CountAsync, async (session, oldest, limit) =>
        {
            var ids = await Bind(session.Prepared(Held.For(session.Kind)), oldest).Set("after", floor).Set("limit", (long)limit).ListAsync(static r => r.GetString(0));
            foreach (var id in ids)
            {
                await RunAllAsync(session, OfALog, id);
            }

            if (ids.Count == limit)
            {
                session.AfterCommit(() => floor = ids[^1]);
            }
            else
            {
                session.AfterCommit(() => floor = ""); // those that had not ended are seen again in the next pass
            }

            return ids.Count;
        });
    }

    /// <summary>Removes finished root runs with all their descendants.</summary>
    public static async ValueTask EraseTreesAsync(DbSession session, IReadOnlyCollection<string> roots)
    {
        foreach (var root in roots)
        {
            var ids = await session.Prepared(Tree.For(session.Kind)).Set("roots", JsonSerializer.Serialize<string[]>([root])).Set("root", root).ListAsync(static r => r.GetString(0));
            foreach (var id in ids)
            {
                await RunAllAsync(session, OfARun, id);
            }
        }
    }

    private static async ValueTask<long> CountAsync(DbSession session, DateTimeOffset oldest) => await Bind(session.Prepared(Old), oldest).Int64Async() ?? 0;

    /// <summary>A run cannot have ended before it was made, so its id bounds the search.</summary>
    private static DbCommand Bind(DbCommand command, DateTimeOffset oldest) => command.Set("before", RetentionKind.IdAt(oldest.AddMilliseconds(1))).Set("oldest", oldest);

    private static async ValueTask RunAllAsync(DbSession session, string[] statements, string id)
    {
        foreach (var statement in statements)
        {
            var command = session.Prepared(statement).Set("id", id);
            if (statement.Contains("@now", StringComparison.Ordinal))
            {
                command.Set("now", session.Now);
            }

            await command.RunAsync();
        }
    }
}
