using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Xml.Linq;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Tools;
using RootMas.Server.Backups;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;
using RootMas.Tests.Support;

namespace RootMas.Tests.Architecture;

/// <summary>Routes with permissions, settings with defaults, tools, metrics: as text, so that a change is seen.</summary>
[Collection(SurfaceCollection.Name)]
public sealed class SurfaceTests(ServerFixture server)
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public void Routes_and_their_permissions_are_approved() => Approved.Matches("tests/RootMas.Tests/Approved/routes.txt", Routes());

    [Fact]
    public void Every_route_has_a_permission()
    {
        var open = Endpoints().Where(e => e.Metadata.GetMetadata<RoutePermission>() is null).Select(e => e.DisplayName);
        Assert.Empty(open);
    }

    [Fact]
    public void A_route_without_a_permission_stops_the_start()
    {
        var error = Assert.Throws<InvalidOperationException>(() => new OpenRoute().CheckRoutes());
        Assert.Contains("RequirePermission", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Settings_and_their_defaults_are_approved()
    {
        var docs = Docs();
        var text = new StringBuilder("# key | type | default | legal | meaning\n");
        var table = new StringBuilder("| setting | type | default | legal | meaning |\n|---|---|---|---|---|\n");
        foreach (var section in server.App.Get<SettingsTree>().Sections.OrderBy(s => s.Name, StringComparer.Ordinal))
        {
            foreach (var setting in section.Settings)
            {
                text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{setting.Key} | {setting.Type} | {setting.Default} | {setting.Legal} | {DocOf(docs, section, setting)}\n");
                table.Append(System.Globalization.CultureInfo.InvariantCulture, $"| `{setting.Key}` | {Cell(setting.Type)} | {Cell(setting.Default)} | {Cell(setting.Legal)} | {Cell(DocOf(docs, section, setting))} |\n");
            }
        }

        Assert.DoesNotContain(" | \n", text.ToString(), StringComparison.Ordinal);
        Approved.Matches("tests/RootMas.Tests/Approved/settings.txt", text.ToString());
        Approved.MatchesBlock("docs/configuration.md", "settings", table.ToString());
    }

    [Fact]
    public void Tools_with_their_rights_and_bounds_are_approved()
    {
        var text = new StringBuilder("# tool | effect | approval | approver | permission | taints | local | ends after | characters of the result | version; then what a model is told. *: for some arguments another\n");
        var table = new StringBuilder("| tool | effect | approval | permission | taints | ends after | characters |\n|---|---|---|---|---|---|---|\n");
        foreach (var tool in server.App.Get<IToolCatalog>().All)
        {
            var effect = EffectOf(tool) + Star(tool, nameof(Tool.EffectOf));
            var approval = ApprovalOf(tool) + Star(tool, nameof(Tool.ApprovalOf), nameof(Tool.IsExempt));
            var approver = (tool.Approver == Approver.Admin ? "administrator" : "owner") + Star(tool, nameof(Tool.ApproverOf));
            var (permission, taints, seconds) = (tool.Permission ?? "–", tool.Taints ? "yes" : "no", (int)tool.Timeout.TotalSeconds);
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{tool.Name} | {effect} | {approval} | {approver} | {permission} | {taints} | {(tool.IsLocal ? "local" : "–")} | {seconds} s | {tool.OutputLimit} | {tool.Definition.Version}\n{Told(tool.Definition)}");
            table.Append(System.Globalization.CultureInfo.InvariantCulture, $"| `{tool.Name}` | {effect} | {approval} | {permission} | {taints} | {seconds} s | {tool.OutputLimit:N0} |\n");
        }

        foreach (var tool in (ToolDefinition[])[BuiltInTools.DelegateTo(["agent"]), BuiltInTools.HandoffTo(["agent"]), BuiltInTools.AskUserDefinition])
        {
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"{tool.Name} | by the engine | {tool.Version}\n{Told(tool)}");
        }

        Approved.Matches("tests/RootMas.Tests/Approved/tools.txt", text.ToString());
        Approved.MatchesBlock("docs/tools.md", "tools", table.ToString());
    }

    private static string EffectOf(Tool tool) => tool.Effect switch
    {
        ToolEffect.Read => "read",
        ToolEffect.Idempotent => "idempotent",
        _ => "unsafe",
    };

    private static string ApprovalOf(Tool tool) => tool.Approval switch
    {
        ApprovalRule.Never => "never",
        ApprovalRule.WhenTainted => "when tainted",
        _ => "always",
    };

    /// <summary>Marks what a tool decides anew for each call.</summary>
    private static string Star(Tool tool, params string[] members) => Array.Exists(members, m => tool.GetType().GetMethod(m)!.DeclaringType != typeof(Tool)) ? " *" : "";

    private static string Told(ToolDefinition tool) =>
        $"{tool.Name} says: {tool.Description.ReplaceLineEndings(" ")}\n{tool.Name} takes: {JsonSerializer.Serialize(JsonElement.Parse(tool.Schema), Readable)}\n";

    [Fact]
    public void Own_metrics_are_approved()
    {
        var own = server.App.Get<PrometheusMetrics>().Describe().Concat(OfOtherSizes()).Where(m => m.Name.StartsWith("rootmas_", StringComparison.Ordinal))
            .DistinctBy(m => m.Name).OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => $"{m.Name} | {m.Kind} | {m.Help}\n");
        Approved.Matches("tests/RootMas.Tests/Approved/metrics.txt", string.Concat(own));
    }

    /// <summary>What only PostgreSQL, scheduled backups and https bring.</summary>
    private static IReadOnlyList<(string Name, string Kind, string Help)> OfOtherSizes()
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "both.pem");
        using (var key = ECDsa.Create())
        using (var certificate = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100)))
        {
            File.WriteAllText(path, certificate.ExportCertificatePem() + "\n" + key.ExportPkcs8PrivateKeyPem());
        }

        var factory = TestMeters.Own();
        using var metrics = new PrometheusMetrics(new TelemetryOptions(), factory);
        var meter = new ServerMeter(factory);
        _ = new BackupMetrics(factory, new BackupOptions { Scheduled = true }, TimeProvider.System);
        using var certificates = new ServerCertificate(new CertificateOptions { Path = path }, TimeProvider.System, NullLogger<ServerCertificate>.Instance);
        certificates.Publish(meter);
        new PostgresDatabase(new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = "postgres://nobody@127.0.0.1:1/none" }, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance).Publish(meter);
        return metrics.Describe();
    }

    private static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal);

    private string Routes()
    {
        var lines = from endpoint in Endpoints()
                    from method in endpoint.Metadata.GetMetadata<Microsoft.AspNetCore.Routing.HttpMethodMetadata>()?.HttpMethods ?? ["ANY"]
                    let permission = endpoint.Metadata.GetMetadata<RoutePermission>()
                    select $"{method} {endpoint.RoutePattern.RawText} | {(permission is null ? "NONE" : permission.Name ?? "public")}";
        return string.Concat(lines.Distinct().Order(StringComparer.Ordinal).Select(l => l + "\n"));
    }

    private IEnumerable<RouteEndpoint> Endpoints() => ((IEndpointRouteBuilder)server.App.App).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>();

    private static Dictionary<string, string> Docs()
    {
        var path = Path.ChangeExtension(typeof(SettingsTree).Assembly.Location, ".xml");
        return XDocument.Load(path).Descendants("member").Where(m => m.Attribute("name")!.Value.StartsWith("P:", StringComparison.Ordinal))
            .ToDictionary(m => m.Attribute("name")!.Value[2..], m => string.Join(' ', TextOf(m.Element("summary")).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
    }

    private static string TextOf(XElement? summary) =>
        summary is null ? "" : string.Concat(summary.DescendantNodes().Select(n => n switch
        {
            XText text => text.Value,
            XElement { Name.LocalName: "see" } see => (see.Attribute("cref") ?? see.Attribute("langword"))?.Value.Split('.')[^1] ?? "",
            _ => "",
        }));

    private static string DocOf(Dictionary<string, string> docs, SettingsSection section, Setting setting)
    {
        var type = section.Bound.GetType();
        var parts = setting.Key[(section.Name.Length + 1)..].Split(':');
        foreach (var part in parts[..^1])
        {
            type = type.GetProperty(part)!.PropertyType;
        }

        return docs.GetValueOrDefault($"{type.FullName!.Replace('+', '.')}.{parts[^1]}", "");
    }

    private sealed class OpenRoute : IEndpointRouteBuilder
    {
        public IServiceProvider ServiceProvider => throw new NotSupportedException();

        public ICollection<EndpointDataSource> DataSources { get; } = [new DefaultEndpointDataSource(new RouteEndpointBuilder(null, Microsoft.AspNetCore.Routing.Patterns.RoutePatternFactory.Parse("/open"), 0) { RequestDelegate = _ => Task.CompletedTask, DisplayName = "GET /open" }.Build())];

        public Microsoft.AspNetCore.Builder.IApplicationBuilder CreateApplicationBuilder() => throw new NotSupportedException();
    }
}
