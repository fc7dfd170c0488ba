using System.Collections;

namespace RootMas.Server.Platform.Settings;

/// <summary>
/// The environment, read once, in this one place: process variables over those of <c>.env</c>. <c>NAME_FILE</c> names a file that holds the value of <c>NAME</c>.
/// Values are secrets until proven otherwise: never log them.
/// </summary>
public sealed class Variables
{
    private readonly Dictionary<string, (string Value, string Source)> _values = new(StringComparer.Ordinal);

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
            variables._values[name] = (value, "environment");
        }

        variables.AddFiles(problems);
        return variables;
    }

    /// <summary>The value, or null if it is not set or empty.</summary>
    public string? Get(string name) => _values.TryGetValue(name, out var found) && found.Value.Length > 0 ? found.Value : null;

    /// <summary>Where the value came from: <c>environment</c>, <c>.env</c>, <c>file</c>.</summary>
    public string SourceOf(string name) => _values.TryGetValue(name, out var found) ? found.Source : "nowhere";

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
        var number = 0;
        foreach (var raw in File.ReadLines(path))
        {
            number++;
            var line = raw.Trim();
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            line = line.StartsWith("export ", StringComparison.Ordinal) ? line[7..] : line;
            var equals = line.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1)
            {
                problems.Add($".env line {number}: expected NAME=value");
                continue;
            }

            _values[line[..equals].Trim()] = (Unquote(line[(equals + 1)..].Trim()), ".env");
        }
    }

    private static string Unquote(string value) =>
        value is ['"', .., '"'] or ['\'', .., '\''] && value.Length >= 2 ? value[1..^1] : value;

    private void AddFiles(ICollection<string> problems)
    {
        foreach (var (name, (path, _)) in _values.Where(v => IsOurs(v.Key) && v.Key.EndsWith("_FILE", StringComparison.Ordinal) && v.Value.Value.Length > 0).ToArray())
        {
            try
            {
                _values[name[..^5]] = (File.ReadAllText(path).TrimEnd('\r', '\n'), "file");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                problems.Add($"{name}: the file it names cannot be read ({e.GetType().Name})");
            }

            _values.Remove(name);
        }
    }

    /// <summary>Other programs have variables that end in _FILE too; only ours and the providers' keys are followed.</summary>
    private static bool IsOurs(string name) =>
        name.StartsWith("ROOTMAS", StringComparison.Ordinal) || name.EndsWith("_KEY_FILE", StringComparison.Ordinal) || name.EndsWith("_TOKEN_FILE", StringComparison.Ordinal);
}
