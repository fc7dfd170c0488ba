using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Models;

/// <summary>The ledger's insert, for whoever writes a row inside a transaction of its own: the run store does so with the events of the step.</summary>
public static class LedgerSql
{
    private const string Columns = """
        id, run_id, root_run_id, owner_id, agent, message_id, purpose, provider, model, tier, input_tokens, cached_tokens,
            output_tokens, reasoning_tokens, cost_micro_usd, outcome, estimated, latency_us, ttft_us, created_at
        """;

    private const string Insert = $"INSERT INTO usage_ledger ({Columns}) VALUES ({Values})";

    private const string Values = """
        @id, @run_id, @root_run_id, @owner_id, @agent, @message_id, @purpose, @provider, @model, @tier, @input_tokens, @cached_tokens,
            @output_tokens, @reasoning_tokens, @cost_micro_usd, @outcome, @estimated, @latency_us, @ttft_us, @created_at
        """;

    /// <summary>By owner and time, since the ledger has no index by run: it is asked after crashes only, and would be paid for at every call.</summary>
    private const string Spent = """
        SELECT message_id, CAST(SUM(cost_micro_usd) AS BIGINT), CAST(SUM(input_tokens) AS BIGINT), CAST(SUM(cached_tokens) AS BIGINT), CAST(SUM(output_tokens) AS BIGINT), CAST(SUM(reasoning_tokens) AS BIGINT)
        FROM usage_ledger WHERE owner_id = @owner_id AND created_at >= @since AND run_id = @run_id GROUP BY message_id
        """;

    private const string InsertOnce = $"{Insert} ON CONFLICT (id) DO NOTHING";

    private const string OfMessage = "FROM usage_ledger WHERE owner_id = @owner_id AND created_at >= @since AND run_id = @run_id AND message_id = @message_id AND outcome";

    private const string Known = $"SELECT 1 {OfMessage} IN ('{LedgerEntry.Answered}', '{LedgerEntry.Left}') LIMIT 1";

    private const string DropDoubt = $"DELETE {OfMessage} = 'in_doubt'";

    /// <summary>As far as a clock may have been set back since the run was made.</summary>
    private static readonly TimeSpan ClockMargin = TimeSpan.FromDays(2);

    /// <summary>Sends one row (<see cref="DbSession.SendAsync"/>).</summary>
    public static ValueTask InsertAsync(DbSession session, LedgerEntry entry) => session.SendAsync(Bind(session.Prepared(Insert), entry, ""));

    /// <summary>The same at once. False: the row is there already.</summary>
    public static async ValueTask<bool> TryInsertAsync(DbSession session, LedgerEntry entry) => await Bind(session.Prepared(InsertOnce), entry, "").RunAsync() > 0;

    /// <summary>What a message's last request came to is known: its row in doubt stands for nothing.</summary>
    /// <param name="of">The row in doubt, or the one that takes its place.</param>
    /// <param name="made">When the run was made.</param>
    public static async ValueTask DropDoubtAsync(DbSession session, LedgerEntry of, DateTimeOffset made) => await BindMessage(session.Prepared(DropDoubt), of, made).RunAsync();

    /// <summary>Whether there is a row of a message's last request (<see cref="LedgerEntry.EndsMessage"/>).</summary>
    /// <inheritdoc cref="DropDoubtAsync"/>
    public static ValueTask<bool> IsKnownAsync(DbSession session, LedgerEntry of, DateTimeOffset made) => BindMessage(session.Prepared(Known), of, made).AnyAsync();

    /// <summary>As a part of a statement that does it for each row of <paramref name="source"/>; its parameters begin with <c>paid_</c>.</summary>
    public static string InsertFrom(string source) => $"INSERT INTO usage_ledger ({Columns}) SELECT {Values.Replace("@", "@paid_", StringComparison.Ordinal)} FROM {source}";

    public static DbCommand Bind(DbCommand command, LedgerEntry entry, string prefix) => command
        .Set(prefix + "id", entry.Id).Set(prefix + "run_id", entry.RunId).Set(prefix + "root_run_id", entry.RootRunId).Set(prefix + "owner_id", entry.OwnerId)
        .Set(prefix + "agent", entry.Agent).Set(prefix + "message_id", entry.MessageId)
        .Set(prefix + "purpose", entry.Purpose).Set(prefix + "provider", entry.Provider).Set(prefix + "model", entry.Model).Set(prefix + "tier", entry.Tier)
        .Set(prefix + "input_tokens", entry.Usage.InputTokens).Set(prefix + "cached_tokens", entry.Usage.CachedTokens).Set(prefix + "output_tokens", entry.Usage.OutputTokens)
        .Set(prefix + "reasoning_tokens", entry.Usage.ReasoningTokens).Set(prefix + "cost_micro_usd", entry.Cost).Set(prefix + "outcome", entry.Outcome).Set(prefix + "estimated", entry.Estimated)
        .Set(prefix + "latency_us", Microseconds(entry.LatencyMs)).Set(prefix + "ttft_us", entry.TtftMs is { } ttft ? Microseconds(ttft) : (long?)null).Set(prefix + "created_at", entry.CreatedAt);

    /// <summary>What the rows of a run say it cost, and the tokens of those of some of its messages: what was given again from the cache has tokens and no row, so they cannot be told from the sum.</summary>
    /// <param name="made">When the run was made.</param>
    public static async ValueTask<(Money Cost, TokenUsage Usage)> SpentAsync(DbSession session, string runId, string ownerId, DateTimeOffset made, IReadOnlySet<string> messages)
    {
        var rows = await session.Prepared(Spent).Set("owner_id", ownerId).Set("since", made - ClockMargin).Set("run_id", runId)
            .ListAsync(static r => (Message: r.StringOrNull(0), Cost: r.GetInt64(1), Usage: new TokenUsage(r.GetInt64(2), r.GetInt64(3), r.GetInt64(4), r.GetInt64(5))));
        var asked = rows.Where(r => r.Message is { } message && messages.Contains(message));
        return (new Money(rows.Sum(static r => r.Cost)), asked.Aggregate(TokenUsage.None, static (sum, r) => sum + r.Usage));
    }

    private static DbCommand BindMessage(DbCommand command, LedgerEntry of, DateTimeOffset made) =>
        command.Set("owner_id", of.OwnerId).Set("since", made - ClockMargin).Set("run_id", of.RunId).Set("message_id", of.MessageId);

    private static long Microseconds(double milliseconds) => (long)Math.Round(milliseconds * 1000);
}
