using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary>An answer of a script, ready to be sent: its bytes are built once per (model, form) unless it has template values.</summary>
internal sealed class AnswerPlan
{
    private const int KeptForms = 64;
    private readonly ConcurrentDictionary<(string Model, bool Stream, bool Usage), AnswerBytes> _built = new();
    private readonly bool _hasTemplate;

    public AnswerPlan(SimAnswer answer)
    {
        Answer = answer;
        _hasTemplate = new[] { answer.Text, answer.Reasoning, answer.Json?.GetRawText() }.Any(HasTemplate)
            || answer.ToolCalls?.Any(c => HasTemplate(c.Name) || HasTemplate(c.Arguments?.GetRawText())) == true;
        NeedsContent = _hasTemplate || answer.Fault?.Kind is FaultKind.InvalidArguments;
    }

    public SimAnswer Answer { get; }

    public bool NeedsContent { get; }

    public bool IsInstant => Answer is { HeaderDelayMs: 0, FirstTokenMs: 0, TokensPerSecond: null, Fault: null };

    public AnswerBytes Build(ChatRequest request, in TemplateValues values)
    {
        if (NeedsContent)
        {
            return AnswerWriter.Write(Fill(values), request);
        }

        var key = (request.Model, request.Stream, request.IncludeUsage);
        if (_built.TryGetValue(key, out var bytes))
        {
            return bytes;
        }

        bytes = AnswerWriter.Write(Answer, request);
        if (_built.Count < KeptForms)
        {
            _built[key] = bytes;
        }

        return bytes;
    }

    private SimAnswer Fill(TemplateValues values) => !_hasTemplate
        ? Answer
        : Answer with
        {
            Text = values.Fill(Answer.Text),
            Reasoning = values.Fill(Answer.Reasoning),
            Json = values.Fill(Answer.Json),
            ToolCalls = Answer.ToolCalls is null ? null : [.. Answer.ToolCalls.Select(c => c with { Name = values.Fill(c.Name)!, Arguments = values.Fill(c.Arguments) })],
        };

    private static bool HasTemplate(string? text) => text?.Contains("{{", StringComparison.Ordinal) == true;
}

/// <summary>Values for <c>{{name}}</c>; an unknown name stays as it is.</summary>
internal readonly record struct TemplateValues(ChatRequest Request, long Call, string BaseUrl, IReadOnlyList<string> Groups)
{
    public string? Fill(string? text) => text is null ? null : Fill(text, escaped: false);

    /// <summary>Inside JSON values are escaped; an argument that is no longer JSON afterwards stays text.</summary>
    public JsonElement? Fill(JsonElement? json) =>
        json is { } element ? JsonDocument.Parse(Fill(element.GetRawText(), escaped: true)).RootElement : null;

    private string Fill(string text, bool escaped)
    {
        var result = new StringBuilder(text.Length + 64);
        var at = 0;
        while (text.IndexOf("{{", at, StringComparison.Ordinal) is var start and >= 0 && text.IndexOf("}}", start, StringComparison.Ordinal) is var end and >= 0)
        {
            result.Append(text, at, start - at);
            var value = Value(text[(start + 2)..end].Trim());
            result.Append(value is null ? text[start..(end + 2)] : escaped ? JsonEncodedText.Encode(value).ToString() : value);
            at = end + 2;
        }

        return result.Append(text, at, text.Length - at).ToString();
    }

    private string? Value(string name) => name switch
    {
        "last_message" => Request.LastMessage,
        "last_user" => Request.LastUser,
        "tool_result" => Request.ToolResults.LastOrDefault() ?? "",
        "tool_results" => string.Join('\n', Request.ToolResults),
        "n" => Call.ToString(System.Globalization.CultureInfo.InvariantCulture),
        "agent" => Request.Agent ?? "",
        "model" => Request.Model,
        "base_url" => BaseUrl,
        _ when name.StartsWith("group_", StringComparison.Ordinal) && int.TryParse(name.AsSpan(6), out var group) => Groups.ElementAtOrDefault(group) ?? "",
        _ => null,
    };
}
