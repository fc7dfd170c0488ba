using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Pipeline;

/// <summary>A run may work in another process than the one that accepted it, which knew its model from a key that was entered a moment ago: before a model is called unknown, this process looks too.</summary>
internal sealed class NewestModelsChatClient(IChatClient inner, ModelNames names) : DelegatingChatClient(inner)
{
    public override IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        ModelCall.From(options)?.Model is { Length: > 0 } model && !names.IsKnown(model) ? AfterALookAsync(model, messages, options, cancellationToken) : base.GetStreamingResponseAsync(messages, options, cancellationToken);

    private async IAsyncEnumerable<ChatResponseUpdate> AfterALookAsync(string model, IEnumerable<ChatMessage> messages, ChatOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await names.RefusalAsync(model, cancellationToken); // the cascade refuses it, and names those that there are
        await foreach (var update in base.GetStreamingResponseAsync(messages, options, cancellationToken))
        {
            yield return update;
        }
    }
}
