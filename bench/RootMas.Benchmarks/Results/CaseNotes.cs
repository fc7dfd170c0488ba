namespace RootMas.Benchmarks.Results;

/// <summary>What a case measures, its aim (CHECKS, "Measurements"), what its ratios refer to, and what limits the figure.</summary>
internal sealed record CaseNotes(string Title, string Reference, string Aim)
{
    public string Limits { get; init; } = "";

    public static CaseNotes Of(string name, IReadOnlyList<Measurement> measured)
    {
        var notes = All.GetValueOrDefault(name) ?? new CaseNotes(name, "", "");
        // Where the small installation stands beside larger ones, it is what they are compared with.
        return measured.Any(m => m.Target.StartsWith(Cluster.Installation.Prefix, StringComparison.Ordinal)) ? notes with { Reference = Embedded, Limits = "" } : notes;
    }

    /// <summary>The value that a measurement is divided by; null where a ratio says nothing.</summary>
    public double? ReferenceOf(IReadOnlyList<Measurement> all, Measurement measurement) => Reference switch
    {
        "" => null,
        Fastest => all.Where(m => m.Row == measurement.Row && m.Metric == measurement.Metric && m.Median is not null && !m.Target.StartsWith("Root-MAS", StringComparison.Ordinal) && !m.Target.Contains("PostgreSQL", StringComparison.Ordinal)).Min(m => m.Median),
        _ => all.FirstOrDefault(m => m.Row == measurement.Row && m.Metric == measurement.Metric && m.Target == Reference)?.Median,
    };

    private const string Fastest = "the fastest JavaScript runtime without durability";
    private const string Hop = "bare .NET hop";
    private const string Embedded = "Root-MAS, all on";

    private static readonly Dictionary<string, CaseNotes> All = new(StringComparer.Ordinal)
    {
        ["B1"] = new("added latency of one completion, one connection", Hop, "≤ 0.30 ms bare, ≤ 0.45 ms with everything on; ≤ 0.8 ms at 100 kB.")
        {
            Limits = "a whole run stands behind every completion: its row, six events, two messages and a ledger row, on disk before the answer leaves. A model that answers within a millisecond shares the one commit with the run's beginning; a slower one adds a commit, which overlaps with its call. Half of the time is the database's writer (23 pages, counted, and their sync), the rest engine, model pipeline and HTTP edge, and the changes between threads.",
        },
        ["B2"] = new("completions per second, the target alone on one core", Hop, "≥ 9,000 bare, ≥ 4,000 with everything on; ≥ 90 % of direct at 20 ms and 256 connections.")
        {
            Limits = "processor time: about a third in the database's writer thread (statements, 4 pages for each completion when 64 share commits, the sync), the rest spread thinly over engine, model pipeline, JSON and HTTP, none of which stands out.",
        },
        ["B3"] = new("added time to the first text of streams that begin at once", "nginx", "≤ nginx + 1 ms at 64; nothing lost."),
        ["B4"] = new("memory of slow streams, growth", Hop, "≤ 64 kB per stream; ≤ 1 MB/h growth.")
        {
            Limits = "growth is the memory map of the database: file pages, at most Database:MapMegabytes (256), which the system takes back when it needs them; over 130,000 runs the managed heap stayed at 14 MB and other memory grew by 22 MB, compiled code and page caches included. Memory per slow stream was 90 to 250 kB in several sessions; what it is made of was not looked into.",
        },
        ["B5"] = new("memory of idle connections", Hop, "≤ 16 kB per event stream, ≤ 24 kB per WebSocket."),
        ["B6"] = new("agent runs, one after the other", Fastest, "≤ 0.5 ms with one call and ≤ 1.0 ms with one tool, durable: half of the fastest JavaScript runtime without durability, a twentieth of LangGraph with its PostgreSQL checkpointer.")
        {
            Limits = "one durable batch per step, its pages and its sync; the peers' figures have no server in front and, but for the one with PostgreSQL, no durability.",
        },
        ["B9"] = new("the ten nearest of n vectors", "hnswlib", "≤ 1.5 × hnswlib from 100,000 on at a recall of 0.99; scan below the crossover.")
        {
            Limits = "one thread searches, and the graphs are built by one thread with the same parameters (M 16, ef of construction 160). The vectors are made up: clouds on a surface of 24 dimensions in 384, with noise. Where memory has 8 bits a number, 32 more candidates are compared exactly; here their vectors come from memory, in the server from the database (a read by key).",
        },
        ["B11"] = new("durable steps: a run of five model calls", Embedded, "≤ 1.0 ms a step, ≥ 5,000 steps/s; at least 20 times the throughput of LangGraph with its PostgreSQL checkpointer, 2 times Restate's, 3 times DBOS's.")
        {
            Limits = "all programs, the databases and the broker share two cores. Our steps are a model call with its tool call through the whole agent path and come in through HTTP; Restate's and DBOS's are one function each that asks the model.",
        },
        ["B12"] = new("from a request to a worker: dispatch, drain, fairness", "", "≤ 5 ms p50, ≥ 3,000 runs/s, a quiet user waits ≤ 3 × idle."),
        ["Fail-over"] = new("a worker of two is killed with -9 among 100 runs of 5 × 200 ms", "", "its runs go on elsewhere in under a second at the median; ≤ 2.0 s to the last end beyond the work itself; nothing lost, nothing repeated."),
        ["Scaling"] = new("workers, each with room for 16 runs, and a model of 200 ms", "", "nearly linear until the cores are full (80 runs/s for each worker is the most that is possible)."),
        ["Growth"] = new("database bytes for each stored run", "", "documented, see operations."),
        ["B13"] = new("100 runs of 5 × 200 ms, kill -9 in the middle", "", "≤ 2.0 s, nothing lost, nothing repeated.")
        {
            Limits = "the process's start, then the 200 ms steps that are left (up to 1 s).",
        },
        ["B14"] = new("start, idle memory, fail-over, limits", Hop, "≤ 0.8 s, ≤ 120 MB, fail-over ≤ 2 ms, limits ≤ 0.15 ms, access in all < 50 µs.")
        {
            Limits = "compiling at start: generic code of the framework over the program's own types cannot be compiled ahead of time without shipping the framework along.",
        },
    };
}
