using System.Reflection;
using System.Text.Json;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace RootMas.Server.Platform.Settings;

/// <summary>One value and where it came from: <c>default</c>, <c>settings.yaml</c>, <c>appsettings.json</c>, <c>.env</c>, <c>environment</c>, <c>file</c>, <c>command line</c>.</summary>
public readonly record struct SettingValue(string Value, string Source)
{
    /// <summary>Its place in the order of the sources, see <see cref="SettingRank"/>.</summary>
    internal int Rank { get; init; }
}

/// <summary>The order of the sources: a greater one wins. A file has the rank of whoever names it.</summary>
internal static class SettingRank
{
    public const int SettingsYaml = 1;
    public const int AppSettings = 2;
    public const int DotEnv = 3;
    public const int Environment = 4;
    public const int CommandLine = 5;
}

/// <summary>
/// All settings, flattened to <c>Section:Key[:Key|:index]</c> and merged: defaults in code &lt; config/settings.yaml &lt; appsettings.json &lt; .env &lt; environment &lt; command line.
/// A list is taken whole from one source. Slices take their part with <see cref="SettingsExtensions.AddSettings{T}"/>; what nobody takes is an unknown key.
/// </summary>
public sealed class SettingsTree
{
    private const string Prefix = "ROOTMAS__";
    private const string WorkerUrls = "http://127.0.0.1:8001";

    private static readonly (string Variable, string Key)[] Conventional =
    [
        ("ROOTMAS_URLS", "Server:Urls"), ("ROOTMAS_DATA", "Server:Data"), ("ROOTMAS_CONFIG", "Server:Config"),
        ("ROOTMAS_ENVIRONMENT", "Server:Environment"), ("DOTNET_ENVIRONMENT", "Server:Environment"), ("ASPNETCORE_ENVIRONMENT", "Server:Environment"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "Telemetry:OtlpEndpoint"),
    ];

    /// <summary>What people call settings.yaml by mistake.</summary>
    private static readonly string[] Misnamed = ["settings.yml", "setting.yaml", "setting.yml", "settings.json"];

    private readonly Dictionary<string, SettingValue> _values = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<SettingsSection> _sections = [];
    private readonly List<string> _problems = [];
    private readonly List<string> _passedOver = [];

    private SettingsTree(Variables variables, string workingDirectory)
    {
        Variables = variables;
        WorkingDirectory = workingDirectory;
    }

    /// <summary>The environment, for values that files name (<c>api_key_env</c> in models.yaml).</summary>
    public Variables Variables { get; }

    public string WorkingDirectory { get; }

    /// <summary>For a process that advances runs and has no API.</summary>
    public bool IsWorker { get; private init; }

    /// <summary>The data directory, absolute.</summary>
    public string DataPath => Resolve(Take<ServerOptions>("Server").Data);

    /// <summary>The config directory, absolute.</summary>
    public string ConfigPath => Resolve(Take<ServerOptions>("Server").Config);

    /// <summary>What is wrong so far; complete once every slice took its part.</summary>
    public IReadOnlyList<string> Problems => [.. _problems, .. UnknownKeys()];

    /// <summary>What looks like a setting and is none: a variable or a file that is nearly called as one of ours. It stops no start, for others make such names too. Complete once every slice took its part.</summary>
    public IReadOnlyList<string> Notes => [.. _passedOver, .. OwnVariables.Unread(Variables, _sections.SelectMany(static s => s.Settings).Select(static s => s.Key))];

    public IReadOnlyList<SettingsSection> Sections => _sections;

    public static SettingsTree Read(ServerArguments arguments)
    {
        var directory = Path.GetFullPath(arguments.WorkingDirectory ?? Directory.GetCurrentDirectory());
        var problems = new List<string>();
        var variables = Variables.Read(arguments.Environment, Path.Combine(directory, ".env"), problems);
        var tree = new SettingsTree(variables, directory) { IsWorker = arguments.IsWorker };
        tree._problems.AddRange(problems);
        var appSettings = tree.ReadJson(Path.Combine(directory, "appsettings.json"));
        tree.Merge(appSettings);
        tree.AddVariables();
        tree.AddArguments(arguments);

        // Where config/ is can be said in every source above it, so the lowest source is read last.
        var config = tree.PathOf("Server:Config", new ServerOptions().Config);
        foreach (var (key, value) in tree.ReadYaml(Path.Combine(config, "settings.yaml")))
        {
            tree._values.TryAdd(key, value);
        }

        tree._passedOver.AddRange(Misnamed.Where(n => File.Exists(Path.Combine(config, n))).Select(n => $"{Path.Combine(config, n)}: nothing reads a file of this name, so it changes nothing. Settings stand in settings.yaml there."));
        if (arguments.IsWorker)
        {
            tree._values.TryAdd("Server:Urls", new(WorkerUrls, "default")); // beside a server on the same machine
        }

        return tree;
    }

    /// <summary>Takes a section. Problems are collected, not thrown.</summary>
    public T Take<T>(string name)
        where T : class, new()
    {
        if (_sections.Find(s => s.Name == name) is { } known)
        {
            return (T)known.Bound;
        }

        var section = SettingsBinder.Bind(name, new T(), _values, _problems);
        _sections.Add(section);
        return (T)section.Bound;
    }

    /// <summary>A slice found something wrong that annotations cannot say: <c>Section:Key: what; legal: …</c>.</summary>
    public void AddProblem(string problem) => _problems.Add(problem);

    /// <exception cref="SettingsException">Something is wrong.</exception>
    public void ThrowIfInvalid()
    {
        if (Problems is { Count: > 0 } problems)
        {
            throw new SettingsException(problems);
        }
    }

    /// <summary>An absolute path; relative ones are meant from the working directory.</summary>
    public string Resolve(string path) => Path.GetFullPath(path, WorkingDirectory);

    private string PathOf(string key, string otherwise) => Resolve(_values.TryGetValue(key, out var value) ? value.Value : otherwise);

    private IEnumerable<string> UnknownKeys() => _values
        .Where(pair => !_sections.Exists(s => s.Knows(pair.Key)))
        .OrderBy(pair => pair.Key, StringComparer.Ordinal)
        .Select(pair => $"{pair.Key} ({pair.Value.Source}): {(IsGroup(pair.Key) ? GroupProblem(pair.Value.Source) : "unknown setting")}{Suggest(pair.Key)}");

    /// <summary>It has settings below it, and is none itself.</summary>
    private bool IsGroup(string key) => _sections.Exists(s => s.Settings.Any(one => one.Key.StartsWith(key + ":", StringComparison.OrdinalIgnoreCase)));

    private static string GroupProblem(string source) =>
        $"is a section and takes no value of its own; {(source == "settings.yaml" ? "put its settings on indented lines below it" : "give one of its settings")}";

    private string Suggest(string key)
    {
        var section = _sections.Find(s => (key + ":").StartsWith(s.Name + ":", StringComparison.OrdinalIgnoreCase));
        return section is null
            ? $"; sections are {string.Join(", ", _sections.Select(s => s.Name))}"
            : $"; {section.Name} has {string.Join(", ", section.Settings.Select(s => s.Key[(section.Name.Length + 1)..]))}";
    }

    private void AddVariables()
    {
        foreach (var (variable, key) in Conventional.Reverse())
        {
            if (Variables.Get(variable) is { } value)
            {
                _values[key] = new(value, Variables.SourceOf(variable)) { Rank = Variables.RankOf(variable) };
            }
        }

        foreach (var name in Variables.Names.Where(n => n.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)))
        {
            _values[name[Prefix.Length..].Replace("__", ":", StringComparison.Ordinal)] = new(Variables.Get(name) ?? "", Variables.SourceOf(name)) { Rank = Variables.RankOf(name) };
        }
    }

    private void AddArguments(ServerArguments arguments)
    {
        Add("Server:Urls", arguments.Urls);
        Add("Server:Data", arguments.Data);
        Add("Server:Config", arguments.Config);
        foreach (var (key, value) in arguments.Settings)
        {
            Add(key, value);
        }

        void Add(string key, string? value)
        {
            if (value is not null)
            {
                _values[key] = new(value, "command line") { Rank = SettingRank.CommandLine };
            }
        }
    }

    private void Merge(IEnumerable<KeyValuePair<string, SettingValue>> values)
    {
        foreach (var (key, value) in values)
        {
            _values[key] = value;
        }
    }

    private List<KeyValuePair<string, SettingValue>> ReadJson(string path)
    {
        var result = new List<KeyValuePair<string, SettingValue>>();
        if (!File.Exists(path))
        {
            return result;
        }

        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path), new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true, AllowDuplicateProperties = false,
            });
            Flatten("", document.RootElement, result);
        }
        catch (JsonException e)
        {
            _problems.Add($"appsettings.json: not valid JSON ({e.Message})");
        }

        return result;
    }

    private static void Flatten(string prefix, JsonElement element, List<KeyValuePair<string, SettingValue>> result)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    Flatten(Join(prefix, member.Name), member.Value, result);
                }

                break;
            case JsonValueKind.Array:
                foreach (var (index, item) in element.EnumerateArray().Index())
                {
                    Flatten(Join(prefix, index.ToString(System.Globalization.CultureInfo.InvariantCulture)), item, result);
                }

                break;
            case JsonValueKind.Null:
                break;
            default:
                result.Add(new(prefix, new(element.ToString(), "appsettings.json") { Rank = SettingRank.AppSettings }));
                break;
        }
    }

    private List<KeyValuePair<string, SettingValue>> ReadYaml(string path)
    {
        var result = new List<KeyValuePair<string, SettingValue>>();
        if (!File.Exists(path))
        {
            return result;
        }

        try
        {
            using var reader = File.OpenText(path);
            var stream = new YamlStream();
            stream.Load(reader);
            foreach (var document in stream.Documents)
            {
                Flatten("", document.RootNode, result);
            }
        }
        catch (YamlException e)
        {
            _problems.Add($"settings.yaml: line {e.Start.Line}: {e.Message}");
        }

        return result;
    }

    private static void Flatten(string prefix, YamlNode node, List<KeyValuePair<string, SettingValue>> result)
    {
        switch (node)
        {
            case YamlMappingNode map:
                foreach (var (key, value) in map.Children)
                {
                    Flatten(Join(prefix, PascalOf(((YamlScalarNode)key).Value ?? "")), value, result);
                }

                break;
            case YamlSequenceNode list:
                foreach (var (index, item) in list.Children.Index())
                {
                    Flatten(Join(prefix, index.ToString(System.Globalization.CultureInfo.InvariantCulture)), item, result);
                }

                break;
            case YamlScalarNode { Value: { Length: > 0 } text } when prefix.Length > 0:
                result.Add(new(prefix, new(text, "settings.yaml") { Rank = SettingRank.SettingsYaml }));
                break;
        }
    }

    private static string Join(string prefix, string name) => prefix.Length == 0 ? name : prefix + ":" + name;

    /// <summary>YAML files are written <c>max_body_bytes</c>; keys are compared without case, so only the underscores go.</summary>
    private static string PascalOf(string name) => name.Replace("_", "", StringComparison.Ordinal);
}
