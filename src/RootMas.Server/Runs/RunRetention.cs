using System.Data.Common;
using System.Text.Json;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;

namespace RootMas.Server.Runs;

/// <summary>Removes logs of finished runs, and whole trees of runs whose conversation goes. Nothing of an unfinished run is ever touched.</summary>
internal static class RunRetention
{
    private static readonly SqlText Held = SqlDialect.Held("""
        SELECT id, owner_id FROM runs WHERE id < @before AND id > @after AND ended_at <= @oldest AND log_pruned_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM runs AS root WHERE root.id = runs.root_run_id AND root.ended_at IS NULL)
        ORDER BY id LIMIT @limit
        """, of: "runs");

    private const string Old = """
        SELECT count(*) FROM runs WHERE id < @before AND ended_at <= @oldest AND log_pruned_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM runs AS root WHERE root.id = runs.root_run_id AND root.ended_at IS NULL)
        """;

    private const string ForgetHistory = "UPDATE run_contexts SET history = NULL WHERE run_id = @id AND history IS NOT NULL";

    private const string EndOfPage = "SELECT run_id FROM run_contexts WHERE run_id > @after ORDER BY run_id LIMIT 1 OFFSET @page";

    /// <summary>Of a page of the primary key: where nothing is left of it, as everywhere after one pass, no run is looked up.</summary>
    private const string ForgetHistories = """
        UPDATE run_contexts SET history = NULL WHERE run_id > @after AND run_id <= @to AND history IS NOT NULL
            AND EXISTS (SELECT 1 FROM runs WHERE runs.id = run_contexts.run_id AND runs.id > @after AND runs.id <= @to AND runs.log_pruned_at IS NOT NULL)
        """;

    /// <summary>After every id.</summary>
    private const string NoId = "~";

    private const long HistoriesAtOnce = 20_000;

    /// <summary>In a transaction, of those on which nothing is left to do.</summary>
    private const int MostPages = 10;

    private static readonly string[] OfALog =
    [
        "DELETE FROM run_events WHERE run_id = @id AND seq <> (SELECT last_seq FROM runs WHERE id = @id) AND seq <> COALESCE((SELECT answer_seq FROM runs WHERE id = @id), 0)",
        "DELETE FROM run_inbox WHERE run_id = @id",
        ForgetHistory, // options stay: whether a run may write memory is asked later
        "UPDATE runs SET log_pruned_at = @now WHERE id = @id",
    ];

    private static readonly SqlText Tree = SqlDialect.InList("SELECT id FROM runs WHERE", "id", "roots", "UNION SELECT id FROM runs WHERE parent_run_id IS NOT NULL AND root_run_id = @root");

    private static readonly string[] OfARun =
    [
        "DELETE FROM run_events WHERE run_id = @id", "DELETE FROM run_contexts WHERE run_id = @id", "DELETE FROM run_inbox WHERE run_id = @id",
        "DELETE FROM approvals WHERE run_id = @id", "DELETE FROM dead_letters WHERE id = @id", // a run's letter has its id
        "DELETE FROM runs WHERE id = @id",
    ];

    /// <summary>Logs of runs that ended long ago. A child's log goes once the whole tree has ended: its parent may still look into it.</summary>
    /// <param name="page">Contexts that are looked through at once for what versions before left.</param>
    public static RetentionKind Logs(TimeSpan keep, IAnswerCache cache, long page = HistoriesAtOnce)
    {
        var floor = ""; // everything up to it is done; a new process looks from the start again
        var swept = "";
        return new RetentionKind("run_logs", keep, CountAsync, async (session, oldest, limit) =>
        {
            if (swept != NoId)
            {
                var to = await ForgetHistoriesAsync(session, swept, page);
                session.AfterCommit(() => swept = to);
                if (to != NoId)
                {
                    return 0; // first to its end, in transactions that stay small
                }
            }

            var runs = await Bind(session.Prepared(Held.For(session.Kind)), oldest).Set("after", floor).Set("limit", (long)limit).ListAsync(static r => (Id: r.GetString(0), Owner: r.GetString(1)));
            foreach (var (id, _) in runs)
            {
                await RunAllAsync(session, OfALog, id);
            }

            session.AfterCommit(() =>
            {
                floor = runs.Count == limit ? runs[^1].Id : ""; // those that had not ended are seen again in the next pass
                foreach (var owner in runs.Select(static r => r.Owner).Distinct(StringComparer.Ordinal))
                {
                    cache.Raise(CacheScope.OfUser(owner));
                }
            });
            return runs.Count;
        })
        {
            IsUnderWay = () => swept != NoId,
        };
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

    /// <summary>Versions before left what a request had brought as its conversation when they removed the log. Once in a process; a transaction ends with the first page on which there was something.</summary>
    /// <returns>How far it is done.</returns>
    private static async ValueTask<string> ForgetHistoriesAsync(DbSession session, string after, long page)
    {
        for (var pages = 0; pages < MostPages && after != NoId; pages++)
        {
            var to = await session.Prepared(EndOfPage).Set("after", after).Set("page", page - 1).StringAsync() ?? NoId;
            var changed = await session.Prepared(ForgetHistories).Set("after", after).Set("to", to).RunAsync();
            after = to;
            if (changed > 0)
            {
                break;
            }
        }

        return after;
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
