using System.Globalization;
using System.Text.RegularExpressions;
using RootMas.Tests.Support;

namespace RootMas.Tests.Docs;

/// <summary>Whoever plans machines by docs/operations.md plans by what was measured last: its figures are those that docs/performance.md publishes, rounded.</summary>
public sealed partial class CapacityDocTests
{
    private const string Clustered = "<!-- measured cluster: begin";
    private const string One = "Root-MAS, all on";
    private const string Postgres = "Root-MAS, PostgreSQL";
    private const string All = "Root-MAS, PostgreSQL, Redis, RabbitMQ";
    private const string Workers = "Root-MAS, server and two workers";
    private const string FromWorker = "Root-MAS, PostgreSQL, streams from a worker";
    private const string Steps = "steps a second, 32 runs at a time";

    /// <summary>Of two digits, as the page writes them at least.</summary>
    private const double Rounding = 0.05;

    private static readonly Figure[] OneMachine =
    [
        new(@"\| completions \| # per second \|", "B2", "64 connections", One, "requests per second"),
        new(@"\| processor time of a completion \| # ms at 64 connections", "B2", "64 connections", One, "share of its core", 0.1) { Rate = "requests per second" }, // a percent of a second is 10 ms
        new("one after the other # ms", "B1", "small prompt", One, "processor time per request"),
        new("of a 100 kB prompt # ms", "B1", "100 kB prompt", One, "processor time per request"),
        new(@"\| memory when idle \| # MB", "B14", "start", One, "idle memory"),
        new(@"\| an open stream that is read slowly \| # kB", "B4", "2000 slow streams", One, "memory per stream"),
        new(@"\| an idle event stream, an idle WebSocket \| # kB", "B5", "5000 idle event streams", One, "memory per connection"),
        new(@"an idle WebSocket \| [\d.]+ kB, # kB", "B5", "5000 idle WebSockets", One, "memory per connection"),
    ];

    private static readonly Figure[] SeveralProcesses =
    [
        new(@"one process on PostgreSQL \| # per second at 64 connections", "B2", "64 connections", Postgres, "requests per second"),
        new("at 64 connections; # with Redis and RabbitMQ", "B2", "64 connections", All, "requests per second"),
        new("the same session had # on SQLite", "B2", "64 connections", One, "requests per second"),
        new(@"\| durable steps \| # per second", "B11", "run of five steps", Postgres, Steps),
        new(@"\| durable steps \| [\d,]+ per second; # with Redis", "B11", "run of five steps", All, Steps),
        new("a run of five model calls: # per second", "B11", "run of five steps", Postgres, Steps, 5),
        new(@"a run of five model calls: [\d,]+ per second; # with Redis", "B11", "run of five steps", All, Steps, 5),
        new(@"first event from a worker \| # ms", "B12", "request to worker to first event", Workers, "p50"),
        new("64 that begin at once: # s", "B3", "64 streams at once", FromWorker, "added time to first text p50", 1_000),
        new(@"at once: [\d.]+ s, 1,000: # s", "B3", "1000 streams at once", FromWorker, "added time to first text p50", 1_000),
        new(@"two workers take out of a full queue \| # per second", "B12", "drain of 20,000 waiting runs", Workers, "runs a second, the last three quarters"),
        new(@"room for 16 runs, a model of 200 ms \| # runs per second", "Scaling", "1 worker", "Root-MAS", "runs a second"),
        new("runs per second, two workers #, then", "Scaling", "2 workers", "Root-MAS", "runs a second"),
        new(@"\| a quiet user beside 6,000 queued runs of another \| # s", "B12", "a quiet user's answer, model 50 ms", Workers, "beside 6,000 queued runs of another, p50", 1_000),
        new(@"queued runs of another \| [\d.]+ s instead of # s", "B12", "a quiet user's answer, model 50 ms", Workers, "idle, p50", 1_000),
        new(@"\| a worker dies \| its runs go on elsewhere after # s", "Fail-over", "100 runs of 5 × 200 ms on two workers", "Root-MAS", "kill to the run going on elsewhere, median", 1_000),
        new(@"\| a stored run on PostgreSQL \| # kB with one model call", "Growth", "one model call", Postgres, "stored for a run"),
        new("with one model call, # kB with five", "Growth", "five model calls, four tool calls", Postgres, "stored for a run"),
    ];

    [Fact]
    public void The_figures_to_plan_by_are_those_that_were_measured_last()
    {
        var guide = File.ReadAllText(Repository.PathOf("docs", "operations.md"));
        var published = File.ReadAllText(Repository.PathOf("docs", "performance.md"));
        var cluster = published.IndexOf(Clustered, StringComparison.Ordinal);
        Assert.True(cluster > 0, "the tables of several machines were not found");
        var wrong = OneMachine.Select(f => Wrong(f, guide, published[..cluster])).Concat(SeveralProcesses.Select(f => Wrong(f, guide, published[cluster..]))).OfType<string>().ToList();
        Assert.True(wrong.Count == 0, "docs/operations.md differs from what docs/performance.md publishes:\n" + string.Join('\n', wrong));
    }

    [Theory]
    [InlineData("1,340", "1,796 1/s", false)]
    [InlineData("1,796", "1,796 1/s", true)]
    [InlineData("1,800", "1,796 1/s", true)]
    [InlineData("190", "346.7 1/s", false)]
    public void A_figure_that_was_measured_again_is_found_out(string written, string median, bool isRight)
    {
        var tables = $"### B11: steps\n\n| run of five steps | {Postgres} | {Steps} | {median} | 1 – 2 | 0.33 |\n\n### B12: others\n";
        var figure = new Figure(@"\| durable steps \| # per second", "B11", "run of five steps", Postgres, Steps);
        Assert.Equal(isRight, Wrong(figure, $"| durable steps | {written} per second |", tables) is null);
    }

    /// <summary>What is wrong with a figure, or null.</summary>
    private static string? Wrong(Figure figure, string guide, string tables)
    {
        var written = Regex.Matches(guide, figure.Says.Replace("#", @"(?<n>[\d.,]*\d)", StringComparison.Ordinal), RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));
        if (written.Count != 1)
        {
            return $"'{figure.Says}' stands there {written.Count} times; it has to stand there once, or be taken out of this test";
        }

        string[] names = figure.Rate is null ? [figure.Name] : [figure.Name, figure.Rate];
        var medians = names.Select(n => Median(figure, n, tables)).ToList();
        if (medians.IndexOf(null) is >= 0 and var missing)
        {
            return $"performance.md has no row '{Row(figure, names[missing])}' under {figure.Case}: the case was changed, and so must be what operations.md says of it";
        }

        var median = string.Join(", ", medians);
        var numbers = medians.ConvertAll(static m => Number(Leading().Match(m!).Value));
        var measured = numbers[0] / figure.Per / numbers.Skip(1).FirstOrDefault(1.0);
        return Math.Abs(Number(written[0].Groups["n"].Value) - measured) <= Rounding * measured
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"'{written[0].Value}' is now {measured:#,0.####} ({figure.Case}, {figure.What}, {figure.Target}, {figure.Name}: {median})");
    }

    /// <summary>Null: there is no such row.</summary>
    private static string? Median(Figure figure, string name, string tables)
    {
        var section = tables.Split("\n### ").FirstOrDefault(s => s.TrimStart('#', ' ').StartsWith(figure.Case + ":", StringComparison.Ordinal)) ?? "";
        var row = Row(figure, name);
        return section.Split('\n').FirstOrDefault(l => l.StartsWith(row, StringComparison.Ordinal))?[row.Length..].Split('|')[0].Trim();
    }

    private static string Row(Figure figure, string name) => $"| {figure.What} | {figure.Target} | {name} | ";

    private static double Number(string text) => double.Parse(text, NumberStyles.AllowThousands | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^[\d.,]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Leading();

    /// <summary>A figure of the guide, and the row of a published table that it comes from.</summary>
    /// <param name="Says">What stands around it in the guide; # is the figure.</param>
    /// <param name="Per">How many of the table's units are one of the guide's.</param>
    private sealed record Figure(string Says, string Case, string What, string Target, string Name, double Per = 1)
    {
        /// <summary>The row of what happens in a second, where the figure is for one of those; null: it is not.</summary>
        public string? Rate { get; init; }
    }
}
