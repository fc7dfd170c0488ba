using System.Text.Json.Serialization;

namespace RootMas.Benchmarks.Load;

/// <summary>What a series of equal operations took.</summary>
internal sealed record Samples
{
    public required int Count { get; init; }

    public int Errors { get; init; }

    public string? Error { get; init; }

    public double P50 { get; init; }

    public double P90 { get; init; }

    public double P99 { get; init; }

    public double Min { get; init; }

    public double PerSecond { get; init; }

    /// <summary>Processor time of the tested process per operation, milliseconds.</summary>
    public double CpuMs { get; init; }

    [JsonIgnore]
    public bool Failed => Count == 0 || Errors > 0;

    public static Samples Of(List<double> milliseconds, double seconds, int errors = 0, string? error = null)
    {
        milliseconds.Sort();
        return new Samples
        {
            Count = milliseconds.Count,
            Errors = errors,
            Error = error,
            P50 = Quantile(milliseconds, 0.5),
            P90 = Quantile(milliseconds, 0.9),
            P99 = Quantile(milliseconds, 0.99),
            Min = Quantile(milliseconds, 0),
            PerSecond = milliseconds.Count / Math.Max(seconds, 1e-9),
        };
    }

    public static double Quantile(IReadOnlyList<double> sorted, double q) =>
        sorted.Count == 0 ? 0 : sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * q))];

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? 0 : sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
