using System.Net;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Context;

namespace RootMas.Runtime.Runs;

/// <summary>The models of whoever uses the runtime as a library: what they throw ends the run that asked, as a failed model call of its log, and nothing else. An answer that should be JSON and is not what was asked for is asked for once more.</summary>
/// <remarks>Not part of the engine: what a server's own pipeline throws may be an outage of its database, after which the run goes on.</remarks>
internal sealed class CallersModels(IChatClient inner) : DelegatingChatClient(inner)
{
    public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var asked = messages.ToList();
        var said = new Said(options);
        await foreach (var update in AskAsync(asked, options, cancellationToken))
        {
            said.Add(update);
            yield return update;
        }

        if (said.Error() is not { } error)
        {
            yield break;
        }

        // What it has cost counts with what follows.
        yield return new ChatResponseUpdate(ChatRole.Assistant, [new SupersededContent("repair"), .. said.Usage]);
        List<ChatMessage> again = [.. asked, new(ChatRole.Assistant, said.Text), new(ChatRole.User, StructuredAnswer.Complaint(error))];
        said = new Said(options);
        await foreach (var update in AskAsync(again, options, cancellationToken))
        {
            said.Add(update);
            yield return update;
        }

        if (said.Error() is { } still)
        {
            throw new ModelException(ModelException.InvalidAnswer, $"The model was asked twice, and its answer does not follow the required JSON schema: {still}.");
        }
    }

    private async IAsyncEnumerable<ChatResponseUpdate> AskAsync(List<ChatMessage> messages, ChatOptions? options, [EnumeratorCancellation] CancellationToken cancellationToken)
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

    /// <summary>An answer to a person or a program. What patterns ask for between themselves they check, and ask for again, themselves.</summary>
    private sealed class Said(ChatOptions? options)
    {
        private readonly ChatResponseFormatJson? _wanted = ModelCall.From(options) is { Purpose: "answer" } ? options?.ResponseFormat as ChatResponseFormatJson : null;
        private readonly StringBuilder _text = new();
        private bool _calls;

        public string Text => _text.ToString();

        public List<AIContent> Usage { get; } = [];

        public void Add(ChatResponseUpdate update)
        {
            foreach (var content in _wanted is null ? [] : update.Contents)
            {
                switch (content)
                {
                    case SupersededContent:
                        _text.Clear();
                        break;
                    case TextContent text:
                        _text.Append(text.Text);
                        break;
                    case FunctionCallContent:
                        _calls = true;
                        break;
                    case UsageContent:
                        Usage.Add(content);
                        break;
                }
            }
        }

        /// <summary>Null: nothing is wrong with it, or it has another fault than its form.</summary>
        public string? Error() =>
            _wanted is not null && !_calls && !string.IsNullOrWhiteSpace(Text) ? StructuredAnswer.Error(Text, _wanted.Schema) : null;
    }
}
