using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace RootMas.Tests.Deploy;

/// <summary>A YAML file as people mean it: merge keys are merged, everything is a mapping, a list or a text.</summary>
internal sealed class Yaml
{
    private readonly object? _value;

    private Yaml(object? value) => _value = value;

    public bool IsThere => _value is not null;

    public string Text => _value as string ?? "";

    public IReadOnlyList<Yaml> Items => _value is List<object> list ? [.. list.Select(v => new Yaml(v))] : [];

    /// <summary>The texts of a list, or the one text that stands in its place.</summary>
    public IReadOnlyList<string> Texts => _value is string text ? [text] : [.. Items.Select(i => i.Text)];

    public IReadOnlyList<(string Key, Yaml Value)> Members => _value is Dictionary<object, object> map ? [.. map.Select(m => ((string)m.Key, new Yaml(m.Value)))] : [];

    public Yaml this[string path]
    {
        get
        {
            var at = _value;
            foreach (var key in path.Split('/'))
            {
                at = at is Dictionary<object, object> map && map.TryGetValue(key, out var value) ? value : null;
            }

            return new Yaml(at);
        }
    }

    public static Yaml Read(string path) => Parse(File.ReadAllText(path));

    public static Yaml Parse(string text) =>
        new(new DeserializerBuilder().Build().Deserialize<object?>(new MergingParser(new Parser(new StringReader(text)))));

    /// <summary>Every text below, with the path to it.</summary>
    public IEnumerable<(string Path, string Text)> Leaves(string path = "")
    {
        if (_value is string text)
        {
            yield return (path, text);
        }

        foreach (var (key, value) in Members.Concat(Items.Select((item, index) => ($"[{index}]", item))))
        {
            foreach (var leaf in value.Leaves($"{path}/{key}"))
            {
                yield return leaf;
            }
        }
    }
}
