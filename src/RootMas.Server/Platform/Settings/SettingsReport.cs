using System.Text;
using System.Text.Json;

namespace RootMas.Server.Platform.Settings;

/// <summary>What <c>config print</c> and <c>config check</c> write. Secrets are <c>***</c>.</summary>
public static class SettingsReport
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, WriteIndented = true };

    /// <summary>One line per setting: <c>Section:Key = value (source)</c>.</summary>
    public static string Print(SettingsTree tree)
    {
        ArgumentNullException.ThrowIfNull(tree);
        var text = new StringBuilder();
        foreach (var setting in Settings(tree))
        {
            text.Append(setting.Key).Append(" = ").Append(setting.Current).Append(" (").Append(setting.Source).Append(')').AppendLine();
        }

        return text.ToString();
    }

    /// <summary>The same as JSON: an array of objects with key, value, source, default, type and legal values.</summary>
    public static string PrintJson(SettingsTree tree) => JsonSerializer.Serialize(Settings(tree), Json);

    /// <summary>The problems, one per line; empty: the server would start.</summary>
    public static string Check(SettingsTree tree)
    {
        ArgumentNullException.ThrowIfNull(tree);
        return string.Join(Environment.NewLine, tree.Problems);
    }

    /// <summary>All settings, by section.</summary>
    internal static IEnumerable<Setting> Settings(SettingsTree tree) => tree.Sections.OrderBy(s => s.Name, StringComparer.Ordinal).SelectMany(s => s.Settings);
}
