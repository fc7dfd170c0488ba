using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Offline;

/// <param name="Tool">Name of the tool that was called.</param>
/// <param name="Arguments">As JSON text.</param>
internal sealed record OfflineResult(string Tool, string Arguments, string Text);

/// <summary>What the offline model looks at in a request: the last thing that was asked, what the team found and tools returned since, and what it may do.</summary>
internal sealed class OfflineView
{
    private static readonly string[] SystemNotes = ["[Note from the system]", "[Summary of the earlier conversation", "[Summary of what was said before", "[Instructions from the caller", "[Remembered from earlier", "[Your earlier answer"];

    public OfflineView(IReadOnlyList<ChatMessage> messages, ChatOptions? options)
    {
        Messages = messages;
        var call = ModelCall.From(options);
        Purpose = call?.Purpose ?? "answer";
        Agent = call?.Agent ?? "";
        Format = options?.ResponseFormat as ChatResponseFormatJson;
        Tools = (options?.Tools ?? []).ToDictionary(t => t.Name, t => t as AIFunctionDeclaration, StringComparer.Ordinal);
        var last = LastRequest(messages);
        Request = last < 0 ? "" : AskedPart.Of(messages[last]).Trim();
        Findings = [.. messages.Skip(last + 1).SelectMany(static m => TeamFinding.Of(m)).GroupBy(static f => f.Task ?? f.Agent, StringComparer.Ordinal).Select(static g => g.Last())];
        Results = [.. ResultsAfter(messages, last)];
        IsRussian = Cyrillic(Request) * 3 > Request.Count(char.IsLetter);
    }

    public IReadOnlyList<ChatMessage> Messages { get; }

    public string Purpose { get; }

    public string Agent { get; }

    public ChatResponseFormatJson? Format { get; }

    public IReadOnlyDictionary<string, AIFunctionDeclaration?> Tools { get; }

    /// <summary>The last message of the user, or of the agent that gave the task.</summary>
    public string Request { get; }

    /// <summary>The newest of each member, or of each task of the plan.</summary>
    public IReadOnlyList<TeamFinding> Findings { get; }

    /// <summary>Of its own calls.</summary>
    public IReadOnlyList<OfflineResult> Results { get; }

    public bool IsRussian { get; }

    public bool Has(string tool) => Tools.ContainsKey(tool);

    /// <summary>Whether <paramref name="tool"/> (delegate or handoff) may name this agent; its schema or description says who may be named. What the team has worked on is given to nobody a second time.</summary>
    public bool MayReach(string tool, string agent)
    {
        if (Findings.Count > 0 || !Tools.TryGetValue(tool, out var declaration) || declaration is null)
        {
            return false;
        }

        return SchemaAllows(declaration.JsonSchema, agent)
            ?? (declaration.Description.Contains(agent, StringComparison.Ordinal) || Messages.Any(m => m.Role == ChatRole.System && m.Text.Contains($"- {agent}:", StringComparison.Ordinal)));
    }

    /// <summary>What the schema of the parameter <c>agent</c> says about this name; null: it lists nobody.</summary>
    private static bool? SchemaAllows(JsonElement schema, string agent)
    {
        if (schema.ValueKind != JsonValueKind.Object || !schema.TryGetProperty("properties", out var properties) || !properties.TryGetProperty("agent", out var named))
        {
            return null;
        }

        if (named.TryGetProperty("enum", out var list) && list.ValueKind == JsonValueKind.Array)
        {
            return list.EnumerateArray().Any(a => a.ValueEquals(agent));
        }

        return named.TryGetProperty("description", out var text) && text.GetString() is { } description && description.StartsWith("One of", StringComparison.Ordinal)
            ? description[6..].Split([',', ':', ' ', '.'], StringSplitOptions.RemoveEmptyEntries).Contains(agent, StringComparer.Ordinal)
            : null;
    }

    private static int LastRequest(IReadOnlyList<ChatMessage> messages)
    {
        for (var i = messages.Count - 1; i >= 0; i--)
        {
            if (messages[i].Role == ChatRole.User && TeamFinding.Of(messages[i]).Count == 0 && messages[i].Text is var text && !Array.Exists(SystemNotes, n => text.StartsWith(n, StringComparison.Ordinal)))
            {
                return i;
            }
        }

        return -1;
    }

    private static IEnumerable<OfflineResult> ResultsAfter(IReadOnlyList<ChatMessage> messages, int last)
    {
        var calls = new Dictionary<string, FunctionCallContent>(StringComparer.Ordinal);
        foreach (var content in messages.Skip(last + 1).SelectMany(m => m.Contents))
        {
            if (content is FunctionCallContent call)
            {
                calls[call.CallId] = call;
            }
            else if (content is FunctionResultContent result && calls.TryGetValue(result.CallId, out var asked))
            {
                yield return new OfflineResult(asked.Name, OpenAi.ToolArguments.ToText(asked), result.Result?.ToString() ?? "");
            }
        }
    }

    private static int Cyrillic(string text) => text.Count(c => c is >= '\u0400' and <= '\u04FF');
}
