using System.Data.Common;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>Queries over runs, their logs and approvals. Ownership is part of each query.</summary>
internal sealed class RunReader(IDatabase database)
{
    private const string One = $"SELECT {RunRow.Columns} FROM runs WHERE id = @id AND (@owner IS NULL OR owner_id = @owner)";

    /// <summary>Of a root run s: its owner shows it, and may still use this server.</summary>
    public const string IsOpen = "s.shared_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = s.owner_id AND u.disabled_at IS NOT NULL)";

    /// <summary>Whoever asks, if its root is shown to everybody.</summary>
    private const string Shared = $"SELECT {RunRow.Columns} FROM runs WHERE id = @id AND EXISTS (SELECT 1 FROM runs s WHERE s.id = runs.root_run_id AND {IsOpen})";

    private const string Tree = $"SELECT {RunRow.Columns} FROM runs WHERE id = @root UNION ALL SELECT {RunRow.Columns} FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL";

    private static readonly SqlText Branch = SqlDialect.NotByIndexOf("owner_id", $$"""
        SELECT {{RunRow.Columns}} FROM runs WHERE (branch_slot = @branch OR (branch_id = @branch AND queue_position IS NOT NULL AND ended_at IS NULL)) AND {owner_id} = @owner
        ORDER BY branch_slot IS NULL, queue_position
        """);

    /// <summary>Of many runs at once.</summary>
    private static readonly SqlText Answers = SqlDialect.InList("SELECT r.id, e.json FROM runs r JOIN run_events e ON e.run_id = r.id AND e.seq = r.answer_seq WHERE", "r.id", "ids", "");

    /// <summary>What runs were asked, but for what is too long to be named by.</summary>
    private static readonly SqlText Inputs = SqlDialect.InList("SELECT r.id, e.json FROM runs r JOIN run_events e ON e.run_id = r.id AND e.seq = 1 AND length(e.json) <= 65536 WHERE", "r.id", "ids", "");

    private const string Events = "SELECT seq, type, json FROM run_events WHERE run_id = @id AND seq > @after ORDER BY seq LIMIT @limit";

    private const string EventOf = "SELECT json FROM run_events WHERE run_id = @id AND seq = @seq";

    private const string OpenQuestions = """
        SELECT json FROM run_events WHERE run_id = @id AND type IN ('input.requested', 'input.received', 'run.needs_review', 'review.resolved', 'tool.completed', 'tool.failed')
        ORDER BY seq
        """;

    private const string HasPlan = "SELECT 1 FROM run_events WHERE run_id = @id AND type = 'plan.created' LIMIT 1";

    /// <summary>The first event says how a run works, and is read by its key.</summary>
    private const string QueuedOf = "SELECT r.id, r.ended_at, e.json FROM ({0}) r JOIN run_events e ON e.run_id = r.id AND e.seq = 1 ORDER BY r.id DESC";

    private static readonly SqlText QueuedInTree = SqlDialect.NotByIndexOf("owner_id", QueuedOf.Replace(
        "{0}", "SELECT id, ended_at FROM runs WHERE id = @root AND {owner_id} = @owner UNION ALL SELECT id, ended_at FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL AND {owner_id} = @owner", StringComparison.Ordinal));

    private static readonly SqlText QueuedInConversation = SqlDialect.NotByIndexOf("owner_id", QueuedOf.Replace(
        "{0}", "SELECT id, ended_at FROM runs WHERE conversation_id = @conversation AND {owner_id} = @owner ORDER BY id DESC LIMIT 200", StringComparison.Ordinal));

    /// <summary>Of many runs at once. A run that waits for others may settle because one of them asks a person.</summary>
    private static readonly SqlText Standings = SqlDialect.InList(
        $"""
        SELECT r.id, r.last_seq, CASE WHEN r.ended_at IS NOT NULL OR r.status IN ({Human}) OR (r.status = 'waiting_children' AND EXISTS (
            SELECT 1 FROM runs c WHERE c.root_run_id = r.root_run_id AND c.parent_run_id IS NOT NULL AND c.status IN ({Human}))) THEN 1 ELSE 0 END
        FROM runs r WHERE
        """,
        "r.id", "ids", "");

    private const string Human = "'waiting_approval', 'waiting_input', 'needs_review'";

    private const string Descendants = "SELECT id, parent_run_id, last_seq FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL ORDER BY id";

    private const string TreeUsage = """
        SELECT CAST(sum(input_tokens) AS BIGINT), CAST(sum(cached_tokens) AS BIGINT), CAST(sum(output_tokens) AS BIGINT), CAST(sum(reasoning_tokens) AS BIGINT)
        FROM (SELECT input_tokens, cached_tokens, output_tokens, reasoning_tokens FROM runs WHERE id = @root
            UNION ALL SELECT input_tokens, cached_tokens, output_tokens, reasoning_tokens FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL) tree
        """;

    /// <summary>Of many roots at once, what worked for them.</summary>
    private static readonly SqlText UsageBelow = SqlDialect.InList(
        """
        SELECT r.root_run_id, CAST(sum(r.input_tokens) AS BIGINT), CAST(sum(r.cached_tokens) AS BIGINT), CAST(sum(r.output_tokens) AS BIGINT), CAST(sum(r.reasoning_tokens) AS BIGINT)
        FROM runs r WHERE r.parent_run_id IS NOT NULL AND
        """,
        "r.root_run_id", "ids", "GROUP BY r.root_run_id");

    public Task<RunRow?> RowAsync(string runId, string? ownerId, CancellationToken cancellationToken) =>
        database.LookAsync(session => session.Prepared(One).Set("id", runId).Set("owner", ownerId).FirstOrDefaultAsync(RunRow.Read), cancellationToken);

    public Task<RunSummary?> FindAsync(string runId, string? ownerId, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session =>
            {
                var row = await session.Prepared(One).Set("id", runId).Set("owner", ownerId).FirstOrDefaultAsync(RunRow.Read);
                return row is null ? null : await SummaryAsync(session, row);
            },
            cancellationToken);

    /// <summary>Null: there is no such run, or its owner does not show it to others.</summary>
    public Task<RunSummary?> FindSharedAsync(string runId, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session =>
            {
                var row = await session.Prepared(Shared).Set("id", runId).FirstOrDefaultAsync(RunRow.Read);
                return row is null ? null : await SummaryAsync(session, row);
            },
            cancellationToken);

    /// <inheritdoc cref="IMessageProcessor.TreeUsageAsync"/>
    public Task<TokenUsage> TreeUsageAsync(string rootRunId, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session => await session.Prepared(TreeUsage).Set("root", rootRunId)
                .FirstOrDefaultAsync(static r => r.IsDBNull(0) ? TokenUsage.None : new TokenUsage(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), r.GetInt64(3))) ?? TokenUsage.None,
            cancellationToken);

    public Task<IReadOnlyList<RunSummary>> ListAsync(RunFilter filter, CancellationToken cancellationToken)
    {
        var sql = new StringBuilder($"SELECT {RunRow.Columns} FROM runs WHERE 1 = 1");
        Append(sql, filter.OwnerId, " AND owner_id = @owner");
        Append(sql, filter.Status, " AND status = @status");
        Append(sql, filter.Agent, " AND entry_agent = @agent");
        Append(sql, filter.ConversationId, " AND conversation_id = @conversation");
        Append(sql, filter.BeforeId, " AND id < @before");
        sql.Append(filter.Shared switch { true => " AND shared_at IS NOT NULL", false => " AND shared_at IS NULL", null => "" });
        sql.Append(filter.RootsOnly ? " AND parent_run_id IS NULL" : "").Append(" ORDER BY id DESC LIMIT @limit");
        return database.ReadAsync<IReadOnlyList<RunSummary>>(
            async session =>
            {
                var command = session.Prepared(sql.ToString()).Set("limit", (long)Math.Clamp(filter.Limit, 1, 500));
                Bind(command, "owner", filter.OwnerId);
                Bind(command, "status", filter.Status?.ToName());
                Bind(command, "agent", filter.Agent);
                Bind(command, "conversation", filter.ConversationId);
                Bind(command, "before", filter.BeforeId);
                return await SummariesAsync(session, await command.ListAsync(RunRow.Read));
            },
            cancellationToken);
    }

    /// <summary>What each of these runs was asked; those whose log is gone are left out.</summary>
    public Task<Dictionary<string, string>> InputsAsync(IReadOnlyCollection<string> runIds, CancellationToken cancellationToken)
    {
        var ids = JsonSerializer.Serialize(runIds);
        return database.ReadAsync(
            async session =>
            {
                var found = await session.Prepared(Inputs).Set("ids", ids).ListAsync(static r => (Id: r.GetString(0), Queued: RunJson.DeserializeEvent(r.Bytes(1)) as RunQueued));
                return found.Where(static f => f.Queued is not null).ToDictionary(static f => f.Id, static f => f.Queued!.Input, StringComparer.Ordinal);
            },
            cancellationToken);
    }

    /// <summary>The run and its descendants, oldest first.</summary>
    public Task<IReadOnlyList<RunSummary>> TreeAsync(string runId, string? ownerId, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<RunSummary>>(
            async session =>
            {
                var top = await session.Prepared(One).Set("id", runId).Set("owner", ownerId).FirstOrDefaultAsync(RunRow.Read);
                if (top is null)
                {
                    return [];
                }

                var all = await session.Prepared(Tree).Set("root", top.Identity.RootRunId).ListAsync(RunRow.Read);
                return await SummariesAsync(session, Below(top, all));
            },
            cancellationToken);

    /// <summary>Where these runs stand; those that are not there are left out.</summary>
    public Task<Dictionary<string, Standing>> StandingsAsync(IReadOnlyCollection<string> runIds, CancellationToken cancellationToken)
    {
        var ids = JsonSerializer.Serialize(runIds);
        return database.LookAsync(
            async session => new Dictionary<string, Standing>(
                await session.Prepared(Standings).Set("ids", ids).ListAsync(static r => KeyValuePair.Create(r.GetString(0), new Standing(r.GetInt64(1), r.Flag(2)))), StringComparer.Ordinal),
            cancellationToken);
    }

    /// <summary>All runs below a root.</summary>
    public Task<List<Descendant>> DescendantsAsync(string rootRunId, CancellationToken cancellationToken) =>
        database.LookAsync(
            async session => await session.Prepared(Descendants).Set("root", rootRunId).ListAsync(static r => new Descendant(r.GetString(0), r.GetString(1), r.GetInt64(2))), cancellationToken);

    public Task<IReadOnlyList<RunSummary>> OnBranchAsync(string branchId, string ownerId, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<RunSummary>>(
            async session => await SummariesAsync(session, await session.Prepared(Branch).Set("branch", branchId).Set("owner", ownerId).ListAsync(RunRow.Read)), cancellationToken);

    public Task<IReadOnlyList<StoredEvent>> EventsAsync(string runId, long after, int limit, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<StoredEvent>>(
            async session => await DeletedSources.HideAsync(session, await session.Prepared(Events).Set("id", runId).Set("after", after).Set("limit", (long)limit)
                .ListAsync(static r => new StoredEvent(r.GetInt64(0), r.GetString(1), r.Bytes(2)))),
            cancellationToken);

    /// <summary>What another run may take over of a log.</summary>
    public Task<IReadOnlyList<RunEvent>> WithoutDeletedAsync(IReadOnlyList<RunEvent> log, CancellationToken cancellationToken) =>
        database.ReadAsync(session => DeletedSources.HideAsync(session, log), cancellationToken);

    /// <summary>Questions to the user that have no answer yet, newest first.</summary>
    public async Task<IReadOnlyList<InputRequested>> OpenQuestionsAsync(string runId, CancellationToken cancellationToken)
    {
        List<InputRequested> open = [];
        foreach (var e in await AskedAsync(runId, cancellationToken))
        {
            switch (e)
            {
                case InputRequested asked:
                    open.Insert(0, asked);
                    break;
                case InputReceived answered:
                    open.RemoveAll(q => q.Call == answered.Call);
                    break;
                case ToolCompleted done:
                    open.RemoveAll(q => q.Call == done.Call);
                    break;
                case ToolFailed failed:
                    open.RemoveAll(q => q.Call == failed.Call);
                    break;
            }
        }

        return open;
    }

    /// <inheritdoc cref="IMessageProcessor.NewestQuestionAsync"/>
    public Task<InputRequested?> NewestQuestionAsync(string rootRunId, CancellationToken cancellationToken) => database.ReadAsync(session => TreeQuestions.NewestAsync(session, rootRunId), cancellationToken);

    /// <summary>Calls in doubt that nobody has decided yet, newest first.</summary>
    public async Task<IReadOnlyList<RunNeedsReview>> OpenReviewsAsync(string runId, CancellationToken cancellationToken)
    {
        List<RunNeedsReview> open = [];
        foreach (var e in await AskedAsync(runId, cancellationToken))
        {
            switch (e)
            {
                case RunNeedsReview review:
                    open.Insert(0, review);
                    break;
                case ReviewResolved resolved:
                    open.RemoveAll(r => r.Call == resolved.Call);
                    break;
            }
        }

        return open;
    }

    /// <summary>The run's task graph as it stands, which takes the whole log, and whether the run has read text from outside; null: it has none, or retention has taken it.</summary>
    public async Task<(PlanState Plan, bool Tainted)?> PlanAsync(RunRow row, CancellationToken cancellationToken)
    {
        if (row.LogPruned || !await database.ReadAsync(session => session.Prepared(HasPlan).Set("id", row.Id).AnyAsync(), cancellationToken))
        {
            return null;
        }

        var state = new RunState();
        while (await EventsAsync(row.Id, state.Seq, 200, cancellationToken) is { Count: > 0 } page)
        {
            foreach (var stored in page)
            {
                state.Apply(RunJson.DeserializeEvent(stored.Json.Span));
            }
        }

        return state.Plan is { } plan ? (plan, state.Tainted) : null;
    }

    /// <summary>Runs that plan, those that have not ended first, the newest first: of this tree, then among the newest 200 runs of the conversation.</summary>
    public Task<List<string>> PlanningAsync(string rootRunId, string? conversationId, string ownerId, CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session =>
            {
                var inTree = await session.Prepared(QueuedInTree).Set("root", rootRunId).Set("owner", ownerId).ListAsync(ReadQueued);
                var around = conversationId is null ? [] : await session.Prepared(QueuedInConversation).Set("conversation", conversationId).Set("owner", ownerId).ListAsync(ReadQueued);
                return Planning(inTree).Union(Planning(around), StringComparer.Ordinal).ToList();
            },
            cancellationToken);

    private static (string Id, bool HasEnded, RunQueued? Queued) ReadQueued(DbDataReader row) => (row.GetString(0), !row.IsDBNull(1), RunJson.DeserializeEvent(row.Bytes(2)) as RunQueued);

    private static IEnumerable<string> Planning(List<(string Id, bool HasEnded, RunQueued? Queued)> runs) =>
        runs.Where(static r => r.Queued?.Pattern == nameof(PatternKind.Plan)).OrderBy(static r => r.HasEnded).Select(static r => r.Id);

    private Task<List<RunEvent>> AskedAsync(string runId, CancellationToken cancellationToken) =>
        database.LookAsync(
            async session => await session.Prepared(OpenQuestions).Set("id", runId).ListAsync(static r => RunJson.DeserializeEvent(r.Bytes(0))), cancellationToken);

    private static List<RunRow> Below(RunRow top, List<RunRow> all)
    {
        if (top.IsRoot)
        {
            all.Sort(static (a, b) => string.CompareOrdinal(a.Id, b.Id));
            return all;
        }

        List<RunRow> result = [top];
        HashSet<string> ids = [top.Id];
        var rest = all.OrderBy(r => r.Depth).ThenBy(r => r.Id, StringComparer.Ordinal);
        result.AddRange(rest.Where(r => r.Identity.ParentRunId is { } parent && ids.Contains(parent) && ids.Add(r.Id)));
        return result;
    }

    private static async ValueTask<IReadOnlyList<RunSummary>> SummariesAsync(DbSession session, List<RunRow> rows)
    {
        var answered = rows.Where(static r => r.AnswerSeq is not null).Select(static r => r.Id).ToList();
        if (answered.Count == 0)
        {
            return await WithThoseBelowAsync(session, [.. rows.Select(static r => r.Summary(null))]);
        }

        var found = await session.Prepared(Answers).Set("ids", JsonSerializer.Serialize(answered)).ListAsync(static r => RunJson.DeserializeEvent(r.Bytes(1)));
        var answers = (await DeletedSources.HideAsync<MessageCompleted>(session, [.. found.OfType<MessageCompleted>()])).ToDictionary(static m => m.RunId, StringComparer.Ordinal);
        return await WithThoseBelowAsync(session, [.. rows.Select(r => r.Summary(answers.GetValueOrDefault(r.Id)))]);
    }

    private static async ValueTask<IReadOnlyList<RunSummary>> WithThoseBelowAsync(DbSession session, IReadOnlyList<RunSummary> runs)
    {
        var roots = runs.Where(static r => r.HasParts).Select(static r => r.Id).ToList();
        if (roots.Count == 0)
        {
            return runs;
        }

        var found = await session.Prepared(UsageBelow).Set("ids", JsonSerializer.Serialize(roots))
            .ListAsync(static r => KeyValuePair.Create(r.GetString(0), new TokenUsage(r.GetInt64(1), r.GetInt64(2), r.GetInt64(3), r.GetInt64(4))));
        var below = new Dictionary<string, TokenUsage>(found, StringComparer.Ordinal);
        return [.. runs.Select(r => below.TryGetValue(r.Id, out var usage) ? r with { TreeUsage = r.Usage + usage } : r)];
    }

    private static async ValueTask<RunSummary> SummaryAsync(DbSession session, RunRow row) => (await WithThoseBelowAsync(session, [await AloneAsync(session, row)]))[0];

    private static async ValueTask<RunSummary> AloneAsync(DbSession session, RunRow row)
    {
        if (row.AnswerSeq is not { } seq)
        {
            return row.Summary(null);
        }

        var json = await session.Prepared(EventOf).Set("id", row.Id).Set("seq", seq).FirstOrDefaultAsync(static r => r.Bytes(0));
        return json is not null && RunJson.DeserializeEvent(json) is MessageCompleted answer ? row.Summary((await DeletedSources.HideAsync<MessageCompleted>(session, [answer]))[0]) : row.Summary(null);
    }

    private static void Append(StringBuilder sql, object? value, string condition)
    {
        if (value is not null)
        {
            sql.Append(condition);
        }
    }

    private static void Bind(DbCommand command, string name, string? value)
    {
        if (value is not null)
        {
            command.Set(name, value);
        }
    }
}
