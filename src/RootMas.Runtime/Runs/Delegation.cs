using System.Text.Json;
using RootMas.Runtime.Context;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>Work that goes to other agents: child runs and handoffs, along the routing graph only.</summary>
internal static class Delegation
{
    /// <summary>Starts a pattern's own tasks as child runs.</summary>
    public static async Task<RunExit?> StartAsync(RunAttempt run, IReadOnlyList<ChildTask> tasks)
    {
        await TreeShare.ReserveChildrenAsync(run, tasks.Count);
        foreach (var task in tasks)
        {
            if (Refusal(run) is { } refusal)
            {
                run.Emit(Guards.AtLimit(refusal.Guard, refusal.Reason)); // no model asked for it that could be told
                return null;
            }

            // A task is what a model wrote that knows all that this run has read.
            var options = ChildOptions(run, null) with { AskedLength = task.AskedLength };
            var child = NewRuns.Child(run.Run, run.Execution.Snapshot, task with { Tainted = task.Tainted || run.State.Tainted }, run.State.KnownUrls, options, run.Now);
            run.AddChild(child);
            run.Emit(new ChildStarted(null, child.RunId, task.Agent, task.Task, task.TaskId));
        }

        return null;
    }

    /// <summary>The tool call <c>delegate</c>.</summary>
    public static void Delegate(RunAttempt run, CallState call, CompiledAgent agent)
    {
        var target = Text(call, "agent");
        if (!agent.Delegates.Contains(target, StringComparer.Ordinal))
        {
            Refuse(run, call, "not_allowed", $"{call.Agent} may not delegate to '{target}'. Allowed: {string.Join(", ", agent.Delegates)}.");
            return;
        }

        if (Refusal(run) is { } refusal)
        {
            if (!run.State.HintedGuards.Contains(refusal.Guard))
            {
                run.Emit(new GuardHinted(refusal.Guard, refusal.Reason), call.Agent);
            }

            Refuse(run, call, "limit", refusal.Reason);
            return;
        }

        var pattern = run.View.Team.DelegatePatternOf(target);
        var task = new ChildTask($"call_{call.Call.Call}", target, Text(call, "task"), run.State.Tainted);
        var child = NewRuns.Child(run.Run, run.Execution.Snapshot, task, run.State.KnownUrls, ChildOptions(run, pattern), run.Now);
        run.AddChild(child);
        run.Emit(new ToolStarted(call.Call.Call, call.Call.Tool, call.Call.Arguments, "delegate", run.Run.RunId + ":" + call.Call.Call, "1"), call.Agent);
        run.Emit(new ChildStarted(call.Call.Call, child.RunId, target, task.Task), call.Agent);
    }

    /// <summary>The tool call <c>handoff</c>: only the first of a batch counts.</summary>
    public static void HandOff(RunAttempt run, CallState call, CompiledAgent agent)
    {
        var target = Text(call, "agent");
        if (!agent.Handoffs.Contains(target, StringComparer.Ordinal))
        {
            Refuse(run, call, "not_allowed", $"{call.Agent} may not hand off to '{target}'. Allowed: {string.Join(", ", agent.Handoffs)}.");
            return;
        }

        if (run.State.ActiveAgent != call.Agent)
        {
            Refuse(run, call, "not_allowed", $"The conversation was already handed to {run.State.ActiveAgent}.");
            return;
        }

        run.Emit(new Handoff(call.Agent, target, Text(call, "reason"), call.Call.Call), call.Agent);
        run.Emit(new ToolCompleted(call.Call.Call, call.Call.Tool, $"{target} has taken over.", false, 0), call.Agent);
    }

    private static void Refuse(RunAttempt run, CallState call, string kind, string text) =>
        run.Emit(new ToolFailed(call.Call.Call, call.Call.Tool, kind, text, 0), call.Agent);

    private static string Text(CallState call, string name) =>
        call.Call.Arguments.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    /// <summary>Tasks that the run may still give, as far as it knows: others of its tree give some too.</summary>
    public static int TasksLeft(RunAttempt run) => run.Run.Depth < run.Limits.MaxDepth ? Math.Max(0, run.Limits.MaxChildren - run.Tree.Children) : 0;

    /// <summary>In words for a model; the first sentence is for people too.</summary>
    private static (string Guard, string Reason)? Refusal(RunAttempt run)
    {
        if (run.Run.Depth + 1 > run.Limits.MaxDepth)
        {
            return ("depth", $"Tasks may be delegated {run.Limits.MaxDepth} levels deep, and this is the last one. Do it yourself, or say what is missing.");
        }

        if (run.ChildRoom is { } room ? room > 0 : run.Tree.Children < run.Limits.MaxChildren)
        {
            return null;
        }

        var given = Math.Max(run.Tree.Children, run.ChildRoom is null ? 0 : run.Limits.MaxChildren); // others' among them that are just being given
        return ("children", $"The run has {given} subtasks; the limit is {run.Limits.MaxChildren}. Go on with what there is.");
    }

    private static RunRequestOptions ChildOptions(RunAttempt run, PatternKind? pattern)
    {
        return new()
        {
            Model = run.Run.Options.Model,
            NoCache = run.Run.Options.NoCache,
            Attachments = run.Run.Options.Attachments,
            Documents = ModelStep.DocumentsOf(run),
            DeniedTools = run.Run.Options.DeniedTools,
            Permissions = run.Run.Options.Permissions,
            Limits = run.Limits,
            Pattern = pattern?.ToString(),
        };
    }
}
