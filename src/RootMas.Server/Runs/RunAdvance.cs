using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// The compare-and-set of an append on (attempt, last seq), and for PostgreSQL the same with the batch's events, its row of the ledger and the agents that it met as one statement.
/// </summary>
internal static class RunAdvance
{
    private const string Set = """
        UPDATE runs SET last_seq = @new_seq, inbox_done = COALESCE(@inbox_done, inbox_done), answer_seq = COALESCE(@answer_seq, answer_seq),
            attempt_idle = CASE WHEN @progress > 0 THEN 0 ELSE attempt_idle END, crashes = CASE WHEN @progress = 2 THEN 0 ELSE crashes END,
            stalled = CASE WHEN @progress = 2 THEN 0 ELSE stalled END, cost_micro_usd = cost_micro_usd + @cost,
            input_tokens = input_tokens + @input_tokens, cached_tokens = cached_tokens + @cached_tokens,
            output_tokens = output_tokens + @output_tokens, reasoning_tokens = reasoning_tokens + @reasoning_tokens,
            held_micro_usd = @held_cost, held_tokens = @held_tokens, held_children = @held_children,
            tree_steps = CASE WHEN root_run_id = id THEN tree_steps + @tree_steps ELSE 0 END,
            tree_children = CASE WHEN root_run_id = id THEN tree_children + @tree_children ELSE 0 END,
            tree_tokens = CASE WHEN root_run_id = id THEN tree_tokens + @tree_tokens ELSE 0 END,
            tree_cost_micro_usd = CASE WHEN root_run_id = id THEN tree_cost_micro_usd + @tree_cost ELSE 0 END
        """;

    private const string SetEnd = ", status = @status, worker = NULL, lease_until = NULL, wake_at = NULL, branch_slot = NULL, reason = @reason, error_code = @error_code, ended_at = @now";

    /// <summary>Only the owner of this attempt, only right after what it knows, and never after the end.</summary>
    private const string IfOwned = $" WHERE id = @id AND status = 'running' AND attempt = @attempt AND last_seq = @seq RETURNING {RunRow.Columns}";

    /// <summary>By itself.</summary>
    public const string GoOn = Set + IfOwned;

    /// <inheritdoc cref="GoOn"/>
    public const string End = Set + SetEnd + IfOwned;

    private const string SetAgents = """
        , agents = agents || COALESCE((SELECT string_agg(',' || met.name, '' ORDER BY met.n) FROM unnest(@met) WITH ORDINALITY AS met (name, n) WHERE met.name <> ALL (string_to_array(runs.agents, ','))), '')
        """;

    private const string Events = "INSERT INTO run_events (run_id, seq, type, json, batch_id, created_at) SELECT ";

    private const string Given = ", e.seq, e.type, e.json, e.batch_id, e.created_at FROM ";

    private const string OfBatch = "unnest(@seqs, @types, @jsons, @batch_ids, @times) AS e (seq, type, json, batch_id, created_at)";

    private const string Alone = Events + "@run_id" + Given + OfBatch;

    private const string Told = "), told AS (" + Events + "advanced.id" + Given + "advanced, " + OfBatch + ")";

    private const string Rooted = """
        , rooted AS (
            UPDATE runs SET tree_steps = runs.tree_steps + @tree_steps, tree_children = runs.tree_children + @tree_children, tree_tokens = runs.tree_tokens + @tree_tokens,
                tree_cost_micro_usd = runs.tree_cost_micro_usd + @tree_cost
            FROM advanced WHERE runs.id = advanced.root_run_id AND advanced.root_run_id <> advanced.id
            RETURNING runs.tree_steps, runs.tree_children, runs.tree_tokens, runs.tree_cost_micro_usd)
        SELECT advanced.*, rooted.* FROM advanced LEFT JOIN rooted ON TRUE
        """;

    private const string Row = " SELECT * FROM advanced";

    private static readonly string Paid = ", paid AS (" + LedgerSql.InsertFrom("advanced") + ")";

    private static readonly string[] Texts = [.. Enumerable.Range(0, 16).Select(static n => Text(end: (n & 1) != 0, meets: (n & 2) != 0, paid: (n & 4) != 0, toRoot: (n & 8) != 0))];

    /// <summary>Whether the one row of the ledger goes along; several are sent by themselves.</summary>
    public static bool TakesLedger(RunBatch batch) => batch.Append.Ledger.Count == 1;

    /// <param name="toRoot">Adds to the totals of the root, where that is another run; they follow the row.</param>
    public static string Sql(RunBatch batch, bool toRoot) => Texts[(batch.IsFinal ? 1 : 0) + (MeetsOthers(batch) ? 2 : 0) + (TakesLedger(batch) ? 4 : 0) + (toRoot ? 8 : 0)];

    /// <summary>The parameters of <see cref="Sql"/>.</summary>
    public static void Bind(DbCommand command, RunBatch batch, DateTimeOffset now)
    {
        BindEvents(BindSet(command, batch, now), batch.Append);
        if (MeetsOthers(batch))
        {
            command.SetArray("met", [.. batch.Agents]);
        }

        if (TakesLedger(batch))
        {
            LedgerSql.Bind(command, batch.Append.Ledger[0], "paid_");
        }
    }

    /// <summary>The events of a batch by themselves.</summary>
    public static DbCommand InsertEvents(DbSession session, RunAppend append) => BindEvents(session.Prepared(Alone).Set("run_id", append.RunId), append);

    /// <summary>The parameters of <see cref="GoOn"/> or <see cref="End"/>.</summary>
    public static DbCommand BindSet(DbCommand command, RunBatch batch, DateTimeOffset now)
    {
        var append = batch.Append;
        command
            .Set("new_seq", batch.NewSeq).Set("inbox_done", append.InboxDone).Set("answer_seq", batch.Answer?.Seq).Set("progress", (long)batch.Progress)
            .Set("cost", batch.Cost).Set("input_tokens", batch.Usage.InputTokens).Set("cached_tokens", batch.Usage.CachedTokens)
            .Set("output_tokens", batch.Usage.OutputTokens).Set("reasoning_tokens", batch.Usage.ReasoningTokens)
            .Set("tree_steps", (long)append.TreeDelta.Steps).Set("tree_children", (long)append.TreeDelta.Children)
            .Set("tree_tokens", append.TreeDelta.Tokens).Set("tree_cost", append.TreeDelta.CostMicroUsd)
            .Set("held_cost", append.Hold?.First.CostMicroUsd ?? 0).Set("held_tokens", append.Hold?.First.Tokens ?? 0)
            .Set("held_children", (long)(append.Hold?.First.Children ?? 0))
            .Set("id", append.RunId).Set("attempt", (long)append.Attempt).Set("seq", append.ExpectedSeq);
        return batch.IsFinal
            ? command.Set("status", append.Status.ToName()).Set("reason", batch.Reason).Set("error_code", batch.ErrorCode).Set("now", now)
            : command;
    }

    private static DbCommand BindEvents(DbCommand command, RunAppend append)
    {
        RunInserts.CheckNumbers(append);
        var events = append.Events;
        return command
            .SetArray("seqs", [.. events.Select(static e => e.Event.Seq)])
            .SetArray("types", [.. events.Select(static e => RunEventNames.Of(e.Event))])
            .SetArray("jsons", [.. events.Select(static e => e.Json)])
            .SetArray("batch_ids", [.. events.Select((_, i) => i == events.Count - 1 ? append.BatchId.ToByteArray() : null)])
            .SetArray("times", [.. events.Select(static e => UnixTime.ToMicros(e.Event.CreatedAt))]);
    }

    /// <summary>Whom the run began with stands in its row already.</summary>
    private static bool MeetsOthers(RunBatch batch) => batch.Append.Of is not { EntryAgent: var entry } || batch.Agents.Any(a => a != entry);

    private static string Text(bool end, bool meets, bool paid, bool toRoot) =>
        "WITH advanced AS (" + Set + (meets ? SetAgents : "") + (end ? SetEnd : "") + IfOwned + Told + (paid ? Paid : "") + (toRoot ? Rooted : Row);
}
