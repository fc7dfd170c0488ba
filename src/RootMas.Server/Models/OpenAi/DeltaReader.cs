using System.Text.Json;

namespace RootMas.Server.Models.OpenAi;

/// <summary>Text and reasoning of one delta or message. The same reasoning may stand under several names; it counts once.</summary>
internal ref struct DeltaReader
{
    private string? _reasoningContent;
    private string? _reasoning;
    private string? _details;
    private string? _thinking;
    private string? _refusal;

    public string? Text { get; private set; }

    /// <summary>The model thinks, perhaps in a form that nobody can read (encrypted, or a summary).</summary>
    public bool HasThought { get; private set; }

    public readonly string? Reasoning => FirstOf(_reasoningContent, _reasoning, _details) is var named && _thinking is null ? named : named + _thinking;

    public void ReadMember(ref Utf8JsonReader json)
    {
        if (json.ValueTextEquals("content"u8))
        {
            json.Read();
            ReadContent(ref json);
        }
        else if (json.ValueTextEquals("reasoning_content"u8))
        {
            _reasoningContent = ReadString(ref json);
        }
        else if (json.ValueTextEquals("reasoning"u8))
        {
            _reasoning = ReadString(ref json);
        }
        else if (json.ValueTextEquals("reasoning_details"u8))
        {
            json.Read();
            (_details, var parts) = ReadParts(ref json, "text"u8);
            HasThought |= parts > 0;
        }
        else if (json.ValueTextEquals("refusal"u8))
        {
            _refusal = ReadString(ref json);
            Text = FirstOf(Text, _refusal, null);
        }
        else
        {
            json.Read();
            json.Skip();
        }
    }

    private static string? FirstOf(string? a, string? b, string? c) => a is { Length: > 0 } ? a : b is { Length: > 0 } ? b : c;

    private static string? ReadString(ref Utf8JsonReader json)
    {
        json.Read();
        if (json.TokenType == JsonTokenType.String)
        {
            return PieceText.Read(ref json);
        }

        json.Skip();
        return null;
    }

    /// <summary>A string, or a list of parts (Mistral's reasoning models: <c>{type: thinking, thinking: [{text}]}</c>).</summary>
    private void ReadContent(ref Utf8JsonReader json)
    {
        if (json.TokenType == JsonTokenType.String)
        {
            Text = FirstOf(PieceText.Read(ref json), Text, "");
            return;
        }

        if (json.TokenType != JsonTokenType.StartArray)
        {
            json.Skip();
            return;
        }

        foreach (var part in JsonElement.ParseValue(ref json).EnumerateArray())
        {
            if (part.ValueKind != JsonValueKind.Object)
            {
                continue;
            }

            if (part.TryGetProperty("text"u8, out var text) && text.ValueKind == JsonValueKind.String)
            {
                Text += PieceText.Read(text);
            }
            else if (part.TryGetProperty("thinking"u8, out var thinking))
            {
                _thinking += TextOf(thinking);
            }
        }
    }

    private static string TextOf(JsonElement thinking) => thinking.ValueKind switch
    {
        JsonValueKind.String => PieceText.Read(thinking),
        JsonValueKind.Array => string.Concat(thinking.EnumerateArray()
            .Where(p => p.ValueKind == JsonValueKind.Object && p.TryGetProperty("text"u8, out var t) && t.ValueKind == JsonValueKind.String)
            .Select(p => PieceText.Read(p.GetProperty("text"u8)))),
        _ => "",
    };

    private static (string? Joined, int Parts) ReadParts(ref Utf8JsonReader json, ReadOnlySpan<byte> member)
    {
        if (json.TokenType != JsonTokenType.StartArray)
        {
            json.Skip();
            return (null, 0);
        }

        string? joined = null;
        var parts = JsonElement.ParseValue(ref json);
        foreach (var part in parts.EnumerateArray())
        {
            if (part.ValueKind == JsonValueKind.Object && part.TryGetProperty(member, out var text) && text.ValueKind == JsonValueKind.String)
            {
                joined += PieceText.Read(text);
            }
        }

        return (joined, parts.GetArrayLength());
    }
}
