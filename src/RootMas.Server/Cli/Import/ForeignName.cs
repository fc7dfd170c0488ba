using System.Text;

namespace RootMas.Server.Cli.Import;

/// <summary>How an agent of the other system is called: there, and here.</summary>
/// <param name="Ours">Its name here; empty: nothing that it is called can be one.</param>
/// <param name="Original">What <paramref name="Ours"/> was made from; null: it is called nothing at all.</param>
/// <param name="Title">What people call it, where that is not the name; null: the same, or nothing.</param>
/// <param name="Called">Everything that it may be called by others, and that its prompt may be named by.</param>
internal sealed record ForeignName(string Ours, string? Original, string? Title, IReadOnlyList<string> Called)
{
    private const int Longest = 64;

    /// <param name="key">The key that it stands under, which the others know it by; null: it stands in a list.</param>
    public static ForeignName Of(string? key, ForeignFields fields)
    {
        var name = fields.Text("name");
        string[] called = [.. new[] { key, name, fields.Text("id"), fields.Text("agent_id") }.OfType<string>().Distinct(StringComparer.Ordinal)];
        var original = Array.Find(called, static c => From(c).Length > 0) ?? called.FirstOrDefault();
        var ours = original is null ? "" : From(original);
        var title = name ?? called.FirstOrDefault();
        return new ForeignName(ours, original, title is not null && From(title) != ours ? title : null, called);
    }

    /// <summary>A lower-case letter, then letters, digits and underscores.</summary>
    public static string From(string original)
    {
        var name = new StringBuilder();
        var previous = '_';
        foreach (var c in original.Trim())
        {
            var next = char.IsAsciiLetterOrDigit(c) ? char.ToLowerInvariant(c) : '_';
            // FactChecker → fact_checker
            if (char.IsAsciiLetterUpper(c) && (char.IsAsciiLetterLower(previous) || char.IsAsciiDigit(previous)))
            {
                name.Append('_');
            }

            if (next != '_' || (name.Length > 0 && name[^1] != '_'))
            {
                name.Append(next);
            }

            previous = c;
        }

        var text = name.ToString().Trim('_');
        text = text.Length > 0 && char.IsAsciiDigit(text[0]) ? "agent_" + text : text;
        return text.Length <= Longest ? text : text[..Longest].TrimEnd('_');
    }

    /// <summary>What two spellings of one name have in common, also of a name that has no letters of ours.</summary>
    public static string KeyOf(string called) => From(called) is { Length: > 0 } name ? name : called.Trim().ToUpperInvariant();
}
