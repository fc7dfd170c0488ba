using System.Buffers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace RootMas.Server.Models.OpenAi;

/// <summary>
/// One model behind an OpenAI-compatible endpoint. Always streams. Own writer and reader instead of the official client: see docs/decisions/0003-own-openai-reader.md.
/// One request per call, never a retry: retries belong to the stage above, which the ledger sees.
/// </summary>
internal sealed class OpenAiChatClient(ProviderTransport transport, ModelSpec model) : IChatClient
{
    /// <summary>Text beyond this is no answer but a fault. About 250,000 tokens.</summary>
    private const int MaxCharacters = 1_000_000;

    private readonly ChatClientMetadata _metadata = new(model.Provider.Name, model.Provider.BaseUrl, model.Id);

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var response = await SendAsync(messages, options, cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var stream = new AnswerStream(body);
        var parser = new AnswerParser();
        bool more;
        do
        {
            more = await FillAsync(stream, parser, cancellationToken);
            var failure = ReadAll(stream, parser);
            if (parser.TakePending() is { } update)
            {
                yield return update;
            }

            if (failure is not null)
            {
                if (parser.TakeUsage() is { } billed)
                {
                    yield return billed;
                }

                throw Begun(failure, parser);
            }
        }
        while (more && !stream.SaidDone);

        if (!stream.SaidDone && !stream.IsWhole && parser.FinishReason is null)
        {
            throw Begun(new EndpointException(FailureKind.Unreachable, "The stream broke off before its end."), parser);
        }

        if (parser.IsCut)
        {
            if (parser.TakeUsage() is { } billed)
            {
                yield return billed;
            }

            throw Begun(new EndpointException(FailureKind.InvalidAnswer, "The answer ends in the middle of a character."), parser);
        }

        yield return parser.Finish();
    }

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is not null ? null
        : serviceType == typeof(ChatClientMetadata) ? _metadata
        : serviceType.IsInstanceOfType(this) ? this
        : null;

    public void Dispose()
    {
        // The transport is shared.
    }

    private async Task<HttpResponseMessage> SendAsync(IEnumerable<ChatMessage> messages, ChatOptions? options, CancellationToken cancellationToken)
    {
        var body = new ArrayBufferWriter<byte>(1024 + LengthOf(messages));
        ChatRequestWriter.Write(body, model, messages, options);
        return await transport.SendAsync(model.Provider, HttpMethod.Post, "/chat/completions", body.WrittenMemory, cancellationToken);
    }

    /// <summary>Of the texts, so that a long conversation is not copied again and again into buffers of twice the size.</summary>
    private static int LengthOf(IEnumerable<ChatMessage> messages)
    {
        var length = 0;
        foreach (var message in messages)
        {
            foreach (var content in message.Contents)
            {
                length += content is TextContent text ? text.Text.Length : 0;
            }
        }

        return length;
    }

    private static EndpointException Begun(EndpointException failure, AnswerParser parser)
    {
        failure.HadBegun = parser.Characters > 0;
        return failure;
    }

    private static async ValueTask<bool> FillAsync(AnswerStream stream, AnswerParser parser, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.FillAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw Begun(new EndpointException(FailureKind.Unreachable, "The connection broke in the middle of the answer.", inner: e), parser);
        }
    }

    /// <summary>A failure is returned, not thrown: what came before it is handed on first.</summary>
    private static EndpointException? ReadAll(AnswerStream stream, AnswerParser parser)
    {
        try
        {
            while (stream.TryRead(out var payload))
            {
                parser.Read(payload);
            }
        }
        catch (EndpointException e)
        {
            return e;
        }
        catch (JsonException e)
        {
            return new EndpointException(FailureKind.InvalidAnswer, "A piece of the answer is not JSON.", inner: e);
        }
        catch (InvalidOperationException e)
        {
            // Utf8JsonReader's word for strings that are not valid UTF-16.
            return new EndpointException(FailureKind.InvalidAnswer, "A piece of the answer is not valid text.", inner: e);
        }

        return parser.Characters > MaxCharacters
            ? new EndpointException(FailureKind.InvalidAnswer, $"The answer is longer than {MaxCharacters} characters.")
            : null;
    }
}
