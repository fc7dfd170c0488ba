using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Context;
using RootMas.Runtime.Runs;
using RootMas.Server.Models.Budgets;

namespace RootMas.Server.Models.Pipeline;

/// <summary>What the runs of one cascade share.</summary>
internal sealed partial class CascadeTools(LedgerStore ledger, SpendGuard spend, TreeBudget tree, ModelMetrics metrics, ILogger<CascadeTools> logger)
{
    public LedgerStore Ledger => ledger;

    public SpendGuard Spend => spend;

    public TreeBudget Tree => tree;

    /// <summary>A model refuses a limit that nobody but the budgets asked for.</summary>
    public void RefusedLimit(ModelSpec model, AttemptRequest? request) => LogRefusedLimit(model.Name, request?.Options?.MaxOutputTokens);

    /// <summary>A model's answer does not count: it is repaired, or another model is asked.</summary>
    public void GivenUp(ModelSpec model, ModelCall call, string reason)
    {
        metrics.Switched(model, reason);
        LogGivenUp(model.Name, reason, call.Purpose);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The model {Model} gave no usable answer ({Reason}, purpose {Purpose})")]
    private partial void LogGivenUp(string model, string reason, string purpose);

    [LoggerMessage(Level = LogLevel.Information, Message = "The model {Model} refuses answers of up to {Tokens} tokens, and is asked for shorter ones. Its max_output in models.yaml, or a context that is right, spares the try")]
    private partial void LogRefusedLimit(string model, int? tokens);
}

/// <summary>An answer that a better model is asked to surpass. It is paid for, and counts if none does.</summary>
/// <param name="Said">Text and reasoning.</param>
/// <param name="Held">The rest: calls, usage, the finish reason.</param>
internal sealed record KeptAnswer(ChatResponseUpdate Said, IReadOnlyList<ChatResponseUpdate> Held, LedgerEntry Entry);

/// <summary>One call on its way through the cascade: which model is asked now, what failed before, whether the user has already seen text that will not count.</summary>
internal sealed class CascadeRun(CascadeTools tools, RouteCursor cursor, ModelCall call, IReadOnlyList<ChatMessage> messages, ChatOptions? options)
{
    private readonly List<(Candidate Candidate, EndpointException Failure)> _failures = [];
    private readonly OutputLimit _limit = new(options);
    private IReadOnlyList<ChatMessage>? _repair;
    private Candidate? _repairing;
    private SpendHold? _hold;
    private bool _failed;
    private KeptAnswer? _kept;

    /// <summary>What is shown is the kept answer's own text.</summary>
    private bool _keptStands;

    /// <summary>Text of an attempt that was given up has been shown.</summary>
    public string? Superseded { get; private set; }

    public bool Shown { get; private set; }

    /// <summary>Opens the next attempt; null: it failed, ask again.</summary>
    /// <exception cref="ModelException">No model is left.</exception>
    public async ValueTask<ModelAttempt?> OpenAsync(CancellationToken cancellationToken)
    {
        var candidate = cursor.Current ?? throw CascadeFailure.Describe(_failures);
        var endpoint = candidate.Endpoint;
        _failed = false;
        AttemptRequest? request = null;
        try
        {
            request = await tools.Tree.EnterAsync(new AttemptRequest(_repair ?? messages, options, call, candidate.Tier), endpoint.Model);
            request = BudgetGuard.Apply(request, endpoint.Model);
            (request, _hold) = await tools.Spend.EnterAsync(request, endpoint.Model, cancellationToken);
            request = _limit.Of(request, endpoint);
            var attempt = await endpoint.OpenAsync(request, cancellationToken);
            _limit.Taken(endpoint);
            return attempt;
        }
        catch (EndpointException e)
        {
            await LeaveAsync();
            if (_limit.Lower(request, endpoint, e))
            {
                tools.RefusedLimit(endpoint.Model, request);
            }
            else
            {
                Fail(candidate, e);
            }

            return null;
        }
        catch
        {
            await LeaveAsync();
            throw;
        }
    }

    /// <summary>Moves to the attempt's next piece; false: it ended, well or not.</summary>
    public async ValueTask<bool> MoveAsync(ModelAttempt attempt, CancellationToken cancellationToken)
    {
        try
        {
            if (await attempt.MoveNextAsync())
            {
                Shown = true;
                return true;
            }
        }
        catch (EndpointException e)
        {
            call.FailedAttempts.Add($"{attempt.Endpoint.Model.Name}: {e.ErrorClass}");
            await attempt.Endpoint.ReportAsync(e, cancellationToken);
            await DropAsync(attempt, e.ErrorClass, e.IsUnbilled);
            Fail(cursor.Current!, e);
        }

        return false;
    }

    public void ShowedFirst() => Shown = true;

    /// <summary>The notice is out; what follows is a fresh answer.</summary>
    public void StartFresh() => (Shown, Superseded, _keptStands) = (false, null, false);

    /// <summary>When no better model is left: the rest of what the kept answer comes to, all of it if its text was taken back or another's has come instead. Null: there is none, or others are still asked.</summary>
    public IReadOnlyList<ChatResponseUpdate>? TakeKept()
    {
        if (cursor.Current is not null || _kept is not { } kept)
        {
            return null;
        }

        Tell(kept.Entry);
        if (_keptStands)
        {
            return kept.Held;
        }

        List<ChatResponseUpdate> all = Superseded is { } reason ? [new ChatResponseUpdate(ChatRole.Assistant, [new SupersededContent(reason)])] : [];
        if (kept.Said.Contents.Count > 0)
        {
            all.Add(kept.Said);
        }

        all.AddRange(kept.Held);
        return all;
    }

    /// <summary>Judges the ended attempt. True: it is the answer, and <see cref="ModelAttempt.Held"/> may be handed on.</summary>
    public async ValueTask<bool> AcceptAsync(ModelAttempt attempt)
    {
        if (_failed)
        {
            return false;
        }

        if (attempt.Finish == ChatFinishReason.ContentFilter && !attempt.HasText)
        {
            await DropAsync(attempt, "content_filter", unbilled: false);
            if (_kept is not null)
            {
                FallBack("content_filter");
                return false;
            }

            throw new ModelException("content_filter", $"The model {attempt.Endpoint.Model.Name} refused to answer for reasons of its content rules. Rephrase the request.");
        }

        if (attempt is { Request.CutByBudget: true, IsCutHere: true })
        {
            await DropAsync(attempt, "budget", unbilled: false);
            if (_kept is not null)
            {
                FallBack("budget");
                return false;
            }

            throw new ModelException("budget", "The answer was cut off because the budget of this run, or of the day, is used up. What was written so far is kept. Raise the limit and try again.");
        }

        if (AnswerCheck.Find(attempt, options) is not { } fault)
        {
            TellCut(attempt);
            await KeepAsync(attempt, "ok");
            return true;
        }

        return await BadAsync(attempt, fault);
    }

    /// <summary>The caller left before the end.</summary>
    public async ValueTask CloseAsync(ModelAttempt attempt)
    {
        try
        {
            await attempt.DisposeAsync();
            if (!attempt.IsSettled)
            {
                await tools.Ledger.AppendAsync(attempt.Settle("cancelled"), CancellationToken.None);
            }
        }
        finally
        {
            await LeaveAsync();
        }
    }

    /// <summary>Once every row of the request is made: what was set aside for it is free again.</summary>
    private ValueTask LeaveAsync()
    {
        var hold = _hold;
        _hold = null;
        return hold is null ? default : tools.Spend.LeaveAsync(hold);
    }

    private async ValueTask<bool> BadAsync(ModelAttempt attempt, AnswerFault fault)
    {
        var candidate = cursor.Current!;
        if (fault.Repair is { } error && _repairing != candidate)
        {
            await DropAsync(attempt, "invalid_answer", unbilled: false);
            Note(candidate, "repair");
            _repairing = candidate;
            _repair = [.. messages, new ChatMessage(ChatRole.Assistant, attempt.Text), new ChatMessage(ChatRole.User, StructuredAnswer.Complaint(error))];
            return false;
        }

        if (cursor.Escalate())
        {
            var entry = await DropAsync(attempt, "invalid_answer", unbilled: false);
            if (fault.IsUsable)
            {
                Keep(attempt, candidate, entry);
            }

            Note(candidate, fault.Reason);
            _repair = null;
            return false;
        }

        if (fault.IsUsable)
        {
            await KeepAsync(attempt, "ok");
            return true;
        }

        await DropAsync(attempt, "invalid_answer", unbilled: false);
        if (_kept is not null)
        {
            FallBack(fault.Reason);
            return false;
        }

        Note(candidate, fault.Reason);
        throw new ModelException("invalid_answer", $"No model gave a usable answer ({fault.Reason}; asked: {string.Join("; ", call.FailedAttempts)}). Try again, or name better models in models.yaml.");
    }

    private void Keep(ModelAttempt attempt, Candidate candidate, LedgerEntry entry)
    {
        List<AIContent> said = [];
        if (attempt.Reasoning is { Length: > 0 } reasoning)
        {
            said.Add(new TextReasoningContent(reasoning));
        }

        if (attempt.Text is { Length: > 0 } text)
        {
            said.Add(new TextContent(text));
        }

        _kept = new KeptAnswer(new ChatResponseUpdate(ChatRole.Assistant, said), attempt.Held, entry);
        _keptStands = Shown;
        cursor.OnlyAbove(candidate.Rank);
    }

    /// <summary>To the answer that is kept.</summary>
    private void FallBack(string reason)
    {
        Note(cursor.Current!, reason);
        cursor.End();
    }

    /// <summary>Whoever gave the task reads the text only, and would take half of it for all.</summary>
    private void TellCut(ModelAttempt attempt)
    {
        if (attempt is { IsCutHere: true, Calls.Count: 0 } && call is { SetAside: not null, Purpose: "answer" } && options?.ResponseFormat is not ChatResponseFormatJson && options?.MaxOutputTokens is null)
        {
            attempt.Held.Insert(0, new ChatResponseUpdate(ChatRole.Assistant, $"\n[cut off: beside other work on the same limit an answer has at most {attempt.Request.Options?.MaxOutputTokens} tokens]"));
        }
    }

    private void Fail(Candidate candidate, EndpointException failure)
    {
        _failed = true;
        _failures.Add((candidate, failure));
        tools.GivenUp(candidate.Endpoint.Model, call, failure.ErrorClass);
        MarkShown(failure.ErrorClass);
        _repair = null;
        switch (failure.Kind)
        {
            case FailureKind.ContentFilter or FailureKind.BadRequest when _kept is not null:
                cursor.End();
                break;
            case FailureKind.ContentFilter:
                throw CascadeFailure.Describe([(candidate, failure)]);
            case FailureKind.BadRequest:
                throw CascadeFailure.Describe(_failures); // a model that could not answer just now may take what this one does not
            case FailureKind.ContextLength:
                cursor.NextLarger();
                break;
            case FailureKind.InvalidAnswer when cursor.Escalate():
                break;
            default:
                cursor.Next();
                break;
        }
    }

    private void Note(Candidate candidate, string reason)
    {
        call.FailedAttempts.Add($"{candidate.Endpoint.Model.Name}: {reason}");
        tools.GivenUp(candidate.Endpoint.Model, call, reason);
        MarkShown(reason);
    }

    private void MarkShown(string reason) => Superseded = Shown ? reason : Superseded;

    private async ValueTask<LedgerEntry> DropAsync(ModelAttempt attempt, string outcome, bool unbilled)
    {
        await attempt.CloseAsync();
        var entry = attempt.Settle(outcome, unbilled);
        await tools.Ledger.AppendAsync(entry, CancellationToken.None);
        return entry;
    }

    private async ValueTask KeepAsync(ModelAttempt attempt, string outcome)
    {
        var entry = attempt.Settle(outcome);
        Tell(entry);
        if (call.RunId is null && !call.WritesLedger)
        {
            await tools.Ledger.AppendAsync(entry, CancellationToken.None);
        }
        else
        {
            call.Ledger.Add(entry);
        }
    }

    private void Tell(LedgerEntry entry)
    {
        call.ModelUsed = entry.Model;
        call.ProviderUsed = entry.Provider;
        call.TierUsed = entry.Tier;
        call.TtftMs = entry.TtftMs;
    }
}
