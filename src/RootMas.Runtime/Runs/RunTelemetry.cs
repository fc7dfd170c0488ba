using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace RootMas.Runtime.Runs;

/// <summary>Spans and metrics of the runtime. Names follow the OpenTelemetry GenAI conventions.</summary>
internal static class RunTelemetry
{
    public static readonly ActivitySource Source = new("RootMas");

    private static readonly Meter Meter = new("RootMas");
    private static readonly Counter<long> ToolCalls = Meter.CreateCounter<long>("rootmas.tool.calls", "{call}", "Tool calls by tool and outcome.");
    private static readonly Histogram<double> ToolDuration = Meter.CreateHistogram<double>("rootmas.tool.duration", "s", "Duration of tool calls.");

    public static Activity? Tool(RunAttempt run, CallState call)
    {
        var activity = Source.StartActivity("execute_tool " + call.Call.Tool, ActivityKind.Internal);
        activity?.SetTag("gen_ai.operation.name", "execute_tool");
        activity?.SetTag("gen_ai.tool.name", call.Call.Tool);
        activity?.SetTag("gen_ai.tool.type", "function");
        activity?.SetTag("gen_ai.tool.call.id", call.Call.CallId);
        activity?.SetTag("gen_ai.agent.name", call.Agent);
        activity?.SetTag("rootmas.run.id", run.Run.RunId);
        return activity;
    }

    public static void ToolDone(Activity? activity, PreparedCall call, CallOutcome outcome, double milliseconds)
    {
        var result = outcome switch
        {
            { Doubt: not null } => "in_doubt",
            { Event: ToolFailed f } => f.Kind,
            { Event: not null } => "ok",
            _ => "stopped",
        };
        if (result != "ok")
        {
            activity?.SetTag("error.type", result);
            activity?.SetStatus(ActivityStatusCode.Error, result);
        }

        ToolCalls.Add(1, new KeyValuePair<string, object?>("tool", call.Tool.Name), new KeyValuePair<string, object?>("outcome", result));
        ToolDuration.Record(milliseconds / 1000, new KeyValuePair<string, object?>("tool", call.Tool.Name));
    }
}
