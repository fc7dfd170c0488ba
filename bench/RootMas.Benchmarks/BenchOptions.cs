using RootMas.Benchmarks.Cluster;
using RootMas.Benchmarks.Results;

namespace RootMas.Benchmarks;

/// <summary>The command line of <c>rootmas bench</c>.</summary>
internal sealed record BenchOptions
{
    /// <summary>Some ten minutes, not half an hour: fewer rounds and sizes.</summary>
    public bool Quick { get; init; }

    /// <summary>Only these cases, lower case; empty: all.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    public bool Peers { get; init; } = true;

    /// <summary>B9: the largest number of vectors as asked for; a hundred thousand take three minutes, a million half an hour.</summary>
    public int? Vectors { get; init; }

    /// <summary>B4: how long its steady load lasts, in minutes, with a model that takes 100 ms; null: a minute (quick: 10 s) with one that answers at once.</summary>
    public int? Soak { get; init; }

    public int MostVectors => Vectors ?? (Quick ? 10_000 : 100_000);

    /// <summary>Writes docs/performance.md; else only the raw results.</summary>
    public bool Publish { get; init; }

    public required string Repository { get; init; }

    /// <summary>Of the full form.</summary>
    public int FullRounds { get; init; } = 5;

    public int Rounds => Quick ? 2 : FullRounds;

    /// <summary>Of cases whose rounds are long, most of them with processes of their own.</summary>
    public int FewRounds => Quick ? 1 : 3;

    /// <summary>After one that warms up: each kills a worker.</summary>
    public int FailOverRounds => Quick ? 3 : 5;

    public bool Wants(string name) => Only.Count == 0 || Only.Contains(name.ToLowerInvariant());

    /// <summary>As the tables are headed, such as <c>full, 5 rounds; B4: 3 rounds</c>.</summary>
    /// <param name="cases">Of the command; those that are not wanted are left out.</param>
    public string Form(IEnumerable<string> cases)
    {
        var groups = cases.Where(Wants).GroupBy(RoundsOf).OrderByDescending(static g => g.Count()).ThenByDescending(static g => g.Key).ToList();
        var others = groups.Skip(1).Select(static g => $"; {string.Join(", ", g.Select(CaseNotes.NameOf))}: {Count(g.Key)}");
        return $"{(Quick ? "quick" : "full")}, {Count(groups[0].Key)}{string.Concat(others)}";

        static string Count(int rounds) => rounds == 1 ? "1 round" : $"{rounds} rounds";
    }

    private int RoundsOf(string name) => name switch
    {
        "b3" or "b4" or "b5" or "b13" => FewRounds,
        "failover" => FailOverRounds,
        "b10" or "growth" => 1,
        _ => Rounds,
    };

    /// <param name="args">After the command's name.</param>
    /// <param name="isCluster"><c>rootmas bench cluster</c>, which has cases of its own.</param>
    /// <param name="problem">What is wrong with them; null: nothing.</param>
    public static BenchOptions? Parse(string[] args, bool isCluster, out string? problem)
    {
        problem = null;
        var options = new BenchOptions { Repository = FindRepository() };
        for (var i = 0; i < args.Length; i++)
        {
            switch (args[i])
            {
                case "--quick": options = options with { Quick = true }; break;
                case "--no-peers": options = options with { Peers = false }; break;
                case "--publish": options = options with { Publish = true }; break;
                case "--vectors" when i + 1 < args.Length && int.TryParse(args[i + 1], out var most): (options, i) = (options with { Vectors = most }, i + 1); break;
                case "--soak" when i + 1 < args.Length && int.TryParse(args[i + 1], out var minutes) && minutes is >= 1 and <= 10_080: (options, i) = (options with { Soak = minutes }, i + 1); break;
                case "--only" when i + 1 < args.Length: options = options with { Only = args[++i].ToLowerInvariant().Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) }; break;
                default:
                    problem = $"unknown option {args[i]}\nusage: rootmas bench [--quick] [--only b1,b6,…] [--no-peers] [--vectors N] [--soak MINUTES] [--publish]\n       rootmas bench cluster [the same]\n       rootmas bench show FILE [FILE…] [--publish]   (saved results; cases of later files replace those of the first)\n       rootmas bench micro [BenchmarkDotNet options]";
                    return null;
            }
        }

        problem = args.Contains("--only") ? UnknownCase(options.Only, isCluster) : null;
        return problem is null ? options : null;
    }

    private static string? UnknownCase(IReadOnlyList<string> only, bool isCluster)
    {
        var cases = isCluster ? ClusterBench.Cases : Bench.Cases;
        var unknown = only.Except(cases, StringComparer.Ordinal).ToArray();
        return only.Count > 0 && unknown.Length == 0
            ? null
            : $"{(only.Count == 0 ? "--only names no case" : $"no such case here: {string.Join(", ", unknown)}")}; nothing was measured\nrootmas bench: {string.Join(", ", Bench.Cases)}\nrootmas bench cluster: {string.Join(", ", ClusterBench.Cases)}";
    }

    public static string FindRepository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "RootMas.slnx")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("the bench runs from its build folder inside the repository");
        }

        return folder.FullName;
    }
}
