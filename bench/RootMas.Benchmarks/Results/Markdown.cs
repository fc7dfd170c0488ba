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
    public static async Task PublishAsync(string path, string command, string tables)
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

        await File.WriteAllTextAsync(path, page[..(begin + opening.Length)] + "\n\n" + tables + "\n" + page[end..]);
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
