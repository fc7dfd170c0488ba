using RootMas.Benchmarks.Results;
using RootMas.Benchmarks.Targets;
using RootMas.Tests.Support;

namespace RootMas.Tests.Benchmarks;

/// <summary>What the bench says of what it measured, in its tables and on the page.</summary>
public sealed class BenchReportTests : IDisposable
{
    private const string Begin = "<!-- measured: begin (written by ./rootmas bench --publish) -->";
    private const string End = "<!-- measured: end -->";
    private readonly TempFolder _folder = new();

    [Fact]
    public void A_round_that_is_lost_stands_beside_the_median_and_counts()
    {
        var report = New(16);
        report.Add("B1", "small prompt", "Root-MAS, all on", "added p50", "ms", 1);
        report.Missing("B1", "small prompt", "Root-MAS, all on", "added p50", "ms", "status 500: | no");
        report.Add("B1", "small prompt", "Root-MAS, all on", "added p50", "ms", 3);
        report.Add("B1", "small prompt", "nginx", "added p50", "ms", 4);
        Assert.Contains(@"| small prompt | Root-MAS, all on | added p50 | 2.000 ms (2 of 3 rounds; lost: status 500: \| no) | 1.000 – 3.000 |", Markdown.Write(report), StringComparison.Ordinal);
        Assert.Contains("| small prompt | nginx | added p50 | 4.000 ms | 4.000 – 4.000 |", Markdown.Write(report), StringComparison.Ordinal);
        Assert.Equal(1, report.Failures);
    }

    [Fact]
    public void What_the_machine_does_not_have_is_a_row_and_no_failure()
    {
        var report = New(16);
        report.Missing("B1", "small prompt", Target.Absent("nginx", "not installed"), "added p50", "ms");
        Assert.Contains("| nginx | added p50 | not measured: not installed |", Markdown.Write(report), StringComparison.Ordinal);
        Assert.Equal(0, report.Failures);

        report.Missing("B1", "small prompt", new Target("Root-MAS, bare", null, null) { Missing = "did not become ready" }, "added p50", "ms");
        Assert.Contains("| Root-MAS, bare | added p50 | not measured: did not become ready |", Markdown.Write(report), StringComparison.Ordinal);
        Assert.Equal(1, report.Failures);
    }

    [Fact]
    public async Task Lost_rounds_are_saved()
    {
        var report = New(16, ("B1", 1));
        report.Missing("B1", "row", "Root-MAS, all on", "p50", "ms", "no answer");
        var loaded = await Report.LoadAsync([await SaveAsync(report)]);
        Assert.Equal(1, loaded.Failures);
        Assert.Equal(Markdown.Write(report), Markdown.Write(loaded));
    }

    [Fact]
    public async Task A_case_that_is_measured_again_has_one_date()
    {
        var merged = await Report.LoadAsync([await SaveAsync(New(16, ("B1", 1), ("B9", 1), ("B10", 1))), await SaveAsync(New(17, ("B9", 2), ("B10", 2))), await SaveAsync(New(18, ("B9", 3)))]);
        var page = Markdown.Write(merged);
        Assert.Contains("| B10 | measured 2026-11-26 17:00 UTC; full, 5 rounds; foreign load 0 % |", page, StringComparison.Ordinal);
        Assert.Contains("| B9 | measured 2026-11-26 18:00 UTC; full, 5 rounds; foreign load 0 % |", page, StringComparison.Ordinal);
        Assert.DoesNotContain("B9, B10", page, StringComparison.Ordinal);
        Assert.Equal([1.0, 3.0, 2.0], merged.Measurements.Select(m => m.Median!.Value));
        Assert.Equal(["B1", "B10", "B9"], merged.WhenMeasured().SelectMany(s => s.Names.Split(", ")).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Results_of_another_machine_or_of_the_other_bench_are_refused()
    {
        var first = await SaveAsync(New(16, ("B1", 1)));
        var other = New(17, ("B9", 2));
        other.Machine["processor"] = "another";
        var refused = await Assert.ThrowsAsync<InvalidDataException>(async () => await Report.LoadAsync([first, await SaveAsync(other)]));
        Assert.Contains("another machine", refused.Message, StringComparison.Ordinal);
        Assert.Contains("processor: another here, one there", refused.Message, StringComparison.Ordinal);

        refused = await Assert.ThrowsAsync<InvalidDataException>(async () => await Report.LoadAsync([first, await SaveAsync(New(17, "bench cluster", ("B12", 2)))]));
        Assert.Contains("./rootmas bench cluster", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_part_replaces_its_own_cases_on_the_page()
    {
        var page = await PageAsync(New(16, ("B1", 1), ("B4", 1), ("B5", 1)));
        var part = New(17, ("B4", 2), ("B5", 2));
        await Markdown.PublishAsync(page, "bench", Markdown.Write(part), part);
        var again = New(18, ("B5", 3));
        await Markdown.PublishAsync(page, "bench", Markdown.Write(again), again);
        var text = await File.ReadAllTextAsync(page);
        Assert.StartsWith("before\n" + Begin, text, StringComparison.Ordinal);
        Assert.EndsWith(End + "\nafter\n", text, StringComparison.Ordinal);
        Assert.Contains("Measured 2026-11-26 16:00 UTC", text, StringComparison.Ordinal);
        Assert.Equal(["| row | Root-MAS, all on | p50 | 1.000 ms | 1.000 – 1.000 |", "| row | Root-MAS, all on | p50 | 2.000 ms | 2.000 – 2.000 |", "| row | Root-MAS, all on | p50 | 3.000 ms | 3.000 – 3.000 |"],
            text.Split('\n').Where(l => l.StartsWith("| row |", StringComparison.Ordinal)).Select(l => l[..(l.LastIndexOf('|', l.Length - 2) + 1)]));
        Assert.Equal(["| B4 | measured 2026-11-26 17:00 UTC; full, 5 rounds; foreign load 0 % |", "| B5 | measured 2026-11-26 18:00 UTC; full, 5 rounds; foreign load 0 % |"],
            text.Split('\n').Where(l => l.Contains("| measured ", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_part_of_another_machine_leaves_the_page_as_it_is()
    {
        var page = await PageAsync(New(16, ("B1", 1), ("B4", 1)));
        var before = await File.ReadAllTextAsync(page);
        var part = New(17, ("B4", 2));
        part.Machine["processor"] = "another";
        var refused = await Assert.ThrowsAsync<InvalidDataException>(() => Markdown.PublishAsync(page, "bench", Markdown.Write(part), part));
        Assert.Contains("The page stays as it is", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await File.ReadAllTextAsync(page));
    }

    /// <summary>Of the small installation alone where it stands alone; of what is only measured beside larger ones always.</summary>
    [Fact]
    public void What_limits_a_figure_is_said_where_it_is_true()
    {
        var report = New(16);
        report.Add("B1", "small prompt", "Root-MAS, PostgreSQL", "added p50", "ms", 1);
        report.Add("B11", "run of five steps", "Root-MAS, PostgreSQL", "p50", "ms", 1);
        var page = Markdown.Write(report);
        Assert.Contains("Restate's and DBOS's are one function each", page, StringComparison.Ordinal);
        Assert.DoesNotContain("a whole run stands behind every completion", page, StringComparison.Ordinal);
    }

    /// <summary>The page of the documentation keeps what a merge would: each case has one date.</summary>
    [Fact]
    public void Every_case_of_the_page_has_one_date()
    {
        foreach (var part in File.ReadAllText(Repository.PathOf("docs", "performance.md")).Split("<!-- measured").Where(p => p.Contains(": begin", StringComparison.Ordinal)))
        {
            var names = part.Split('\n').Where(l => l.Contains("| measured ", StringComparison.Ordinal)).SelectMany(l => l.Split('|')[1].Trim().Split(", ")).ToList();
            Assert.Equal(names.Distinct(), names);
        }
    }

    public void Dispose() => _folder.Dispose();

    private static Report New(int hour, params (string Case, double Value)[] values) => New(hour, "bench", values);

    private static Report New(int hour, string command, params (string Case, double Value)[] values)
    {
        var report = new Report
        {
            Began = new DateTimeOffset(2026, 11, 26, hour, 0, 0, TimeSpan.Zero), Command = command, Form = "full, 5 rounds", Machine = new(StringComparer.Ordinal) { ["processor"] = "one", ["cores"] = "two" },
        };
        foreach (var (name, value) in values)
        {
            report.Add(name, "row", "Root-MAS, all on", "p50", "ms", value);
        }

        return report;
    }

    private async Task<string> SaveAsync(Report report)
    {
        var path = Path.Combine(_folder.Path, $"{Guid.NewGuid():N}.json");
        await report.SaveAsync(path);
        return path;
    }

    private async Task<string> PageAsync(Report report)
    {
        var page = Path.Combine(_folder.Path, "page.md");
        await File.WriteAllTextAsync(page, $"before\n{Begin}\n\n{End}\nafter\n");
        await Markdown.PublishAsync(page, "bench", Markdown.Write(report));
        return page;
    }
}
