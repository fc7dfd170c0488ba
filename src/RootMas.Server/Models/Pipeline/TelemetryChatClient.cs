using System.Diagnostics;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Pipeline;

/// <summary>Outermost stage: one span and one measurement per call, whatever happens below. Gives a call that has no <see cref="ModelCall"/> one of its own.</summary>
internal sealed class TelemetryChatClient(IChatClient inner, ModelMetrics metrics) : DelegatingChatClient(inner)
{
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var call = ModelCall.From(options);
        if (call is null)
        {
            call = new ModelCall { OwnerId = "system", Purpose = "answer", Tier = "standard", Model = options?.ModelId };
            options = options?.Clone() ?? new ChatOptions();
            (options.AdditionalProperties ??= [])[ModelCall.Key] = call;
        }

        using var span = metrics.Start(call);
        var outcome = "cancelled";
        try
        {
            await using var updates = base.GetStreamingResponseAsync(messages, options, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (true)
            {
                try
                {
                    // An async iterator forgets the ambient span at each yield; attempts after a switch belong under this one too.
                    Activity.Current = span ?? Activity.Current;
                    if (!await updates.MoveNextAsync())
                    {
                        break;
                    }
                }
                catch (ModelException e)
                {
                    outcome = e.ErrorClass;
                    throw;
                }

                yield return updates.Current;
            }

            outcome = call.CacheHit is null ? "ok" : "cached";
        }
        finally
        {
            metrics.Ended(span, call, outcome);
        }
    }

    public override async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
    {
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in GetStreamingResponseAsync(messages, options, cancellationToken))
        {
            if (update.Contents is [SupersededContent])
            {
                updates.Clear();
            }
            else
            {
                updates.Add(update);
            }
        }

        return updates.ToChatResponse();
    }
}
