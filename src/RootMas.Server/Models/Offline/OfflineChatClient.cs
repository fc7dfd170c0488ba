using System.Runtime.CompilerServices;
using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Models.Offline;

/// <summary>
/// The model that needs no network and no key: rules, not a neural net, and it says so. It drives the same engine as any other: it calls the tools it is offered, delegates,
/// plans, and answers from what tools returned. Deterministic: the same request gets the same answer.
/// </summary>
internal sealed class OfflineChatClient(TimeSpan pace, TimeProvider clock) : IChatClient
{
    private static readonly ChatClientMetadata Metadata = new("offline", null, "offline");

    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var list = messages as IReadOnlyList<ChatMessage> ?? [.. messages];
        var view = new OfflineView(list, options);
        var calls = view.Purpose == "answer" ? Decide(view) : [];
        var text = calls.Count > 0 ? "" : Write(view);
        for (var start = 0; start < text.Length;)
        {
            var end = WordEnd(text, start);
            if (pace > TimeSpan.Zero)
            {
                await Task.Delay(pace, clock, cancellationToken);
            }

            cancellationToken.ThrowIfCancellationRequested();
            yield return new ChatResponseUpdate(ChatRole.Assistant, text[start..end]) { ModelId = "offline" };
            start = end;
        }

        yield return Last(list, options, calls, text);
    }

    public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    public object? GetService(Type serviceType, object? serviceKey = null) =>
        serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? Metadata : serviceType.IsInstanceOfType(this) ? this : null;

    public void Dispose()
    {
        // Holds nothing.
    }

    /// <summary>A text on which the rules would spend seconds has none that fits.</summary>
    private static IReadOnlyList<OfflineCall> Decide(OfflineView view)
    {
        try
        {
            return OfflineRules.Decide(view);
        }
        catch (System.Text.RegularExpressions.RegexMatchTimeoutException)
        {
            return [];
        }
    }

    private static string Write(OfflineView view) =>
        view.Format is not null ? OfflineStructure.Write(view)
        : view.Purpose == "summary" ? OfflineWords.Summary(view)
        : OfflineWords.Answer(view);

    private static ChatResponseUpdate Last(IReadOnlyList<ChatMessage> messages, ChatOptions? options, IReadOnlyList<OfflineCall> calls, string text)
    {
        var contents = new List<AIContent>(calls.Count + 1);
        for (var i = 0; i < calls.Count; i++)
        {
            var arguments = calls[i].Arguments.ToDictionary(a => a.Key, a => (object?)JsonSerializer.SerializeToElement(a.Value), StringComparer.Ordinal);
            contents.Add(new FunctionCallContent($"call_{i}", calls[i].Tool, arguments));
        }

        var (input, output) = (TokenEstimate.Of(messages, options, ModelCatalog.OfflineModel.Provider), TokenEstimate.Of(text) + calls.Sum(c => TokenEstimate.Of(c.Arguments.ToJsonString())));
        contents.Add(new UsageContent(new UsageDetails { InputTokenCount = input, OutputTokenCount = output, TotalTokenCount = input + output }));
        return new ChatResponseUpdate(ChatRole.Assistant, contents) { ModelId = "offline", FinishReason = calls.Count > 0 ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop };
    }

    private static int WordEnd(string text, int start)
    {
        var space = text.IndexOfAny([' ', '\n'], start);
        return space < 0 ? text.Length : space + 1;
    }
}
