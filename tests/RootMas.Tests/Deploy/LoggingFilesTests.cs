using System.Reflection;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;
using RootMas.Runtime.Tools;
using RootMas.Server;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Support;
using YamlDotNet.Serialization;

namespace RootMas.Tests.Deploy;

/// <summary>
/// The files of <c>deploy/logging</c> against schemas, and every event of the log against the committed mapping. Filebeat, Elasticsearch, Kibana, Loki and Alloy cannot be had here; docs/monitoring.md says so.
/// </summary>
public sealed partial class LoggingFilesTests
{
    private static readonly string Folder = Repository.PathOf("deploy/logging");

    /// <summary>Types of the Elastic Common Schema 8.11, of the fields that are used here.</summary>
    private static readonly Dictionary<string, string> Ecs = new(StringComparer.Ordinal)
    {
        ["@timestamp"] = "date", ["message"] = "match_only_text", ["ecs.version"] = "keyword", ["log.level"] = "keyword", ["log.logger"] = "keyword",
        ["service.name"] = "keyword", ["service.version"] = "keyword", ["host.name"] = "keyword", ["process.pid"] = "long", ["trace.id"] = "keyword", ["span.id"] = "keyword",
        ["event.action"] = "keyword", ["event.dataset"] = "keyword", ["event.kind"] = "keyword", ["event.reason"] = "keyword", ["error.type"] = "keyword", ["error.message"] = "match_only_text",
        ["error.stack_trace"] = "wildcard", ["file.path"] = "keyword", ["http.request.id"] = "keyword", ["http.request.method"] = "keyword", ["url.path"] = "wildcard", ["user.id"] = "keyword", ["user.name"] = "keyword",
    };

    [Fact]
    public void Every_event_of_the_log_is_in_the_mapping()
    {
        var lines = Events().OrderBy(static e => e.Logger, StringComparer.Ordinal).ThenBy(static e => e.Action, StringComparer.Ordinal).Select(static e =>
            JsonSerializer.Serialize(new { logger = e.Logger, action = e.Action, level = e.Level, message = e.Message, fields = e.Fields }, Readable));
        var text = new StringBuilder("{\n  \"ecs\": \"8.11.0\",\n  \"fields\": ").Append(JsonSerializer.Serialize(EcsFields.Types, Readable)).Append(",\n  \"events\": [\n    ").AppendJoin(",\n    ", lines).Append("\n  ]\n}\n");
        Assert.True(lines.Count() > 40, "the events were not found");
        Approved.Matches("deploy/logging/ecs-mapping.json", text.ToString());
    }

    [Fact]
    public void Every_field_is_one_of_ecs_with_its_type_or_a_label()
    {
        Assert.Equal(Ecs.OrderBy(static e => e.Key, StringComparer.Ordinal), EcsFields.Types.OrderBy(static e => e.Key, StringComparer.Ordinal));
        foreach (var field in Events().SelectMany(static e => e.Fields.Values).Distinct(StringComparer.Ordinal))
        {
            Assert.True(Ecs.ContainsKey(field) || LabelName().IsMatch(field), field);
        }
    }

    [Fact]
    public async Task What_a_real_server_writes_has_only_fields_of_the_mapping_and_knows_request_user_and_run()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "rootmas.log");
        await using (var app = await TestApp.StartAsync(o =>
        {
            o.Settings["Logging:File:Path"] = path;
            o.Configure = static a => a.MapGet("/boom", static string () => throw new InvalidOperationException("broken on purpose")).RequirePermission("chat:read");
        }))
        {
            await app.PostJsonAsync("/api/v1/chat", new { message = "What is 6 * 7?" });
            using var broken = await app.Client.GetAsync("/boom");
        }

        var lines = (await File.ReadAllLinesAsync(path)).Select(static l => JsonElement.Parse(l)).ToList();
        foreach (var member in lines.SelectMany(static l => l.EnumerateObject()))
        {
            Assert.True(Ecs.ContainsKey(member.Name) || member.Name == "labels", member.Name);
        }

        var error = Assert.Single(lines, static l => l.TryGetProperty("error.message", out var m) && m.GetString() == "broken on purpose");
        Assert.Equal(("GET", "/boom"), (error.GetProperty("http.request.method").GetString(), error.GetProperty("url.path").GetString()));
        Assert.Equal("System.InvalidOperationException", error.GetProperty("error.type").GetString());
        Assert.Equal(32, error.GetProperty("trace.id").GetString()!.Length);
        Assert.False(string.IsNullOrEmpty(error.GetProperty("user.id").GetString()));
    }

    [Fact]
    public void The_index_template_gives_every_field_its_type()
    {
        var template = Json("elasticsearch/index-template.json");
        Assert.Empty(JsonSchemaValidator.Validate(Schema("index-template"), template));
        var properties = template.GetProperty("template").GetProperty("mappings").GetProperty("properties");
        foreach (var (field, type) in Ecs)
        {
            var at = properties;
            var parts = field.Split('.');
            for (var i = 0; i < parts.Length; i++)
            {
                Assert.True(at.TryGetProperty(parts[i], out at), field);
                at = i < parts.Length - 1 ? at.GetProperty("properties") : at;
            }

            Assert.Equal(type, at.GetProperty("type").GetString());
        }

        Assert.Equal("rootmas-logs", template.GetProperty("template").GetProperty("settings").GetProperty("index").GetProperty("lifecycle").GetProperty("name").GetString());
    }

    [Theory]
    [InlineData("elasticsearch/ilm-policy.json", "ilm-policy")]
    [InlineData("elasticsearch/writer-role.json", "role")]
    [InlineData("filebeat/filebeat.yml", "filebeat")]
    [InlineData("loki/loki.yml", "loki")]
    [InlineData("loki/grafana-datasource.yml", "grafana-datasource")]
    public void A_file_follows_its_schema(string file, string schema) => Assert.Empty(JsonSchemaValidator.Validate(Schema(schema), Json(file)));

    [Fact]
    public void Kibanas_views_are_saved_objects_whose_references_lead_somewhere()
    {
        var objects = File.ReadAllLines(Path.Combine(Folder, "kibana", "views.ndjson")).Select(static l => JsonElement.Parse(l)).ToList();
        var views = objects.SkipLast(1).ToList();
        Assert.Equal(views.Count, objects[^1].GetProperty("exportedCount").GetInt32());
        var ids = views.Select(static v => v.GetProperty("id").GetString()).ToHashSet(StringComparer.Ordinal);
        foreach (var view in views)
        {
            Assert.Empty(JsonSchemaValidator.Validate(Schema("saved-object"), view));
            Assert.All(view.GetProperty("references").EnumerateArray(), r => Assert.Contains(r.GetProperty("id").GetString(), ids));
            if (view.GetProperty("type").GetString() == "search")
            {
                var source = JsonElement.Parse(view.GetProperty("attributes").GetProperty("kibanaSavedObjectMeta").GetProperty("searchSourceJSON").GetString()!);
                Assert.Equal("kuery", source.GetProperty("query").GetProperty("language").GetString());
                var fields = KueryField().Matches(source.GetProperty("query").GetProperty("query").GetString()!).Select(static m => m.Groups["field"].Value)
                    .Concat(view.GetProperty("attributes").GetProperty("columns").EnumerateArray().Select(static c => c.GetString()!));
                Assert.All(fields, static f => Assert.True(Ecs.ContainsKey(f) || LabelName().IsMatch(f), f));
            }
        }
    }

    [Fact]
    public void Alloy_reads_what_the_server_writes()
    {
        var text = File.ReadAllText(Path.Combine(Folder, "loki", "config.alloy"));
        Assert.Equal(text.Count(static c => c == '{'), text.Count(static c => c == '}') + 0);
        foreach (Match field in JmesField().Matches(text))
        {
            Assert.Contains(field.Groups["field"].Value, Ecs.Keys);
        }

        foreach (Match target in ForwardTo().Matches(text))
        {
            var parts = target.Groups["to"].Value.Split('.'); // loki.process.rootmas.receiver
            Assert.Contains($"{parts[0]}.{parts[1]} \"{parts[2]}\" {{", text, StringComparison.Ordinal);
        }
    }

    [ProgramFact("/usr/bin/shellcheck")]
    public async Task The_setup_script_passes_shellcheck_and_names_files_that_exist()
    {
        var path = Path.Combine(Folder, "setup.sh");
        var (exit, said) = await OperatorServer.RunAsync("/usr/bin/shellcheck", path);
        Assert.True(exit == 0, said);
        Assert.All(HereFile().Matches(await File.ReadAllTextAsync(path)), static m => Assert.True(File.Exists(Path.Combine(Folder, m.Groups["file"].Value)), m.Value));
    }

    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static IEnumerable<(string Logger, string? Action, string Level, string Message, SortedDictionary<string, string> Fields)> Events() =>
        from assembly in new[] { typeof(ServerHost).Assembly, typeof(Tool).Assembly }
        from type in assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Instance | BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        let log = method.GetCustomAttribute<LoggerMessageAttribute>()
        where log is not null
        select (type.FullName!, EcsFields.ActionOf(log.EventName ?? method.Name), LogText.Name(log.Level), log.Message,
            new SortedDictionary<string, string>(Placeholder().Matches(log.Message).Select(static m => m.Groups["name"].Value).Distinct(StringComparer.Ordinal).ToDictionary(static n => n, EcsFields.Of, StringComparer.Ordinal), StringComparer.Ordinal));

    private static string Schema(string name) => File.ReadAllText(Repository.PathOf($"tests/RootMas.Tests/Deploy/Schemas/{name}.json"));

    private static JsonElement Json(string file)
    {
        var text = File.ReadAllText(Path.Combine(Folder, file));
        return JsonElement.Parse(file.EndsWith(".json", StringComparison.Ordinal) ? text : new SerializerBuilder().JsonCompatible().Build().Serialize(new DeserializerBuilder().Build().Deserialize<object>(text)));
    }

    [GeneratedRegex(@"\{(?<name>\w+)(:[^}]*)?\}", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Placeholder();

    [GeneratedRegex("^labels\\.[a-z][a-z0-9_]*$", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex LabelName();

    [GeneratedRegex(@"(?<field>[a-z@][a-z_.]+) :", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex KueryField();

    [GeneratedRegex(@"""\\""(?<field>[^\\]+)\\""""", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex JmesField();

    [GeneratedRegex(@"forward_to\s*= \[(?<to>[a-z_.]+)\]", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex ForwardTo();

    [GeneratedRegex(@"\$here/(?<file>[\w./-]+)", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex HereFile();
}
