using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>How old a tree of runs is, and how much of that nobody worked on any of them.</summary>
internal readonly record struct TreeAge(DateTimeOffset Began, long RestedMs);

/// <summary>
/// Working time (DESIGN §4.7, decision 45) is what is left of a tree's age without its rest: the times in which no process owns any run of it, whether people are asked, the tree waits for its branch or for a worker, or
/// no process runs. Rest begins with whatever takes the last run off a worker and ends with a claim. A back-off is rest only after its end: a run whose models are away does not wait for ever.
/// </summary>
internal static class TreeRest
{
    private const string Begin = """
        UPDATE runs SET rest_since = COALESCE((SELECT MAX(wake_at) FROM (
            SELECT wake_at FROM runs WHERE id = @root AND status = 'waiting_timer'
            UNION ALL SELECT wake_at FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL AND status = 'waiting_timer') AS backing_off WHERE wake_at > @since), @since)
        WHERE id = @root AND rest_since IS NULL AND status <> 'running' AND ended_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM runs member WHERE member.root_run_id = @root AND member.parent_run_id IS NOT NULL AND member.status = 'running')
        """;

    private const string End = """
        UPDATE runs SET rest_ms = rest_ms + CASE WHEN @now > rest_since THEN (@now - rest_since) / 1000 ELSE 0 END, rest_since = NULL
        WHERE id = @root AND rest_since IS NOT NULL
        """;

    private const string Age = "SELECT created_at, rest_ms FROM runs WHERE id = @root";

    /// <summary>Since when a new run's tree rests, as its row begins: a root that no worker has at once. Null elsewhere.</summary>
    public static DateTimeOffset? OfNew(NewRun run, bool starts, DateTimeOffset created) => starts || run.ParentRunId is not null ? null : created;

    /// <summary>A run of the tree has left its worker. The caller's transaction holds the root, or comes to it last: of two runs that leave at once the second one sees that the first has left.</summary>
    /// <param name="since">When it left.</param>
    public static async ValueTask BeginAsync(DbSession session, string rootRunId, DateTimeOffset since) =>
        await session.Prepared(Begin).Set("root", rootRunId).Set("since", since).RunAsync();

    /// <summary>A worker has taken this run. Sent with the commit, since nobody asks for the outcome; but for a child at once: it may wait for the root's row, and not while the commit is on its way.</summary>
    public static async ValueTask EndAsync(DbSession session, RunRow run)
    {
        await session.SendAsync(session.Prepared(End).Set("root", run.Identity.RootRunId).Set("now", session.Now));
        if (!run.IsRoot)
        {
            await session.FlushAsync();
        }
    }

    public static RowRead ReadAge(string rootRunId, Action<TreeAge> found) =>
        new(Age, command => command.Set("root", rootRunId), row => found(new TreeAge(row.Time(0), row.GetInt64(1))));
}
