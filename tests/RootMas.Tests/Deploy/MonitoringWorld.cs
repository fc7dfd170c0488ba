using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>
/// The real program on PostgreSQL, scraped by a real Prometheus with the shipped rules, which tells a real Alertmanager with the shipped routes. Only hosts, secrets and durations are those of a test:
/// what waits minutes in production waits a second here.
/// </summary>
public sealed partial class MonitoringWorld : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private Simulator? _simulator;
    private OperatorServer? _alertmanager;

    internal ServerProcess Server { get; private set; } = null!;

    internal OperatorServer Prometheus { get; private set; } = null!;

    internal AlertReceivers Receivers { get; private set; } = null!;

    internal static string? Missing => PostgresServer.Missing ?? OperatorServer.Missing("/usr/bin/prometheus", "/usr/bin/prometheus-alertmanager");

    public async Task InitializeAsync()
    {
        if (Missing is not null)
        {
            return;
        }

        _simulator = await Simulator.StartAsync("""
            rules:
              - { match: { last_role: tool }, answer: { text: "It is {{tool_result}}.", usage: { input: 30, output: 7 } } }
              - { match: { last_user: "fail" }, answer: { fault: { kind: status, status: 400 } } }
            default: { tool_calls: [ { name: calculator, arguments: { expression: "6*7" } } ], usage: { input: 20, output: 5 } }
            """);
        var postgres = await PostgresServer.SharedAsync();
        var settings = ServerSettings.With(_simulator);
        Server = await ServerProcess.StartAsync(settings with
        {
            Config = await PricedAsync(),
            Environment = new Dictionary<string, string>(settings.Environment, StringComparer.Ordinal)
            {
                ["ROOTMAS__Database__Kind"] = "postgres",
                ["ROOTMAS__Database__ConnectionString"] = postgres.Url(await postgres.NewDatabaseAsync(migrated: true)),
                ["ROOTMAS__Telemetry__SampleInterval"] = "1s",
                ["ROOTMAS__Telemetry__DailyBudgetUsd"] = "0.1",
                ["ROOTMAS__Health__Interval"] = "1s",
            },
        });
        Receivers = await AlertReceivers.StartAsync();
        _alertmanager = await StartAlertmanagerAsync();
        Prometheus = await StartPrometheusAsync();
    }

    public async Task DisposeAsync()
    {
        if (Prometheus is not null)
        {
            await Prometheus.DisposeAsync();
        }

        if (_alertmanager is not null)
        {
            await _alertmanager.DisposeAsync();
        }

        if (Receivers is not null)
        {
            await Receivers.DisposeAsync();
        }

        if (Server is not null)
        {
            await Server.DisposeAsync();
        }

        if (_simulator is not null)
        {
            await _simulator.DisposeAsync();
        }

        _folder.Dispose();
    }

    /// <summary>The result of an instant query; fails on an error.</summary>
    internal async Task<JsonElement[]> QueryAsync(string expression)
    {
        using var content = new FormUrlEncodedContent([KeyValuePair.Create("query", expression)]);
        using var response = await Prometheus.Http.PostAsync("/api/v1/query", content);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, $"{expression}: {text}");
        return [.. JsonElement.Parse(text).GetProperty("data").GetProperty("result").EnumerateArray()];
    }

    internal async Task<JsonElement> GetAsync(string path) => JsonElement.Parse(await Prometheus.Http.GetStringAsync(path)).GetProperty("data");

    /// <summary>The shipped configuration, with a model whose answers cost something: three runs go beyond the day's budget.</summary>
    private async Task<string> PricedAsync()
    {
        var config = Path.Combine(_folder.Path, "config");
        foreach (var file in Directory.EnumerateFiles(Repository.PathOf("config"), "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(config, Path.GetRelativePath(Repository.PathOf("config"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        await File.WriteAllTextAsync(Path.Combine(config, "models.yaml"), $$"""
            providers: { sim: { base_url: "{{_simulator!.OpenAiUrl}}" } }
            models: { priced: { provider: sim, price: { input: 0, output: 10000 } } }
            tiers: { cheap: [priced], standard: [priced], premium: [priced] }
            """);
        return config;
    }

    private async Task<OperatorServer> StartPrometheusAsync()
    {
        var (place, port) = (Path.Combine(_folder.Path, "prometheus"), ServerProcess.FreePort());
        Copy("prometheus", place, ("scrape_interval: 15s", "scrape_interval: 1s"), ("scrape_timeout: 10s", "scrape_timeout: 1s"), ("evaluation_interval: 15s", "evaluation_interval: 1s"),
            ("alertmanager:9093", $"127.0.0.1:{_alertmanager!.Port}"), ("rootmas:8000", new Uri(Server.BaseUrl).Authority), ("/run/secrets/rootmas_metrics_token", Path.Combine(Server.Data, "local-token")));
        return await OperatorServer.StartAsync(_folder.Path, "/-/ready", port, "/usr/bin/prometheus",
            $"--config.file={place}/prometheus.yml", $"--storage.tsdb.path={_folder.Path}/tsdb", $"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage", "--log.level=warn");
    }

    private async Task<OperatorServer> StartAlertmanagerAsync()
    {
        var (place, port) = (Path.Combine(_folder.Path, "alertmanager"), ServerProcess.FreePort());
        var token = Path.Combine(_folder.Path, "webhook-token");
        await File.WriteAllTextAsync(token, "test-token");
        Copy("alertmanager", place, ("smtp.example.org:587", $"127.0.0.1:{Receivers.SmtpPort}"), ("smtp_require_tls: true", "smtp_require_tls: false"), ("https://hooks.example.org/rootmas", Receivers.WebhookUrl),
            ("  smtp_auth_username: rootmas@example.org\n  smtp_auth_password_file: /run/secrets/smtp_password\n", ""), ("/run/secrets/webhook_token", token),
            ("group_wait: 30s", "group_wait: 1s"), ("group_interval: 5m", "group_interval: 1s"));
        return await OperatorServer.StartAsync(_folder.Path, "/-/ready", port, "/usr/bin/prometheus-alertmanager",
            $"--config.file={place}/alertmanager.yml", $"--storage.path={_folder.Path}/alerts", $"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=warn");
    }

    /// <summary>The shipped files; each replacement must find something. Alerts that wait for minutes wait for a second.</summary>
    private static void Copy(string from, string to, params (string Old, string New)[] replacements)
    {
        var source = Repository.PathOf($"deploy/monitoring/{from}");
        var used = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in Directory.EnumerateFiles(source, "*", SearchOption.AllDirectories))
        {
            var text = File.ReadAllText(file);
            foreach (var (old, replacement) in replacements.Where(r => text.Contains(r.Old, StringComparison.Ordinal)))
            {
                text = text.Replace(old, replacement, StringComparison.Ordinal);
                used.Add(old);
            }

            var target = Path.Combine(to, Path.GetRelativePath(source, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllText(target, RuleInterval().Replace(For().Replace(text, "for: 1s\n"), "interval: 1s\n"));
        }

        Assert.Equal(replacements.Select(static r => r.Old).Order(StringComparer.Ordinal), used.Order(StringComparer.Ordinal));
    }

    [GeneratedRegex(@"for: \d+[mh]\n", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex For();

    [GeneratedRegex(@"(?<=    )interval: 30s\n", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex RuleInterval();
}
