using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>The files of <c>deploy/monitoring</c>: what Prometheus' and Alertmanager's own checkers say, that each alert fires and rests as tested and has an entry in the runbook, and the form of dashboards.</summary>
public sealed partial class MonitoringFilesTests
{
    private const string Promtool = "/usr/bin/promtool";
    private const string Amtool = "/usr/bin/amtool";
    private static readonly string Folder = Repository.PathOf("deploy/monitoring");

    [ProgramFact(Promtool)]
    public async Task Rules_and_configuration_pass_promtool()
    {
        foreach (var arguments in (string[][])[["check", "rules", Rules("alerts.yml"), Rules("recording.yml")], ["check", "config", "--syntax-only", Path.Combine(Folder, "prometheus", "prometheus.yml")]])
        {
            var (exit, said) = await OperatorServer.RunAsync(Promtool, arguments);
            Assert.True(exit == 0, said);
        }
    }

    [ProgramFact(Promtool)]
    public async Task Every_alert_fires_when_it_should_and_rests_when_it_should()
    {
        var (exit, said) = await OperatorServer.RunAsync(Promtool, "test", "rules", Path.Combine(Folder, "prometheus", "tests", "alerts.test.yml"));
        Assert.True(exit == 0, said);
        var cases = await File.ReadAllTextAsync(Path.Combine(Folder, "prometheus", "tests", "alerts.test.yml"));
        foreach (var alert in Alerts())
        {
            Assert.Matches($@"alertname: {alert}\n\s+exp_alerts:\n\s+- exp_labels: \{{ .*severity", cases);
            Assert.Matches($@"alertname: {alert}\n\s+exp_alerts: \[\]", cases);
        }
    }

    [ProgramFact(Amtool)]
    public async Task Alertmanagers_configuration_passes_its_checker_and_holds_no_secret()
    {
        var path = Path.Combine(Folder, "alertmanager", "alertmanager.yml");
        var (exit, said) = await OperatorServer.RunAsync(Amtool, "check-config", path);
        Assert.True(exit == 0, said);
        var text = await File.ReadAllTextAsync(path);
        Assert.DoesNotMatch(@"(?m)^\s*(smtp_auth_password|credentials|password|api_key|bearer_token):", text);
        Assert.Contains("email_configs", text, StringComparison.Ordinal);
        Assert.Contains("webhook_configs", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_alert_says_what_is_wrong_and_leads_to_its_entry_in_the_runbook_and_each_entry_has_its_alert()
    {
        var rules = File.ReadAllText(Rules("alerts.yml"));
        var headings = Heading().Matches(File.ReadAllText(Repository.PathOf("docs/runbook.md"))).Select(static m => m.Groups["name"].Value).ToList();
        Assert.Equal(Alerts(), headings);
        foreach (var rule in rules.Split("- alert: ").Skip(1))
        {
            var name = rule.Split('\n')[0].Trim();
            Assert.Matches("severity: (critical|warning|info)", rule);
            Assert.Matches("summary: '.{10,}'", rule);
            Assert.Matches("description: '.{10,}'", rule);
#pragma warning disable CA1308 // an anchor is lower case
            Assert.Contains($"runbook_url: docs/runbook.md#{name.ToLowerInvariant()}\n", rule, StringComparison.Ordinal);
#pragma warning restore CA1308
        }
    }

    [Fact]
    public void An_approval_that_waits_is_told_of_long_before_it_expires()
    {
        var seconds = Regex.Match(File.ReadAllText(Rules("alerts.yml")), @"rootmas_approvals_oldest_age_seconds\) > (?<s>\d+)'\n\s+for: 10m", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)).Groups["s"].Value;
        var told = TimeSpan.FromSeconds(int.Parse(seconds, System.Globalization.CultureInfo.InvariantCulture)) + TimeSpan.FromMinutes(10);
        Assert.InRange(told, TimeSpan.FromHours(1), new RunsOptions().ApprovalExpiry / 2);
    }

    [Fact]
    public void Every_subject_that_was_promised_has_an_alert()
    {
        var alerts = string.Join(' ', Alerts());
        foreach (var subject in (string[])["ErrorRate", "Latency", "QueueAge", "StuckRuns", "BreakerOpen", "BudgetBurn", "PoolExhausted", "Disk", "BackupOld", "CertificateExpires", "InstanceDown"])
        {
            Assert.Contains("RootMas", alerts, StringComparison.Ordinal);
            Assert.Contains(subject, alerts, StringComparison.Ordinal);
        }
    }

    /// <summary>Grafana itself cannot be had here: its own schema is followed by hand, and each query is run in <see cref="MonitoringTests"/>.</summary>
    [Theory]
    [InlineData("rootmas-overview")]
    [InlineData("rootmas-runs")]
    [InlineData("rootmas-models")]
    [InlineData("rootmas-dependencies")]
    public void A_dashboard_has_the_form_that_grafana_reads(string name)
    {
        var dashboard = Dashboard(name);
        Assert.Equal(name, dashboard.GetProperty("uid").GetString());
        Assert.True(dashboard.GetProperty("schemaVersion").GetInt32() >= 36);
        Assert.StartsWith("Root-MAS: ", dashboard.GetProperty("title").GetString(), StringComparison.Ordinal);
        Assert.Equal("datasource", Assert.Single(dashboard.GetProperty("templating").GetProperty("list").EnumerateArray()).GetProperty("type").GetString());
        var (ids, taken) = (new HashSet<int>(), new HashSet<(int X, int Y)>());
        foreach (var panel in dashboard.GetProperty("panels").EnumerateArray())
        {
            Assert.True(ids.Add(panel.GetProperty("id").GetInt32()), "two panels have one id");
            Assert.Contains(panel.GetProperty("type").GetString(), (string[])["timeseries", "stat", "table"]);
            Assert.False(string.IsNullOrWhiteSpace(panel.GetProperty("title").GetString()));
            Assert.False(string.IsNullOrWhiteSpace(panel.GetProperty("description").GetString()));
            Assert.True(panel.GetProperty("fieldConfig").GetProperty("defaults").TryGetProperty("unit", out _));
            var place = panel.GetProperty("gridPos");
            var (x, y, w, h) = (place.GetProperty("x").GetInt32(), place.GetProperty("y").GetInt32(), place.GetProperty("w").GetInt32(), place.GetProperty("h").GetInt32());
            Assert.InRange(x + w, 1, 24);
            Assert.All(from dx in Enumerable.Range(x, w) from dy in Enumerable.Range(y, h) select (dx, dy), cell => Assert.True(taken.Add(cell), "panels overlap"));
            var refs = panel.GetProperty("targets").EnumerateArray().Select(static t => t.GetProperty("refId").GetString()).ToList();
            Assert.NotEmpty(refs);
            Assert.Equal(refs.Distinct(), refs);
            Assert.All(panel.GetProperty("targets").EnumerateArray(), static t => Assert.Equal("${datasource}", t.GetProperty("datasource").GetProperty("uid").GetString()));
        }
    }

    [Fact]
    public void Provisioning_names_the_data_source_and_the_folder_of_the_dashboards()
    {
        var source = File.ReadAllText(Path.Combine(Folder, "grafana", "provisioning", "datasources", "prometheus.yml"));
        Assert.Contains("apiVersion: 1", source, StringComparison.Ordinal);
        Assert.Contains("uid: rootmas-prometheus", source, StringComparison.Ordinal);
        var provider = File.ReadAllText(Path.Combine(Folder, "grafana", "provisioning", "dashboards", "rootmas.yml"));
        Assert.Contains("path: /var/lib/grafana/dashboards", provider, StringComparison.Ordinal);
        Assert.Equal(["rootmas-dependencies", "rootmas-models", "rootmas-overview", "rootmas-runs"], Directory.EnumerateFiles(Path.Combine(Folder, "grafana", "dashboards")).Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal));
    }

    internal static JsonElement Dashboard(string name) => JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "grafana", "dashboards", name + ".json"))).RootElement;

    private static string Rules(string file) => Path.Combine(Folder, "prometheus", "rules", file);

    private static List<string> Alerts() => [.. AlertName().Matches(File.ReadAllText(Rules("alerts.yml"))).Select(static m => m.Groups["name"].Value)];

    [GeneratedRegex(@"(?m)^\s*- alert: (?<name>\w+)$", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex AlertName();

    [GeneratedRegex(@"(?m)^## (?<name>RootMas\w+)$", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Heading();
}

/// <summary>Skipped by name where a program is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class ProgramFactAttribute : FactAttribute
{
    public ProgramFactAttribute(params string[] programs) => Skip = OperatorServer.Missing(programs);
}
