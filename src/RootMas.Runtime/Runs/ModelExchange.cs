using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

internal enum ExchangeOutcome
{
    Completed,

    /// <summary>Cancelled, or the worker stops; the loop decides.</summary>
    Interrupted,

    /// <summary>All models are down; a timer was set.</summary>
    Later,
    Failed,
}

/// <summary>One request to the model pipeline: streams pieces, and turns the end into events.</summary>
internal sealed class ModelExchange(RunAttempt run, CallModel call, ModelCall modelCall, string requestHash)
{
    private const double LongestForBudget = 8;

    /// <summary>Seconds; timers take no more than 49 days.</summary>
    private const double LongestWait = 30 * 86_400;
    private static readonly TimeSpan AfterTheLimit = TimeSpan.FromMilliseconds(50);

    /// <summary>Far more than any tool takes. Arguments stand in events, and these in pages: the whole must stay within what JSON is read and written with.</summary>
    private const int MaxArgumentLevels = 24;

    /// <summary>Characters, more than any tool's name has: what is longer is none, and is told, logged and shown no further.</summary>
    private const int MaxToolName = 100;

    private readonly StringBuilder _text = new();
    private readonly List<FunctionCallContent> _calls = [];
    private readonly List<ChatResponseUpdate> _early = [];
    private StringBuilder? _reasoning;
    private TokenUsage _usage = TokenUsage.None;
    private string _finish = "";
    private string? _model;
    private double? _ttft;
    private long _started;
    private TreeShare? _share;

    public ModelCall Call => modelCall;

    public ModelException? Failure { get; private set; }

    private bool IsAnswer => call.Purpose == "answer";

    /// <summary>Of all attempts, as far as the pipeline counts them.</summary>
    private TokenUsage Used => modelCall.Usage == TokenUsage.None ? _usage : modelCall.Usage;

    public async Task<ExchangeOutcome> RunAsync(List<ChatMessage> messages, ChatOptions options)
    {
        try
        {
            return await AskAsync(messages, options);
        }
        finally
        {
            run.AddLedger(modelCall.Ledger); // also where the run turns out to be somebody else's: it is paid for
        }
    }

    private async Task<ExchangeOutcome> AskAsync(List<ChatMessage> messages, ChatOptions options)
    {
        run.Count(new(1, 0, 0, 0));
        Request();
        var overlap = run.Execution.IsNew && run.State.Steps == 1;
        _share = TreeShare.Of(run, modelCall, messages, options);
        var writing = run.BeginFlush(_share?.First);
        if (!overlap)
        {
            await run.FlushedAsync();
            if (_share is not null && Refused((await writing).Grant) is { } refused)
            {
                return refused;
            }
        }

        _started = run.Parts.Clock.GetTimestamp();
        using var wall = new CancellationTokenSource(WallTimeLeft(), run.Parts.Clock);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(run.StepToken, wall.Token);
        if (overlap)
        {
            _ = CancelIfRefusedAsync(writing, cancel);
        }

        try
        {
            await foreach (var update in run.Parts.Models.GetStreamingResponseAsync(messages, options, cancel.Token))
            {
                _early.Add(update);
                if (run.IsAnswered || run.HasReaders)
                {
                    await run.FlushedAsync();
                    await ReadEarlyAsync();
                }
            }

            // An answer that is whole before the run's first batch is on disk is written with it, unless somebody wants to see it piece by piece.
            if (run.HasReaders)
            {
                await run.FlushedAsync();
            }

            await ReadEarlyAsync();
        }
        catch (ModelException e)
        {
            await run.FlushedAsync();
            await ReadEarlyAsync();
            return Failed(e);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            await run.FlushedAsync();
            await ReadEarlyAsync();
            return Interrupted();
        }

        Complete();
        return ExchangeOutcome.Completed;
    }

    /// <summary>A model that never ends must not take longer than the run may: the guard says the rest. A little more than that, so that the limit is over by then.</summary>
    private TimeSpan WallTimeLeft() => TimeSpan.FromSeconds(Math.Clamp(run.Limits.MaxWallSeconds - run.Active.TotalSeconds, 0, LongestWait)) + AfterTheLimit;

    private void Request() => run.Emit(
        new ModelRequested(modelCall.MessageId!, modelCall.Tier, modelCall.PromptVersion, requestHash, call.Purpose, call.Turn, modelCall.Model),
        call.Agent);

    /// <summary>If the run is refused, the call that went ahead of the commit is stopped.</summary>
    private static async Task CancelIfRefusedAsync(Task<AppendResult> writing, CancellationTokenSource cancel)
    {
        await ((Task)writing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (writing.IsCompletedSuccessfully && (await writing).Outcome == AppendOutcome.Appended)
        {
            return;
        }

        try
        {
            await cancel.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The call has ended meanwhile.
        }
    }

    /// <summary>Takes in what has come; its pieces are shown only if everything before them is durable.</summary>
    private async ValueTask ReadEarlyAsync()
    {
        foreach (var update in _early)
        {
            await ReadAsync(update);
        }

        _early.Clear();
    }

    private async ValueTask ReadAsync(ChatResponseUpdate update)
    {
        _model = update.ModelId ?? _model;
        _finish = update.FinishReason?.Value ?? _finish;
        foreach (var content in update.Contents)
        {
            switch (content)
            {
                case TextReasoningContent { Text.Length: > 0 } reasoning:
                    Show(_reasoning ??= new(), reasoning.Text, isReasoning: true);
                    break;
                case TextContent { Text.Length: > 0 } text:
                    Show(_text, text.Text, isReasoning: false);
                    break;
                case FunctionCallContent function:
                    _calls.Add(function);
                    break;
                case UsageContent usage:
                    _usage += FromDetails(usage.Details);
                    break;
                case SupersededContent superseded:
                    await SupersedeAsync(superseded.Reason);
                    break;
            }
        }
    }

    private void Show(StringBuilder all, string text, bool isReasoning)
    {
        all.Append(text);
        _ttft ??= run.Parts.Clock.GetElapsedTime(_started).TotalMilliseconds;
        if (IsAnswer && run.IsDurable)
        {
            run.Delta(modelCall.MessageId!, call.Agent, text, isReasoning);
        }
    }

    // Shown text no longer counts: a new message begins, and it is on disk before its first piece.
    private async ValueTask SupersedeAsync(string reason)
    {
        run.Emit(new MessageSuperseded(modelCall.MessageId!, reason), call.Agent);
        modelCall.MessageId = Guid.CreateVersion7().ToString();
        Request();
        _text.Clear();
        _reasoning?.Clear();
        _calls.Clear();
        _usage = TokenUsage.None;
        if (_share is null)
        {
            await run.FlushAsync();
        }
        else
        {
            _share.Take(await run.SetAsideAsync(_share.Unchanged));
        }
    }

    /// <summary>A summary retells what it was made of; of an answer its message says it.</summary>
    private IReadOnlyList<string>? DocumentsOfSummary => call.Purpose == "summary" ? modelCall.Documents : null;

    private IReadOnlyList<string>? FactsOfSummary => call.Purpose == "summary" ? ModelStep.FactsOf(run) : null;

    private void Complete()
    {
        if (modelCall.CacheHit is { } hit)
        {
            run.Emit(hit, call.Agent);
        }

        var usage = Used;
        var taken = IsAnswer ? _calls.Take(run.Parts.Options.MaxCallsPerAnswer).ToList() : [];
        var first = run.State.LastCall + 1;
        run.Emit(
            new ModelCompleted(
                modelCall.MessageId!,
                _text.ToString(),
                [.. taken.Select((c, i) => new ToolCall(first + i, Name(c), Arguments(c)))],
                modelCall.ModelUsed.Length > 0 ? modelCall.ModelUsed : _model ?? "unknown",
                modelCall.TierUsed.Length > 0 ? modelCall.TierUsed : modelCall.Tier,
                usage,
                modelCall.Cost,
                Math.Round(run.Parts.Clock.GetElapsedTime(_started).TotalMilliseconds, 3),
                modelCall.TtftMs ?? _ttft,
                _finish.Length > 0 ? _finish : taken.Count > 0 ? "tool_calls" : "stop",
                _reasoning is { Length: > 0 } ? _reasoning.ToString() : null,
                modelCall.CacheHit is not null,
                modelCall.FailedAttempts.Count > 0 ? [.. modelCall.FailedAttempts] : null)
            {
                Documents = DocumentsOfSummary,
                Facts = FactsOfSummary,
            },
            call.Agent);
        run.Count(new(0, 0, Tokens(usage), modelCall.Cost.MicroUsd));
        if (_calls.Count > taken.Count && IsAnswer)
        {
            run.Emit(new GuardHinted("calls", $"You asked for {_calls.Count} tool calls in one answer; only the first {taken.Count} were taken."), call.Agent);
        }
    }

    private ExchangeOutcome Interrupted()
    {
        if (IsAnswer && _text.Length > 0)
        {
            run.Partial = (modelCall.MessageId!, _text.ToString(), call.Agent);
        }

        var usage = Used;
        run.Emit(new ModelFailed(modelCall.MessageId!, "cancelled", "The call was stopped.", modelCall.Cost) { Usage = OrNull(usage) }, call.Agent);
        run.Count(new(0, 0, Tokens(usage), modelCall.Cost.MicroUsd));
        return ExchangeOutcome.Interrupted;
    }

    /// <summary>Before anybody is asked: the batch that began the call has told how far the whole tree is. Null: go on.</summary>
    private ExchangeOutcome? Refused(TreeGrant grant)
    {
        if (run.Tree.Steps > run.Limits.MaxSteps)
        {
            run.Emit(new ModelFailed(modelCall.MessageId!, "cancelled", "The run and its subtasks have taken the last of their steps.", Money.Zero), call.Agent);
            return ExchangeOutcome.Interrupted; // the guard says the rest
        }

        if (_share!.Take(grant))
        {
            return null;
        }

        // What the tree has left is set aside for runs beside this one, which may need less of it.
        return Failed(new ModelException("budget", "What is left of the limit of this run and its subtasks is set aside for model calls of theirs that are under way.", retryLater: true));
    }

    private ExchangeOutcome Failed(ModelException e)
    {
        Failure = e;
        var usage = Used;
        run.Emit(new ModelFailed(modelCall.MessageId!, e.ErrorClass, e.Message, modelCall.Cost) { Usage = OrNull(usage) }, call.Agent);
        var isStep = !e.RetryLater || modelCall.Usage != TokenUsage.None; // who waits for a provider or a budget has taken none
        run.Count(new(isStep ? 0 : -1, 0, Tokens(usage), modelCall.Cost.MicroUsd));
        if (IsAnswer && _text.Length > 0)
        {
            Leave(e);
        }

        if (!e.RetryLater)
        {
            return ExchangeOutcome.Failed;
        }

        var tries = run.State.TimerTries + 1;
        // What is set aside comes back with the end of a call, far sooner than a provider that is down.
        var longest = e.ErrorClass == "budget" ? Math.Min(LongestForBudget, run.Parts.Options.MaxBackoff.TotalSeconds) : run.Parts.Options.MaxBackoff.TotalSeconds;
        var wait = TimeSpan.FromSeconds(Math.Min(Math.Pow(2, Math.Min(tries, 20)), longest));
        wait = e.RetryAfter is { } after && after > wait && after <= run.Parts.Options.MaxBackoff ? after : wait;
        run.Emit(new TimerStarted("models", $"{e.Message} The run waits and tries again by itself.", run.Now + wait, tries), call.Agent);
        return ExchangeOutcome.Later;
    }

    /// <summary>Text that does not become the answer no longer counts; that of a user whose budget ended in the middle of it is what was paid for, and is kept when the run fails.</summary>
    private void Leave(ModelException e)
    {
        if (e is { ErrorClass: ModelException.Budget, RetryLater: false } && run.Run.ParentRunId is null)
        {
            run.Partial = (modelCall.MessageId!, _text.ToString(), call.Agent);
            return;
        }

        run.Emit(new MessageSuperseded(modelCall.MessageId!, e.ErrorClass), call.Agent);
    }

    private static string Name(FunctionCallContent function) =>
        function.Name.Length <= MaxToolName ? function.Name : string.Concat(function.Name.AsSpan(0, char.IsHighSurrogate(function.Name[MaxToolName - 1]) ? MaxToolName - 1 : MaxToolName), "…");

    private static JsonElement Arguments(FunctionCallContent function)
    {
        if (function.AdditionalProperties?.TryGetValue("rootmas.raw_arguments", out var raw) == true && raw is string text)
        {
            return AsText(text);
        }

        var given = function.Arguments ?? new Dictionary<string, object?>(StringComparer.Ordinal);
        try
        {
            var arguments = JsonSerializer.SerializeToElement(given, AIJsonUtilities.DefaultOptions);
            return IsDeeper(arguments, MaxArgumentLevels) ? AsText(arguments.GetRawText()) : arguments;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Half a surrogate pair, as a rule. The model is told that these are no arguments.
            return AsText(string.Join(", ", given.Select(static a => $"{a.Key}: {(a.Value is JsonElement value ? value.GetRawText() : a.Value)}")));
        }
    }

    private static JsonElement AsText(string arguments) => JsonSerializer.SerializeToElement(arguments, AIJsonUtilities.DefaultOptions);

    private static bool IsDeeper(JsonElement value, int levels) => value.ValueKind switch
    {
        JsonValueKind.Object => levels == 0 || value.EnumerateObject().Any(m => IsDeeper(m.Value, levels - 1)),
        JsonValueKind.Array => levels == 0 || value.EnumerateArray().Any(i => IsDeeper(i, levels - 1)),
        _ => false,
    };

    private static long Tokens(TokenUsage usage) => usage.InputTokens + usage.OutputTokens;

    private static TokenUsage? OrNull(TokenUsage usage) => usage == TokenUsage.None ? null : usage;

    private static TokenUsage FromDetails(UsageDetails d) =>
        new(d.InputTokenCount ?? 0, d.CachedInputTokenCount ?? 0, d.OutputTokenCount ?? 0, d.ReasoningTokenCount ?? 0);
}
