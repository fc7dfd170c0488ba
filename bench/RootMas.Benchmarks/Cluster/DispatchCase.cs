using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>B12: one server that only takes requests, two workers.</summary>
internal static class DispatchCase
{
    private const string Target = "Root-MAS, server and two workers";

    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("dispatch");
        var server = await installation.ServerAsync(context, "server", database);
        RootMasServer[] workers = [await installation.WorkerAsync(context, "worker 1", database), await installation.WorkerAsync(context, "worker 2", database)];
        if (workers.Append(server).FirstOrDefault(s => s.Target.Missing is not null) is { } broken)
        {
            context.Report.Missing("B12", "request to worker to first event", Target, "p50", "ms", broken.Target.Missing!);
            return;
        }

        await FirstEventAsync(context, server, 300); // warms up
        for (var round = 0; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                var samples = await FirstEventAsync(context, server, context.Options.Quick ? 100 : 300);
                context.Report.Add("B12", "request to worker to first event", Target, "p50", "ms", samples.P50);
                context.Report.Add("B12", "request to worker to first event", Target, "p99", "ms", samples.P99);
            });
        }

        await FairnessAsync(context, server);
        await installation.StopAsync(workers);
        var runs = context.Options.Quick ? 4_000 : 20_000;
        await context.RoundAsync(async () =>
        {
            await Drain.FillAsync(server, runs, "one");
            workers = await Task.WhenAll(installation.WorkerAsync(context, "worker 3", database), installation.WorkerAsync(context, "worker 4", database));
            await Drain.UntilEmptyAsync(database, TimeSpan.FromMinutes(3));
            context.Report.Add("B12", $"drain of {runs:#,0} waiting runs", Target, "runs a second, the last three quarters", "1/s", await Drain.RateAsync(database, runs * 3 / 4));
        });
        await installation.StopAsync([.. workers, server]);
    }

    /// <summary>The model answers after 20 ms, so that the first event is there before the answer.</summary>
    private static async Task<Samples> FirstEventAsync(BenchContext context, RootMasServer server, int count)
    {
        await context.Model.UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{ModelServer.Text}\",\"first_token_ms\":20}}}}");
        var latencies = new List<double>();
        for (var i = 0; i < count; i++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat/stream") { Content = JsonContent.Create(new { message = "go", team = "one" }) };
            var began = Stopwatch.GetTimestamp();
            using var response = await server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
            while (await reader.ReadLineAsync() is { } line)
            {
                if (line == "event: run.started")
                {
                    latencies.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                    await reader.ReadToEndAsync();
                    break;
                }
            }
        }

        return Samples.Of(latencies, 1);
    }

    /// <summary>What a quiet user waits for an answer, alone and beside somebody with a thousand runs in the queue.</summary>
    private static async Task FairnessAsync(BenchContext context, RootMasServer server)
    {
        await context.Model.UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{ModelServer.Text}\",\"first_token_ms\":50}}}}");
        var token = await QuietUserAsync(server);
        var request = HttpConnection.Post(server.Target.Address!, "/api/v1/chat", """{"message":"go","team":"one"}""", token: token);
        const string row = "a quiet user's answer, model 50 ms";
        await context.RoundAsync(() =>
        {
            context.Report.Add("B12", row, Target, "idle, p50", "ms", RequestLoad.Sequential(server.Target.Address!, _ => request, 40, TimeSpan.FromSeconds(20), ModelServer.Text).P50);
            return Task.CompletedTask;
        });
        var noise = Drain.FillAsync(server, 1_000, "one");
        await context.RoundAsync(() =>
        {
            var samples = RequestLoad.Sequential(server.Target.Address!, _ => request, 15, TimeSpan.FromSeconds(20), ModelServer.Text);
            context.Report.Add("B12", row, Target, "beside 1,000 queued runs of another, p50", "ms", samples.P50);
            return Task.CompletedTask;
        });
        await noise;
    }

    private static async Task<string> QuietUserAsync(RootMasServer server)
    {
        using var made = await server.Http.PostAsJsonAsync("/api/v1/users", new { username = "quiet", password = "quiet as a mouse 17", role = "user" });
        made.EnsureSuccessStatusCode();
        using var login = await server.Http.PostAsJsonAsync("/api/v1/auth/login", new { username = "quiet", password = "quiet as a mouse 17" });
        login.EnsureSuccessStatusCode();
        return (await login.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("access_token").GetString()!;
    }
}
