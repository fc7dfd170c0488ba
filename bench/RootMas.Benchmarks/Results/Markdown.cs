using System.Globalization;
using System.Text;

namespace RootMas.Benchmarks.Results;

/// <summary>Tables of a report. Ratios are the result; absolute figures are context.</summary>
internal static class Markdown
{
    public static string Write(Report report)
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"Measured {report.Began:yyyy-MM-dd HH:mm} UTC; {report.Form}. Median of the rounds' values; the spread is the lowest and the highest round.");
        text.AppendLine();
        text.AppendLine("| machine | |").AppendLine("|---|---|");
        foreach (var (key, value) in report.Machine)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {key} | {value} |");
        }

        text.AppendLine(CultureInfo.InvariantCulture, $"| foreign load | {(report.ForeignLoad.Count == 0 ? 0 : 100 * Load.Samples.Median(report.ForeignLoad)):0} % of all processors (median of rounds), at most {(report.ForeignLoad.Count == 0 ? 0 : 100 * report.ForeignLoad.Max()):0} % |");
        foreach (var (name, version) in report.Versions)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"| {name} | {Clean(version)} |");
        }

        foreach (var @case in report.Measurements.GroupBy(m => m.Case))
        {
            Case(text, @case.Key, [.. @case]);
        }

        return text.ToString();
    }

    /// <param name="command">Whose tables: <c>bench</c> or <c>bench cluster</c>; each has a place of its own on the page.</param>
    /// <param name="part">Only the cases of the report are replaced; the others stay, and the table of the machine says when each was measured. Null: all.</param>
    public static async Task PublishAsync(string path, string command, string tables, Report? part = null)
    {
        var what = command == "bench" ? "measured" : "measured cluster";
        var (opening, closing) = ($"<!-- {what}: begin (written by ./rootmas {command} --publish) -->", $"<!-- {what}: end -->");
        var page = await File.ReadAllTextAsync(path);
        var begin = page.IndexOf(opening, StringComparison.Ordinal);
        var end = page.IndexOf(closing, StringComparison.Ordinal);
        if (begin < 0 || end < begin)
        {
            throw new InvalidOperationException($"{path} has no place for the tables: {opening} … {closing}");
        }

        var old = page[(begin + opening.Length)..end].Trim();
        var published = part is null || old.Length == 0 ? tables : Merge(old, tables, part);
        await File.WriteAllTextAsync(path, page[..(begin + opening.Length)] + "\n\n" + published.TrimEnd() + "\n\n" + page[end..]);
    }

    private static string Merge(string old, string tables, Report part)
    {
        string[] names = [.. part.Measurements.Select(static m => m.Case).Distinct()];
        var sections = Sections(old);
        foreach (var (name, text) in Sections(tables).Where(static s => s.Key.Length > 0))
        {
            sections[name] = text;
        }

        var lines = sections[""].TrimEnd().Split('\n').Select(line => WithoutNames(line, names)).OfType<string>().ToList();
        var load = part.ForeignLoad.Count == 0 ? 0 : 100 * Load.Samples.Median(part.ForeignLoad);
        lines.Insert(
            lines.FindIndex(static l => l.StartsWith("| foreign load", StringComparison.Ordinal)),
            string.Create(CultureInfo.InvariantCulture, $"| {string.Join(", ", names)} | measured {part.Began:yyyy-MM-dd HH:mm} UTC; {part.Form}; foreign load {load:0} % |"));
        sections[""] = string.Join('\n', lines) + "\n\n";
        return string.Concat(sections.OrderBy(static s => s.Key.Length == 0 ? 0 : s.Key is ['B', .. var number] && int.TryParse(number, CultureInfo.InvariantCulture, out var n) ? n : int.MaxValue).Select(static s => s.Value));
    }

    /// <summary>The page by its headings: <c>B4</c> is what follows <c>### B4: …</c>, the empty name what stands before the first.</summary>
    private static Dictionary<string, string> Sections(string tables)
    {
        var parts = ("\n" + tables.ReplaceLineEndings("\n").Trim() + "\n\n").Split("\n### ");
        return parts.Select(static (text, i) => i == 0 ? ("", text.TrimStart()) : (text[..text.IndexOf(':', StringComparison.Ordinal)], "### " + text.TrimEnd() + "\n\n"))
            .ToDictionary(static s => s.Item1, static s => s.Item2, StringComparer.Ordinal);
    }

    /// <summary>A line of the machine's table that says when cases were measured, without those that are measured anew. Null: none is left.</summary>
    private static string? WithoutNames(string line, string[] names)
    {
        var cells = line.Split('|', StringSplitOptions.TrimEntries);
        if (cells.Length < 3 || !cells[2].StartsWith("measured ", StringComparison.Ordinal))
        {
            return line;
        }

        var left = cells[1].Split(", ").Except(names).ToArray();
        return left.Length == 0 ? null : $"| {string.Join(", ", left)} | {cells[2]} |";
    }

    private static void Case(StringBuilder text, string name, Measurement[] measurements)
    {
        var about = CaseNotes.Of(name, measurements);
        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"### {name}: {about.Title}").AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"| what | target | figure | median | spread | {(about.Reference.Length == 0 ? "" : "ratio to " + about.Reference)} |").AppendLine("|---|---|---|---|---|---|");
        foreach (var m in measurements)
        {
            if (m.Median is not { } median)
            {
                text.AppendLine(CultureInfo.InvariantCulture, $"| {m.Row} | {m.Target} | {m.Metric} | not measured: {Clean(m.Missing ?? "no value")} | | |");
                continue;
            }

            var reference = about.ReferenceOf(measurements, m);
            var ratio = reference is > 0 && median > 0 ? (median / reference.Value).ToString("0.00", CultureInfo.InvariantCulture) : "";
            text.AppendLine(CultureInfo.InvariantCulture, $"| {m.Row} | {m.Target} | {m.Metric} | {Number(median)} {m.Unit} | {Number(m.Lowest!.Value)} – {Number(m.Highest!.Value)} | {ratio} |");
        }

        text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"Aim: {about.Aim}");
        if (about.Limits.Length > 0)
        {
            text.AppendLine().AppendLine(CultureInfo.InvariantCulture, $"What limits it: {about.Limits}");
        }
    }

    private static string Number(double value) => value switch
    {
        0 => "0",
        _ when Math.Abs(value) >= 1000 => value.ToString("#,0", CultureInfo.InvariantCulture),
        _ when Math.Abs(value) >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.000", CultureInfo.InvariantCulture),
    };

    private static string Clean(string text) => text.ReplaceLineEndings(" ").Replace("|", "\\|", StringComparison.Ordinal);
}
