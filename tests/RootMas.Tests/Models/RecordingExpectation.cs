using System.Text;
using System.Text.Json;

namespace RootMas.Tests.Models;

/// <summary>What a recorded body says, derived with <see cref="JsonDocument"/> alone.</summary>
internal sealed record RecordingExpectation(
    string Text, string Reasoning, IReadOnlyList<(string Name, string Arguments)> Calls, (long?, long?, long?, long?) Usage, string? ErrorClass)
{
    public static RecordingExpectation Of(byte[] body, bool stream, int status)
    {
        if (status != 200)
        {
            return Failed(status switch { 429 => "rate_limited", 404 => "bad_request", 400 => "bad_request", _ => "server_error" });
        }

        var documents = new List<JsonElement>();
        try
        {
            documents.AddRange(Payloads(Encoding.UTF8.GetString(body), stream).Select(p => JsonDocument.Parse(p).RootElement));
        }
        catch (JsonException)
        {
            return Failed("invalid_answer");
        }

        string text = "", reasoning = "";
        string? error = null;
        var calls = new SortedDictionary<int, (string Name, string Arguments)>();
        (long?, long?, long?, long?) usage = default;
        foreach (var document in documents)
        {
            if (document.TryGetProperty("error", out var told))
            {
                error = told.GetProperty("code").GetString() == "tool_use_failed" ? "invalid_answer" : "server_error";
                break;
            }

            foreach (var choice in document.GetProperty("choices").EnumerateArray())
            {
                var message = choice.TryGetProperty("delta", out var delta) ? delta : choice.GetProperty("message");
                text += Member(message, "content");
                reasoning += First(Member(message, "reasoning_content"), Member(message, "reasoning"), Details(message));
                Gather(message, calls);
            }

            usage = Usages(document, usage);
        }

        var (thought, answer) = SplitThought(text);
        return new(answer, reasoning + thought, [.. calls.Values.Select(c => (c.Name, Canonical(c.Arguments)))], usage, error);
    }

    private static RecordingExpectation Failed(string errorClass) => new("", "", [], default, errorClass);

    private static IEnumerable<string> Payloads(string body, bool stream) => stream
        ? body.Split('\n').Where(l => l.StartsWith("data:", StringComparison.Ordinal)).Select(l => l[5..].Trim()).TakeWhile(l => l != "[DONE]")
        : [body];

    private static string Member(JsonElement message, string name) =>
        message.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private static string First(params string[] texts) => texts.FirstOrDefault(t => t.Length > 0) ?? "";

    private static string Details(JsonElement message) => message.TryGetProperty("reasoning_details", out var details) && details.ValueKind == JsonValueKind.Array
        ? string.Concat(details.EnumerateArray().Select(d => Member(d, "text")))
        : "";

    private static void Gather(JsonElement message, SortedDictionary<int, (string Name, string Arguments)> calls)
    {
        if (!message.TryGetProperty("tool_calls", out var list) || list.ValueKind != JsonValueKind.Array)
        {
            return;
        }

        var position = 0;
        foreach (var piece in list.EnumerateArray())
        {
            var index = piece.TryGetProperty("index", out var i) ? i.GetInt32() : position;
            position++;
            var function = piece.GetProperty("function");
            var known = calls.TryGetValue(index, out var before) ? before : ("", "");
            calls[index] = (known.Item1.Length > 0 ? known.Item1 : Member(function, "name"), known.Item2 + Member(function, "arguments"));
        }
    }

    private static (long?, long?, long?, long?) Usages(JsonElement document, (long?, long?, long?, long?) before)
    {
        if (!document.TryGetProperty("usage", out var usage) || usage.ValueKind != JsonValueKind.Object)
        {
            return before;
        }

        var (input, output, total) = (Number(usage, "prompt_tokens"), Number(usage, "completion_tokens"), Number(usage, "total_tokens"));
        var cached = Inner(usage, "prompt_tokens_details", "cached_tokens") ?? NumberOrNull(usage, "prompt_cache_hit_tokens") ?? NumberOrNull(usage, "num_cached_tokens") ?? NumberOrNull(usage, "cached_tokens") ?? 0;
        // What the total counts beyond the two was thought, and is billed.
        var hidden = Math.Max(0, total - input - output);
        return (input, Math.Min(cached, input), output + hidden, Math.Max(hidden, Inner(usage, "completion_tokens_details", "reasoning_tokens") ?? 0));
    }

    private static long Number(JsonElement element, string name) => NumberOrNull(element, name) ?? 0;

    private static long? NumberOrNull(JsonElement element, string name) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetInt64() : null;

    private static long? Inner(JsonElement element, string name, string inner) => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object ? NumberOrNull(value, inner) : null;

    private static (string Thought, string Answer) SplitThought(string text)
    {
        var end = text.IndexOf("</think>", StringComparison.Ordinal);
        return text.StartsWith("<think>", StringComparison.Ordinal) && end > 0 ? (text[7..end], text[(end + 8)..].TrimStart('\r', '\n')) : ("", text);
    }

    private static string Canonical(string arguments) => JsonSerializer.Serialize(JsonSerializer.Deserialize<Dictionary<string, object?>>(arguments));
}
