using System.Diagnostics.Metrics;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Runs;

/// <summary>What happens in runs beyond their steps: people, plans, guards, failures, caches. Counted from the log, so that metrics and log cannot differ.</summary>
internal static class RunEventMetrics
{
    private static readonly Counter<long> Approvals = Count("rootmas.approvals", "{approval}", "Approvals, by what became of them (requested, granted, denied, expired).");
    private static readonly Counter<long> Questions = Count("rootmas.questions", "{question}", "Questions of agents to people, by what became of them (asked, answered, expired).");
    private static readonly Counter<long> Plans = Count("rootmas.plans", "{plan}", "Plans, by what happened to them (created, updated).");
    private static readonly Counter<long> Guards = Count("rootmas.guards", "{stop}", "Runs that a guard warned or stopped, by guard and what it did (hint, stopped).");
    private static readonly Counter<long> Failures = Count("rootmas.model.failures", "{failure}", "Model steps of runs that failed after all attempts, by class of the error.");
    private static readonly Counter<long> Superseded = Count("rootmas.messages.superseded", "{message}", "Shown text that was taken back: a cascade switched, or a worker was lost.");
    private static readonly Counter<long> CacheHits = Count("rootmas.cache.hits", "{answer}", "Answers of agents that came from a cache, by kind of cache.");
    private static readonly Counter<double> CacheSaved = RootMasTelemetry.Meter.CreateCounter<double>("rootmas.cache.saved", "USD", "What answers from a cache would have cost.");
    private static readonly Counter<long> Reductions = Count("rootmas.context.reduced", "{reduction}", "Times that a history was shortened to fit its model.");
    private static readonly Counter<long> Reviews = Count("rootmas.reviews", "{review}", "Calls in doubt, by what became of them (needed, done, repeat, cancel).");

    /// <summary>The instruments are there, and listed, before the first event.</summary>
    public static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(RunEventMetrics).TypeHandle);

    /// <summary>As <see cref="RunMetrics.BeginAtZero"/>: what the first answer saves counts too.</summary>
    public static void BeginAtZero() => CacheSaved.Add(0);

    public static void Happened(RunEvent e)
    {
        switch (e)
        {
            case ApprovalRequested or ApprovalGranted or ApprovalDenied or ApprovalExpired:
                Add(Approvals, "outcome", e switch { ApprovalRequested => "requested", ApprovalGranted => "granted", ApprovalDenied => "denied", _ => "expired" });
                break;
            case InputRequested:
                Add(Questions, "outcome", "asked");
                break;
            case InputReceived input:
                Add(Questions, "outcome", input.Expired ? "expired" : "answered");
                break;
            case PlanCreated or PlanUpdated:
                Add(Plans, "event", e is PlanCreated ? "created" : "updated");
                break;
            case GuardHinted or GuardStopped:
                Guards.Add(1, new KeyValuePair<string, object?>("guard", e is GuardHinted hint ? hint.Guard : ((GuardStopped)e).Guard), new KeyValuePair<string, object?>("did", e is GuardHinted ? "hint" : "stopped"));
                break;
            case ModelFailed { ErrorClass: not "cancelled" } failed:
                Add(Failures, "error_class", failed.ErrorClass);
                break;
            case MessageSuperseded:
                Superseded.Add(1);
                break;
            case CacheHit hit:
                Add(CacheHits, "kind", hit.Kind);
                CacheSaved.Add(hit.SavedUsd.MicroUsd / 1_000_000d);
                break;
            case ContextReduced { TakenFrom: null }:
                Reductions.Add(1);
                break;
            case RunNeedsReview:
                Add(Reviews, "outcome", "needed");
                break;
            case ReviewResolved resolved:
                Add(Reviews, "outcome", resolved.Outcome);
                break;
            default:
                break; // steps are counted elsewhere
        }
    }

    private static void Add(Counter<long> counter, string label, string value) => counter.Add(1, new KeyValuePair<string, object?>(label, value));

    private static Counter<long> Count(string name, string unit, string help) => RootMasTelemetry.Meter.CreateCounter<long>(name, unit, help);
}
