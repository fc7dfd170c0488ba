namespace RootMas.Benchmarks;

/// <summary>The command line of <c>rootmas bench</c>.</summary>
internal sealed record BenchOptions
{
    /// <summary>Under four minutes: fewer rounds and sizes.</summary>
    public bool Quick { get; init; }

    /// <summary>Only these cases, lower case; empty: all.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    public bool Peers { get; init; } = true;

    /// <summary>B9: the largest number of vectors as asked for; a hundred thousand take three minutes, a million half an hour.</summary>
    public int? Vectors { get; init; }

    /// <summary>B4: how long its steady load lasts, in minutes, with a model that takes 100 ms; null: a minute (quick: 10 s) with one that answers at once.</summary>
    public int? Soak { get; init; }

    public int MostVectors => Vectors ?? (Quick ? 10_000 : 1_000_000);

    /// <summary>Writes docs/performance.md; else only the raw results.</summary>
    public bool Publish { get; init; }

    public required string Repository { get; init; }

    /// <summary>Of the full form.</summary>
    public int FullRounds { get; init; } = 5;

    public int Rounds => Quick ? 2 : FullRounds;

    /// <summary>Each with processes of its own.</summary>
    public int MemoryRounds => Quick ? 1 : 3;

    public bool Wants(string name) => Only.Count == 0 || Only.Contains(name.ToLowerInvariant());

    public static BenchOptions? Parse(string[] args, out string? problem)
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
                case "--only" when i + 1 < args.Length: options = options with { Only = args[++i].ToLowerInvariant().Split(',') }; break;
                default:
                    problem = $"unknown option {args[i]}\nusage: rootmas bench [--quick] [--only b1,b6,…] [--no-peers] [--vectors N] [--soak MINUTES] [--publish]\n       rootmas bench cluster [the same]\n       rootmas bench show FILE [FILE…] [--publish]   (saved results; cases of later files replace those of the first)\n       rootmas bench micro [BenchmarkDotNet options]";
                    return null;
            }
        }

        return options;
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
