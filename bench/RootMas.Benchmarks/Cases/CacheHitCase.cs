using System.Diagnostics;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;
using RootMas.Runtime.Agents;
using RootMas.Server;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Settings;

namespace RootMas.Benchmarks.Cases;

/// <summary>B8: an exact hit, by the stage of the pipeline alone and as a whole completion over HTTP, from memory and from Redis; and two hundred equal requests at once.</summary>
internal static class CacheHitCase
{
    private const string Name = "B8";
    private const string Ours = "Root-MAS, all on";
    private const string Stampede = "stampede of 200";
    private const int Crowd = 200;

    /// <summary>With two questions in turn no answer comes from memory.</summary>
    internal static readonly (string, string) OneInMemory = ("ROOTMAS__Knowledge__AnswerCache__MemoryEntries", "1");

    public static async Task RunAsync(BenchContext context)
    {
        await using var redis = await Redis.StartAsync(Path.Combine(context.Folder, "redis-cache"));
        foreach (var (row, address) in ((string, string?)[])[("from memory", null), ("from Redis", redis.ConnectionString)])
        {
            if (row == "from Redis" && redis.Missing is { } reason)
            {
                context.Report.Absent(Name, row, Ours, "the stage alone, p50", "ms", reason);
                continue;
            }

            await StageAsync(context, row, address);
            await CompletionAsync(context, row, address);
        }

        await StampedeAsync(context);
    }

    private static async Task StageAsync(BenchContext context, string row, string? redis)
    {
        var folder = Directory.CreateDirectory(Path.Combine(context.Folder, "stage-" + row.Replace(' ', '-'))).FullName;
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["Telemetry:LogLevel"] = "Error", ["Models:ProbeOllama"] = "false" };
        if (redis is not null)
        {
            settings["Redis:ConnectionString"] = $"redis://{redis}";
        }

        await using var app = ServerHost.Build(new ServerArguments
        {
            Urls = "http://127.0.0.1:0",
            Data = Path.Combine(folder, "data"),
            Config = Path.Combine(context.Options.Repository, "config"),
            WorkingDirectory = folder,
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
            Settings = settings,
        });
        await app.StartAsync();
        await MeasureAsync(context, row, app, fromRedis: redis is not null);
        await app.StopAsync();
    }

    private static async Task MeasureAsync(BenchContext context, string row, WebApplication app, bool fromRedis)
    {
        var (models, levels, learner) = (app.Services.GetRequiredService<IChatClient>(), app.Services.GetRequiredService<AnswerLevels>(), app.Services.GetRequiredService<AnswerLearner>());
        await learner.Loaded;
        await AskAsync(models);
        while (!learner.IsIdle)
        {
            await Task.Delay(1);
        }

        var count = context.Options.Quick ? 500 : 3_000;
        for (var round = -1; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                var times = new List<double>(count);
                for (var i = 0; i < count; i++)
                {
                    if (fromRedis)
                    {
                        levels.Memory.Remove(static _ => true);
                    }

                    var began = Stopwatch.GetTimestamp();
                    await AskAsync(models);
                    times.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                }

                if (round >= 0)
                {
                    context.Report.Add(Name, row, Ours, "the stage alone, p50", "ms", Samples.Median(times));
                }
            });
        }
    }

    private static async Task AskAsync(IChatClient models)
    {
        const string question = "How do I reset the password of my account?";
        var call = new ModelCall { OwnerId = "bench", Agent = "bench", Purpose = "answer", Tier = "cheap", Question = question };
        await foreach (var _ in models.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, question)], new ChatOptions { AdditionalProperties = new() { [ModelCall.Key] = call } }))
        {
            // To its end.
        }
    }

    /// <summary>Where one answer fits into memory and two questions take turns, each comes from the next level.</summary>
    private static async Task CompletionAsync(BenchContext context, string row, string? redis)
    {
        (string, string)[] settings = redis is null ? [] : [("ROOTMAS__Redis__ConnectionString", $"redis://{redis}"), OneInMemory];
        await using var server = await RootMasServer.StartAsync(context, ServerMode.Durable, $"Root-MAS, cache {row}", settings);
        await CompletionsAsync(context, server, row, Ours, redis is null ? "memory" : "redis");
    }

    /// <summary>Whole completions over HTTP, each a hit. Where the server's own count says that others were among them the row is lost, and says so.</summary>
    /// <param name="target">As the table calls the server.</param>
    /// <param name="kind">Where the answers have to come from: <c>memory</c> or <c>redis</c>.</param>
    internal static async Task CompletionsAsync(BenchContext context, RootMasServer server, string row, string target, string kind)
    {
        const string metric = "a whole completion, p50";
        await context.Model.InstantAsync();
        if (server.Target.Missing is { } reason)
        {
            context.Report.Missing(Name, row, target, metric, "ms", reason);
            return;
        }

        byte[] Request(int i) => HttpConnection.Post(
            server.Target.Address!, "/v1/chat/completions", $$"""{"model":"one","messages":[{"role":"user","content":"How do I change the {{(i % 2 == 0 ? "first" : "other")}} password of mine?"}]}""", headers: "", token: server.Target.Token ?? "");
        var count = context.Options.Quick ? 300 : 1_500;
        for (var round = -1; round < context.Options.Rounds; round++)
        {
            await context.RoundAsync(async () =>
            {
                var before = await HitsAsync(server, kind);
                var samples = RequestLoad.Sequential(server.Target.Address!, Request, count, TimeSpan.FromSeconds(10), ModelServer.Text);
                var hits = await HitsAsync(server, kind) - before;
                if (round < 0)
                {
                    return;
                }

                if (samples.Failed || hits < samples.Count)
                {
                    context.Report.Missing(Name, row, target, metric, "ms", samples.Error ?? $"{hits} of {samples.Count} answers came from there");
                }
                else
                {
                    context.Report.Add(Name, row, target, metric, "ms", samples.P50);
                }
            });
        }
    }

    private static async Task StampedeAsync(BenchContext context)
    {
        await using var server = await RootMasServer.StartAsync(context, ServerMode.Durable, "Root-MAS, stampede");
        await StampedeAsync(context, server, Ours);
    }

    /// <summary>Equal requests at once, and how many of them the model saw.</summary>
    internal static async Task StampedeAsync(BenchContext context, RootMasServer server, string target)
    {
        await context.Model.UseAsync($$"""{"record":"counts","default":{"text":"{{ModelServer.Text}}","first_token_ms":200} }""");
        if (server.Target.Missing is { } reason)
        {
            context.Report.Missing(Name, Stampede, target, "model calls", "", reason);
            return;
        }

        for (var round = 0; round < context.Options.Rounds; round++)
        {
            var before = await ModelCallsAsync(context);
            var request = HttpConnection.Post(
                server.Target.Address!, "/v1/chat/completions", $$"""{"model":"one","messages":[{"role":"user","content":"What is a stampede, variant {{"abcdefghij"[round]}}?"}]}""", headers: "", token: server.Target.Token ?? "");
            int[] refused = [.. (await AskAtOnceAsync(server.Target.Address!, request)).Where(static s => s != 200)];
            if (refused.Length > 0)
            {
                context.Report.Missing(Name, Stampede, target, "model calls", "", $"{refused.Length} of {Crowd} were not answered, the first with {(refused[0] == 0 ? "nothing" : $"status {refused[0]}")}");
            }
            else
            {
                context.Report.Add(Name, Stampede, target, "model calls", "", await ModelCallsAsync(context) - before);
            }
        }
    }

    /// <summary>The statuses; 0: no answer.</summary>
    private static async Task<int[]> AskAtOnceAsync(Uri address, byte[] request)
    {
        using var patience = new CancellationTokenSource(HttpConnection.Patience);
        return await Task.WhenAll(Enumerable.Range(0, Crowd).Select(async _ =>
        {
            using var connection = new HttpConnection(address);
            try
            {
                return await connection.SendAsync(request, cancellationToken: patience.Token);
            }
            catch (Exception e) when (e is IOException or System.Net.Sockets.SocketException or OperationCanceledException)
            {
                return 0;
            }
        }));
    }

    private static async Task<long> ModelCallsAsync(BenchContext context)
    {
        using var stats = JsonDocument.Parse(await context.Model.GetAsync("/_sim/stats"));
        return stats.RootElement.GetProperty("calls").GetInt64();
    }

    private static async Task<long> HitsAsync(RootMasServer server, string kind) => (await server.GetAsync("/api/v1/cache/stats")).GetProperty("hits").GetProperty(kind).GetInt64();
}
