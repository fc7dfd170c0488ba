using System.Security.Cryptography;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>PostgreSQL, Redis and RabbitMQ, and as many processes of ours as a case wants. Nothing is pinned: on a small machine all of them share its cores.</summary>
internal sealed class Installation : IAsyncDisposable
{
    public const string Prefix = "Root-MAS, PostgreSQL";

    public const string Shares = $"{Prefix}, Redis, RabbitMQ";

    /// <summary>New runs of one user that are with the broker at a time, as shipped. A case whose load is one user's takes more, or it measures the turns between users.</summary>
    private const int Offered = 32;

    private readonly string _masterKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
    private readonly List<RootMasServer> _started = [];

    public required Postgres Postgres { get; init; }

    public required Redis Redis { get; init; }

    public required Rabbit Rabbit { get; init; }

    /// <summary>Why there is none; null: all three run.</summary>
    public string? Missing => Postgres.Missing ?? Redis.Missing ?? Rabbit.Missing;

    public static async Task<Installation> StartAsync(string folder) => new()
    {
        Postgres = await Postgres.StartAsync(Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "servers")).FullName), core: null),
        Redis = await Redis.StartAsync(Path.Combine(folder, "redis")),
        Rabbit = await Rabbit.StartAsync(Path.Combine(folder, "rabbit")),
    };

    /// <summary>One process on PostgreSQL alone.</summary>
    public IReadOnlyList<(string, string)> OnPostgres(string connectionString) =>
        [("ROOTMAS__Database__Kind", "postgres"), ("ROOTMAS__Database__ConnectionString", connectionString), ("ROOTMAS_MASTER_KEY", _masterKey)];

    /// <summary>One of many processes.</summary>
    public IReadOnlyList<(string, string)> Shared(string connectionString) =>
        [.. OnPostgres(connectionString), ("ROOTMAS__Redis__ConnectionString", Redis.ConnectionString!), ("ROOTMAS__RabbitMq__Uri", Rabbit.Uri!)];

    /// <summary>Takes requests, advances no runs.</summary>
    public Task<RootMasServer> ServerAsync(BenchContext context, string name, string connectionString, int offered = Offered) =>
        StartAsync(context, new ServerPlan($"{Prefix}, {name}") { Core = null, Settings = [.. Shared(connectionString), ("ROOTMAS__Runs__Parallelism", "0"), OfferedPerUser(offered)] });

    /// <summary>Advances runs. It is handed some when this completes: being ready does not wait for the broker.</summary>
    public async Task<RootMasServer> WorkerAsync(BenchContext context, string name, string connectionString, int parallelism = 64, int offered = Offered)
    {
        var worker = await StartAsync(context, new ServerPlan($"{Prefix}, {name}") { Core = null, Command = "worker", Settings = [.. Shared(connectionString), ("ROOTMAS__Runs__Parallelism", $"{parallelism}"), OfferedPerUser(offered), Patient] });
        for (var i = 0; worker.Target.Missing is null && i < 200 && (await worker.GetAsync("/health")).GetProperty("services").GetProperty("rabbitmq").GetString() != "healthy"; i++)
        {
            await Task.Delay(100);
        }

        return worker;
    }

    /// <summary>Workers that stand still while a queue is filled keep their connections.</summary>
    private static (string, string) Patient => ("ROOTMAS__RabbitMq__Heartbeat", "00:05:00");

    private static (string, string) OfferedPerUser(int offered) => ("ROOTMAS__RabbitMq__OfferedPerUser", $"{offered}");

    public async Task<RootMasServer> StartAsync(BenchContext context, ServerPlan plan)
    {
        var server = await RootMasServer.StartAsync(context, plan with { Beside = [.. Beside(plan)] });
        lock (_started)
        {
            _started.Add(server); // some are started beside each other
        }

        context.Note($"{plan.Name}: {server.Target.Missing ?? "ready"}");
        return server;
    }

    /// <summary>What does a part of its work, as its settings say.</summary>
    private IEnumerable<Child> Beside(ServerPlan plan)
    {
        (string Setting, Child? Process)[] all = [("ROOTMAS__Database__ConnectionString", Postgres.Process), ("ROOTMAS__Redis__ConnectionString", Redis.Process), ("ROOTMAS__RabbitMq__Uri", Rabbit.Process)];
        return all.Where(p => plan.Settings.Any(s => s.Name == p.Setting)).Select(static p => p.Process).OfType<Child>();
    }

    /// <summary>All of ours: what one case leaves behind would take what the next one puts into the same queues.</summary>
    public Task StopAllAsync() => StopAsync([.. _started]);

    public async Task StopAsync(params IEnumerable<RootMasServer> servers)
    {
        foreach (var server in servers)
        {
            _started.Remove(server);
            await server.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAllAsync();
        await Postgres.DisposeAsync();
        await Redis.DisposeAsync();
        await Rabbit.DisposeAsync();
    }
}
