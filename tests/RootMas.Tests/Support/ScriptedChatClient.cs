using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Tests.Support;

/// <summary>What a scripted model sees.</summary>
public sealed record Asked(IReadOnlyList<ChatMessage> Messages, ChatOptions Options, ModelCall Call, int Number)
{
    public string Agent => Call.Agent ?? "";

    public string LastText => Messages[^1].Text;

    /// <summary>Text of the last tool result, if the last message is one.</summary>
    public string? ToolResult => Messages[^1].Contents.OfType<FunctionResultContent>().LastOrDefault()?.Result as string;
}

/// <summary>A chat client that answers by a callback.</summary>
public sealed class ScriptedChatClient(Func<Asked, IEnumerable<AIContent>> script) : IChatClient
{
    private int _calls;

    public int Calls => _calls;

    public List<Asked> Log { get; } = [];

    /// <summary>Awaited before the answer begins.</summary>
    public Func<Asked, CancellationToken, Task> Before { get; set; } = static (_, _) => Task.CompletedTask;

    public static TextContent Say(string text) => new(text);

    public static FunctionCallContent Call(string tool, object arguments) =>
        new(Guid.NewGuid().ToString("N"), tool, JsonSerializer.SerializeToElement(arguments).EnumerateObject().ToDictionary(p => p.Name, p => (object?)p.Value));

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var asked = new Asked([.. messages], options!, ModelCall.From(options)!, Interlocked.Increment(ref _calls));
        lock (Log)
        {
            Log.Add(asked);
        }

        await Before(asked, cancellationToken);
        foreach (var content in script(asked))
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return new ChatResponseUpdate(ChatRole.Assistant, [content]);
        }

        yield return new ChatResponseUpdate(ChatRole.Assistant, [new UsageContent(new() { InputTokenCount = 10, OutputTokenCount = 5 })]);
    }

    public async Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        await GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public object? GetService(Type serviceType, object? serviceKey = null) => null;

    public void Dispose()
    {
    }
}
