using RootMas.Runtime.Context;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>What became of one call: an event, or a doubt that a person must decide; neither: it was stopped and is repeated later.</summary>
/// <param name="HeldBack">It never left: the lease would not have outlasted it.</param>
internal sealed record CallOutcome(PreparedCall Call, RunEvent? Event, string? Doubt, bool HeldBack = false);

/// <summary>Makes the calls of a batch, a bounded number at once, and emits results as they come.</summary>
internal sealed class ToolBatch(RunAttempt run, IReadOnlyList<PreparedCall> calls)
{
    /// <summary>For a tool that was told to stop. People who cancel are promised a second.</summary>
    private static readonly TimeSpan ToStop = TimeSpan.FromMilliseconds(300);

    /// <summary>False: a call was held back, because another worker may soon take the run over. What others found is written.</summary>
    public async Task<bool> RunAsync()
    {
        var isHeldBack = false;
        using var slots = new SemaphoreSlim(run.Parts.Options.MaxParallelTools);
        var tasks = calls.Select(c => LimitedAsync(c, slots)).ToList();
        var left = tasks.Count;
        await foreach (var task in Task.WhenEach(tasks))
        {
            left--;
            var outcome = await task;
            isHeldBack |= outcome.HeldBack;
            if (outcome.Event is { } e)
            {
                run.Emit(e, outcome.Call.State.Agent);
            }
            else if (outcome.Doubt is { } doubt)
            {
                Recovery.Review(run, outcome.Call.State, doubt);
            }

            if (left > 0 && outcome.Call.Effect != ToolEffect.Read)
            {
                // Others are still under way: what has taken effect is not left to their luck.
                await run.FlushAsync();
            }
        }

        if (isHeldBack)
        {
            await run.FlushAsync();
        }

        return !isHeldBack;
    }

    private async Task<CallOutcome> LimitedAsync(PreparedCall call, SemaphoreSlim slots)
    {
        await slots.WaitAsync(CancellationToken.None);
        try
        {
            // It may have waited for its slot as long as the calls before it took.
            if (call.Effect == ToolEffect.Unsafe && !await ToolStep.LeaseOutlastsAsync(run, call.Tool.Timeout))
            {
                return new(call, null, null, HeldBack: true);
            }

            var outcome = await InvokeAsync(call);
            return outcome.Event is ToolFailed { Kind: "timeout" or "in_doubt" } && call.Effect == ToolEffect.Idempotent && !run.StepToken.IsCancellationRequested
                ? AfterDoubt(await InvokeAsync(call))
                : outcome;
        }
        finally
        {
            slots.Release();
        }
    }

    /// <summary>The second try knows of itself only; what the first one may have done stays in doubt.</summary>
    private static CallOutcome AfterDoubt(CallOutcome second) => second.Event is ToolFailed { Kind: not "in_doubt" } failed
        ? second with { Event = failed with { Kind = "in_doubt", Result = failed.Result + " The first try of this call may have had its effect: look before you make it again as a new call." } }
        : second;

    private async Task<CallOutcome> InvokeAsync(PreparedCall call)
    {
        using var activity = RunTelemetry.Tool(run, call.State);
        var started = run.Parts.Clock.GetTimestamp();
        using var timeout = new CancellationTokenSource(call.Tool.Timeout, run.Parts.Clock);
        var stop = call.Effect == ToolEffect.Unsafe ? run.HardToken : run.StepToken;
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(stop, timeout.Token);
        var isOver = false;
        CallOutcome outcome;
        try
        {
            var made = call.Tool.InvokeAsync(ContextFor(call, call.IsLocal ? static _ => { } : text => Progress(call, text, Volatile.Read(ref isOver))), call.State.Call.Arguments, linked.Token);
            var result = await HeardAsync(made, linked.Token);
            outcome = new(call, Completed(call, result, Elapsed(started)), null);
        }
        catch (ToolException e)
        {
            outcome = e.InDoubt ? InDoubt(call, e.Message, Elapsed(started), saysSo: true) : Failed(call, "error", e.Message, Elapsed(started));
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            var text = $"{call.Tool.Name} did not answer within {call.Tool.Timeout.TotalSeconds:0} seconds.";
            outcome = call.Effect == ToolEffect.Unsafe ? InDoubt(call, text, Elapsed(started)) : Failed(call, "timeout", text, Elapsed(started));
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // Cancelled: the ending gives it its result. Stopped: the next attempt makes it again.
            outcome = new(call, null, null);
        }
        catch (Exception e)
        {
            run.Parts.Options.OnToolError(call.Tool.Name, run.Run.RunId, e);
            const string text = "The tool failed because of an internal error; it was logged. Try another way.";
            outcome = call.Effect == ToolEffect.Unsafe ? InDoubt(call, text, Elapsed(started)) : Failed(call, "error", text, Elapsed(started));
        }

        Volatile.Write(ref isOver, true);
        RunTelemetry.ToolDone(activity, call, outcome, Elapsed(started));
        return outcome;
    }

    /// <summary>A tool that goes on when it is told to stop is not waited for: after a moment, in which it may say how far it came, nobody asks what becomes of it.</summary>
    private static async ValueTask<ToolResult> HeardAsync(ValueTask<ToolResult> call, CancellationToken stop)
    {
        if (call.IsCompleted)
        {
            return await call;
        }

        var made = call.AsTask();
        try
        {
            return await made.WaitAsync(stop);
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            await Task.WhenAny(made, Task.Delay(ToStop, TimeProvider.System, CancellationToken.None));
            if (made.IsCompleted)
            {
                return await made;
            }

            _ = LeftAloneAsync(made);
            throw;
        }
    }

    private static async Task LeftAloneAsync(Task made) => await made.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    /// <summary>Of a call that is over nothing is shown any more: the run may have ended.</summary>
    private void Progress(PreparedCall call, string text, bool isOver)
    {
        if (!isOver)
        {
            run.Progress(call.Number, call.State.Agent, text);
        }
    }

    /// <param name="saysSo">The tool itself, which knows best what it may have done.</param>
    private static CallOutcome InDoubt(PreparedCall call, string text, double ms, bool saysSo = false) => call.Effect == ToolEffect.Unsafe
        ? new(call, null, saysSo ? text : text + " It may have taken effect.")
        : Failed(call, "in_doubt", text, ms);

    private static CallOutcome Failed(PreparedCall call, string kind, string text, double ms) =>
        new(call, new ToolFailed(call.Number, call.Tool.Name, kind, text, ms, call.Tool.Taints), null);

    private static ToolCompleted Completed(PreparedCall call, ToolResult result, double ms)
    {
        var limit = call.Tool.OutputLimit;
        var isCut = result.Text.Length > limit;
        return new(call.Number, call.Tool.Name, ShownText.Cut(result.Text, limit), call.Tool.Taints || result.Tainted, ms, isCut, result.Urls, result.Citations) { Facts = result.Facts };
    }

    private ToolContext ContextFor(PreparedCall call, Action<string> progress) => new()
    {
        RunId = run.Run.RunId,
        RootRunId = run.Run.RootRunId,
        ConversationId = run.Run.ConversationId,
        OwnerId = run.Run.OwnerId,
        Agent = call.State.Agent,
        Tainted = run.State.Tainted,
        Call = call.Number,
        IdempotencyKey = call.IdempotencyKey,
        MayAsync = async (permission, token) => (await run.Parts.Options.Rights.PermissionsAsync(run.Run, token))(permission),
        Clock = run.Parts.Clock,
        Progress = progress,
    };

    private double Elapsed(long started) => Math.Round(run.Parts.Clock.GetElapsedTime(started).TotalMilliseconds, 3);
}
