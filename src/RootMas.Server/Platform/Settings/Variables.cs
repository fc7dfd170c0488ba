using System.Collections;
using System.Collections.Concurrent;

namespace RootMas.Server.Platform.Settings;

/// <summary>
/// The environment, read once, in this one place: process variables over those of <c>.env</c>. <c>NAME_FILE</c> names a file that holds the value of <c>NAME</c>, and wins over what the same place says of <c>NAME</c>;
/// it is followed where <c>NAME</c> is ours, for other programs' variables end in <c>_FILE</c> too, and what those files hold is none of our business.
/// Values are secrets until proven otherwise: never log them.
/// </summary>
public sealed class Variables
{
    internal const string FileSuffix = "_FILE";

    private readonly Dictionary<string, (string Value, string Source, int Rank)> _values = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _named = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _asked = new(StringComparer.Ordinal);

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

    /// <summary>As <see cref="Get"/>, of a variable that a file of the operator names (<c>api_key_env</c> in models.yaml). That makes it ours whatever it is called, so its <c>_FILE</c> counts too, and is read once.</summary>
    /// <exception cref="SettingsException">The file that it names cannot be read.</exception>
    public string? GetNamed(string name)
    {
        _asked.TryAdd(name, true);
        if (!_values.TryGetValue(name + FileSuffix, out var file) || file.Value.Length == 0 || IsGivenAbove(file.Rank, name))
        {
            return Get(name);
        }

        var text = _named.GetOrAdd(name, static (asked, path) => TextOf(path, out var error) ?? throw new SettingsException([Unreadable(asked + FileSuffix, error)]), file.Value);
        return text.Length > 0 ? text : null;
    }

    /// <summary>Whether a file of the operator named it, or what its file holds, up to now.</summary>
    internal bool IsNamed(string name) => _asked.ContainsKey(name) || (name.EndsWith(FileSuffix, StringComparison.Ordinal) && _asked.ContainsKey(name[..^FileSuffix.Length]));

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
        foreach (var (name, (path, _, rank)) in _values.Where(static v => v.Key.EndsWith(FileSuffix, StringComparison.Ordinal) && OwnVariables.IsOurs(v.Key[..^FileSuffix.Length]) && v.Value.Value.Length > 0).ToArray())
        {
            _values.Remove(name);
            var named = name[..^FileSuffix.Length];
            if (IsGivenAbove(rank, named))
            {
                continue;
            }

            if (TextOf(path, out var error) is { } text)
            {
                _values[named] = (text, "file", rank);
            }
            else
            {
                problems.Add(Unreadable(name, error));
            }
        }
    }

    private bool IsGivenAbove(int rank, string name) => _values.TryGetValue(name, out var said) && said.Value.Length > 0 && said.Rank > rank;

    /// <summary>Null: it cannot be read, for this error.</summary>
    private static string? TextOf(string path, out string error)
    {
        error = "";
        try
        {
            return File.ReadAllText(path).TrimEnd('\r', '\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = e.GetType().Name;
            return null;
        }
    }

    private static string Unreadable(string name, string error) => $"{name}: the file it names cannot be read ({error})";
}
