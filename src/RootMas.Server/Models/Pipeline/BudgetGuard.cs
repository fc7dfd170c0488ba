using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Models.Pipeline;

/// <summary>
/// Keeps one request within what the call may still cost: a model whose reading alone would cost more is not asked, and the output is limited to what is left,
/// so that a limit is a limit also for an answer that never ends.
/// </summary>
internal static class BudgetGuard
{
    /// <summary>An answer of fewer tokens is not worth its price.</summary>
    private const long LeastOutput = 16;

    /// <summary>A model of which nobody said how much it writes, writes no more.</summary>
    private const long MostOutput = 128_000;

    /// <summary>The most that the request can come to at this model, if its answer is no longer than it says, or than <paramref name="mostOutput"/> if it says nothing.</summary>
    public static TreeAmount Most(IReadOnlyList<ChatMessage> messages, ChatOptions? options, ModelSpec model, int mostOutput)
    {
        var input = TokenEstimate.Of(messages, options, model.Provider);
        var output = MostOutputOf(options, model, input, mostOutput);
        var reading = model.Price.CostOf(new TokenUsage(input, 0, 0)).MicroUsd;
        return new TreeAmount(reading + (long)decimal.Ceiling(output * model.Price.Output), input + output);
    }

    /// <summary>As <see cref="Most"/>, with the longest answer that the model writes; null: the request says itself how long its answer may be.</summary>
    public static TreeAmount? Longest(IReadOnlyList<ChatMessage> messages, ChatOptions? options, ModelSpec model, int mostOutput)
    {
        if (options?.MaxOutputTokens is not null)
        {
            return null;
        }

        var input = TokenEstimate.Of(messages, options, model.Provider);
        var reading = model.Price.CostOf(new TokenUsage(input, 0, 0)).MicroUsd;
        var output = model.MaxOutput ?? Math.Max(MostOutput, mostOutput);
        return new TreeAmount(reading + (long)decimal.Ceiling(output * model.Price.Output), input + output);
    }

    /// <summary>The request, limited to the answer that <see cref="Most"/> counts with.</summary>
    public static AttemptRequest Limit(AttemptRequest request, ModelSpec model, int mostOutput)
    {
        var most = MostOutputOf(request.Options, model, TokenEstimate.Of(request.Messages, request.Options, model.Provider), mostOutput);
        return most == request.Options?.MaxOutputTokens ? request : WithOutput(request, most);
    }

    /// <exception cref="EndpointException">This model would cost too much.</exception>
    public static AttemptRequest Apply(AttemptRequest request, ModelSpec model)
    {
        if (request.Call.Budget is not { } budget || model.Price.IsFree)
        {
            return request;
        }

        var left = budget - request.Call.Cost;
        var input = TokenEstimate.Of(request.Messages, request.Options, model.Provider);
        var writing = left - model.Price.CostOf(new TokenUsage(input, 0, 0));
        var affordable = model.Price.Output == 0 ? int.MaxValue : (long)Math.Min(int.MaxValue, Math.Floor(Math.Max(0, writing.MicroUsd) / model.Price.Output));
        if (writing < Money.Zero || affordable < LeastOutput)
        {
            throw new EndpointException(FailureKind.Budget, "The budget of this run is used up. Raise the limit and try again.");
        }

        // No limit is sent that is none: providers refuse one above what the model can write. The estimate of the prompt is high for some scripts, and may not hide that there is room to write for more than there is money.
        var most = request.Options?.MaxOutputTokens ?? Math.Min(model.MaxOutput ?? MostOutput, model.RoomAfter(input / 2));
        if (most > 0 && affordable >= most)
        {
            return request;
        }

        return WithOutput(request, affordable) with { CutByBudget = true };
    }

    private static long MostOutputOf(ChatOptions? options, ModelSpec model, long input, int mostOutput) =>
        Math.Max(LeastOutput, Math.Min(options?.MaxOutputTokens ?? mostOutput, model.RoomAfter(input)));

    internal static AttemptRequest WithOutput(AttemptRequest request, long tokens)
    {
        var options = request.Options?.Clone() ?? new ChatOptions();
        options.MaxOutputTokens = (int)tokens;
        return request with { Options = options };
    }
}
