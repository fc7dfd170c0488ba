using System.Net;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Runtime.Runs;

/// <summary>The models of whoever uses the runtime as a library: what they throw ends the run that asked, as a failed model call of its log, and nothing else.</summary>
/// <remarks>Not part of the engine: what a server's own pipeline throws may be an outage of its database, after which the run goes on.</remarks>
internal sealed class CallersModels(IChatClient inner) : DelegatingChatClient(inner)
{
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        IAsyncEnumerator<ChatResponseUpdate> updates;
        try
        {
            updates = InnerClient.GetStreamingResponseAsync(messages, options, cancellationToken).GetAsyncEnumerator(cancellationToken);
        }
        catch (Exception e) when (IsUnknown(e, cancellationToken))
        {
            throw Failure(e);
        }

        await using (updates)
        {
            while (await MovesAsync(updates, cancellationToken))
            {
                yield return updates.Current;
            }
        }
    }

    private static async ValueTask<bool> MovesAsync(IAsyncEnumerator<ChatResponseUpdate> updates, CancellationToken cancellationToken)
    {
        try
        {
            return await updates.MoveNextAsync();
        }
        catch (Exception e) when (IsUnknown(e, cancellationToken))
        {
            throw Failure(e);
        }
    }

    private static bool IsUnknown(Exception e, CancellationToken cancellationToken) =>
        e is not ModelException && !(e is OperationCanceledException && cancellationToken.IsCancellationRequested);

    private static ModelException Failure(Exception e) => new(ClassOf(e), "The model could not be asked: " + e.Message, inner: e);

    private static string ClassOf(Exception e) => e switch
    {
        HttpRequestException { StatusCode: HttpStatusCode.TooManyRequests } => "rate_limited",
        HttpRequestException { StatusCode: HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden } => "auth",
        HttpRequestException { StatusCode: null } or IOException => "unreachable",
        TimeoutException or OperationCanceledException => "timeout",
        _ => "server_error",
    };
}
