using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>A row of <c>runs</c>.</summary>
internal sealed record RunRow
{
    /// <summary>In the order of <see cref="Read"/>.</summary>
    public const string Columns = """
        id, owner_id, root_run_id, parent_run_id, parent_key, depth, conversation_id, input_message_id, branch_id, branch_slot, team, entry_agent, snapshot_hash, tainted,
        status, attempt, worker, last_seq, inbox_seq, inbox_done, stalled, retry_of, cost_micro_usd, input_tokens, cached_tokens, output_tokens, reasoning_tokens,
        tree_steps, tree_children, tree_tokens, tree_cost_micro_usd, parked_on_humans_ms, agents, answer_seq, error_code, reason, created_at, ended_at, crashes, background, log_pruned_at, shared_at,
        held_micro_usd, held_tokens, held_children
        """;

    /// <summary>Of the columns.</summary>
    public static readonly int Count = Columns.Split(',').Length;

    public required RunIdentity Identity { get; init; }

    public required string? ParentKey { get; init; }

    public required int Depth { get; init; }

    public required string? BranchSlot { get; init; }

    public required string SnapshotHash { get; init; }

    public required bool Tainted { get; init; }

    public required RunStatus Status { get; init; }

    public required int Attempt { get; init; }

    public required string? Worker { get; init; }

    public required long LastSeq { get; init; }

    public required long InboxSeq { get; init; }

    public required long InboxDone { get; init; }

    /// <summary>Deaths of its process in a row that can only be this run's fault: 2 each, 1 if the attempt had at least asked the model again.</summary>
    public required int Stalled { get; init; }

    /// <summary>Processes in a row that died with this run in their hands, whoever's fault it was.</summary>
    public required int Crashes { get; init; }

    /// <summary>Nobody sits in front of it.</summary>
    public required bool Background { get; init; }

    public required string? RetryOf { get; init; }

    public required Money Cost { get; init; }

    public required TokenUsage Usage { get; init; }

    /// <summary>Of the whole tree at a root, zero elsewhere.</summary>
    public required TreeTotals Tree { get; init; }

    /// <summary>Set aside of the tree's limits for what the run does now.</summary>
    public TreeAmount Held { get; init; }

    public required long ParkedOnHumansMs { get; init; }

    public required string Agents { get; init; }

    public required long? AnswerSeq { get; init; }

    public required string? ErrorCode { get; init; }

    public required string? Reason { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset? EndedAt { get; init; }

    /// <summary>Of its log only the answer and the last event are left.</summary>
    public bool LogPruned { get; init; }

    /// <summary>Since when everybody who is signed in may read it; of roots only.</summary>
    public DateTimeOffset? SharedAt { get; init; }

    public string Id => Identity.RunId;

    public bool IsRoot => Identity.IsRoot;

    /// <summary>Queued behind another run of its branch.</summary>
    public bool WaitsForBranch => Identity.BranchId is not null && BranchSlot is null && Status == RunStatus.Queued;

    /// <summary>What was said to it, to cancel it above all, need not wait until its user may start another run.</summary>
    public ReadyRun Ready => new(Id, Identity.OwnerId, IsRoot, LastSeq <= 1 && InboxSeq <= InboxDone, Crashes >= 2 ? 1 + Stalled : 0, Background) { IsLeaseOver = Status == RunStatus.Running };

    public static RunRow Read(DbDataReader row) => new()
    {
        Identity = new RunIdentity(row.GetString(0), row.GetString(1), row.GetString(2), row.StringOrNull(3), row.StringOrNull(6), row.StringOrNull(7), row.StringOrNull(8),
            row.GetString(10), row.GetString(11)),
        ParentKey = row.StringOrNull(4),
        Depth = row.GetInt32(5),
        BranchSlot = row.StringOrNull(9),
        SnapshotHash = row.GetString(12),
        Tainted = row.Flag(13),
        Status = RunStatusNames.Parse(row.GetString(14)),
        Attempt = row.GetInt32(15),
        Worker = row.StringOrNull(16),
        LastSeq = row.GetInt64(17),
        InboxSeq = row.GetInt64(18),
        InboxDone = row.GetInt64(19),
        Stalled = row.GetInt32(20),
        RetryOf = row.StringOrNull(21),
        Cost = row.Money(22),
        Usage = new TokenUsage(row.GetInt64(23), row.GetInt64(24), row.GetInt64(25), row.GetInt64(26)),
        Tree = new TreeTotals(row.GetInt32(27), row.GetInt32(28), row.GetInt64(29), row.GetInt64(30)),
        ParkedOnHumansMs = row.GetInt64(31),
        Agents = row.GetString(32),
        AnswerSeq = row.Int64OrNull(33),
        ErrorCode = row.StringOrNull(34),
        Reason = row.StringOrNull(35),
        CreatedAt = row.Time(36),
        EndedAt = row.TimeOrNull(37),
        Crashes = row.GetInt32(38),
        Background = row.Flag(39),
        LogPruned = !row.IsDBNull(40),
        SharedAt = row.TimeOrNull(41),
        Held = new TreeAmount(row.GetInt64(42), row.GetInt64(43), row.GetInt32(44)),
    };

    public RunSummary Summary(MessageCompleted? answer) => new()
    {
        Id = Id,
        OwnerId = Identity.OwnerId,
        Status = Status,
        Team = Identity.Team,
        Agent = Identity.EntryAgent,
        ConversationId = Identity.ConversationId,
        InputMessageId = Identity.InputMessageId,
        ParentRunId = Identity.ParentRunId,
        RootRunId = Identity.RootRunId,
        RetryOf = RetryOf,
        LastSeq = LastSeq,
        Attempt = Attempt,
        Cost = Cost,
        TreeCost = IsRoot ? new Money(Tree.CostMicroUsd) : Cost,
        Usage = Usage,
        TreeUsage = Usage,
        HasParts = Tree.Children > 0,
        Answer = answer,
        Reason = Status == RunStatus.Running ? null : Reason,
        ErrorCode = ErrorCode,
        CreatedAt = CreatedAt,
        EndedAt = EndedAt,
        LogPruned = LogPruned,
        SharedAt = SharedAt,
        Agents = Agents.Split(',', StringSplitOptions.RemoveEmptyEntries),
    };
}
