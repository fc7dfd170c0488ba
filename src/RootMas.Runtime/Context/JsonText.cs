using System.Runtime.InteropServices;
using System.Text.Json;

namespace RootMas.Runtime.Context;

/// <summary>JSON as models write it.</summary>
public static class JsonText
{
    /// <summary>The text without the Markdown fence into which models like to wrap JSON, asked or not.</summary>
    public static string WithoutFence(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var trimmed = text.AsSpan().Trim();
        if (!trimmed.StartsWith("```") || !trimmed.EndsWith("```") || trimmed.IndexOf('\n') is not (> 0 and var line) || trimmed.Length < line + 4)
        {
            return text;
        }

        return trimmed[(line + 1)..^3].Trim().ToString();
    }

    /// <summary>False: a string or a name in it has half a surrogate pair. Such a value parses, but every later read of that string throws, and so does writing it again.</summary>
    public static bool IsUnicode(JsonElement value)
    {
        var raw = JsonMarshal.GetRawUtf8Value(value);
        return (raw.IndexOf("\\ud"u8) < 0 && raw.IndexOf("\\uD"u8) < 0) || CanBeRead(value);
    }

    private static bool CanBeRead(JsonElement value)
    {
        try
        {
            return value.ValueKind switch
            {
                JsonValueKind.String => value.GetString() is not null,
                JsonValueKind.Array => value.EnumerateArray().All(CanBeRead),
                JsonValueKind.Object => value.EnumerateObject().All(static p => p.Name is not null && CanBeRead(p.Value)),
                _ => true,
            };
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }
}
