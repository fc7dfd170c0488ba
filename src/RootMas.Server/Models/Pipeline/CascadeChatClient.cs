using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Pipeline;

/// <summary>
/// Asks one model after the other until one answers well (DESIGN §5). A switch before the first visible piece is silent; after it a <see cref="SupersededContent"/>
/// says that everything so far no longer counts, and a fresh answer follows.
/// </summary>
internal sealed class CascadeChatClient(ModelRouter router, CascadeTools tools) : IChatClient
{
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var call = ModelCall.From(options) ?? throw new InvalidOperationException($"ChatOptions.AdditionalProperties[\"{ModelCall.Key}\"] must hold a ModelCall.");
        var list = messages as IReadOnlyList<ChatMessage> ?? [.. messages];
        var run = new CascadeRun(tools, new RouteCursor(router.Current.Route(call)), call, list, options);
        while (true)
        {
            if (run.TakeKept() is { } kept)
            {
                foreach (var update in kept)
                {
                    yield return update;
                }

                yield break;
            }

            if (await run.OpenAsync(cancellationToken) is not { } attempt)
            {
                continue;
            }

            try
            {
                if (run.Superseded is { } reason)
                {
                    run.StartFresh();
                    yield return new ChatResponseUpdate(ChatRole.Assistant, [new SupersededContent(reason)]);
                }

                for (var more = attempt.HasFirst; more; more = await run.MoveAsync(attempt, cancellationToken))
                {
                    run.ShowedFirst();
                    yield return attempt.Current;
                }

                if (await run.AcceptAsync(attempt))
                {
                    foreach (var update in attempt.Held)
                    {
                        yield return update;
                    }

                    yield break;
                }
            }
            finally
            {
                await run.CloseAsync(attempt);
            }
        }
    }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        throw new NotSupportedException("The pipeline has one path, streaming; its outermost stage aggregates.");

    public object? GetService(Type serviceType, object? serviceKey = null) => serviceKey is null && serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
        // Router and endpoints belong to the container.
    }
}
