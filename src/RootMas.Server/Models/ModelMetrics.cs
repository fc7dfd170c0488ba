using System.Diagnostics;
using System.Diagnostics.Metrics;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Models;

/// <summary>Measurements of whole calls, cascade included, and the tokens of each request. The other measurements of single requests come from the OpenTelemetry decorator around each endpoint.</summary>
internal sealed class ModelMetrics
{
    /// <summary>Of a call that no model answered.</summary>
    private const string NoModel = "none";

    private static readonly Counter<long> Calls =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.model.calls", "{call}", "Model calls, by tier, model, purpose and outcome.");

    private static readonly Counter<double> Cost =
        RootMasTelemetry.Meter.CreateCounter<double>("rootmas.model.cost", "USD", "Cost of model calls, failed attempts included.");

    private static readonly Counter<long> Tokens =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.model.tokens", "{token}", "Tokens of requests to models, as the ledger has them, by model and type: input (cached among them), cached, output (reasoning among them), reasoning.");

    private static readonly Counter<long> Switches =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.cascade.switches", "{switch}", "Times a model was given up for another, or asked to repair, by reason.");

    private static readonly Histogram<double> Ttft =
        RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.model.time_to_first_token", "s", "From the request to the first token of the answer that counted.");

    /// <summary>Makes the instruments now, so that they are listed before the first call.</summary>
    public ModelMetrics() => _ = Calls.Enabled;

    /// <summary>For each catalog anew, as soon as it is in force: a series that appears with its first value shows no increase, so the first call of each model after a start would have cost nothing.</summary>
    public static void BeginAtZero(ModelCatalog catalog)
    {
        foreach (var name in catalog.Models.Values.Where(static m => !m.Price.IsFree).Select(static m => m.Name))
        {
            Cost.Add(0, new KeyValuePair<string, object?>("gen_ai.request.model", name));
            Add(name, "input", 0);
            Add(name, "output", 0);
        }

        Cost.Add(0, new KeyValuePair<string, object?>("gen_ai.request.model", NoModel));
    }

    /// <summary>Of one request, whatever became of it: also what a cancelled call or an attempt that was given up has used.</summary>
    public static void Used(ModelSpec model, TokenUsage usage)
    {
        foreach (var (type, tokens) in ((string, long)[])[("input", usage.InputTokens), ("cached", usage.CachedTokens), ("output", usage.OutputTokens), ("reasoning", usage.ReasoningTokens)])
        {
            if (tokens > 0)
            {
                Add(model.Name, type, tokens);
            }
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
        if (call.Cost.MicroUsd > 0)
        {
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
            span.SetTag("rootmas.usage.input_tokens", call.Usage.InputTokens); // those of each request stand at its own span below, and who adds up gen_ai.usage.* must not find them twice
            span.SetTag("rootmas.usage.output_tokens", call.Usage.OutputTokens);
            span.SetTag("rootmas.cost_usd", call.Cost.ToString());
            span.SetTag("rootmas.attempts", call.FailedAttempts.Count + 1);
            if (outcome is not ("ok" or "cached" or "cancelled")) // whoever stops a run has no complaint about the model
            {
                span.SetTag("error.type", outcome);
                span.SetStatus(ActivityStatusCode.Error);
            }
        }
    }

    public void Switched(ModelSpec from, string reason) =>
        Switches.Add(1, new TagList { { "gen_ai.request.model", from.Name }, { "reason", reason } });

    private static void Add(string model, string type, long tokens) =>
        Tokens.Add(tokens, new KeyValuePair<string, object?>("gen_ai.request.model", model), new KeyValuePair<string, object?>("gen_ai.token.type", type));
}
