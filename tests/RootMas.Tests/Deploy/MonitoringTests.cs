using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>A real Prometheus scrapes the real server: every rule and every panel's query runs on what it finds, and an alert goes all the way to people and back.</summary>
public sealed partial class MonitoringTests(MonitoringWorld world) : IClassFixture<MonitoringWorld>
{
    /// <summary>Metrics of parts that this scenario does not have; that they are right, the tests of those parts say.</summary>
    private static readonly string[] Elsewhere = ["rootmas_certificate_"];

    [MonitoringFact]
    public async Task Every_panels_query_runs_and_shows_what_the_server_did()
    {
        await WorkAsync();
        await Wait.UntilAsync(async w => (await w.QueryAsync("rate(rootmas_runs_total[1m])")).Length > 0 && (await w.QueryAsync("rootmas:http_latency:p95_5m")).Length > 0, world, "Prometheus did not see the runs");
        var scraped = (await world.GetAsync("/api/v1/label/__name__/values")).EnumerateArray().Select(static n => n.GetString()!).ToHashSet(StringComparer.Ordinal);
        var known = File.ReadLines(Repository.PathOf("tests/RootMas.Tests/Approved/metrics.txt")).Select(static l => l.Split(' ')[0]).ToHashSet(StringComparer.Ordinal);
        Assert.DoesNotContain(scraped.Where(static m => m.StartsWith("rootmas_", StringComparison.Ordinal)), m => !known.Contains(m) && !known.Contains(Base().Replace(m, "")));
        var (shown, all) = (0, 0);
        foreach (var name in (string[])["rootmas-overview", "rootmas-runs", "rootmas-models", "rootmas-dependencies"])
        {
            foreach (var panel in MonitoringFilesTests.Dashboard(name).GetProperty("panels").EnumerateArray())
            {
                foreach (var target in panel.GetProperty("targets").EnumerateArray())
                {
                    var expression = target.GetProperty("expr").GetString()!.Replace("$__rate_interval", "1m", StringComparison.Ordinal);
                    var metrics = MetricsOf(expression);
                    var missing = metrics.Where(m => !scraped.Contains(m)).ToList();
                    Assert.All(missing, m => Assert.True(known.Contains(Base().Replace(m, "")) || Elsewhere.Any(e => m.StartsWith(e, StringComparison.Ordinal)), $"{name}, {panel.GetProperty("title")}: there is no metric {m}"));
                    if (missing.Count == 0)
                    {
                        // A rate needs two samples: what has just appeared is there a scrape later.
                        await Wait.UntilAsync(async q => (await world.QueryAsync(q)).Length > 0, expression, $"{name}, {panel.GetProperty("title")}: nothing to show, though all metrics are there: {expression}");
                    }

                    (shown, all) = (shown + ((await world.QueryAsync(expression)).Length > 0 ? 1 : 0), all + 1);
                }
            }
        }

        Assert.True(shown > all / 2, $"only {shown} of {all} queries have something to show");
    }

    [MonitoringFact]
    public async Task Rules_are_evaluated_without_an_error_and_buckets_lead_to_traces()
    {
        await WorkAsync();
        await Wait.UntilAsync(static async w => (await w.GetAsync("/api/v1/query_exemplars?query=gen_ai_client_operation_duration_seconds_bucket&start=0&end=99999999999")).GetArrayLength() > 0, world, "no exemplar was scraped");
        await Wait.UntilAsync(
            static async w => (await w.GetAsync("/api/v1/rules")).GetProperty("groups").EnumerateArray().SelectMany(static g => g.GetProperty("rules").EnumerateArray()).All(static r => r.GetProperty("health").GetString() == "ok"),
            world, "not all rules were evaluated without an error");
    }

    [MonitoringFact]
    public async Task What_runs_really_cost_makes_the_alerts_of_the_budget_fire()
    {
        await WorkAsync();
        await Wait.UntilAsync(static async w => (await w.QueryAsync("rootmas_model_cost_total > 0")).Length > 0, world, "Prometheus did not see the cost");
        await WorkAsync();
        foreach (var alert in (string[])["RootMasBudgetSpent", "RootMasBudgetBurn"])
        {
            await Wait.UntilAsync(async a => (await world.QueryAsync($"ALERTS{{alertname=\"{a}\",alertstate=\"firing\"}}")).Length > 0, alert, $"{alert} did not fire");
        }
    }

    [MonitoringFact]
    public async Task An_alert_fires_and_resolves_through_alertmanager_to_webhook_and_mail()
    {
        await Wait.UntilAsync(static async w => (await w.QueryAsync("up{job=\"rootmas\"} == 1")).Length > 0, world, "Prometheus did not scrape");
        world.Server.Stop(); // stands still: the scrape times out
        try
        {
            await Wait.UntilAsync(static w => Task.FromResult(w.Receivers.Hooks.Contains(("RootMasAllDown", "firing")) && w.Receivers.Mails.Any(static m => m.Contains("[FIRING 1] RootMasAllDown", StringComparison.Ordinal))), world, "the alert did not arrive");
        }
        finally
        {
            world.Server.Continue();
        }

        await Wait.UntilAsync(static w => Task.FromResult(w.Receivers.Hooks.Contains(("RootMasAllDown", "resolved")) && w.Receivers.Mails.Any(static m => m.Contains("[RESOLVED] RootMasAllDown", StringComparison.Ordinal))), world, "the end of the alert did not arrive");
        Assert.Equal("Bearer test-token", world.Receivers.Authorization);
        Assert.DoesNotContain(world.Receivers.Hooks, static h => h.Alert == "RootMasInstanceDown"); // held back: all are down
        var mail = world.Receivers.Mails.First(static m => m.Contains("[FIRING 1] RootMasAllDown", StringComparison.Ordinal));
        Assert.Contains("What to do: docs/runbook.md#rootmasalldown", mail.Replace("=\r\n", "", StringComparison.Ordinal).Replace("=\n", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    private async Task WorkAsync()
    {
        for (var i = 0; i < 3; i++)
        {
            using var answer = await world.Server.Http.PostAsJsonAsync("/api/v1/chat", new { message = "six times seven", team = "solo" });
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        }

        using var failing = await world.Server.Http.PostAsJsonAsync("/api/v1/chat", new { message = "fail", team = "solo" });
        using var login = await world.Server.Http.PostAsJsonAsync("/api/v1/auth/login", new { username = "nobody", password = "wrong-password" });
        using var unknown = await world.Server.Http.GetAsync("/api/v1/agents/none");
    }

    /// <summary>Names of metrics in an expression: what is left without labels, and is no word of the language.</summary>
    private static List<string> MetricsOf(string expression) =>
        [.. Name().Matches(Labels().Replace(expression, "")).Select(static m => m.Value).Where(static n => n != "ALERTS").Distinct(StringComparer.Ordinal)];

    [GeneratedRegex(@"\{[^}]*\}|by \([^)]*\)|""[^""]*""", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Labels();

    [GeneratedRegex("(?<![a-zA-Z0-9_:])(rootmas|http|gen_ai|dotnet|kestrel|up|ALERTS)[a-zA-Z0-9_:]*", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Name();

    [GeneratedRegex("_(bucket|sum|count)$", RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Base();
}

/// <summary>Skipped by name where PostgreSQL, Prometheus or Alertmanager is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class MonitoringFactAttribute : FactAttribute
{
    public MonitoringFactAttribute() => Skip = MonitoringWorld.Missing;
}
