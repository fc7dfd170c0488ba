using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace RootMas.Server.Models;

/// <summary>A mapping of a YAML file, read member by member. Every problem is noted with its key and line, and reading goes on; members that nobody asked for are problems too.</summary>
internal sealed class YamlMapping(YamlMappingNode node, string path, ICollection<string> problems)
{
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);

    /// <summary>The file's root; null, and a problem: it has none. An empty file is what is left of one that was cut off, or is just being written.</summary>
    public static YamlMapping? Parse(string text, string file, ICollection<string> problems)
    {
        var stream = new YamlStream();
        try
        {
            stream.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            problems.Add($"{file} line {e.Start.Line}: not valid YAML ({e.Message})");
            return null;
        }

        // A line of '---' at the end begins one more, with nothing in it.
        switch (stream.Documents.Where(static d => d.RootNode is not YamlScalarNode { Value: null or "" }).ToList())
        {
            case []:
                problems.Add($"{file}: is empty. To declare no providers write providers: {{}}; to use the built-in models, remove the file and restart");
                return null;
            case [{ RootNode: YamlMappingNode root }]:
                return new YamlMapping(root, file, problems);
            case [_]:
                problems.Add($"{file}: expected a mapping with the keys providers, models, tiers, embedding");
                return null;
            default:
                problems.Add($"{file}: has several documents, which lines of '---' divide; one is expected");
                return null;
        }
    }

    public IEnumerable<string> Names => node.Children.Keys.OfType<YamlScalarNode>().Select(k => k.Value ?? "");

    public string Path => path;

    public void Problem(string key, string message) => problems.Add($"{path}: {key} (line {LineOf(key)}): {message}");

    public string? Text(string key)
    {
        switch (Find(key))
        {
            case null or YamlScalarNode { Value: null or "" or "~" or "null", Style: ScalarStyle.Plain or ScalarStyle.Any }:
                return null;
            case YamlScalarNode scalar:
                return scalar.Value;
            default:
                Problem(key, "expected a text");
                return null;
        }
    }

    public bool Flag(string key, bool otherwise)
    {
        switch (Text(key))
        {
            case null: return otherwise;
            case "true": return true;
            case "false": return false;
            default:
                Problem(key, "legal: true, false");
                return otherwise;
        }
    }

    public decimal? Number(string key, decimal least, decimal most)
    {
        if (Text(key) is not { } text)
        {
            return null;
        }

        if (decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most)
        {
            return value;
        }

        Problem(key, $"'{text}' is not a number from {least} to {most}");
        return null;
    }

    public IReadOnlyList<string> List(string key)
    {
        switch (Find(key))
        {
            case null or YamlScalarNode { Value: null or "" }:
                return [];
            case YamlSequenceNode list when list.Children.All(c => c is YamlScalarNode { Value.Length: > 0 }):
                return [.. list.Children.Cast<YamlScalarNode>().Select(c => c.Value!)];
            default:
                Problem(key, "expected a list of names");
                return [];
        }
    }

    /// <summary>The key has a value, be it none (<c>~</c>) or an empty list. A bare one may be what is left of a line that was cut off.</summary>
    public bool Says(string key) => Find(key) is not (null or YamlScalarNode { Value: null or "", Style: ScalarStyle.Plain or ScalarStyle.Any });

    public YamlMapping? Mapping(string key)
    {
        switch (Find(key))
        {
            case null or YamlScalarNode { Value: null or "" }:
                return null;
            case YamlMappingNode mapping:
                return new YamlMapping(mapping, $"{path}: {key}", problems);
            default:
                Problem(key, "expected a mapping");
                return null;
        }
    }

    /// <summary>Call when everything was asked for.</summary>
    public void RefuseOthers()
    {
        foreach (var name in Names.Where(n => !_asked.Contains(n)))
        {
            Problem(name, $"unknown key; legal: {string.Join(", ", _asked.Order(StringComparer.Ordinal))}");
        }
    }

    private YamlNode? Find(string key)
    {
        _asked.Add(key);
        return node.Children.TryGetValue(new YamlScalarNode(key), out var found) ? found : null;
    }

    private long LineOf(string key) =>
        node.Children.Keys.FirstOrDefault(k => k is YamlScalarNode scalar && scalar.Value == key) is { } found ? found.Start.Line : node.Start.Line;
}
