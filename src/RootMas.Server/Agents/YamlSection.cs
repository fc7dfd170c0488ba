using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace RootMas.Server.Agents;

/// <summary>
/// A mapping of a YAML file, read strictly: wrong types and unknown keys become problems that name file, key and line, and reading goes on, so that all are told at once.
/// </summary>
internal sealed class YamlSection(YamlMappingNode node, string file, string key, CatalogProblems problems)
{
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);

    public string File => file;

    public string Key => key;

    /// <summary>The file's root mapping; null, with a problem, when it is not readable YAML.</summary>
    public static YamlSection? Parse(string file, string text, CatalogProblems problems)
    {
        try
        {
            var stream = new YamlStream();
            stream.Load(new AliasFreeParser(new Parser(new StringReader(text))));
            if (stream.Documents is [{ RootNode: YamlMappingNode root }])
            {
                return new YamlSection(root, file, "", problems);
            }

            problems.Error(file, "(file)", "must hold exactly one document whose top level is a mapping (key: value).");
        }
        catch (YamlException e)
        {
            problems.Error(file, $"line {e.Start.Line.ToString(CultureInfo.InvariantCulture)}", $"is not readable YAML: {e.Message}");
        }

        return null;
    }

    public string? Text(string name) => Scalar(name) is not { } scalar ? null : IsText(scalar) ? scalar.Value : Wrong<string>(name, scalar, "must be a text");

    public bool? Flag(string name) => Scalar(name)?.Value switch
    {
        null => null,
        "true" => true,
        "false" => false,
        _ => Wrong<bool?>(name, node[name], "must be true or false"),
    };

    public int? Integer(string name) => Number(name) is not { } number ? null
        : number == decimal.Truncate(number) && number is >= int.MinValue and <= int.MaxValue ? (int)number
        : Wrong<int?>(name, node[name], "must be a whole number");

    public long? Long(string name) => Number(name) is not { } number ? null
        : number == decimal.Truncate(number) && number is >= long.MinValue and <= long.MaxValue ? (long)number
        : Wrong<long?>(name, node[name], "must be a whole number");

    public decimal? Number(string name) => Scalar(name) is not { } scalar ? null
        : decimal.TryParse(scalar.Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
        : Wrong<decimal?>(name, scalar, "must be a number");

    public IReadOnlyList<string> Names(string name) => Node(name) switch
    {
        null => [],
        YamlSequenceNode list => Names(name, list),
        var other => Wrong<IReadOnlyList<string>>(name, other, "must be a list of texts, such as [a, b]") ?? [],
    };

    /// <summary>A mapping from names to lists of names.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> NameLists(string name)
    {
        var lists = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var (entry, section) in Entries(name))
        {
            lists[entry] = section.Names(entry);
        }

        return lists;
    }

    /// <summary>A mapping from names to texts.</summary>
    public IReadOnlyDictionary<string, string> Texts(string name)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (entry, section) in Entries(name))
        {
            texts[entry] = section.Text(entry) ?? "";
        }

        return texts;
    }

    /// <summary>A free-form mapping as JSON (a schema).</summary>
    public IReadOnlyDictionary<string, JsonElement>? Json(string name) => Node(name) switch
    {
        null => null,
        YamlMappingNode mapping => mapping.Children.ToDictionary(c => c.Key.ToString(), c => JsonSerializer.SerializeToElement(ToJson(c.Value)), StringComparer.Ordinal),
        var other => Wrong<IReadOnlyDictionary<string, JsonElement>>(name, other, "must be a JSON schema: a mapping (key: value)"),
    };

    public YamlSection? Section(string name) => Node(name) switch
    {
        null => null,
        YamlMappingNode mapping => new YamlSection(mapping, file, Dotted(name), problems),
        var other => Wrong<YamlSection>(name, other, "must be a mapping (key: value)"),
    };

    /// <summary>Sub-sections of a mapping in the file's order.</summary>
    public IEnumerable<(string Name, YamlSection Section)> Sections(string name)
    {
        if (Section(name) is not { } parent)
        {
            yield break;
        }

        parent.RefuseNoNames();
        foreach (var entry in parent.Keys())
        {
            if (parent.Section(entry) is { } section)
            {
                yield return (entry, section);
            }
        }
    }

    /// <summary>Call after all reads: every key that nothing read is unknown.</summary>
    public void RefuseUnknown()
    {
        RefuseNoNames();
        foreach (var entry in Keys().Where(k => !_known.Contains(k)))
        {
            problems.Error(file, Dotted(entry), $"is not known here{Line(node[entry])}. Legal: {string.Join(", ", _known)}.");
        }
    }

    /// <summary>YAML takes lists and mappings as keys too: <c>{{ limits }}</c>, where something was to be put in its place, is one.</summary>
    private void RefuseNoNames()
    {
        foreach (var wrong in node.Children.Keys.Where(static k => k is not YamlScalarNode { Value: not null }))
        {
            problems.Error(file, key.Length > 0 ? key : "(file)", $"has a key that is no name{Line(wrong)}.");
        }
    }

    private IEnumerable<(string Entry, YamlSection Section)> Entries(string name) =>
        Section(name) is { } section ? section.Keys().Select(entry => (entry, section)) : [];

    private List<string> Keys() => [.. node.Children.Keys.OfType<YamlScalarNode>().Select(static k => k.Value).OfType<string>()];

    private List<string> Names(string name, YamlSequenceNode list)
    {
        List<string> names = [];
        foreach (var item in list.Children)
        {
            if (item is YamlScalarNode { Value: { Length: > 0 } value })
            {
                names.Add(value);
            }
            else
            {
                Wrong<string>(name, item, "must hold texts only");
            }
        }

        return names;
    }

    private YamlNode? Node(string name)
    {
        _known.Add(name);
        return node.Children.TryGetValue(new YamlScalarNode(name), out var value) && value is not YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" } ? value : null;
    }

    private YamlScalarNode? Scalar(string name) => Node(name) switch
    {
        null => null,
        YamlScalarNode scalar => scalar,
        var other => Wrong<YamlScalarNode>(name, other, "must be a single value"),
    };

    private T? Wrong<T>(string name, YamlNode at, string message)
    {
        problems.Error(file, Dotted(name), $"{message}{Line(at)}.");
        return default;
    }

    private string Dotted(string name) => key.Length == 0 ? name : $"{key}.{name}";

    private static string Line(YamlNode at) => $" (line {at.Start.Line.ToString(CultureInfo.InvariantCulture)})";

    private static bool IsText(YamlScalarNode scalar) => scalar.Style != ScalarStyle.Plain || PlainValue(scalar.Value ?? "") is string;

    /// <summary>The core schema of YAML 1.2: what is not null, a boolean or a number is text.</summary>
    private static object? PlainValue(string value) => value switch
    {
        "" or "~" or "null" => null,
        "true" => true,
        "false" => false,
        _ when long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole) => whole,
        _ when char.IsAsciiDigit(value[^1]) && decimal.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) => number,
        _ => value,
    };

    private static JsonNode? ToJson(YamlNode value) => value switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(c => KeyValuePair.Create(c.Key.ToString(), ToJson(c.Value)))),
        YamlSequenceNode list => new JsonArray([.. list.Children.Select(ToJson)]),
        YamlScalarNode { Style: ScalarStyle.Plain } scalar => JsonValue.Create(PlainValue(scalar.Value ?? "")),
        _ => JsonValue.Create(((YamlScalarNode)value).Value),
    };

    /// <summary>Refuses aliases: nothing here needs them, and a few lines of them can expand without end. Also bounds the depth.</summary>
    private sealed class AliasFreeParser(IParser inner) : IParser
    {
        private int _depth;

        public YamlDotNet.Core.Events.ParsingEvent? Current => inner.Current;

        public bool MoveNext()
        {
            var more = inner.MoveNext();
            if (more && inner.Current is { } current)
            {
                _depth += current.NestingIncrease;
                if (current is YamlDotNet.Core.Events.AnchorAlias || _depth > 64)
                {
                    throw new YamlException(current.Start, current.End, _depth > 64 ? "nested deeper than 64 levels." : "aliases (*name) are not used in this file.");
                }
            }

            return more;
        }
    }
}
