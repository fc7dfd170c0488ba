using System.Diagnostics;

namespace RootMas.Runtime.Runs;

/// <summary>
/// The trace of a run is its root run's id without the dashes: delegated runs and the attempts of other processes stand in the same trace, and whoever has an answer, an event or a log line has the trace.
/// </summary>
public static class RunTrace
{
    public static ActivityTraceId Of(string rootRunId) =>
        Guid.TryParse(rootRunId, out var id) && id != Guid.Empty ? ActivityTraceId.CreateFromString(id.ToString("N")) : ActivityTraceId.CreateRandom();
}

/// <summary>The spans of one attempt: the run, and in it one for each stretch that an agent works.</summary>
internal sealed class RunSpans : IDisposable
{
    private readonly NewRun _identity;
    private readonly Activity _run;
    private Activity? _agent;
    private string? _name;

    /// <summary>Starts the run's span; it is current in the caller's flow.</summary>
    public RunSpans(RunExecution execution)
    {
        _identity = execution.Run;
        var trace = RunTrace.Of(_identity.RootRunId);
        ActivityLink[]? links = Activity.Current is { } request ? [new(request.Context)] : null; // the request that brought the message
        Activity.Current = null; // it would become the parent, from another trace
        _run = RunTelemetry.Source.StartActivity(ActivityKind.Internal, new(trace, default, ActivityTraceFlags.Recorded), links: links, name: "run " + _identity.Team)
            ?? new Activity("run").SetParentId(trace, default).Start(); // nobody listens; log lines need the id all the same
        if (_run.IsAllDataRequested)
        {
            _run.SetTag("gen_ai.conversation.id", _identity.ConversationId);
            _run.SetTag("rootmas.run.root_id", _identity.RootRunId);
            _run.SetTag("rootmas.run.parent_id", _identity.ParentRunId);
            _run.SetTag("rootmas.run.attempt", execution.Attempt);
            _run.SetTag("rootmas.team", _identity.Team);
        }

        _run.SetTag("rootmas.run.id", _identity.RunId);
    }

    /// <summary>What the caller does next is this agent's work.</summary>
    public void Enter(string agent)
    {
        if (_name == agent)
        {
            // An async flow forgets what was current when the step before it ended.
            Activity.Current = _agent ?? _run;
            return;
        }

        _agent?.Dispose();
        Activity.Current = _run;
        _name = agent;
        _agent = RunTelemetry.Source.StartActivity("invoke_agent " + agent, ActivityKind.Internal);
        _agent?.SetTag("gen_ai.operation.name", "invoke_agent");
        _agent?.SetTag("gen_ai.agent.name", agent);
        _agent?.SetTag("gen_ai.conversation.id", _identity.ConversationId);
        _agent?.SetTag("rootmas.run.id", _identity.RunId);
    }

    public void Dispose()
    {
        _agent?.Dispose();
        _run.Dispose();
    }
}
