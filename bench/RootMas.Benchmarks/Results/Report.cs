using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Results;

/// <summary>One figure of one target: a value per round, or the reason why there is none.</summary>
internal sealed record Measurement(string Case, string Row, string Target, string Metric, string Unit)
{
    public List<double> Rounds { get; init; } = [];

    /// <summary>Why there is no value, or why rounds lack theirs: the first reason.</summary>
    public string? Missing { get; set; }

    /// <summary>How many rounds brought no value though they should have.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public int Lost { get; set; }

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

    /// <summary>Whose results: <c>bench</c> or <c>bench cluster</c>.</summary>
    public required string Command { get; init; }

    public required Dictionary<string, string> Machine { get; init; }

    /// <summary>What was compared, with versions.</summary>
    public SortedDictionary<string, string> Versions { get; } = new(StringComparer.Ordinal);

    /// <summary>Share of the machine that others used, per case and round.</summary>
    public List<double> ForeignLoad { get; } = [];

    /// <summary>Quick or full, rounds.</summary>
    public required string Form { get; init; }

    public IReadOnlyList<Measurement> Measurements => _measurements;

    public IEnumerable<string> Cases => _measurements.Select(static m => m.Case).Distinct(StringComparer.Ordinal);

    /// <summary>Figures that lack a round, or all.</summary>
    public int Failures => _measurements.Count(static m => m.Lost > 0);

    public void Add(string @case, string row, string target, string metric, string unit, double value) =>
        Find(@case, row, target, metric, unit).Rounds.Add(value);

    /// <summary>A round, or all of them, brought no value though it should have: the table says so beside the others' median, and the bench ends with 1.</summary>
    public void Missing(string @case, string row, string target, string metric, string unit, string reason)
    {
        var found = Find(@case, row, target, metric, unit);
        found.Lost++;
        found.Missing ??= Short(reason);
    }

    /// <summary>A target that did not start. One that this machine does not have is a row with its reason, and no failure.</summary>
    public void Missing(string @case, string row, Target target, string metric, string unit)
    {
        var reason = target.Missing ?? "did not start";
        if (target.IsAbsent)
        {
            Absent(@case, row, target.Name, metric, unit, reason);
        }
        else
        {
            Missing(@case, row, target.Name, metric, unit, reason);
        }
    }

    /// <summary>What this machine does not have.</summary>
    public void Absent(string @case, string row, string target, string metric, string unit, string reason) => Find(@case, row, target, metric, unit).Missing ??= Short(reason);

    public async Task SaveAsync(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var unfinished = path + ".new"; // an interruption in the middle would leave half a file in place of the cases before
        await using (var file = File.Create(unfinished))
        {
            await JsonSerializer.SerializeAsync(
                file,
                new { Began, Command, Form, Machine, Versions, ForeignLoadMedian = ForeignLoad.Count == 0 ? 0 : Samples.Median(ForeignLoad), ForeignLoad, Measurements },
                Json);
        }

        File.Move(unfinished, path, overwrite: true);
    }

    /// <summary>
    /// Results that were saved: the first file's, with the cases that later files have in place of its own. A case that takes an hour, or met a busy machine, can so be measured in a session of its own;
    /// all targets of one case are always of one session.
    /// </summary>
    /// <exception cref="InvalidDataException">A file is none of ours, of the other bench, or of another machine than the first.</exception>
    public static async Task<Report> LoadAsync(IReadOnlyList<string> paths)
    {
        Report? merged = null;
        foreach (var path in paths)
        {
            var saved = await ReadAsync(path);
            var command = saved.Command ?? (path.EndsWith("-cluster.json", StringComparison.Ordinal) ? "bench cluster" : "bench"); // files from before it was kept in them
            if (merged is null)
            {
                merged = new Report { Began = saved.Began, Form = saved.Form, Machine = saved.Machine, Command = command };
                merged.ForeignLoad.AddRange(saved.ForeignLoad);
                merged._measurements.AddRange(saved.Measurements);
            }
            else
            {
                RefuseOther(merged, command, saved.Machine, path, paths[0]);
                merged.Replace(saved);
            }

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

    /// <summary>Where on a machine something differs from what was measured elsewhere; null: nothing, they can stand in one table.</summary>
    public static string? Difference(IEnumerable<KeyValuePair<string, string>> machine, IReadOnlyDictionary<string, string> other) =>
        machine.Where(e => !Sessions.IsOne(e.Value) && other.TryGetValue(e.Key, out var there) && there != e.Value).Select(e => $"{e.Key}: {e.Value} here, {other[e.Key]} there").FirstOrDefault();

    /// <summary>When which cases were measured, each in one of them.</summary>
    public IEnumerable<(string Names, string Said)> WhenMeasured()
    {
        var later = Machine.Where(static e => Sessions.IsOne(e.Value)).ToList();
        var first = Cases.Except(later.SelectMany(static e => Sessions.Names(e.Key)), StringComparer.Ordinal).ToArray();
        if (first.Length > 0)
        {
            yield return (string.Join(", ", first), Sessions.Say(Began, Form, ForeignLoad));
        }

        foreach (var (names, said) in later)
        {
            yield return (names, said);
        }
    }

    private static void RefuseOther(Report merged, string command, Dictionary<string, string> machine, string path, string first)
    {
        if (command != merged.Command)
        {
            throw new InvalidDataException($"{path} is of ./rootmas {command}, {first} of ./rootmas {merged.Command}. Nothing was merged: show each kind by itself.");
        }

        if (Difference(machine, merged.Machine) is { } difference)
        {
            throw new InvalidDataException($"{path} was measured on another machine than {first} ({difference}). Nothing was merged: measure these cases again on one machine, or show the files one by one.");
        }
    }

    private void Replace(Saved saved)
    {
        var anew = saved.Measurements.Select(static m => m.Case).ToHashSet(StringComparer.Ordinal);
        _measurements.RemoveAll(m => anew.Contains(m.Case));
        foreach (var (names, said) in Machine.Where(static e => Sessions.IsOne(e.Value)).ToList())
        {
            Machine.Remove(names);
            if (Sessions.Without(names, anew) is { } left)
            {
                Machine[left] = said;
            }
        }

        if (anew.Count > 0)
        {
            Machine[string.Join(", ", anew)] = Sessions.Say(saved.Began, saved.Form, saved.ForeignLoad);
        }

        _measurements.AddRange(saved.Measurements);
    }

    private static string Short(string reason)
    {
        var line = reason.ReplaceLineEndings(" ");
        return line[..Math.Min(line.Length, 240)];
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

        public string? Command { get; init; }

        public required Dictionary<string, string> Machine { get; init; }

        public required Dictionary<string, string> Versions { get; init; }

        public required List<double> ForeignLoad { get; init; }

        public required List<Measurement> Measurements { get; init; }
    }
}
