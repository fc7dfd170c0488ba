using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Models.Pipeline;

/// <summary>Refuses a call whose budget is already used up, before anything below works for it. What a single request may cost, <see cref="BudgetGuard"/> decides.</summary>
internal sealed class BudgetChatClient(IChatClient inner, ModelRouter router) : DelegatingChatClient(inner)
{
    public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        if (ModelCall.From(options) is { Budget: { } budget } call && budget <= Money.Zero && !router.Current.Route(call).Any(c => c.Endpoint.Model.Price.IsFree))
        {
            throw new ModelException("budget", "The budget of this run is used up. What was done so far is kept. Raise the limit and try again.");
        }

        return base.GetStreamingResponseAsync(messages, options, cancellationToken);
    }
}
