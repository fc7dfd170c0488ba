using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>A run that is to be inserted, with what belongs to it beyond <see cref="NewRun"/>.</summary>
internal sealed record RunCreation
{
    public required NewRun Run { get; init; }

    /// <summary>Null: it is stored already.</summary>
    public StoredSnapshot? Snapshot { get; init; }

    public string? BranchId { get; init; }

    /// <summary>The branch is made by this transaction: nobody can hold it, and its first message has its place.</summary>
    public bool IsNewBranch { get; init; }

    /// <summary>Wait behind the branch's unfinished run instead of <see cref="CreateResult.Busy"/>.</summary>
    public bool Enqueue { get; init; } = true;

    /// <summary>The run whose message is answered anew, on a branch of its own: not while that one's branch works on something, nor beside another retry of the same message.</summary>
    public RunIdentity? Beside { get; init; }

    /// <inheritdoc cref="StartRun.Replaces"/>
    public RunReplacement? Replaces { get; init; }

    public IReadOnlyList<HistoryMessage> History { get; init; } = [];

    public Func<DbSession, ValueTask>? InTransaction { get; init; }

    /// <summary>The worker that starts it at once; null: queued.</summary>
    public string? Worker { get; init; }

    public TimeSpan Lease { get; init; }
}

/// <param name="Busy">Nothing was written: the branch has this unfinished run.</param>
/// <param name="Waiting">Inserted, queued behind its branch.</param>
internal readonly record struct CreateResult(RunRow? Busy, bool Waiting)
{
    /// <summary>With <see cref="Busy"/>: why its place cannot be taken; null: it is busy, no more.</summary>
    public string? Code { get; init; }
}

/// <summary>Inserts runs.</summary>
internal static class RunInserts
{
    private const string InsertRun = """
        INSERT INTO runs (id, owner_id, root_run_id, parent_run_id, parent_key, depth, conversation_id, input_message_id, branch_id, branch_slot, queue_position,
            team, entry_agent, snapshot_hash, tainted, status, attempt, worker, lease_until, last_seq, log_version, retry_of, cost_micro_usd, input_tokens, cached_tokens,
            output_tokens, reasoning_tokens, tree_steps, tree_children, tree_tokens, tree_cost_micro_usd, agents, created_at, started_at, background, rest_since)
        VALUES (@id, @owner_id, @root_run_id, @parent_run_id, @parent_key, @depth, @conversation_id, @input_message_id, @branch_id, @branch_slot, @queue_position,
            @team, @entry_agent, @snapshot_hash, @tainted, @status, @attempt, @worker, @lease_until, @last_seq, @log_version, @retry_of, @cost, @input_tokens, @cached_tokens,
            @output_tokens, @reasoning_tokens, @tree_steps, @tree_children, @tree_tokens, @tree_cost, @agents, @created_at, @started_at, @background, @rest_since)
        ON CONFLICT (branch_slot) WHERE branch_slot IS NOT NULL DO NOTHING
        """;

    private const string InsertEvent = "INSERT INTO run_events (run_id, seq, type, json, batch_id, created_at) VALUES (@run_id, @seq, @type, @json, @batch_id, @created_at)";

    private const string InsertContext = "INSERT INTO run_contexts (run_id, options, history) VALUES (@run_id, @options, @history)";

    /// <summary>Held: it cannot end before a run that waits behind it is there to be seen.</summary>
    private static readonly SqlText SlotHolder = SqlDialect.Held($"SELECT {RunRow.Columns} FROM runs WHERE branch_slot = @branch");

    /// <summary>Held, so that of two retries of one message, whichever runs they name, the second one sees the first.</summary>
    private static readonly SqlText FirstOf = SqlDialect.Held("SELECT id FROM runs WHERE conversation_id = @conversation AND input_message_id = @input ORDER BY id LIMIT 1");

    private const string OtherRetry = $"SELECT {RunRow.Columns} FROM runs WHERE input_message_id = @input AND retry_of IS NOT NULL AND ended_at IS NULL ORDER BY id LIMIT 1";

    /// <summary>A child that waits for a person keeps the branch waiting for that person.</summary>
    private const string WaitsBelow = "SELECT 1 FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL AND status IN ('waiting_input', 'waiting_approval', 'needs_review') LIMIT 1";

    private const string NextPosition = """
        SELECT COALESCE(MAX(CASE WHEN queue_position > 0 THEN queue_position END), 0) + 1
        FROM runs WHERE branch_id = @branch AND queue_position IS NOT NULL AND ended_at IS NULL
        """;

    /// <summary>What takes the place of the work comes before what waited for that work, and behind what takes that place already. No such position is above 0 (<see cref="RunReplacements"/> knows them by that).</summary>
    private const string FirstPosition = """
        SELECT COALESCE(MAX(CASE WHEN queue_position < 0 THEN queue_position END), -1000000) + 1
        FROM runs WHERE branch_id = @branch AND queue_position IS NOT NULL AND ended_at IS NULL
        """;

    private static readonly RunRequestOptions Defaults = new();

    /// <summary>
    /// Inserts a root run with its first events: the slot of its branch decides whether it starts or waits. The refusals that the caller put into
    /// <see cref="RunCreation.InTransaction"/> come first, as exceptions.
    /// </summary>
    public static async ValueTask<CreateResult> CreateRootAsync(DbSession session, RunCreation creation, RunBatch batch, SnapshotStore snapshots, IEnumerable<IRunTransactionParticipant> participants)
    {
        var (busy, position) = await StandAsync(session, creation);
        if (busy is not null)
        {
            return new CreateResult(busy, Waiting: false);
        }

        var waiting = position is not null;
        await DisabledOwners.RefuseAsync(session, creation.Run.OwnerId);
        if (creation.InTransaction is { } write)
        {
            await write(session);
        }

        var worker = waiting ? null : creation.Worker;
        await InsertRowAsync(session, creation, batch, worker, waiting, position);
        await InsertContextAsync(session, creation.Run, creation.History);
        if (creation.Snapshot is { } snapshot)
        {
            await snapshots.EnsureAsync(session, snapshot);
        }

        var identity = IdentityOf(creation.Run, creation.BranchId);
        foreach (var participant in participants)
        {
            await participant.OnCreatedAsync(session, identity, takesTurn: !waiting && !creation.IsNewBranch);
        }

        await InsertEventsAsync(session, batch.Append);
        return new CreateResult(null, waiting);
    }

    /// <summary>Who keeps it from beginning and from waiting, or its place in the branch's queue; neither: the branch is its own.</summary>
    private static async ValueTask<(RunRow? Busy, long? Position)> StandAsync(DbSession session, RunCreation creation)
    {
        if (creation.Beside is { } first)
        {
            return (await WorkBesideAsync(session, first), null);
        }

        if (creation is not { BranchId: { } branch, IsNewBranch: false } || await session.Prepared(SlotHolder).Set("branch", branch).FirstOrDefaultAsync(RunRow.Read) is not { } holder)
        {
            return (null, null);
        }

        // A run may ask and work on meanwhile.
        return !creation.Enqueue || holder.Status.IsWaitingForHuman() || await session.Prepared(WaitsBelow).Set("root", holder.Id).AnyAsync() || await TreeQuestions.NewestAsync(session, holder.Id) is not null
            ? (holder, null)
            : (null, await session.Prepared(creation.Replaces is null ? NextPosition : FirstPosition).Set("branch", branch).Int64Async());
    }

    private static async ValueTask<RunRow?> WorkBesideAsync(DbSession session, RunIdentity first)
    {
        await session.Prepared(FirstOf.For(session.Kind)).Set("conversation", first.ConversationId).Set("input", first.InputMessageId).AnyAsync();
        return await session.Prepared(SlotHolder).Set("branch", first.BranchId).FirstOrDefaultAsync(RunRow.Read)
            ?? await session.Prepared(OtherRetry).Set("input", first.InputMessageId).FirstOrDefaultAsync(RunRow.Read);
    }

    /// <summary>A child: queued, with its run.queued event, beside the snapshot its root already stored.</summary>
    public static async ValueTask CreateChildAsync(DbSession session, RunSignals signals, NewRun child)
    {
        var queued = child.Queued ?? throw new InvalidOperationException("A child run is created with its run.queued event.");
        var batch = RunBatch.Of(new RunAppend { RunId = child.RunId, Attempt = 0, ExpectedSeq = 0, Events = [queued], BatchId = Guid.Empty, Status = RunStatus.Queued });
        await InsertRowAsync(session, new RunCreation { Run = child }, batch, worker: null, waiting: false, position: null);
        await InsertContextAsync(session, child, []);
        await InsertEventsAsync(session, batch.Append);
        var identity = IdentityOf(child, branchId: null);
        session.AfterCommit(() => signals.RaiseAppended(identity, batch.Append.Events));
        await signals.Dispatch.AnnounceAsync(session, new ReadyRun(child.RunId, child.OwnerId, IsRoot: false, IsFresh: true));
    }

    /// <summary>Sends them, as all of this transaction whose outcome nobody asks for: whoever reads it in the same transaction flushes first.</summary>
    public static async ValueTask InsertEventsAsync(DbSession session, RunAppend append)
    {
        if (session.Kind == DatabaseKind.Postgres)
        {
            await session.SendAsync(RunAdvance.InsertEvents(session, append));
            return;
        }

        CheckNumbers(append);
        var last = append.Events.Count - 1;
        for (var i = 0; i <= last; i++)
        {
            var (e, json) = append.Events[i];
            await session.SendAsync(session.Prepared(InsertEvent).Set("run_id", append.RunId).Set("seq", e.Seq).Set("type", RunEventNames.Of(e)).Set("json", json)
                .Set("batch_id", i == last ? append.BatchId.ToByteArray() : null).Set("created_at", e.CreatedAt));
        }
    }

    /// <exception cref="InvalidOperationException">The events are not numbered one after the other from what the owner knows.</exception>
    public static void CheckNumbers(RunAppend append)
    {
        for (var i = 0; i < append.Events.Count; i++)
        {
            if (append.Events[i].Event.Seq is var seq && seq != append.ExpectedSeq + i + 1)
            {
                throw new InvalidOperationException($"Event {i + 1} of the batch carries number {seq}, not {append.ExpectedSeq + i + 1}.");
            }
        }
    }

    public static RunIdentity IdentityOf(NewRun run, string? branchId) =>
        new(run.RunId, run.OwnerId, run.RootRunId, run.ParentRunId, run.ConversationId, run.InputMessageId, branchId, run.Team, run.EntryAgent);

    private static async ValueTask InsertRowAsync(DbSession session, RunCreation creation, RunBatch batch, string? worker, bool waiting, long? position)
    {
        var run = creation.Run;
        var starts = worker is not null;
        var created = run.CreatedAt == default ? session.Now : run.CreatedAt;
        var tree = batch.Append.TreeDelta;
        var command = session.Prepared(InsertRun)
            .Set("id", run.RunId).Set("owner_id", run.OwnerId).Set("root_run_id", run.RootRunId).Set("parent_run_id", run.ParentRunId).Set("parent_key", run.ParentKey)
            .Set("depth", run.Depth).Set("conversation_id", run.ConversationId).Set("input_message_id", run.InputMessageId)
            .Set("branch_id", creation.BranchId).Set("branch_slot", waiting ? null : creation.BranchId).Set("queue_position", position)
            .Set("team", run.Team).Set("entry_agent", run.EntryAgent).Set("snapshot_hash", run.SnapshotHash).Set("tainted", run.Tainted)
            .Set("status", starts ? "running" : "queued").Set("attempt", starts ? 1L : 0L).Set("worker", worker)
            .Set("lease_until", starts ? session.Now + creation.Lease : null).Set("last_seq", batch.NewSeq).Set("log_version", RunLog.Version).Set("retry_of", run.RetryOf)
            .Set("cost", batch.Cost).Set("input_tokens", batch.Usage.InputTokens).Set("cached_tokens", batch.Usage.CachedTokens)
            .Set("output_tokens", batch.Usage.OutputTokens).Set("reasoning_tokens", batch.Usage.ReasoningTokens)
            .Set("tree_steps", (long)tree.Steps).Set("tree_children", (long)tree.Children).Set("tree_tokens", tree.Tokens).Set("tree_cost", tree.CostMicroUsd)
            .Set("agents", batch.Agents.Count == 0 ? run.EntryAgent : string.Join(',', batch.Agents))
            .Set("created_at", created).Set("rest_since", TreeRest.OfNew(run, starts, created)).Set("started_at", starts ? session.Now : (DateTimeOffset?)null)
            .Set("background", run.Options.Background);
        if (creation.BranchId is null || creation.IsNewBranch)
        {
            await session.SendAsync(command);
        }
        else if (await command.RunAsync() == 0)
        {
            throw new WriteConflictException("The branch was taken between the look at it and the insert.");
        }
    }

    private static async ValueTask InsertContextAsync(DbSession session, NewRun run, IReadOnlyList<HistoryMessage> history)
    {
        var options = run.Options == Defaults ? null : JsonSerializer.Serialize(run.Options, RunsJson.Default.RunRequestOptions);
        if (options is null && history.Count == 0)
        {
            return;
        }

        var said = history.Count == 0 ? null : JsonSerializer.Serialize(history, RunsJson.Default.IReadOnlyListHistoryMessage);
        await session.SendAsync(session.Prepared(InsertContext).Set("run_id", run.RunId).Set("options", options).Set("history", said));
    }
}
