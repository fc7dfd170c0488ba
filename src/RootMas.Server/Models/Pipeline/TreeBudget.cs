using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Server.Models.Budgets;

namespace RootMas.Server.Models.Pipeline;

/// <summary>
/// Where runs of one tree ask models side by side: says how much a request can come to before it is made, so that as much is set aside of the tree's limits (decision 36), and keeps its answer as short as was counted with.
/// </summary>
internal sealed class TreeBudget(ModelRouter router, BudgetOptions options)
{
    /// <summary>At the model that is asked first. Whatever cannot be asked comes to nothing; the pipeline says why.</summary>
    public (TreeAmount Most, TreeAmount? Longest) MostOf(IReadOnlyList<ChatMessage> messages, ChatOptions request)
    {
        try
        {
            return ModelCall.From(request) is { } call && router.Current.Route(call) is [var first, ..]
                ? (BudgetGuard.Most(messages, request, first.Endpoint.Model, options.MostOutput), BudgetGuard.Longest(messages, request, first.Endpoint.Model, options.MostOutput))
                : default;
        }
        catch (ModelException)
        {
            return default;
        }
    }

    /// <summary>The request as it may be sent, with enough set aside for it and for what its call has cost so far. Where the longest answer takes no more than a quarter of what the tree has left, it is not limited.</summary>
    /// <exception cref="EndpointException">All that is left is set aside for others.</exception>
    public async ValueTask<AttemptRequest> EnterAsync(AttemptRequest request, ModelSpec model)
    {
        if (request.Call is not { SetAside: { } setAside } call)
        {
            return request;
        }

        var most = BudgetGuard.Most(request.Messages, request.Options, model, options.MostOutput);
        var longest = BudgetGuard.Longest(request.Messages, request.Options, model, options.MostOutput);
        return await setAside(WithUsed(most, call), longest is { } all ? WithUsed(all, call) : null) switch
        {
            TreeRoom.Ample => request,
            TreeRoom.Limited => BudgetGuard.Limit(request, model, options.MostOutput),
            _ => throw new EndpointException(FailureKind.BudgetHeld, "What is left of the limit of this run and its subtasks is set aside for model calls of theirs that are under way.", TimeSpan.FromSeconds(1)),
        };
    }

    private static TreeAmount WithUsed(TreeAmount amount, ModelCall call) =>
        new(amount.CostMicroUsd + call.Cost.MicroUsd, amount.Tokens + call.Usage.InputTokens + call.Usage.OutputTokens);
}
