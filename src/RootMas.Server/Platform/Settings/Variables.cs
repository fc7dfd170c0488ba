using System.Collections;

namespace RootMas.Server.Platform.Settings;

/// <summary>
/// The environment, read once, in this one place: process variables over those of <c>.env</c>. <c>NAME_FILE</c> names a file that holds the value of <c>NAME</c>, and wins over what the same place says of <c>NAME</c>.
/// Values are secrets until proven otherwise: never log them.
/// </summary>
public sealed class Variables
{
    private readonly Dictionary<string, (string Value, string Source, int Rank)> _values = new(StringComparer.Ordinal);

    private Variables()
    {
    }

    public IEnumerable<string> Names => _values.Keys;

    /// <param name="process">The variables; null: those of this process.</param>
    /// <param name="dotEnv">Path of a <c>.env</c> file; it need not exist.</param>
    /// <param name="problems">Gets a line for each file that cannot be read or understood.</param>
    public static Variables Read(IReadOnlyDictionary<string, string>? process, string dotEnv, ICollection<string> problems)
    {
        var variables = new Variables();
        if (File.Exists(dotEnv))
        {
            variables.AddDotEnv(dotEnv, problems);
        }

        foreach (var (name, value) in process ?? OfProcess())
        {
            variables._values[name] = (value, "environment", SettingRank.Environment);
        }

        variables.AddFiles(problems);
        return variables;
    }

    /// <summary>The value, or null if it is not set or empty.</summary>
    public string? Get(string name) => _values.TryGetValue(name, out var found) && found.Value.Length > 0 ? found.Value : null;

    /// <summary>Where the value came from: <c>environment</c>, <c>.env</c>, <c>file</c>.</summary>
    public string SourceOf(string name) => _values.TryGetValue(name, out var found) ? found.Source : "nowhere";

    /// <summary>See <see cref="SettingValue.Rank"/>.</summary>
    internal int RankOf(string name) => _values.TryGetValue(name, out var found) ? found.Rank : 0;

    private static Dictionary<string, string> OfProcess()
    {
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
#pragma warning disable RS0030 // this is the one place
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
#pragma warning restore RS0030
        {
            result[(string)entry.Key] = entry.Value as string ?? "";
        }

        return result;
    }

    private void AddDotEnv(string path, ICollection<string> problems)
    {
        foreach (var (name, value) in DotEnv.Read(File.ReadAllLines(path), problems))
        {
            _values[name] = (value, ".env", SettingRank.DotEnv);
        }
    }

    private void AddFiles(ICollection<string> problems)
    {
        foreach (var (name, (path, _, rank)) in _values.Where(v => IsOurs(v.Key) && v.Key.EndsWith("_FILE", StringComparison.Ordinal) && v.Value.Value.Length > 0).ToArray())
        {
            if (!(_values.TryGetValue(name[..^5], out var said) && said.Value.Length > 0 && said.Rank > rank))
            {
                AddFile(name, path, rank, problems);
            }

            _values.Remove(name);
        }
    }

    private void AddFile(string name, string path, int rank, ICollection<string> problems)
    {
        try
        {
            _values[name[..^5]] = (File.ReadAllText(path).TrimEnd('\r', '\n'), "file", rank);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            problems.Add($"{name}: the file it names cannot be read ({e.GetType().Name})");
        }
    }

    /// <summary>Other programs have variables that end in _FILE too; only ours and the providers' keys are followed.</summary>
    private static bool IsOurs(string name) =>
        name.StartsWith("ROOTMAS", StringComparison.Ordinal) || name.EndsWith("_KEY_FILE", StringComparison.Ordinal) || name.EndsWith("_TOKEN_FILE", StringComparison.Ordinal);
}
