using RootMas.Benchmarks.Cases;
using RootMas.Benchmarks.Results;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary><c>rootmas bench cluster</c>: the same program on SQLite, on PostgreSQL, and as many processes on PostgreSQL, Redis and RabbitMQ, beside the peers that are durable too.</summary>
internal sealed class ClusterBench(BenchOptions options)
{
    private static readonly (string Name, Func<BenchContext, Installation, Task> Run)[] All =
    [
        ("b1", static (context, _) => LatencyCase.RunAsync(context)),
        ("b2", static (context, _) => ThroughputCase.RunAsync(context)),
        ("b3", FanOutCase.RunAsync),
        ("b6", static (context, _) => AgentRunCase.RunAsync(context)),
        ("b8", CacheCase.RunAsync),
        ("b11", StepCase.RunAsync),
        ("b12", DispatchCase.RunAsync),
        ("b13", CrashAsync),
        ("failover", FailOverCase.RunAsync),
        ("scaling", ScalingCase.RunAsync),
        ("growth", GrowthCase.RunAsync),
        ("limits", SharedLimitsCase.RunAsync),
    ];

    public const string Command = "bench cluster";

    /// <summary>As the command line names them.</summary>
    public static IReadOnlyList<string> Cases { get; } = [.. All.Select(static c => c.Name)];

    public async Task<int> RunAsync()
    {
        await using var session = new Session();
        var report = new Report { Began = TimeProvider.System.GetUtcNow(), Machine = Machine.Describe(), Command = Command, Form = options.Form(Cases) };
        report.Machine["cores"] = "not pinned: programs, databases, broker, load and model share all cores";
        var path = Path.Combine(options.Repository, "artifacts", "bench", $"{report.Began:yyyyMMdd-HHmmss}-cluster.json");
        await using var model = await ModelServer.StartAsync(core: null);
        await using var installation = await Installation.StartAsync(session.Folder);
        if (installation.Missing is { } missing)
        {
            Console.Error.WriteLine($"[bench] {missing}");
            return 1;
        }

        var context = new BenchContext
        {
            Options = options,
            Report = report,
            Model = model,
            Folder = session.Folder,
            Core = null,
            OnlyDurablePeers = true,
            Peers = new Peers(Path.Combine(options.Repository, "bench", "peers"), text => Console.Error.WriteLine($"[bench] {text}")),
        };
        foreach (var (name, run) in All.Where(c => options.Wants(c.Name)))
        {
            await Bench.CaseAsync(context, name, async c =>
            {
                await SizesAsync(c, installation, name);
                await run(c, installation);
            });
            await installation.StopAllAsync();
            context.Servers.Clear();
            await report.SaveAsync(path);
        }

        return await Bench.EndAsync(options, report, path);
    }

    private static async Task CrashAsync(BenchContext context, Installation installation)
    {
        await CrashCase.RunAsync(context);
        var (_, alone) = await installation.Postgres.MakeDatabaseAsync("alone_crash");
        await CrashCase.RunAsync(context, Installation.Prefix, installation.OnPostgres(alone));
        var (_, shared) = await installation.Postgres.MakeDatabaseAsync("shared_crash");
        await CrashCase.RunAsync(context, Installation.Shares, installation.Shared(shared));
    }

    /// <summary>The three sizes, new for each case, so that no case pays for the rows of another.</summary>
    private static async Task SizesAsync(BenchContext context, Installation installation, string name)
    {
        await context.Model.InstantAsync();
        if (name is "b12" or "b13" or "failover" or "scaling" or "growth" or "limits")
        {
            return; // processes of their own
        }

        context.Servers.Add(await installation.StartAsync(context, new ServerPlan("Root-MAS, all on") { Core = null }));
        var (_, alone) = await installation.Postgres.MakeDatabaseAsync($"alone_{name}");
        context.Servers.Add(await installation.StartAsync(context, new ServerPlan(Installation.Prefix) { Core = null, Settings = installation.OnPostgres(alone) }));
        if (name == "b3")
        {
            return;
        }

        var (_, shared) = await installation.Postgres.MakeDatabaseAsync($"shared_{name}");
        context.Servers.Add(await installation.StartAsync(context, new ServerPlan(Installation.Shares) { Core = null, Settings = installation.Shared(shared) }));
        await Bench.WarmUpAsync(context, most: context.Options.Quick ? 6 : 12); // each case warms up with its own load as well
    }
}
