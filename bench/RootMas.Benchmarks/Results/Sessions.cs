using System.Globalization;
using RootMas.Benchmarks.Load;

namespace RootMas.Benchmarks.Results;

/// <summary>Lines of the machine's table that say when cases were measured whose session is not the first: <c>B4, B5 | measured …</c>. Each case stands in one of them at most.</summary>
internal static class Sessions
{
    private const string Measured = "measured ";

    public static bool IsOne(string said) => said.StartsWith(Measured, StringComparison.Ordinal);

    public static string Say(DateTimeOffset began, string form, IReadOnlyCollection<double> foreignLoad) =>
        string.Create(CultureInfo.InvariantCulture, $"{Measured}{began:yyyy-MM-dd HH:mm} UTC; {form}; foreign load {(foreignLoad.Count == 0 ? 0 : 100 * Samples.Median(foreignLoad)):0} %");

    public static IEnumerable<string> Names(string names) => names.Split(", ");

    /// <summary>The names without those that are measured anew. Null: none is left.</summary>
    public static string? Without(string names, IReadOnlyCollection<string> anew) => Names(names).Except(anew, StringComparer.Ordinal).ToArray() is { Length: > 0 } left ? string.Join(", ", left) : null;
}
