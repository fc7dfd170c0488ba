using System.Reflection;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using RootMas.Runtime.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Docs;

/// <summary>docs/events.md lists every type and every field, and nothing that does not exist.</summary>
public sealed partial class EventsDocTests
{
    private static readonly string Text = File.ReadAllText(Repository.PathOf("docs", "events.md"));

    [Fact]
    public void Every_event_and_each_of_its_fields_is_described() => Compare(Section("## Stored events", "### Records inside events"), Types(typeof(RunEvent)));

    [Fact]
    public void Every_record_inside_an_event_is_described() => Compare(Section("### Records inside events", "## Live pieces"), new Dictionary<string, Type>
    {
        ["usage"] = typeof(TokenUsage),
        ["tool_calls"] = typeof(ToolCall),
        ["tasks"] = typeof(PlanTask),
        ["citations"] = typeof(Citation),
    });

    [Fact]
    public void Every_live_piece_is_described() => Compare(Section("## Live pieces", "## Inbox payloads"), Types(typeof(LivePiece)));

    [Fact]
    public void Every_inbox_payload_is_described() => Compare(Section("## Inbox payloads", "## In a stream only"), Types(typeof(InboxPayload)));

    private static void Compare(string section, Dictionary<string, Type> types)
    {
        var written = Row().Matches(section).ToDictionary(
            m => m.Groups["name"].Value,
            m => Code().Matches(m.Groups["fields"].Value).Select(c => c.Groups["field"].Value).Order(StringComparer.Ordinal).ToList());
        Assert.Equal(types.Keys.Order(StringComparer.Ordinal), written.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, type) in types)
        {
            Assert.True(FieldsOf(type).SequenceEqual(written[name]), $"{name}: the code has {string.Join(", ", FieldsOf(type))}; the page has {string.Join(", ", written[name])}");
        }
    }

    private static Dictionary<string, Type> Types(Type closed) =>
        closed.GetCustomAttributes<JsonDerivedTypeAttribute>().ToDictionary(a => (string)a.TypeDiscriminator!, a => a.DerivedType);

    /// <summary>The members of the JSON, without those that every event or piece has.</summary>
    private static List<string> FieldsOf(Type type)
    {
        var common = type.BaseType is { } b && (b == typeof(RunEvent) || b == typeof(LivePiece)) ? b.GetProperties().Select(p => p.Name).ToHashSet() : [];
        return [.. type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Where(p => !common.Contains(p.Name) && p.GetCustomAttribute<JsonIgnoreAttribute>() is null)
            .Select(p => RunJson.Options.PropertyNamingPolicy!.ConvertName(p.Name))
            .Order(StringComparer.Ordinal)];
    }

    private static string Section(string from, string to)
    {
        var start = Text.IndexOf(from, StringComparison.Ordinal);
        return Text[start..Text.IndexOf(to, start, StringComparison.Ordinal)];
    }

    [GeneratedRegex(@"^\| `(?<name>[a-z_.]+)` \| (?<fields>.*?) \| .* \|$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Row();

    [GeneratedRegex("`(?<field>[a-z_.]+)`", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Code();
}
