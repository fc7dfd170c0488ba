using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Rows of the ledger that come after somebody else has closed their call: a worker that stood still, or was cut off, had lost its run without knowing it, and its model had gone on. A run costs what its rows say (I4), so what such a row says is added to the run and its
/// tree in the transaction that writes it, also when the run has ended, and that of a message's last request takes the place of the one in doubt.
/// </summary>
internal static class LateRows
{
    /// <summary>Held: whoever closes the call at this moment is seen here, or sees the row (<see cref="MeetAsync"/>).</summary>
    private static readonly SqlText Held = SqlDialect.Held($"SELECT {RunRow.Columns} FROM runs WHERE id = @id");

    /// <summary>More than the messages of any one call.</summary>
    private const string Calls = """
        SELECT json FROM run_events WHERE run_id = @id AND seq <= @seq AND type IN ('model.requested', 'model.completed', 'model.failed') ORDER BY seq DESC LIMIT 100
        """;

    private const string AddToRun = """
        UPDATE runs SET cost_micro_usd = cost_micro_usd + @cost, input_tokens = input_tokens + @input_tokens, cached_tokens = cached_tokens + @cached_tokens,
            output_tokens = output_tokens + @output_tokens, reasoning_tokens = reasoning_tokens + @reasoning_tokens
        WHERE id = @id
        """;

    private const string AddToTree = "UPDATE runs SET tree_tokens = tree_tokens + @tokens, tree_cost_micro_usd = tree_cost_micro_usd + @cost WHERE id = @root";

    /// <summary>Writes a row of a run's call outside of the run's steps, once, however often it comes. While its call is open the step that closes it books it.</summary>
    public static async ValueTask WriteAsync(DbSession session, RunSignals signals, LedgerEntry entry)
    {
        if (entry is not { RunId: { } runId, MessageId: { } message })
        {
            await LedgerSql.InsertAsync(session, entry);
            return;
        }

        var run = await session.Prepared(Held).Set("id", runId).FirstOrDefaultAsync(RunRow.Read);
        if (!await LedgerSql.TryInsertAsync(session, entry) || run is null || (await OpenAsync(session, runId, run.LastSeq)).Contains(message))
        {
            return;
        }

        if (entry.EndsMessage)
        {
            await LedgerSql.DropDoubtAsync(session, entry, run.CreatedAt);
        }

        await AddAsync(session, run.Identity, entry.Cost, entry.Usage);
        session.AfterCommit(() => signals.RaiseBooked(run.Identity));
    }

    /// <summary>In the transaction that closes the call of a lost worker: books what was written of it since the ledger was read for that, and drops the row in doubt if there is no doubt any more.</summary>
    /// <param name="row">The run after the batch.</param>
    /// <returns>The run with that.</returns>
    public static async ValueTask<RunRow> MeetAsync(DbSession session, RunRow row, RunBatch batch, LedgerEntry doubt)
    {
        await session.FlushAsync();
        if (await LedgerSql.IsKnownAsync(session, doubt, row.CreatedAt))
        {
            await LedgerSql.DropDoubtAsync(session, doubt, row.CreatedAt);
        }

        var told = batch.Append.Events.Select(static e => e.Event).OfType<ModelFailed>().FirstOrDefault(f => f.MessageId == doubt.MessageId)?.Usage ?? TokenUsage.None;
        var (paid, used) = await LedgerSql.SpentAsync(session, row.Id, row.Identity.OwnerId, row.CreatedAt, await OpenAsync(session, row.Id, batch.Append.ExpectedSeq));
        var (cost, usage) = (paid - row.Cost, used - told);
        if (cost == Money.Zero && usage == TokenUsage.None)
        {
            return row;
        }

        await AddAsync(session, row.Identity, cost, usage);
        return row with { Cost = row.Cost + cost, Usage = row.Usage + usage, Tree = row.IsRoot ? row.Tree + new TreeTotals(0, 0, TokensOf(usage), cost.MicroUsd) : row.Tree };
    }

    /// <summary>The messages of the call that is open after this event.</summary>
    private static async ValueTask<HashSet<string>> OpenAsync(DbSession session, string runId, long seq)
    {
        var calls = await session.Prepared(Calls).Set("id", runId).Set("seq", seq).ListAsync(static r => RunJson.DeserializeEvent(r.Bytes(0)));
        calls.Reverse();
        return RunClosing.OpenMessages(calls);
    }

    /// <summary>The run before its root, as everywhere.</summary>
    private static async ValueTask AddAsync(DbSession session, RunIdentity run, Money cost, TokenUsage usage)
    {
        await session.Prepared(AddToRun).Set("cost", cost).Set("input_tokens", usage.InputTokens).Set("cached_tokens", usage.CachedTokens)
            .Set("output_tokens", usage.OutputTokens).Set("reasoning_tokens", usage.ReasoningTokens).Set("id", run.RunId).RunAsync();
        await session.Prepared(AddToTree).Set("tokens", TokensOf(usage)).Set("cost", cost).Set("root", run.RootRunId).RunAsync();
    }

    private static long TokensOf(TokenUsage usage) => usage.InputTokens + usage.OutputTokens;
}
