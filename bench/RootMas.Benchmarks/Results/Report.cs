using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Benchmarks.Load;

namespace RootMas.Benchmarks.Results;

/// <summary>One figure of one target: a value per round, or the reason why there is none.</summary>
internal sealed record Measurement(string Case, string Row, string Target, string Metric, string Unit)
{
    public List<double> Rounds { get; init; } = [];

    public string? Missing { get; set; }

    public double? Median => Rounds.Count == 0 ? null : Samples.Median(Rounds);

    public double? Lowest => Rounds.Count == 0 ? null : Rounds.Min();

    public double? Highest => Rounds.Count == 0 ? null : Rounds.Max();
}

/// <summary>Everything that a run of the bench found.</summary>
internal sealed class Report
{
    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly List<Measurement> _measurements = [];

    public required DateTimeOffset Began { get; init; }

    public required Dictionary<string, string> Machine { get; init; }

    /// <summary>What was compared, with versions.</summary>
    public SortedDictionary<string, string> Versions { get; } = new(StringComparer.Ordinal);

    /// <summary>Share of the machine that others used, per case and round.</summary>
    public List<double> ForeignLoad { get; } = [];

    /// <summary>Quick or full, rounds.</summary>
    public required string Form { get; init; }

    public IReadOnlyList<Measurement> Measurements => _measurements;

    public void Add(string @case, string row, string target, string metric, string unit, double value) =>
        Find(@case, row, target, metric, unit).Rounds.Add(value);

    public void Missing(string @case, string row, string target, string metric, string unit, string reason) =>
        Find(@case, row, target, metric, unit).Missing ??= reason.ReplaceLineEndings(" ")[..Math.Min(reason.Length, 240)];

    public async Task SaveAsync(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        await using var file = File.Create(path);
        await JsonSerializer.SerializeAsync(
            file,
            new { Began, Form, Machine, Versions, ForeignLoadMedian = ForeignLoad.Count == 0 ? 0 : Samples.Median(ForeignLoad), ForeignLoad, Measurements },
            Json);
    }

    /// <summary>
    /// Results that were saved: the first file's, with the cases that later files have in place of its own. A case that takes an hour, or met a busy machine, can so be measured in a session of its own;
    /// all targets of one case are always of one session.
    /// </summary>
    /// <exception cref="InvalidDataException">A file is none of ours.</exception>
    public static async Task<Report> LoadAsync(IReadOnlyList<string> paths)
    {
        Report? merged = null;
        foreach (var path in paths)
        {
            var saved = await ReadAsync(path);
            if (merged is null)
            {
                merged = new Report { Began = saved.Began, Form = saved.Form, Machine = saved.Machine };
                merged.ForeignLoad.AddRange(saved.ForeignLoad);
            }
            else
            {
                var cases = saved.Measurements.Select(static m => m.Case).ToHashSet(StringComparer.Ordinal);
                var load = saved.ForeignLoad.Count == 0 ? 0 : 100 * Samples.Median(saved.ForeignLoad);
                merged._measurements.RemoveAll(m => cases.Contains(m.Case));
                merged.Machine[string.Join(", ", cases)] = string.Create(CultureInfo.InvariantCulture, $"measured {saved.Began:yyyy-MM-dd HH:mm} UTC; {saved.Form}; foreign load {load:0} %");
            }

            merged._measurements.AddRange(saved.Measurements);
            foreach (var (name, version) in saved.Versions)
            {
                merged.Versions[name] = version;
            }
        }

        if (merged is null)
        {
            throw new InvalidDataException("No file of results was named.");
        }

        Measurement[] inOrder = [.. merged._measurements.OrderBy(NumberOf)]; // keeps the order within a case
        merged._measurements.Clear();
        merged._measurements.AddRange(inOrder);
        return merged;
    }

    private static async Task<Saved> ReadAsync(string path)
    {
        try
        {
            await using var file = File.OpenRead(path);
            return await JsonSerializer.DeserializeAsync<Saved>(file, Json) ?? throw new InvalidDataException($"{path} is empty.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is not a file of results of this bench: {e.Message}", e);
        }
    }

    private static int NumberOf(Measurement m) => m.Case is ['B', .. var number] && int.TryParse(number, CultureInfo.InvariantCulture, out var n) ? n : int.MaxValue;

    private Measurement Find(string @case, string row, string target, string metric, string unit)
    {
        var found = _measurements.Find(m => m.Case == @case && m.Row == row && m.Target == target && m.Metric == metric);
        if (found is null)
        {
            found = new Measurement(@case, row, target, metric, unit);
            _measurements.Add(found);
        }

        return found;
    }

    private sealed record Saved
    {
        public required DateTimeOffset Began { get; init; }

        public required string Form { get; init; }

        public required Dictionary<string, string> Machine { get; init; }

        public required Dictionary<string, string> Versions { get; init; }

        public required List<double> ForeignLoad { get; init; }

        public required List<Measurement> Measurements { get; init; }
    }
}
