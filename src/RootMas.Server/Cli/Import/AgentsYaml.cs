using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Server.Agents;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace RootMas.Server.Cli.Import;

/// <summary>Adds agents to the text of an agents.yaml and takes others out, line by line: comments and everything else stay as people wrote them.</summary>
internal sealed partial class AgentsYaml
{
    private readonly List<string> _lines;
    private readonly List<(string Name, int From, int To)> _blocks = [];
    private readonly int _end;
    private readonly string _indent = "  ";

    /// <exception cref="YamlException">It is no YAML, or its agents stand where none can be added line by line.</exception>
    public AgentsYaml(string text)
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(text));
        var root = stream.Documents.Count > 0 ? stream.Documents[0].RootNode as YamlMappingNode : null;
        _lines = [.. text.TrimEnd('\n').Split('\n')];
        var (key, node) = root is null ? default : root.Children.FirstOrDefault(static c => c.Key is YamlScalarNode { Value: "agents" });
        if (root is null || key is null || node is null)
        {
            _lines.Add("agents:");
            _end = _lines.Count;
            return;
        }

        if (node is not YamlMappingNode { Children.Count: > 0 } agents)
        {
            _end = Opened(key, node);
            _indent = new string(' ', (int)key.Start.Column + 1);
            return;
        }

        if (agents.Style == MappingStyle.Flow)
        {
            throw new YamlException(agents.Start, agents.End, "the agents stand in braces; write each on lines of its own below agents:, for only there others can be added.");
        }

        var starts = agents.Children.Keys.Select(static k => (Name: (k as YamlScalarNode)?.Value ?? "", Line: (int)k.Start.Line - 1)).ToList();
        var column = (int)agents.Children.Keys.First().Start.Column - 1;
        var after = root.Children.Keys.Select(static k => (int)k.Start.Line - 1).Where(l => l > starts[^1].Line).DefaultIfEmpty(_lines.Count).Min();
        foreach (var (index, (name, line)) in starts.Index())
        {
            _blocks.Add((name, line, Trimmed(index + 1 < starts.Count ? starts[index + 1].Line : after, column)));
        }

        _end = _blocks[^1].To;
        _indent = new string(' ', column);
    }

    public IEnumerable<string> Names => _blocks.Select(static b => b.Name);

    /// <summary>The text with these agents; those of the same name are replaced.</summary>
    public string With(IReadOnlyCollection<AgentDefinition> agents)
    {
        var gone = _blocks.Where(b => agents.Any(a => a.Name == b.Name)).ToList();
        var text = new StringBuilder();
        foreach (var (index, line) in _lines[.._end].Index())
        {
            if (!gone.Exists(b => index >= b.From && index < b.To))
            {
                text.Append(line).Append('\n');
            }
        }

        foreach (var agent in agents)
        {
            text.Append('\n').Append(Block(agent));
        }

        foreach (var line in _lines[_end..])
        {
            text.Append(line).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>Makes an empty <c>agents:</c>, however that is written, the place below which agents stand. The number of the line after it.</summary>
    private int Opened(YamlNode key, YamlNode node)
    {
        var line = (int)key.Start.Line - 1;
        var match = EmptyAgents().Match(_lines[line]);
        if (!match.Success || node is not (YamlMappingNode or YamlScalarNode { Value: null or "" or "~" or "null" }))
        {
            throw new YamlException(key.Start, key.End, "agents: is no mapping of agents by their names; write each on lines of its own below agents:, or leave it empty.");
        }

        _lines[line] = (match.Groups["key"].Value + " " + match.Groups["comment"].Value).TrimEnd();
        return line + 1;
    }

    [GeneratedRegex("""^(?<key>\s*["']?agents["']?\s*:)\s*(?:\{\s*\}|~|null)?\s*(?<comment>#.*)?$""", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex EmptyAgents();

    /// <summary>Comments above the next agent are that one's. What stands further in than the names belongs to the agent: it may be a line of its text.</summary>
    private int Trimmed(int end, int column)
    {
        while (_lines[end - 1].Trim() is "" || IsComment(_lines[end - 1], column))
        {
            end--;
        }

        return end;
    }

    private static bool IsComment(string line, int column) => line.TrimStart() is ['#', ..] && line.IndexOf('#') <= column;

    private string Block(AgentDefinition agent)
    {
        var text = new StringBuilder().Append(_indent).Append(agent.Name).Append(":\n");
        void Line(string key, string? value)
        {
            if (value is not null)
            {
                text.Append(_indent).Append("  ").Append(key).Append(": ").Append(value).Append('\n');
            }
        }

        static string? List(IReadOnlyList<string> items) => items.Count == 0 ? null : $"[{string.Join(", ", items.Select(Quoted))}]";
        Line("role", Quoted(agent.Role));
        Line("description", Quoted(agent.Description));
        Line("tier", agent.Tier);
        Line("model", agent.Model is null ? null : Quoted(agent.Model));
        Line("temperature", agent.Temperature?.ToString(CultureInfo.InvariantCulture));
        Line("tools", List(agent.Tools));
        Line("planned_tools", List(agent.PlannedTools));
        Line("capabilities", List(agent.Capabilities));
        Line("avatar", agent.Avatar is null ? null : Quoted(agent.Avatar));
        Line("specialist", agent.Specialist ? null : "false");
        Line("cache", agent.Cache is null ? null : Quoted(agent.Cache));
        Line("output_schema", agent.OutputSchema is null ? null : Flow(JsonElement.Parse(AgentsJson.Serialize(agent.OutputSchema))));
        return text.ToString();
    }

    private static string Flow(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => $"{{ {string.Join(", ", value.EnumerateObject().Select(static m => $"{Quoted(m.Name)}: {Flow(m.Value)}"))} }}",
        JsonValueKind.Array => $"[{string.Join(", ", value.EnumerateArray().Select(Flow))}]",
        JsonValueKind.String => Quoted(value.GetString() ?? ""),
        _ => value.GetRawText(),
    };

    private static string Quoted(string value)
    {
        var text = new StringBuilder("\"");
        foreach (var c in value)
        {
            text.Append(c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\t' => "\\t",
                _ when char.IsControl(c) => $"\\x{(int)c:x2}",
                _ => c.ToString(),
            });
        }

        return text.Append('"').ToString();
    }
}
