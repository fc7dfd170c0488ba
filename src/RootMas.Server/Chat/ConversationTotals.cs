using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>What a conversation has cost so far.</summary>
/// <param name="Cost">With all that was given to others.</param>
/// <param name="Own">Of that, what those who answered cost themselves.</param>
/// <param name="Usage">Tokens of those who answered.</param>
/// <param name="Below">Tokens of those to whom they gave work.</param>
/// <param name="Kept">Answers that came from the cache.</param>
/// <param name="Saved">What making those anew would have cost.</param>
/// <param name="Models">Those that answered, the last one first.</param>
internal sealed record ConversationSum(int Runs, Money Cost, Money Own, TokenUsage Usage, TokenUsage Below, int Kept, Money Saved, IReadOnlyList<string> Models);

/// <summary>Sums the runs of a conversation where they lie, so that nobody has to read them to know what they cost together.</summary>
internal sealed class ConversationTotals(IDatabase database)
{
    private static readonly SqlText Runs = SqlDialect.NotByIndexOf("owner_id", """
        SELECT r.tree_cost_micro_usd, r.cost_micro_usd, r.input_tokens, r.cached_tokens, r.output_tokens, e.json
        FROM (SELECT id, answer_seq, tree_cost_micro_usd, cost_micro_usd, input_tokens, cached_tokens, output_tokens FROM runs WHERE conversation_id = @conversation AND {owner_id} = @owner AND parent_run_id IS NULL) r
        LEFT JOIN run_events e ON e.run_id = r.id AND e.seq = r.answer_seq ORDER BY r.id DESC
        """);

    private static readonly SqlText UsageBelow = SqlDialect.NotByIndexOf("owner_id", """
        SELECT CAST(COALESCE(sum(b.input_tokens), 0) AS BIGINT), CAST(COALESCE(sum(b.cached_tokens), 0) AS BIGINT), CAST(COALESCE(sum(b.output_tokens), 0) AS BIGINT)
        FROM runs b WHERE b.parent_run_id IS NOT NULL AND b.root_run_id IN (SELECT id FROM runs WHERE conversation_id = @conversation AND {owner_id} = @owner AND parent_run_id IS NULL)
        """);

    /// <summary>Null: no such conversation.</summary>
    public Task<ConversationSum?> OfAsync(string conversationId, string ownerId, CancellationToken cancellationToken) => database.ReadAsync(
        async session => await MessageWrites.ConversationExistsAsync(session, conversationId, ownerId)
            ? SumOf(
                await session.Prepared(Runs).Set("conversation", conversationId).Set("owner", ownerId).ListAsync(ReadRow),
                await session.Prepared(UsageBelow).Set("conversation", conversationId).Set("owner", ownerId).FirstOrDefaultAsync(static r => new TokenUsage(r.GetInt64(0), r.GetInt64(1), r.GetInt64(2), 0)) ?? TokenUsage.None)
            : null,
        cancellationToken);

    private static ConversationSum SumOf(List<Row> rows, TokenUsage below) => new(
        rows.Count,
        rows.Aggregate(Money.Zero, static (sum, r) => sum + r.Tree),
        rows.Aggregate(Money.Zero, static (sum, r) => sum + r.Own),
        new TokenUsage(rows.Sum(static r => r.Input), rows.Sum(static r => r.Cached), rows.Sum(static r => r.Output), 0),
        below,
        rows.Count(static r => r.Saved is not null),
        rows.Aggregate(Money.Zero, static (sum, r) => sum + (r.Saved ?? Money.Zero)),
        [.. rows.Select(static r => r.Model).OfType<string>().Where(static m => m.Length > 0).Distinct(StringComparer.Ordinal)]);

    /// <summary>Of an answer only the model and what it saved are kept: texts may be long, and runs many.</summary>
    private static Row ReadRow(DbDataReader row)
    {
        var answer = row.IsDBNull(5) ? null : RunJson.DeserializeEvent(row.Bytes(5)) as MessageCompleted;
        return new Row(row.Money(0), row.Money(1), row.GetInt64(2), row.GetInt64(3), row.GetInt64(4), answer?.Model, answer?.SavedUsd);
    }

    private readonly record struct Row(Money Tree, Money Own, long Input, long Cached, long Output, string? Model, Money? Saved);
}
