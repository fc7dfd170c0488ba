using System.Text;
using System.Text.RegularExpressions;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Offline;

/// <summary>
/// What others said, told again by the offline model: without the marks that the engine puts around text from outside, which are for models and not for people, and without what each of this model's answers says.
/// </summary>
internal static partial class OfflineQuotes
{
    /// <summary>Each finding under its heading; of every one as much as <paramref name="most"/> allows, so that a long one takes nothing from those after it.</summary>
    public static void AppendFindings(StringBuilder text, OfflineView view, int most)
    {
        var headings = view.Findings.Select(Heading).ToHashSet(StringComparer.Ordinal);
        foreach (var finding in view.Findings)
        {
            text.Append('\n').Append(Heading(finding)).Append('\n');
            Append(text, OfflineWords.IsOwn(finding.Text) ? Without(Plain(finding.Text), headings) : finding.Text, most, view.IsRussian);
        }
    }

    public static void Append(StringBuilder text, string said, int most, bool isRussian)
    {
        var quoted = OfflineWords.Cut(Plain(said).Trim(), most);
        foreach (var line in (quoted.Length > 0 ? quoted : isRussian ? "(пусто)" : "(empty)").Split('\n'))
        {
            text.Append("> ").Append(line.TrimEnd()).Append('\n');
        }
    }

    private static string Plain(string text) => OfflineWords.WithoutOwnWords(Mark().Replace(text, ""));

    private static string Heading(TeamFinding finding)
    {
        var agent = finding.Task is null ? "" : finding.Agent;
        var status = finding.Status is "completed" or "done" ? "" : finding.Status;
        var more = string.Join(", ", new[] { agent, status }.Where(static m => m.Length > 0));
        return $"**{finding.Task ?? finding.Agent}**" + (more.Length > 0 ? $" ({more})" : "");
    }

    /// <summary>Leaves out what an answer quotes under the same headings: where members work in turn, each would else tell again what all before it have told.</summary>
    private static string Without(string text, HashSet<string> headings)
    {
        var kept = new StringBuilder();
        var skips = false;
        foreach (var line in text.Split('\n'))
        {
            skips = headings.Contains(line) || (skips && (line.Length == 0 || line[0] == '>'));
            if (!skips)
            {
                kept.Append(line).Append('\n');
            }
        }

        return kept.ToString();
    }

    // A mark inside of another one has a character without width behind its bracket.
    [GeneratedRegex(@"\n?</\u200B?untrusted>|<\u200B?untrusted(?: [^<>\n]*)?>\n?", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, 5_000)]
    private static partial Regex Mark();
}
