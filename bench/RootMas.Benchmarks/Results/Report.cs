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
}
