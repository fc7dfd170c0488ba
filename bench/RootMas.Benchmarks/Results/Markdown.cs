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
        string[] names = [.. part.Cases];
        var sections = ByHeading(old);
        if (Report.Difference(part.Machine, MachineOf(sections[""])) is { } difference)
        {
            throw new InvalidDataException($"The page's other cases were measured on another machine ({difference}). The page stays as it is: publish all cases of one machine together.");
        }

        foreach (var (name, text) in ByHeading(tables).Where(static s => s.Key.Length > 0))
        {
            sections[name] = text;
        }

        var lines = sections[""].TrimEnd().Split('\n').Select(line => WithoutNames(line, names)).OfType<string>().ToList();
        lines.InsertRange(lines.FindIndex(static l => l.StartsWith("| foreign load", StringComparison.Ordinal)), part.WhenMeasured().Select(static s => $"| {s.Names} | {s.Said} |"));
        sections[""] = string.Join('\n', lines) + "\n\n";
        return string.Concat(sections.OrderBy(static s => s.Key.Length == 0 ? 0 : s.Key is ['B', .. var number] && int.TryParse(number, CultureInfo.InvariantCulture, out var n) ? n : int.MaxValue).Select(static s => s.Value));
    }

    /// <summary>The page by its headings: <c>B4</c> is what follows <c>### B4: …</c>, the empty name what stands before the first.</summary>
    private static Dictionary<string, string> ByHeading(string tables)
    {
        var parts = ("\n" + tables.ReplaceLineEndings("\n").Trim() + "\n\n").Split("\n### ");
        return parts.Select(static (text, i) => i == 0 ? ("", text.TrimStart()) : (text[..text.IndexOf(':', StringComparison.Ordinal)], "### " + text.TrimEnd() + "\n\n"))
            .ToDictionary(static s => s.Item1, static s => s.Item2, StringComparer.Ordinal);
    }

    private static Dictionary<string, string> MachineOf(string head) =>
        head.Split('\n').Select(static l => l.Split('|', StringSplitOptions.TrimEntries)).Where(static cells => cells.Length >= 4).DistinctBy(static cells => cells[1], StringComparer.Ordinal)
            .ToDictionary(static cells => cells[1], static cells => cells[2], StringComparer.Ordinal);

    /// <summary>A line of the machine's table that says when cases were measured, without those that are measured anew. Null: none is left.</summary>
    private static string? WithoutNames(string line, string[] names)
    {
        var cells = line.Split('|', StringSplitOptions.TrimEntries);
        if (cells.Length < 3 || !Sessions.IsOne(cells[2]))
        {
            return line;
        }

        return Sessions.Without(cells[1], names) is { } left ? $"| {left} | {cells[2]} |" : null;
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
            var lost = m.Missing is null ? "" : string.Create(CultureInfo.InvariantCulture, $" ({m.Rounds.Count} of {m.Rounds.Count + Math.Max(1, m.Lost)} rounds; lost: {Clean(m.Missing)})");
            text.AppendLine(CultureInfo.InvariantCulture, $"| {m.Row} | {m.Target} | {m.Metric} | {Number(median)} {m.Unit}{lost} | {Number(m.Lowest!.Value)} – {Number(m.Highest!.Value)} | {ratio} |");
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
