using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Models;

/// <summary>The ledger's insert, for whoever writes a row inside a transaction of its own: the run store does so with the events of the step.</summary>
public static class LedgerSql
{
    private const string Insert = """
        INSERT INTO usage_ledger (id, run_id, root_run_id, owner_id, agent, message_id, purpose, provider, model, tier, input_tokens, cached_tokens,
            output_tokens, reasoning_tokens, cost_micro_usd, outcome, estimated, latency_us, ttft_us, created_at)
        VALUES (@id, @run_id, @root_run_id, @owner_id, @agent, @message_id, @purpose, @provider, @model, @tier, @input_tokens, @cached_tokens,
            @output_tokens, @reasoning_tokens, @cost_micro_usd, @outcome, @estimated, @latency_us, @ttft_us, @created_at)
        """;

    private static readonly string[] Parameters =
    [
        "@id", "@run_id", "@root_run_id", "@owner_id", "@agent", "@message_id", "@purpose", "@provider", "@model", "@tier", "@input_tokens", "@cached_tokens",
        "@output_tokens", "@reasoning_tokens", "@cost_micro_usd", "@outcome", "@estimated", "@latency_us", "@ttft_us", "@created_at",
    ];

    /// <summary>Writes one row with the connection's prepared command.</summary>
    public static async ValueTask InsertAsync(DbSession session, LedgerEntry entry)
    {
        var command = session.Prepared(Insert);
        if (command.Parameters.Count == 0)
        {
            foreach (var name in Parameters)
            {
                var parameter = command.CreateParameter();
                parameter.ParameterName = name;
                command.Parameters.Add(parameter);
            }
        }

        Fill(command.Parameters, entry);
        await command.ExecuteNonQueryAsync();
    }

    private static void Fill(DbParameterCollection values, LedgerEntry entry)
    {
        values[0].Value = entry.Id;
        values[1].Value = (object?)entry.RunId ?? DBNull.Value;
        values[2].Value = (object?)entry.RootRunId ?? DBNull.Value;
        values[3].Value = entry.OwnerId;
        values[4].Value = (object?)entry.Agent ?? DBNull.Value;
        values[5].Value = (object?)entry.MessageId ?? DBNull.Value;
        values[6].Value = entry.Purpose;
        values[7].Value = entry.Provider;
        values[8].Value = entry.Model;
        values[9].Value = entry.Tier;
        values[10].Value = entry.Usage.InputTokens;
        values[11].Value = entry.Usage.CachedTokens;
        values[12].Value = entry.Usage.OutputTokens;
        values[13].Value = entry.Usage.ReasoningTokens;
        values[14].Value = entry.Cost.MicroUsd;
        values[15].Value = entry.Outcome;
        values[16].Value = entry.Estimated ? 1L : 0L;
        values[17].Value = Microseconds(entry.LatencyMs);
        values[18].Value = entry.TtftMs is { } ttft ? Microseconds(ttft) : DBNull.Value;
        values[19].Value = UnixTime.ToMicros(entry.CreatedAt);
    }

    private static long Microseconds(double milliseconds) => (long)Math.Round(milliseconds * 1000);
}
