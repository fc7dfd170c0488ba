using System.Diagnostics;
using System.Text.Json;
using RootMas.Runtime.Context;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>A call whose tool.started is written next and that then leaves.</summary>
internal sealed record PreparedCall(CallState State, Tool Tool, ToolEffect Effect, string IdempotencyKey)
{
    public int Number => State.Call.Call;

    /// <summary>See <see cref="Tool.IsLocal"/>.</summary>
    public bool IsLocal => Tool.IsLocal && Effect == ToolEffect.Read;
}

/// <summary>A batch of tool calls: checked, approved, started on disk, then made in parallel.</summary>
internal static class ToolStep
{
    public static async Task<RunExit?> RunAsync(RunAttempt run, IReadOnlyList<int> numbers)
    {
        var refused = await CallRights.RefusedAsync(run, numbers);
        if (run.StepToken.IsCancellationRequested)
        {
            run.Execution.Fenced.ThrowIfCancellationRequested();
            return null; // cancelled or stopped meanwhile: no call has left, and the loop ends it
        }

        var batch = new List<PreparedCall>(numbers.Count);
        run.Count(new(1, 0, 0, 0));
        await TreeShare.ReserveChildrenAsync(run, numbers.Count(n => run.State.Calls[n].Call.Tool == BuiltInTools.Delegate));
        foreach (var number in numbers)
        {
            if (Prepare(run, run.State.Calls[number], refused.GetValueOrDefault(number)) is { } prepared)
            {
                batch.Add(prepared);
            }
        }

        if (batch.Count == 0)
        {
            return null;
        }

        if (!await LeaseOutlastsAsync(run, batch))
        {
            await run.FlushAsync();
            return RunExit.Stopped;
        }

        foreach (var call in batch)
        {
            var name = call.State.Call.Tool;
            run.Emit(
                new ToolStarted(call.Number, name, call.State.Call.Arguments, EffectName(call.Effect), call.IdempotencyKey, call.Tool.Definition.Version),
                call.State.Agent);
        }

        if (!batch.TrueForAll(static c => c.IsLocal))
        {
            await run.FlushAsync();
        }

        if (await IsCancelledAsync(run, batch))
        {
            return null;
        }

        if (!await LeaseOutlastsAsync(run, batch))
        {
            // On disk but not sent: unsafe calls of this batch count as in doubt, which errs on the safe side.
            return RunExit.Stopped;
        }

        return await new ToolBatch(run, batch).RunAsync() ? null : RunExit.Stopped;
    }

    public static string EffectName(ToolEffect effect) => effect switch
    {
        ToolEffect.Read => "read",
        ToolEffect.Idempotent => "idempotent",
        _ => "unsafe",
    };

    private static ValueTask<bool> LeaseOutlastsAsync(RunAttempt run, List<PreparedCall> batch) =>
        LeaseOutlastsAsync(run, batch.Where(static c => c.Effect == ToolEffect.Unsafe).Select(static c => c.Tool.Timeout).DefaultIfEmpty(TimeSpan.MinValue).Max());

    /// <summary>Before an unsafe call leaves, the lease must outlast its time-out: otherwise another worker could act meanwhile.</summary>
    public static async ValueTask<bool> LeaseOutlastsAsync(RunAttempt run, TimeSpan longest)
    {
        if (run.Execution.LeaseLeft() <= longest && run.Execution.ExtendLease is { } extend)
        {
            await extend(longest);
        }

        return run.Execution.LeaseLeft() > longest;
    }

    /// <summary>
    /// What was said to the run before tool.started was on disk is read before anything leaves that changes something: whoever said it saw no call begin, and may count on that none does.
    /// </summary>
    private static async ValueTask<bool> IsCancelledAsync(RunAttempt run, List<PreparedCall> batch)
    {
        var changing = batch.FindAll(static c => c.Effect != ToolEffect.Read);
        if (changing.Count == 0)
        {
            return false;
        }

        await run.CatchUpAsync();
        if (!run.HardToken.IsCancellationRequested)
        {
            return false;
        }

        run.Execution.Fenced.ThrowIfCancellationRequested();
        foreach (var call in changing)
        {
            if (call.State.Starts > 1)
            {
                Refuse(run, call.State, "interrupted", "The run was cancelled before this call left once more. An earlier try may have taken effect.");
            }
            else
            {
                Refuse(run, call.State, "cancelled", "The run was cancelled before this call left. Nothing was done.");
            }
        }

        return true;
    }

    private static PreparedCall? Prepare(RunAttempt run, CallState call, string? refusal)
    {
        var name = call.Call.Tool;
        var mayMove = !run.Run.Options.Simple;

        // A delegation from the last level is refused by the name of the limit, not as a tool that does not exist.
        var mayDelegate = mayMove && (run.Run.Depth < run.Limits.MaxDepth || name == BuiltInTools.Delegate);
        var agent = CompiledAgent.Get(run.Execution.Snapshot, call.Agent, mayDelegate, mayMove);
        if (!agent.Definitions.TryGetValue(name, out var definition))
        {
            return Refuse(run, call, "unknown_tool", $"{call.Agent} has no tool '{name}'. It has: {string.Join(", ", agent.Definitions.Keys)}.");
        }

        if (Invalid(definition.Schema, call.Call.Arguments) is { } errors)
        {
            return Refuse(run, call, "invalid_arguments", $"The arguments do not fit {name}: {errors}. Nothing was done; correct them and call again.");
        }

        if (BuiltInTools.IsBuiltIn(name))
        {
            BuiltIn(run, call, agent);
            return null;
        }

        return run.Parts.Tools.Find(name) is { } tool && (tool.Definition.Version == definition.Version || Invalid(tool.Definition.Schema, call.Call.Arguments) is null)
            ? Allow(run, call, tool, refusal)
            : Refuse(run, call, "tool_unavailable", $"{name} is not available in this version of the program any more, or no longer takes these arguments. Nothing was done.");
    }

    private static PreparedCall? Allow(RunAttempt run, CallState call, Tool tool, string? refusal)
    {
        if (refusal is not null)
        {
            return Refuse(run, call, "rights_denied", refusal);
        }

        if (run.Run.Options.DeniedTools?.Contains(tool.Name, StringComparer.Ordinal) == true)
        {
            return Refuse(run, call, "not_allowed", $"The user may not use {tool.Name}. Nothing was done.");
        }

        if (!tool.IsConfigured)
        {
            return Refuse(run, call, "not_configured", tool.NotConfigured ?? $"{tool.Name} is not configured here.");
        }

        if (call.Phase != CallPhase.Approved && NeedsApproval(run, call, tool))
        {
            return RequestApproval(run, call, tool);
        }

        if (call.Phase == CallPhase.Approved && call.ApprovedHash is { } approved && !IsOf(run, call, tool, approved))
        {
            return Refuse(run, call, "not_allowed", "What was approved is not what would run now (the tool changed meanwhile). Nothing was done; ask again.");
        }

        var key = run.Run.RunId + ":" + call.Call.Call + (call.Repeats > 0 ? ":r" + call.Repeats : "");
        return new(call, tool, tool.EffectOf(call.Call.Arguments), key);
    }

    private static bool NeedsApproval(RunAttempt run, CallState call, Tool tool) => tool.ApprovalOf(call.Call.Arguments) switch
    {
        ApprovalRule.Never => false,
        ApprovalRule.Always => true,
        _ => run.State.Tainted && !tool.IsExempt(call.Call.Arguments, run.State.KnownUrls),
    };

    private static PreparedCall? RequestApproval(RunAttempt run, CallState call, Tool tool)
    {
        string hash;
        try
        {
            hash = HashOf(run, call, tool);
        }
        catch (JsonException)
        {
            return Refuse(run, call, "invalid_arguments", "The arguments have no canonical form (a member stands twice, or a number is out of range), so nobody could approve them. Nothing was done; correct them.");
        }

        var reason = tool.ApprovalReason ?? (tool.ApprovalOf(call.Call.Arguments) == ApprovalRule.Always
            ? $"{tool.Name} changes something outside."
            : "This request would send text that the model composed after reading text from outside.");
        run.Emit(
            new ApprovalRequested(Guid.CreateVersion7().ToString(), call.Call.Call, tool.Name, call.Call.Arguments, hash,
                tool.ApproverOf(call.Call.Arguments) == Approver.Admin ? "admin" : "owner", reason, tool.Definition.Version, tool.TargetOrigin(call.Call.Arguments),
                run.Now + run.Parts.Options.ApprovalExpiry),
            call.Agent);
        return null;
    }

    private static string HashOf(RunAttempt run, CallState call, Tool tool) => ApprovalHash.Compute(
        run.Run.RunId, call.Call.Call, tool.Name, tool.Definition.Version, call.Agent, run.Run.OwnerId,
        tool.TargetOrigin(call.Call.Arguments), tool.CredentialReference(call.Call.Arguments), call.Call.Arguments);

    /// <summary>Whether this hash was made of what would run. Calls that waited while the program was upgraded have the older kind; no call is asked about with it any more.</summary>
    private static bool IsOf(RunAttempt run, CallState call, Tool tool, string approved) =>
        approved == HashOf(run, call, tool) || approved == ApprovalHash.ComputeRounded(
            run.Run.RunId, call.Call.Call, tool.Name, tool.Definition.Version, call.Agent, run.Run.OwnerId,
            tool.TargetOrigin(call.Call.Arguments), tool.CredentialReference(call.Call.Arguments), call.Call.Arguments);

    private static void BuiltIn(RunAttempt run, CallState call, CompiledAgent agent)
    {
        using var span = RunTelemetry.Tool(run, call); // of asking for it: how long a task or an answer takes, the log says
        switch (call.Call.Tool)
        {
            case BuiltInTools.Delegate:
                Delegation.Delegate(run, call, agent);
                break;
            case BuiltInTools.Handoff:
                Delegation.HandOff(run, call, agent);
                break;
            default:
                var arguments = call.Call.Arguments;
                var options = arguments.TryGetProperty("options", out var list) ? list.EnumerateArray().Select(o => o.GetString()!).ToList() : null;
                run.Emit(new InputRequested(call.Call.Call, arguments.GetProperty("question").GetString()!, options, run.Now + run.Parts.Options.InputExpiry) { Tainted = run.State.Tainted ? true : null }, call.Agent);
                break;
        }

        if (call.Failed)
        {
            span?.SetTag("error.type", "refused");
            span?.SetStatus(ActivityStatusCode.Error, "refused");
        }
    }

    private static string? Invalid(string schema, JsonElement arguments)
    {
        var errors = JsonSchemaValidator.Validate(schema, arguments);
        return errors.Count == 0 ? null : string.Join("; ", errors.Take(10));
    }

    private static PreparedCall? Refuse(RunAttempt run, CallState call, string kind, string text)
    {
        run.Emit(new ToolFailed(call.Call.Call, call.Call.Tool, kind, text, 0), call.Agent);
        return null;
    }
}
