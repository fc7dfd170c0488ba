using System.Diagnostics;
using System.Diagnostics.Metrics;
using RootMas.Runtime.Agents;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Models;

/// <summary>Measurements of whole calls, cascade included. Those of single requests come from the OpenTelemetry decorator around each endpoint.</summary>
internal sealed class ModelMetrics : IDashboardSource
{
    /// <summary>Of a call that no model answered.</summary>
    private const string NoModel = "none";

    private long _calls;
    private long _failures;
    private long _microUsd;

    private static readonly Counter<long> Calls =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.model.calls", "{call}", "Model calls, by tier, model, purpose and outcome.");

    private static readonly Counter<double> Cost =
        RootMasTelemetry.Meter.CreateCounter<double>("rootmas.model.cost", "USD", "Cost of model calls, failed attempts included.");

    private static readonly Counter<long> Switches =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.cascade.switches", "{switch}", "Times a model was given up for another, or asked to repair, by reason.");

    private static readonly Histogram<double> Ttft =
        RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.model.time_to_first_token", "s", "From the request to the first token of the answer that counted.");

    /// <summary>Makes the instruments now, so that they are listed before the first call.</summary>
    public ModelMetrics() => _ = Calls.Enabled;

    /// <summary>For each catalog anew, as soon as it is in force: a series that appears with its first value shows no increase, so the first call of each model after a start would have cost nothing.</summary>
    public static void BeginAtZero(ModelCatalog catalog)
    {
        foreach (var name in catalog.Models.Values.Where(static m => !m.Price.IsFree).Select(static m => m.Name).Append(NoModel))
        {
            Cost.Add(0, new KeyValuePair<string, object?>("gen_ai.request.model", name));
        }
    }

    /// <summary>A span for the call; null when nobody listens.</summary>
    public Activity? Start(ModelCall call)
    {
        var span = RootMasTelemetry.Source.StartActivity($"chat {call.Model ?? call.Tier}", ActivityKind.Internal);
        if (span is { IsAllDataRequested: true })
        {
            span.SetTag("gen_ai.operation.name", "chat");
            span.SetTag("gen_ai.agent.name", call.Agent);
            span.SetTag(RootMasTelemetry.RunIdTag, call.RunId);
            span.SetTag("gen_ai.request.model", call.Model ?? call.Tier);
            span.SetTag("rootmas.message.id", call.MessageId);
            span.SetTag("rootmas.purpose", call.Purpose);
            span.SetTag("rootmas.tier", call.Tier);
        }

        return span;
    }

    public void Ended(Activity? span, ModelCall call, string outcome)
    {
        var model = call.ModelUsed.Length > 0 ? call.ModelUsed : NoModel;
        Calls.Add(1, new TagList
        {
            { "tier", call.TierUsed.Length > 0 ? call.TierUsed : call.Tier }, { "gen_ai.request.model", model }, { "purpose", call.Purpose }, { "outcome", outcome },
        });
        Interlocked.Increment(ref _calls);
        if (outcome is not ("ok" or "cached" or "cancelled")) // whoever stops a run has no complaint about the model
        {
            Interlocked.Increment(ref _failures);
        }

        if (call.Cost.MicroUsd > 0)
        {
            Interlocked.Add(ref _microUsd, call.Cost.MicroUsd);
            Cost.Add(call.Cost.MicroUsd / 1_000_000d, new KeyValuePair<string, object?>("gen_ai.request.model", model));
        }

        if (call.TtftMs is { } ttft)
        {
            Ttft.Record(ttft / 1000, new KeyValuePair<string, object?>("gen_ai.request.model", model));
        }

        if (span is { IsAllDataRequested: true })
        {
            span.DisplayName = $"chat {model}";
            span.SetTag("gen_ai.request.model", model);
            span.SetTag("gen_ai.provider.name", call.ProviderUsed);
            span.SetTag("gen_ai.response.model", model);
            span.SetTag("gen_ai.usage.input_tokens", call.Usage.InputTokens);
            span.SetTag("gen_ai.usage.output_tokens", call.Usage.OutputTokens);
            span.SetTag("rootmas.cost_usd", call.Cost.ToString());
            span.SetTag("rootmas.attempts", call.FailedAttempts.Count + 1);
            if (outcome is not ("ok" or "cached" or "cancelled")) // whoever stops a run has no complaint about the model
            {
                span.SetTag("error.type", outcome);
                span.SetStatus(ActivityStatusCode.Error);
            }
        }
    }

    /// <summary>Of this instance, since its start.</summary>
    public ValueTask AddAsync(IDictionary<string, double> values, CancellationToken cancellationToken)
    {
        values["cost_usd"] = Interlocked.Read(ref _microUsd) / 1_000_000d;
        values["model_calls"] = Interlocked.Read(ref _calls);
        values["model_failures"] = Interlocked.Read(ref _failures);
        return default;
    }

    public void Switched(ModelSpec from, string reason) =>
        Switches.Add(1, new TagList { { "gen_ai.request.model", from.Name }, { "reason", reason } });
}
