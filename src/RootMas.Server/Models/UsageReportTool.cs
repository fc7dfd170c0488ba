using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Models;

/// <summary>The owner's spend from the ledger: per agent, model and day. Nobody else's rows are ever read.</summary>
internal sealed class UsageReportTool(LedgerStore ledger) : Tool
{
    private const int DefaultDays = 7;

    public override ToolDefinition Definition { get; } = new(
        "usage_report",
        "Reports what the current user spent on models, from the usage ledger: totals, then one line per day, agent and model with requests, tokens and cost in US dollars.",
        """
        {"type":"object","properties":{"days":{"type":"integer","minimum":1,"maximum":366,"description":"How many days back, today included. Default 7."}},"additionalProperties":false}
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "metrics:read";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var days = ToolDays.Read(arguments, DefaultDays);
        var rows = await ledger.SpendAsync(context.OwnerId, ToolDays.Since(context.Clock, days), cancellationToken);
        if (rows.Count == 0)
        {
            return new ToolResult($"No model was used in the last {days} days.");
        }

        var text = new StringBuilder();
        var total = new Money(rows.Sum(r => r.CostMicroUsd));
        text.Append(CultureInfo.InvariantCulture, $"Last {days} days (UTC): {rows.Sum(r => r.Requests)} requests, {total} USD.\n");
        foreach (var agent in rows.GroupBy(r => r.Agent, StringComparer.Ordinal).OrderByDescending(g => g.Sum(r => r.CostMicroUsd)))
        {
            text.Append(CultureInfo.InvariantCulture, $"agent {Named(agent.Key)}: {agent.Sum(r => r.Requests)} requests, {new Money(agent.Sum(r => r.CostMicroUsd))} USD\n");
        }

        text.Append("day | agent | model | requests | input tokens (cached) | output tokens | USD\n");
        foreach (var row in rows)
        {
            text.Append(CultureInfo.InvariantCulture, $"{row.Day} | {Named(row.Agent)} | {row.Model} | {row.Requests} | {row.InputTokens} ({row.CachedTokens}) | {row.OutputTokens} | {new Money(row.CostMicroUsd)}");
            text.Append(row.Estimated > 0 ? $" (tokens of {row.Estimated} estimated)\n" : "\n");
        }

        return new ToolResult(text.ToString());
    }

    private static string Named(string agent) => agent.Length > 0 ? agent : "(none)";
}

/// <summary>The argument <c>days</c> of the reporting tools.</summary>
internal static class ToolDays
{
    public static int Read(JsonElement arguments, int otherwise) =>
        arguments.ValueKind == JsonValueKind.Object && arguments.TryGetProperty("days", out var days) ? SchemaValue.Integer(days) ?? otherwise : otherwise;

    /// <summary>Midnight UTC of the first of the days.</summary>
    public static DateTimeOffset Since(TimeProvider clock, int days) => new(clock.GetUtcNow().UtcDateTime.Date.AddDays(1 - days), TimeSpan.Zero);
}
