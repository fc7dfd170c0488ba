namespace RootMas.Benchmarks.Results;

/// <summary>What a case measures, its aim (CHECKS, "Measurements"), what its ratios refer to, and what limits the figure.</summary>
internal sealed record CaseNotes(string Title, string Reference, string Aim)
{
    public string Limits { get; init; } = "";

    public static CaseNotes Of(string name, IReadOnlyList<Measurement> measured)
    {
        var notes = All.GetValueOrDefault(name) ?? new CaseNotes(name, "", "");
        if (!measured.Any(m => m.Target.StartsWith(Cluster.Installation.Prefix, StringComparison.Ordinal)))
        {
            return notes;
        }

        // Where the small installation stands beside larger ones, it is what they are compared with, and what limits it alone is not what limits them.
        var beside = notes with { Reference = Embedded };
        return name switch
        {
            "B1" or "B2" or "B3" or "B6" or "B8" => beside with { Limits = InCluster },
            "B4" or "B5" => beside with { Limits = "" },
            _ => beside,
        };
    }

    /// <summary>As the tables call a case of the command line.</summary>
    public static string NameOf(string option) => option switch
    {
        "failover" => "Fail-over",
        "scaling" => "Scaling",
        "growth" => "Growth",
        "limits" => "Limits on Redis",
        _ => option.ToUpperInvariant(),
    };

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

    private const string InCluster =
        "programs, databases, broker, load and model share two cores. On PostgreSQL each commit is a way to another process and back, and the two that make and end a run look before they write, which is a second one each. Redis adds the script of the limits to each request, the broker what hands a run to a worker.";

    private static readonly Dictionary<string, CaseNotes> All = new(StringComparer.Ordinal)
    {
        ["B1"] = new("added latency of one completion, one connection", Hop, "≤ 0.30 ms bare, ≤ 0.45 ms with everything on; ≤ 0.8 ms at 100 kB.")
        {
            Limits = "a whole run stands behind every completion: its row, six events, two messages and a ledger row, on disk before the answer leaves. A model that answers within a millisecond shares the one commit with the run's beginning; a slower one adds a commit, which overlaps with its call. Of the processor time two fifths are the database's writer (a fifth of that the sync, the rest statements, 23 pages and their four calls), half is HTTP, engine and model pipeline, which cost twice as much as under load because every answer of a client, model and disk wakes a sleeping thread: 13 changes between threads, and the caches that they cost.",
        },
        ["B2"] = new("completions per second, the target alone on one core", Hop, "≥ 9,000 bare, ≥ 4,000 with everything on; ≥ 90 % of direct at 20 ms and 256 connections.")
        {
            Limits = "processor time: a bit less than a third in the database's writer thread (more than half of that is SQLite at its statements, the sync and 4 pages for each completion when 16 share a commit), the rest spread thinly over engine, model pipeline, JSON and HTTP, none of which stands out; 44 kB of garbage for each completion. A program that has just started runs measuring code for minutes on a busy core: a sixth of its time.",
        },
        ["B3"] = new("added time to the first text of streams that begin at once", "nginx", "≤ nginx + 1 ms at 64; nothing lost.")
        {
            Limits = "processor time: every stream is a run that is made and begun before its first text, about 0.3 ms of one core under load, and those that begin at once share one core. A proxy has nothing to make.",
        },
        ["B4"] = new("memory of slow streams, growth", Hop, "≤ 64 kB per stream; ≤ 1 MB/h growth.")
        {
            Limits = "of a slow stream's memory some 46 kB are live: 9 kB are buffers (two of the HTTP client's connection, 4 kB each, and 1 kB for the model's answer), the rest some 480 small objects, among them Kestrel's connection, request and response, thirty waiting asynchronous calls of one run, its state, its cancellation tokens, and the pieces of the answer, which telemetry keeps until the end; what is above that is room of the collector. Growth: the managed heap stays at 14 MB; compiled code and page caches of the database grow to their limits.",
        },
        ["B5"] = new("memory of idle connections", Hop, "≤ 16 kB per event stream, ≤ 24 kB per WebSocket.")
        {
            Limits = "nearly all of it is live: some 200 objects, of them Kestrel's connection, request and response headers 7 kB, the rest the waiting calls of the pipeline in front of the stream (access, limits, idempotency), cancellation tokens, timer, place in the run's channel. What so many needed when they came at once is given back when it has become quiet.",
        },
        ["B6"] = new("agent runs, one after the other", Fastest, "≤ 0.5 ms with one call and ≤ 1.0 ms with one tool, durable: half of the fastest JavaScript runtime without durability, a twentieth of LangGraph with its PostgreSQL checkpointer.")
        {
            Limits = "one durable batch per step, its pages and its sync, and the changes between the threads that wait for client, model and disk: as B1; the peers' figures have no server in front and, but for the one with PostgreSQL, no durability.",
        },
        ["B8"] = new("an exact hit of the answer cache", "", "≤ 0.25 ms from memory, ≤ 0.40 ms from Redis; a stampede of 200 asks the model once.")
        {
            Limits = "the stage alone is what the aim is about; the whole completion is a durable run like every other one, with its rows and its commit.",
        },
        ["B9"] = new("the ten nearest of n vectors", "hnswlib", "≤ 1.5 × hnswlib from 100,000 on at a recall of 0.99; scan below the crossover.")
        {
            Limits = "one thread searches, and the graphs are built by one thread with the same parameters (M 16, ef of construction 160). The vectors are made up: clouds on a surface of 24 dimensions in 384, with noise. Where memory has 8 bits a number, 32 more candidates are compared exactly; here their vectors come from memory, in the server from the database (a read by key).",
        },
        ["B10"] = new("the semantic cache on Banking77: 13,083 real questions, an answer is right if the intent is the same", "", "wrong ÷ all lookups: upper end of the 95 % interval ≤ δ; hits ≥ those of the best fixed threshold with the same error.")
        {
            Limits = "the built-in embedder knows wording and no meaning: with a neural one the nearest question is right more often, and hits rise. Some labels of the set are wrong: of the pairs that are nearly the same text 3 to 4 % have different intents, which no cache can know. The best fixed threshold is chosen afterwards, with all answers known; nobody has it beforehand.",
        },
        ["B11"] = new("durable steps: a run of five model calls", Embedded, "≤ 1.0 ms a step, ≥ 5,000 steps/s; at least 20 times the throughput of LangGraph with its PostgreSQL checkpointer, 2 times Restate's, 3 times DBOS's.")
        {
            Limits = "all programs, the databases and the broker share two cores. Our steps are a model call with its tool call through the whole agent path and come in through HTTP; Restate's and DBOS's are one function each that asks the model.",
        },
        ["B12"] = new("from a request to a worker: dispatch, drain, fairness", "", "≤ 5 ms p50, ≥ 3,000 runs/s, a quiet user waits ≤ 3 × idle.")
        {
            Limits = "processor time: servers, workers, PostgreSQL, Redis, broker, load and model share the cores of one machine. A run is five transactions on PostgreSQL, one way to the broker and back, and a model call.",
        },
        ["Fail-over"] = new("a worker of two is killed with -9 among 100 runs of 5 × 200 ms", "", "its runs go on elsewhere in under a second at the median; ≤ 2.0 s to the last end beyond the work itself; nothing lost, nothing repeated."),
        ["Scaling"] = new("workers, each with room for 16 runs, and a model of 200 ms", "", "nearly linear until the cores are full (80 runs/s for each worker is the most that is possible)."),
        ["Limits on Redis"] = new("what limits of all instances together cost: one script on Redis for a request", "", "≤ 0.15 ms; budgets: one script before and one after a model call."),
        ["Growth"] = new("database bytes for each stored run", "", "documented, see operations."),
        ["B13"] = new("100 runs of 5 × 200 ms, kill -9 in the middle", "", "≤ 2.0 s, nothing lost, nothing repeated.")
        {
            Limits = "the process's start, then the 200 ms steps that are left (up to 1 s).",
        },
        ["B14"] = new("start, idle memory, fail-over, limits", Hop, "≤ 0.8 s, ≤ 120 MB, fail-over ≤ 2 ms, limits ≤ 0.15 ms, access in all < 50 µs.")
        {
            Limits = "compiling at start: generic code of the framework over the program's own types cannot be compiled ahead of time without shipping the framework along. Of the idle memory 65 % are code and data of program, framework and libraries as they lie in their files, 16 % stubs and code compiled at start, 19 % heaps.",
        },
    };
}
