namespace RootMas.Benchmarks.Results;

/// <summary>What a case measures, its aim (CHECKS, "Measurements"), what its ratios refer to, and what limits the figure.</summary>
internal sealed record CaseNotes(string Title, string Reference, string Aim)
{
    public string Limits { get; init; } = "";

    public static CaseNotes Of(string name) => All.GetValueOrDefault(name) ?? new CaseNotes(name, "", "");

    /// <summary>The value that a measurement is divided by; null where a ratio says nothing.</summary>
    public double? ReferenceOf(IReadOnlyList<Measurement> all, Measurement measurement) => Reference switch
    {
        "" => null,
        Fastest => all.Where(m => m.Row == measurement.Row && m.Metric == measurement.Metric && m.Median is not null && !m.Target.StartsWith("Root-MAS", StringComparison.Ordinal) && !m.Target.Contains("PostgreSQL", StringComparison.Ordinal)).Min(m => m.Median),
        _ => all.FirstOrDefault(m => m.Row == measurement.Row && m.Metric == measurement.Metric && m.Target == Reference)?.Median,
    };

    private const string Fastest = "the fastest JavaScript runtime without durability";
    private const string Hop = "bare .NET hop";

    private static readonly Dictionary<string, CaseNotes> All = new(StringComparer.Ordinal)
    {
        ["B1"] = new("added latency of one completion, one connection", Hop, "≤ 0.30 ms bare, ≤ 0.45 ms with everything on; ≤ 0.8 ms at 100 kB.")
        {
            Limits = "a whole run stands behind every completion: two durable batches (run row, events, messages, ledger) of about 25 database pages, of which the first overlaps with the model call; then the engine, the model pipeline and the HTTP edge.",
        },
        ["B2"] = new("completions per second, the target alone on one core", Hop, "≥ 9,000 bare, ≥ 4,000 with everything on; ≥ 90 % of direct at 20 ms and 256 connections.")
        {
            Limits = "processor time: about a third in the database's writer thread (SQLite's pages, their checksums, the sync), a third in engine and model pipeline, the rest in HTTP and the system.",
        },
        ["B3"] = new("added time to the first text of streams that begin at once", "nginx", "≤ nginx + 1 ms at 64; nothing lost."),
        ["B4"] = new("memory of slow streams, growth", Hop, "≤ 64 kB per stream; ≤ 1 MB/h growth."),
        ["B5"] = new("memory of idle connections", Hop, "≤ 16 kB per event stream, ≤ 24 kB per WebSocket."),
        ["B6"] = new("agent runs, one after the other", Fastest, "≤ 0.5 ms with one call and ≤ 1.0 ms with one tool, durable: half of the fastest JavaScript runtime without durability, a twentieth of LangGraph with its PostgreSQL checkpointer.")
        {
            Limits = "one durable batch per step and its sync; the peers' figures have no server in front and, but for the one with PostgreSQL, no durability.",
        },
        ["B13"] = new("100 runs of 5 × 200 ms, kill -9 in the middle", "", "≤ 2.0 s, nothing lost, nothing repeated.")
        {
            Limits = "the process's start, then the 200 ms steps that are left (up to 1 s).",
        },
        ["B14"] = new("start, idle memory, fail-over, limits", Hop, "≤ 0.8 s, ≤ 120 MB, fail-over ≤ 2 ms, limits ≤ 0.15 ms."),
    };
}
