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
}
