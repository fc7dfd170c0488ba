using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>One append of an owner inside its transaction: the compare-and-set on (attempt, last seq), then everything that belongs to the batch.</summary>
internal sealed class RunAppendTransaction(DbSession session, RunBatch batch, RunSignals signals, IRunTransactionParticipant[] participants)
{
    private const string Park = """
        UPDATE runs SET status = @status, worker = NULL, lease_until = NULL, wake_at = @wake_at, parked_at = @now, reason = @reason
        WHERE id = @id AND attempt = @attempt AND last_seq = @seq AND inbox_done = inbox_seq
        """;

    private const string AddToRoot = """
        UPDATE runs SET tree_steps = tree_steps + @steps, tree_children = tree_children + @children, tree_tokens = tree_tokens + @tokens,
            tree_cost_micro_usd = tree_cost_micro_usd + @cost
        WHERE id = @root RETURNING tree_steps, tree_children, tree_tokens, tree_cost_micro_usd
        """;

    private const string SetAgents = "UPDATE runs SET agents = @agents WHERE id = @id";

    /// <summary>A run below is held before the one above, as when it ends.</summary>
    private static readonly SqlText HoldBelow = SqlDialect.Held("SELECT 1 FROM runs WHERE id = @id");

    /// <summary>Whoever ends while runs below it go on.</summary>
    private const string Unended = "SELECT 1 FROM runs WHERE parent_run_id = @id AND ended_at IS NULL LIMIT 1";

    private const string NextOfBranch = $"""
        SELECT {RunRow.Columns} FROM runs WHERE branch_id = @branch AND queue_position IS NOT NULL AND ended_at IS NULL
            AND NOT EXISTS (SELECT 1 FROM runs WHERE branch_slot = @branch)
        ORDER BY queue_position LIMIT 1
        """;

    /// <summary>The same where nobody has told yet what its branch is.</summary>
    private static readonly string NextOfItsBranch = NextOfBranch.Replace("@branch", "(SELECT branch_id FROM runs WHERE id = @id)", StringComparison.Ordinal);

    private const string Root = $"SELECT {RunRow.Columns} FROM runs WHERE id = @id";

    /// <summary>One that was cancelled since it was found has ended and takes nothing.</summary>
    private const string TakeSlot = "UPDATE runs SET branch_slot = branch_id, queue_position = NULL, ready_at = @now WHERE id = @id AND ended_at IS NULL AND branch_slot IS NULL";

    private const string AnswerOf = "SELECT json FROM run_events WHERE run_id = @id AND seq = @seq";

    private bool _hasLooked;
    private RunRow? _next;
    private TurnRoom? _room;

    private RunAppend Append => batch.Append;

    public async ValueTask<AppendResult> RunAsync()
    {
        foreach (var child in Append.Abandoned.Order(StringComparer.Ordinal))
        {
            await session.HoldAsync(HoldBelow, child);
        }

        var row = await AdvanceAsync();
        if (row is null)
        {
            return new AppendResult(AppendOutcome.Fenced, Parked: false, InboxSeq: 0, default);
        }

        var (identity, events) = (row.Identity, Append.Events);
        session.AfterCommit(() => signals.RaiseAppended(identity, events)); // before whatever wakes others
        row = await WriteDownAsync(row);
        await ChangeChildrenAsync(row);
        await TellDeniedAsync(row.Identity);
        if (batch.TouchesApprovals)
        {
            await ApprovalRows.ApplyAsync(session, row.Identity, Append.Events);
            await TellExpiredAsync(row.Identity);
        }

        // Before the branch goes on: its next message takes the answer as its parent.
        await TellParticipantsAsync(row);
        var parked = await SettleAsync(row);
        row = batch.Doubt is { } doubt ? await LateRows.MeetAsync(session, row, batch, doubt) : row;
        // Last: rows are held up the tree, a child before its parent, the root after both.
        var tree = row.IsRoot ? row.Tree : await AddToRootAsync(row.Identity.RootRunId);
        var grant = Append.Hold is { } hold ? await TreeHolds.GrantAsync(session, row.Identity, hold, tree) : default;
        if (parked && !(row.IsRoot && batch.IsFinal))
        {
            await TreeRest.BeginAsync(session, row.Identity.RootRunId, session.Now);
        }

        return new AppendResult(AppendOutcome.Appended, parked, row.InboxSeq, tree) { Grant = grant };
    }

    private async ValueTask ChangeChildrenAsync(RunRow row)
    {
        foreach (var child in Append.Children)
        {
            await RunInserts.CreateChildAsync(session, signals, child);
        }

        if (Append.Children.Count > 0)
        {
            await LateChildren.TellAsync(session, signals, row, batch);
        }

        foreach (var child in Append.Abandoned)
        {
            await RunInbox.InsertAsync(session, signals, child, ownerId: null, "cancel", CancelRequested.Abandoned);
        }
    }

    private async ValueTask TellDeniedAsync(RunIdentity run)
    {
        foreach (var refusal in batch.Denied ?? [])
        {
            foreach (var participant in participants)
            {
                await participant.OnRightsDeniedAsync(session, run, refusal);
            }
        }
    }

    /// <summary>Null: somebody else owns it, or it has moved on. On PostgreSQL with what belongs to it, and with what is looked for at the end of a run, in one round trip.</summary>
    private async ValueTask<RunRow?> AdvanceAsync()
    {
        if (session.Kind == DatabaseKind.Sqlite)
        {
            return await RunAdvance.BindSet(session.Prepared(batch.IsFinal ? RunAdvance.End : RunAdvance.GoOn), batch, session.Now).FirstOrDefaultAsync(RunRow.Read);
        }

        RunRow? row = null;
        List<RowRead> reads = [new(RunAdvance.Sql(batch, toRoot: false), command => RunAdvance.Bind(command, batch, session.Now), found => row = RunRow.Read(found))];
        if (batch.IsFinal && Append.Of is { ParentRunId: null } run)
        {
            _hasLooked = true;
            reads.Add(new(NextOfItsBranch, command => command.Set("id", run.RunId), found => _next = RunRow.Read(found)));
            if (signals.Dispatch.ReadRoom(run.OwnerId, found => _room = found) is { } room)
            {
                reads.Add(room);
            }
        }

        await session.ReadAllAsync(reads);
        return row;
    }

    /// <summary>What is in the log and the ledger now, and whom the run met; where that is not done yet.</summary>
    private async ValueTask<RunRow> WriteDownAsync(RunRow row)
    {
        var isServer = session.Kind == DatabaseKind.Postgres;
        if (!isServer)
        {
            await RunInserts.InsertEventsAsync(session, Append);
        }

        if (!isServer || !RunAdvance.TakesLedger(batch))
        {
            foreach (var entry in Append.Ledger)
            {
                await LedgerSql.InsertAsync(session, entry);
            }
        }

        return isServer ? row : await MeetAgentsAsync(row);
    }

    private async ValueTask<RunRow> MeetAgentsAsync(RunRow row)
    {
        var known = row.Agents.Split(',', StringSplitOptions.RemoveEmptyEntries);
        var met = batch.Agents.Except(known, StringComparer.Ordinal).ToArray();
        if (met.Length == 0)
        {
            return row;
        }

        row = row with { Agents = string.Join(',', [.. known, .. met]) };
        await session.SendAsync(session.Prepared(SetAgents).Set("agents", row.Agents).Set("id", row.Id));
        return row;
    }

    private ValueTask<TreeTotals> AddToRootAsync(string rootRunId)
    {
        var delta = Append.TreeDelta;
        return session.Prepared(AddToRoot).Set("steps", (long)delta.Steps).Set("children", (long)delta.Children).Set("tokens", delta.Tokens)
            .Set("cost", delta.CostMicroUsd).Set("root", rootRunId)
            .FirstOrDefaultAsync(static r => new TreeTotals(r.GetInt32(0), r.GetInt32(1), r.GetInt64(2), r.GetInt64(3)));
    }

    /// <summary>Parks or ends the run. True: its owner lets go of it.</summary>
    private async ValueTask<bool> SettleAsync(RunRow row)
    {
        if (batch.IsFinal)
        {
            await EndAsync(row);
            return true;
        }

        if (!Append.Status.IsParked())
        {
            return false;
        }

        var parked = await session.Prepared(Park).Set("status", Append.Status.ToName()).Set("wake_at", Append.WakeAt).Set("now", session.Now).Set("reason", batch.Reason)
            .Set("id", row.Id).Set("attempt", (long)Append.Attempt).Set("seq", batch.NewSeq).RunAsync() == 1;
        if (parked)
        {
            var (status, wakeAt) = (Append.Status, Append.WakeAt);
            if (row.IsRoot && status != RunStatus.WaitingChildren)
            {
                await signals.Dispatch.MakeRoomAsync(session, row.Identity.OwnerId);
            }

            session.AfterCommit(() =>
            {
                signals.RaiseParked(row.Id, row.Identity.RootRunId, status);
                if (wakeAt is { } at)
                {
                    signals.RaiseWakeAtSet(at);
                }
            });
        }

        return parked;
    }

    private async ValueTask EndAsync(RunRow row)
    {
        var answer = batch.Answer ?? await ReadAnswerAsync(row);
        if (row.Identity.ParentRunId is { } parent)
        {
            var key = row.ParentKey ?? $"child:{row.Id}";
            var ended = new ChildEnded(row.Id, Append.Status.ToName(), answer?.Text ?? batch.Reason ?? "", answer?.Tainted ?? row.Tainted, batch.TreeCost, CitationCheck.OfDocuments(answer?.Citations))
            {
                Documents = answer?.Documents,
                Facts = answer?.Facts,
                Urls = answer?.Urls,
                CutBy = answer?.CutBy,
            };
            await RunInbox.InsertAsync(session, signals, parent, ownerId: null, key, ended);
        }

        var hasNext = row.Identity.BranchId is { } branch && await ActivateNextAsync(branch);
        if (row.IsRoot)
        {
            await signals.Dispatch.MakeRoomAsync(session, row.Identity.OwnerId, hasNext ? null : _room);
        }

        if (row.IsRoot && batch.ErrorCode == RunClosing.WorkerLost)
        {
            await DeadLetterRows.AddRunAsync(session, row, batch.Reason ?? "");
        }

        await RunActivity.CountAsync(session, row.Id, row.Identity.EntryAgent, Append.Status, answer is not null);
        var summary = row.Summary(answer);
        var leaves = await LeavesOthersAsync(row);
        session.AfterCommit(() =>
        {
            signals.RaiseEnded(summary);
            if (leaves)
            {
                signals.RaiseOrphaned();
            }
        });
    }

    private async ValueTask<bool> LeavesOthersAsync(RunRow row) => (!row.IsRoot || row.Tree.Children > 0) && await session.Prepared(Unended).Set("id", row.Id).AnyAsync();

    /// <summary>True: the branch goes on with another run.</summary>
    private async ValueTask<bool> ActivateNextAsync(string branch)
    {
        var next = _hasLooked ? _next : await ReadNextAsync(branch);
        while (next is not null && await session.Prepared(TakeSlot).Set("now", session.Now).Set("id", next.Id).RunAsync() == 0)
        {
            next = await ReadNextAsync(branch);
        }

        if (next is null)
        {
            return false;
        }

        foreach (var participant in participants)
        {
            await participant.OnActivatedAsync(session, next.Identity);
        }

        await signals.Dispatch.AnnounceAsync(session, next.Ready);
        return true;
    }

    private ValueTask<RunRow?> ReadNextAsync(string branch) => session.Prepared(NextOfBranch).Set("branch", branch).FirstOrDefaultAsync(RunRow.Read);

    private async ValueTask<MessageCompleted?> ReadAnswerAsync(RunRow row)
    {
        if (row.AnswerSeq is not { } seq)
        {
            return null;
        }

        var json = await session.Prepared(AnswerOf).Set("id", row.Id).Set("seq", seq).FirstOrDefaultAsync(static r => r.Bytes(0));
        return json is null ? null : RunJson.DeserializeEvent(json) as MessageCompleted;
    }

    /// <summary>What a conversation shows: answers, questions to the user and their answers, and the end.</summary>
    private bool ConcernsParticipants() => batch.Answer is not null || batch.IsFinal || Append.Events.Any(static e => e.Event is InputRequested or InputReceived);

    private async ValueTask TellExpiredAsync(RunIdentity run)
    {
        foreach (var expired in Append.Events.Select(static e => e.Event).OfType<ApprovalExpired>())
        {
            foreach (var participant in participants)
            {
                await participant.OnApprovalExpiredAsync(session, run, expired.ApprovalId);
            }
        }
    }

    private async ValueTask TellParticipantsAsync(RunRow row)
    {
        if (participants.Length == 0 || !ConcernsParticipants())
        {
            return;
        }

        var (run, events, status) = (row.Identity with { Input = row.IsRoot ? Append.Of?.Input : null }, Append.Events, Append.Status);
        if (!row.IsRoot)
        {
            // What a child asks its user, and what it is told, is said in the root's conversation.
            events = [.. events.Where(static e => e.Event is InputRequested or InputReceived)];
            if (events.Count == 0 || await session.Prepared(Root).Set("id", run.RootRunId).FirstOrDefaultAsync(RunRow.Read) is not { } root)
            {
                return;
            }

            (run, status) = (root.Identity, root.Status);
        }

        if (run.ConversationId is null)
        {
            return;
        }

        foreach (var participant in participants)
        {
            await participant.OnAppendedAsync(session, run, events, status);
        }
    }
}

/// <summary>The approvals that a log asked for, kept in step with it.</summary>
internal static class ApprovalRows
{
    private const string Insert = """
        INSERT INTO approvals (id, run_id, owner_id, agent, call, tool, arguments, arguments_hash, approver, reason, target_origin, status, created_at, expires_at)
        VALUES (@id, @run_id, @owner_id, @agent, @call, @tool, @arguments, @hash, @approver, @reason, @origin, 'pending', @created_at, @expires_at)
        ON CONFLICT (id) DO NOTHING
        """;

    private const string Settle = """
        UPDATE approvals SET status = @status, decided_by = COALESCE(decided_by, @by), decision_reason = COALESCE(decision_reason, @reason), decided_at = COALESCE(decided_at, @now)
        WHERE id = @id
        """;

    public static async ValueTask ApplyAsync(DbSession session, RunIdentity run, IReadOnlyList<EventRecord> events)
    {
        foreach (var (e, _) in events)
        {
            switch (e)
            {
                case ApprovalRequested asked:
                    await InsertAsync(session, run, asked);
                    break;
                case ApprovalGranted granted:
                    await SettleAsync(session, granted.ApprovalId, "approved", granted.By, null);
                    break;
                case ApprovalDenied denied:
                    await SettleAsync(session, denied.ApprovalId, "denied", denied.By, denied.Reason);
                    break;
                case ApprovalExpired expired:
                    await SettleAsync(session, expired.ApprovalId, "expired", null, null);
                    break;
            }
        }
    }

    private static async ValueTask InsertAsync(DbSession session, RunIdentity run, ApprovalRequested asked) =>
        await session.Prepared(Insert).Set("id", asked.ApprovalId).Set("run_id", run.RunId).Set("owner_id", run.OwnerId).Set("agent", asked.Agent ?? run.EntryAgent)
            .Set("call", (long)asked.Call).Set("tool", asked.Tool).Set("arguments", RawText(asked.Arguments)).Set("hash", asked.ArgumentsHash).Set("approver", asked.Approver)
            .Set("reason", asked.Reason).Set("origin", asked.TargetOrigin).Set("created_at", session.Now).Set("expires_at", asked.ExpiresAt).RunAsync();

    private static async ValueTask SettleAsync(DbSession session, string id, string status, string? by, string? reason) =>
        await session.Prepared(Settle).Set("status", status).Set("by", by).Set("reason", reason).Set("now", session.Now).Set("id", id).RunAsync();

    /// <summary>In the form in which the log holds them: the stored bytes are the executed bytes.</summary>
    private static string RawText(JsonElement arguments) => arguments.ValueKind == JsonValueKind.Undefined ? "{}" : JsonSerializer.Serialize(arguments, RunJson.Options);
}
