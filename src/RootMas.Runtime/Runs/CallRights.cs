using RootMas.Runtime.Context;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>An agent can never do what its user may not: its tools are cut down to the user's rights when they are offered, and again when they are called, because rights change meanwhile. A cancel or a shutdown does not cut the question off: the loop looks at them next, and what is not written yet would be lost with it.</summary>
internal static class CallRights
{
    /// <summary>Which of the agent's tools are offered to the model; null: all of them.</summary>
    public static async ValueTask<Func<string, bool>?> OfferedAsync(RunAttempt run, CompiledAgent agent)
    {
        if (!agent.Definitions.Keys.Any(name => PermissionOf(run, name) is not null))
        {
            return null;
        }

        var may = await run.Parts.Options.Rights.OfferedAsync(run.Run, run.Execution.Fenced);
        return name => PermissionOf(run, name) is not { } permission || may(permission);
    }

    /// <summary>Calls that may not be made (any more), with what the agent is told.</summary>
    public static async ValueTask<Dictionary<int, string>> RefusedAsync(RunAttempt run, IReadOnlyList<int> numbers)
    {
        Dictionary<int, string> refused = [];
        Func<string, bool>? may = null;
        foreach (var number in numbers)
        {
            var call = run.State.Calls[number];
            if (PermissionOf(run, call.Call.Tool) is { } permission)
            {
                may ??= await run.Parts.Options.Rights.PermissionsAsync(run.Run, run.Execution.Fenced);
                if (!may(permission))
                {
                    refused[number] = $"{call.Call.Tool} needs the permission {permission}, which the user of this run does not have. Nothing was done; say so if it matters for the answer.";
                }
            }

            if (call is { Phase: CallPhase.Approved, ApprovedBy: { } by } && run.Parts.Tools.Find(call.Call.Tool) is { } tool
                && !await run.Parts.Options.Rights.MayApproveAsync(run.Run, by, tool.ApproverOf(call.Call.Arguments), run.Execution.Fenced))
            {
                refused[number] = "Who approved this call may not do so any more. Nothing was done; ask again.";
            }
        }

        return refused;
    }

    private static string? PermissionOf(RunAttempt run, string tool) => run.Parts.Tools.Find(tool)?.Permission;
}
