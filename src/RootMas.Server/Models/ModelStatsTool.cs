using System.Globalization;
using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Models;

/// <summary>How the models did: success, cost and latency per model and tier, measured on the owner's own requests, beside the tiers as configured.</summary>
internal sealed class ModelStatsTool(LedgerStore ledger, ModelRouter router) : Tool
{
    private const int DefaultDays = 30;

    public override ToolDefinition Definition { get; } = new(
        "model_stats",
        "Measured success rate, cost and latency of each model in each tier, on the current user's requests, and which models the tiers name now.",
        """
        {"type":"object","properties":{"days":{"type":"integer","minimum":1,"maximum":366,"description":"How many days back, today included. Default 30."}},"additionalProperties":false}
        """,
        "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "metrics:read";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        var days = ToolDays.Read(arguments, DefaultDays);
        var rows = await ledger.StatsAsync(context.OwnerId, ToolDays.Since(context.Clock, days), cancellationToken);
        var catalog = router.Current.Catalog;
        var text = new StringBuilder();
        foreach (var tier in ModelCatalog.TierNames)
        {
            text.Append(CultureInfo.InvariantCulture, $"tier {tier}: {string.Join(" → ", catalog.Tiers[tier].Select(m => $"{m.Name} ({Price(m.Price)})"))}\n");
        }

        if (rows.Count == 0)
        {
            return new ToolResult(text.Append(CultureInfo.InvariantCulture, $"No request in the last {days} days, so nothing is measured yet.").ToString());
        }

        text.Append("model | tier | requests | answered | USD per request | mean latency ms | mean time to first token ms\n");
        foreach (var row in rows)
        {
            var share = 100d * row.Succeeded / row.Requests;
            text.Append(CultureInfo.InvariantCulture,
                $"{row.Model} | {row.Tier} | {row.Requests} | {share:0.#} % | {new Money(row.CostMicroUsd / row.Requests)} | {row.MeanLatencyMs:0} | {row.MeanTtftMs:0}\n");
        }

        return new ToolResult(text.ToString());
    }

    private static string Price(ModelPrice price) =>
        price.IsFree ? "free" : string.Create(CultureInfo.InvariantCulture, $"{price.Input}/{price.Output} USD per million tokens in/out");
}
