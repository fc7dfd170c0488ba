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
    private const string First = "request to worker to first event";
    private const string Quiets = "a quiet user's answer, model 50 ms";

    /// <summary>So many that some are left at the end of fifteen answers.</summary>
    private const int Crowd = 6_000;

    /// <summary>Of these, so many are done before the first answer: workers that have just stood still are slower.</summary>
    private const int GoesAhead = 1_000;

    private const string Ask = """{"message":"go","team":"one"}""";

    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        var (_, database) = await installation.Postgres.MakeDatabaseAsync("dispatch");
        var server = await installation.ServerAsync(context, "server", database);
        RootMasServer[] workers = [await installation.WorkerAsync(context, "worker 1", database), await installation.WorkerAsync(context, "worker 2", database)];
        if (workers.Append(server).FirstOrDefault(s => s.Target.Missing is not null) is { } broken)
        {
            context.Report.Missing("B12", First, Target, "p50", "ms", broken.Target.Missing!);
            return;
        }

        await WarmUpAsync(context, server);
        for (var round = 0; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                var samples = await FirstEventAsync(context, server, context.Options.Quick ? 100 : 300);
                if (samples.Failed)
                {
                    context.Report.Missing("B12", First, Target, "p50", "ms", samples.Error ?? "no event came");
                    return;
                }

                context.Report.Add("B12", First, Target, "p50", "ms", samples.P50);
                context.Report.Add("B12", First, Target, "p99", "ms", samples.P99);
            });
        }

        await FairnessAsync(context, server, workers, database);
        await context.RoundAsync(() => DrainAsync(context, server, workers, database));
        await installation.StopAsync([server, .. workers]);
    }

    /// <summary>Until more time makes them no faster: a program that has just started runs measuring code, and here on cores that it shares with all others.</summary>
    private static async Task WarmUpAsync(BenchContext context, RootMasServer server)
    {
        await context.Model.InstantAsync();
        var request = HttpConnection.Post(server.Target.Address!, "/api/v1/chat", Ask, HttpConnection.Fresh, token: server.Target.Token);
        await Bench.WarmUpAsync(context, server.Target, request, ModelServer.Text, context.Options.Quick ? 25 : 60, context.Options.Quick ? 15 : 40);
        await FirstEventAsync(context, server, 100);
    }

    /// <summary>Fills the queue while the workers stand still: while it was filled they would empty it, and new ones would have to be warmed up with it.</summary>
    private static async Task FillAsync(RootMasServer server, RootMasServer[] workers, int runs)
    {
        await Task.WhenAll(workers.Select(static w => w.PauseAsync()));
        try
        {
            await Drain.FillAsync(server, runs, "one");
        }
        finally
        {
            await Task.WhenAll(workers.Select(static w => w.GoOnAsync()));
        }
    }

    private static async Task DrainAsync(BenchContext context, RootMasServer server, RootMasServer[] workers, string database)
    {
        var runs = context.Options.Quick ? 4_000 : 20_000;
        await FillAsync(server, workers, runs);
        await Drain.UntilEmptyAsync(database, TimeSpan.FromMinutes(3));
        context.Report.Add("B12", $"drain of {runs:#,0} waiting runs", Target, "runs a second, the last three quarters", "1/s", await Drain.RateAsync(database, runs * 3 / 4));
    }

    /// <summary>The model answers after 20 ms, so that the first event is there before the answer.</summary>
    private static async Task<Samples> FirstEventAsync(BenchContext context, RootMasServer server, int count)
    {
        await context.Model.UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{ModelServer.Text}\",\"first_token_ms\":20}}}}");
        var latencies = new List<double>();
        var (errors, error) = (0, (string?)null);
        for (var i = 0; i < count && errors < 3; i++)
        {
            try
            {
                latencies.Add(await OneAsync(server));
            }
            catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
            {
                errors++;
                error ??= e.Message;
            }
        }

        return Samples.Of(latencies, 1, errors, error);
    }

    private static async Task<double> OneAsync(RootMasServer server)
    {
        using var patience = new CancellationTokenSource(HttpConnection.Patience);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat/stream") { Content = JsonContent.Create(new { message = "go", team = "one" }) };
        var began = Stopwatch.GetTimestamp();
        using var response = await server.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        using var reader = new StreamReader(await response.EnsureSuccessStatusCode().Content.ReadAsStreamAsync(patience.Token));
        while (await reader.ReadLineAsync(patience.Token) is { } line)
        {
            if (line == "event: run.started")
            {
                var took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
                await reader.ReadToEndAsync(patience.Token);
                return took;
            }
        }

        throw new IOException("a stream ended without run.started");
    }

    /// <summary>What a quiet user waits for an answer, alone and beside somebody whose runs fill the queue from the first answer to the last.</summary>
    private static async Task FairnessAsync(BenchContext context, RootMasServer server, RootMasServer[] workers, string database)
    {
        await context.Model.UseAsync($"{{\"record\":\"counts\",\"default\":{{\"text\":\"{ModelServer.Text}\",\"first_token_ms\":50}}}}");
        var token = await QuietUserAsync(server);
        var request = HttpConnection.Post(server.Target.Address!, "/api/v1/chat", Ask, token: token);
        Samples Answers(int count) => RequestLoad.Sequential(server.Target.Address!, _ => request, count, TimeSpan.FromSeconds(20), ModelServer.Text);

        await context.RoundAsync(() =>
        {
            Quiet(context, "idle, p50", Answers(40), isRight: true, "");
            return Task.CompletedTask;
        });
        await FillAsync(server, workers, Crowd);
        var figure = $"beside {Crowd:#,0} queued runs of another, p50";
        while (await Drain.OpenAsync(database) > Crowd - GoesAhead)
        {
            await Task.Delay(100);
        }

        await context.RoundAsync(async () =>
        {
            var before = await Drain.OpenAsync(database);
            var samples = Answers(15);
            var after = await Drain.OpenAsync(database);
            context.Note($"beside {before} runs of another at the first answer, {after} after the last");
            Quiet(context, figure, samples, after > 0, "the queue was empty before the last answer");
        });
        await Drain.UntilEmptyAsync(database, TimeSpan.FromMinutes(3));
    }

    private static void Quiet(BenchContext context, string figure, Samples samples, bool isRight, string otherwise)
    {
        if (samples.Failed || !isRight)
        {
            context.Report.Missing("B12", Quiets, Target, figure, "ms", samples.Failed ? samples.Error ?? "no answer" : otherwise);
        }
        else
        {
            context.Report.Add("B12", Quiets, Target, figure, "ms", samples.P50);
        }
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
