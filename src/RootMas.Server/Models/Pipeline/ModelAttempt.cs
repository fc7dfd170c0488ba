using System.Text;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Models.Pipeline;

/// <summary>What one call asks of a model, whichever model is asked.</summary>
internal sealed record AttemptRequest(IReadOnlyList<ChatMessage> Messages, ChatOptions? Options, ModelCall Call, string Tier)
{
    /// <summary>The output limit comes from the budget, not from the caller.</summary>
    public bool CutByBudget { get; init; }

    /// <summary>The output limit is one that the model takes after it refused a larger: whoever is cut there has no more room of its own.</summary>
    public bool CutByModel { get; init; }
}

/// <summary>
/// One request on its way, and its meter: exactly one <see cref="LedgerEntry"/> per request, made by <see cref="Settle"/>. Text and reasoning pass through live;
/// tool calls, usage and the finish reason are held back until the answer has been judged.
/// </summary>
internal sealed class ModelAttempt : IAsyncDisposable
{
    private readonly AttemptRequest _request;
    private readonly TimeProvider _clock;
    private readonly CancellationToken _user;
    private readonly CancellationTokenSource _timeout;
    private readonly CancellationTokenRegistration _link;
    private readonly IAsyncEnumerator<ChatResponseUpdate> _updates;
    private readonly StringBuilder _text = new();
    private readonly StringBuilder _reasoning = new();
    private readonly long _started;
    private double? _ttft;
    private TokenUsage? _usage;
    private bool _settled;

    public ModelAttempt(ModelEndpoint endpoint, AttemptRequest request, TimeProvider clock, CancellationToken user)
    {
        Endpoint = endpoint;
        _request = request;
        _clock = clock;
        _user = user;
        _started = clock.GetTimestamp();
        CreatedAt = clock.GetUtcNow();
        _timeout = new CancellationTokenSource(Timeout.InfiniteTimeSpan, clock);
        _link = user.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), _timeout);
        _updates = endpoint.Client.GetStreamingResponseAsync(request.Messages, request.Options, _timeout.Token).GetAsyncEnumerator(_timeout.Token);
    }

    public ModelEndpoint Endpoint { get; }

    public DateTimeOffset CreatedAt { get; }

    public AttemptRequest Request => _request;

    /// <summary>Opening the attempt has already moved to its first piece, which is in <see cref="Current"/>.</summary>
    public bool HasFirst { get; set; }

    public ChatResponseUpdate Current { get; private set; } = new();

    /// <summary>Held back until the answer is accepted.</summary>
    public List<ChatResponseUpdate> Held { get; } = [];

    public List<FunctionCallContent> Calls { get; } = [];

    public ChatFinishReason? Finish { get; private set; }

    /// <summary>The answer is as long as the request let it be: no model is to blame for that, and no other would have written more. One that ends before that ran out of room of its own.</summary>
    public bool IsCutHere => Finish == ChatFinishReason.Length && _request.Options?.MaxOutputTokens is { } most && (_usage is null || _usage.OutputTokens >= most);

    public string Text => _text.ToString();

    public string Reasoning => _reasoning.ToString();

    public bool HasText { get; private set; }

    public bool IsSettled => _settled;

    public double? TtftMs => _ttft;

    /// <summary>The next piece of text or reasoning in <see cref="Current"/>; false at the end.</summary>
    /// <exception cref="EndpointException">The request failed.</exception>
    public async ValueTask<bool> MoveNextAsync()
    {
        while (await NextAsync())
        {
            var update = _updates.Current;
            _ttft ??= _clock.GetElapsedTime(_started).TotalMilliseconds;
            if (update is { Contents.Count: 0, FinishReason: null })
            {
                continue; // pieces of a tool call come: the model is at work, and there is nothing to show
            }

            if (!Note(update))
            {
                Current = update;
                return true;
            }

            Held.Add(update);
        }

        return false;
    }

    /// <summary>The request's row. Tokens are counted here when the provider did not say and may charge for them.</summary>
    public LedgerEntry Settle(string outcome, bool unbilled = false)
    {
        _settled = true;
        var model = Endpoint.Model;
        var estimated = _usage is null && !unbilled;
        var usage = _usage ?? (unbilled
            ? TokenUsage.None
            : new TokenUsage(TokenEstimate.Of(_request.Messages, _request.Options, model.Provider), 0, OutputEstimate()));
        var call = _request.Call;
        var entry = new LedgerEntry
        {
            Id = Guid.CreateVersion7(CreatedAt).ToString(),
            RunId = call.RunId,
            RootRunId = call.RootRunId,
            OwnerId = call.OwnerId,
            Agent = call.Agent,
            MessageId = call.MessageId,
            Purpose = call.Purpose,
            Provider = model.Provider.Name,
            Model = model.Name,
            Tier = _request.Tier,
            Usage = usage,
            Cost = model.Price.CostOf(usage),
            Outcome = outcome,
            Estimated = estimated,
            LatencyMs = _clock.GetElapsedTime(_started).TotalMilliseconds,
            TtftMs = _ttft,
            CreatedAt = CreatedAt,
        };
        ModelMetrics.Used(model, usage);
        call.Usage += usage;
        call.Cost += entry.Cost;
        call.LastRow = entry.Cost > Money.Zero ? entry.Id : call.LastRow;
        return entry;
    }

    /// <summary>Lets go of the provider's connection; the place at the endpoint stays taken.</summary>
    public async ValueTask CloseAsync()
    {
        await _updates.DisposeAsync();
        await _link.DisposeAsync();
        _timeout.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        Endpoint.Release();
    }

    private long OutputEstimate() =>
        TokenEstimate.Of(_text.ToString()) + TokenEstimate.Of(_reasoning.ToString()) + Calls.Sum(c => TokenEstimate.Of(c.Name) + TokenEstimate.Of(OpenAi.ToolArguments.ToText(c)));

    private async ValueTask<bool> NextAsync()
    {
        try
        {
            var next = _updates.MoveNextAsync();
            _timeout.CancelAfter(TimeLeft()); // also if it is there already: what was set for the piece before must not end this one
            return await next;
        }
        catch (OperationCanceledException) when (!_user.IsCancellationRequested && _timeout.IsCancellationRequested)
        {
            throw new EndpointException(FailureKind.Timeout, _ttft is null ? "No first token in time." : "The answer did not go on, or did not end, in time.");
        }
    }

    private TimeSpan TimeLeft()
    {
        var provider = Endpoint.Model.Provider;
        var left = provider.TotalTimeout - _clock.GetElapsedTime(_started);
        var wait = _ttft is null ? provider.FirstTokenTimeout : provider.IdleTimeout;
        return left < wait ? (left > TimeSpan.Zero ? left : TimeSpan.Zero) : wait;
    }

    /// <summary>True: to be held back.</summary>
    private bool Note(ChatResponseUpdate update)
    {
        var hold = update.FinishReason is not null;
        Finish = update.FinishReason ?? Finish;
        foreach (var content in update.Contents)
        {
            switch (content)
            {
                case TextReasoningContent reasoning:
                    _reasoning.Append(reasoning.Text);
                    break;
                case TextContent text:
                    _text.Append(text.Text);
                    HasText |= !string.IsNullOrWhiteSpace(text.Text);
                    break;
                case FunctionCallContent call:
                    Calls.Add(call);
                    hold = true;
                    break;
                case UsageContent { Details: var details }:
                    _usage = new TokenUsage(details.InputTokenCount ?? 0, details.CachedInputTokenCount ?? 0, details.OutputTokenCount ?? 0, details.ReasoningTokenCount ?? 0);
                    hold = true;
                    break;
            }
        }

        return hold;
    }
}
