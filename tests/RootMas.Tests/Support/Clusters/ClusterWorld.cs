using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;

namespace RootMas.Tests.Support.Clusters;

/// <summary>What a test wants of its cluster.</summary>
internal sealed record ClusterPlan
{
    public int Servers { get; init; } = 3;

    public int Workers { get; init; } = 3;

    /// <summary>Script of the simulator; <c>BASE</c> is its address.</summary>
    public required string Script { get; init; }

    /// <summary>nginx instead of HAProxy.</summary>
    public bool Nginx { get; init; }

    /// <summary>Of all processes, by key.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();
}

/// <summary>
/// Many machines as real processes: servers behind a load balancer, workers, each with a data directory of its own and its own ways to one PostgreSQL, Redis and RabbitMQ; the simulator as model and as counting tool server.
/// </summary>
internal sealed class ClusterWorld : IAsyncDisposable
{
    /// <summary>Of the audit log's chain, so that a test can verify it.</summary>
    public static readonly string AuditKey = new('a', 64);

    private readonly List<ClusterNode> _nodes = [];
    private readonly List<HttpClient> _clients = [];
    private readonly string _queue = RabbitServer.NewQueue();
    private readonly string _prefix = RedisServer.NewPrefix();
    private readonly string _masterKey = Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
    private readonly string _logs = Directory.CreateTempSubdirectory("rootmas-logs-").FullName;
    private readonly ClusterPlan _plan;

    private ClusterWorld(ClusterPlan plan, Simulator sim, PostgresServer postgres, RedisServer redis, RabbitServer rabbit) =>
        (_plan, Sim, Postgres, Redis, Rabbit) = (plan, sim, postgres, redis, rabbit);

    public Simulator Sim { get; }

    public PostgresServer Postgres { get; }

    public RedisServer Redis { get; }

    public RabbitServer Rabbit { get; }

    public string Database { get; private set; } = "";

    public LoadBalancer Balancer { get; private set; } = null!;

    public IReadOnlyList<ClusterNode> Nodes => _nodes;

    /// <summary>What no process may say.</summary>
    public IReadOnlyList<string> Secrets => [_masterKey, AuditKey, "sk-simulator"];

    public IEnumerable<ClusterNode> Servers => _nodes.Take(_plan.Servers);

    public IEnumerable<ClusterNode> Workers => _nodes.Skip(_plan.Servers);

    public static async Task<ClusterWorld> StartAsync(ClusterPlan plan, RabbitServer rabbit)
    {
        var sim = await Simulator.StartAsync();
        sim.Use(plan.Script.Replace("BASE", sim.BaseUrl, StringComparison.Ordinal));
        var world = new ClusterWorld(plan, sim, await PostgresServer.StartAsync(durable: true), await RedisServer.StartAsync(), rabbit);
        try
        {
            world.Database = await world.Postgres.NewDatabaseAsync(migrated: false);
            await world.AddAsync("server 1");
            await Task.WhenAll(Enumerable.Range(2, plan.Servers - 1).Select(i => world.AddAsync($"server {i}")));
            await Task.WhenAll(Enumerable.Range(1, plan.Workers).Select(i => world.AddAsync($"worker {i}")));
            world._nodes.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
            world.Balancer = await LoadBalancer.StartAsync([.. world.Servers.Select(static s => new Uri(s.Process.BaseUrl))], plan.Nginx);
            return world;
        }
        catch
        {
            await world.DisposeAsync();
            throw;
        }
    }

    /// <summary>Somebody with a login of their own, through the load balancer.</summary>
    public async Task<ClusterUser> UserAsync(string username, string role = "user")
    {
        var local = _nodes[0].Process.Http;
        using var added = await local.PostAsJsonAsync("/api/v1/users", new { username, password = TestUsers.Password, role });
        Assert.True(added.IsSuccessStatusCode, await added.Content.ReadAsStringAsync());
        var client = NewClient();
        var login = await TestUser.JsonAsync(await client.PostAsJsonAsync("/api/v1/auth/login", new { username, password = TestUsers.Password }), System.Net.HttpStatusCode.OK);
        client.DefaultRequestHeaders.Authorization = new("Bearer", login.GetProperty("access_token").GetString());
        return new ClusterUser(username, login.GetProperty("user").GetProperty("id").GetString()!, client);
    }

    /// <summary>What the processes have said, for the message of a test that failed.</summary>
    public string Said() => string.Join("\n\n", _nodes.Select(static n => $"== {n.Name}\n{string.Join('\n', n.Process.Stdout.Split('\n').Where(static l => !l.Contains("\"log.level\":\"info\"", StringComparison.Ordinal)).TakeLast(60))}\n{n.Process.Stderr}"));

    /// <summary>What anybody who may look at a process can read of it: its output, its log files and its metrics.</summary>
    public async Task<string> TracesAsync(ClusterNode node)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics") { Headers = { Authorization = new("Bearer", node.Process.LocalToken) } };
        using var response = await node.Process.Http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        var metrics = await response.Content.ReadAsStringAsync();
        var files = Directory.GetFiles(_logs, Path.GetFileName(LogFileOf(node.Name)) + "*");
        Assert.NotEmpty(files);
        List<string> logs = [];
        foreach (var file in files)
        {
            using var text = new StreamReader(new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
            logs.Add(await text.ReadToEndAsync());
        }

        return string.Join('\n', [node.Process.Stdout, node.Process.Stderr, metrics, .. logs]);
    }

    /// <summary>All that was hurt is well again: ways, processes, servers.</summary>
    public async Task HealAsync(CancellationToken cancellationToken) => await Task.WhenAll(_nodes.Select(n => n.ReviveAsync(cancellationToken)));

    public Task<T> ScalarAsync<T>(string sql) => Postgres.ScalarAsync<T>(sql, Database);

    public HttpClient NewClient()
    {
        // One connection per request: the balancer chooses anew each time, as for a client that has just come.
        var client = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseCookies = false, UseProxy = false }) { BaseAddress = new Uri(Balancer.Url), Timeout = TimeSpan.FromSeconds(60) };
        lock (_clients)
        {
            _clients.Add(client);
        }

        return client;
    }

    public async ValueTask DisposeAsync()
    {
        _clients.ForEach(static c => c.Dispose());
        Sim.ReleaseAll();
        foreach (var node in _nodes)
        {
            await node.DisposeAsync();
        }

        if (Balancer is not null)
        {
            await Balancer.DisposeAsync();
        }

        await Redis.DisposeAsync();
        await Postgres.DisposeAsync();
        await Sim.DisposeAsync();
        Directory.Delete(_logs, recursive: true);
    }

    private string LogFileOf(string name) => Path.Combine(_logs, name.Replace(' ', '-') + ".log");

    private async Task AddAsync(string name)
    {
        var (postgres, redis, rabbit) = (new CuttingProxy(Postgres.Port), new CuttingProxy(Redis.Port), new CuttingProxy(new Uri(Rabbit.Url).Port));
        ServerProcess process;
        try
        {
            process = await ServerProcess.StartAsync(new ServerSettings
            {
                Command = name.Split(' ')[0] == "worker" ? "worker" : "serve",
                Config = Repository.PathOf("config"),
                Environment = Environment(name, postgres.Port, redis.Port, rabbit.Port),
            });
        }
        catch
        {
            foreach (var way in (CuttingProxy[])[postgres, redis, rabbit])
            {
                await way.DisposeAsync();
            }

            throw;
        }

        lock (_nodes)
        {
            _nodes.Add(new ClusterNode(name, process, postgres, redis, rabbit));
        }
    }

    private Dictionary<string, string> Environment(string name, int postgres, int redis, int rabbit)
    {
        var environment = new Dictionary<string, string>(ServerSettings.With(Sim).Environment, StringComparer.Ordinal)
        {
            ["ROOTMAS_MASTER_KEY"] = _masterKey,
            ["ROOTMAS__Audit__Key"] = AuditKey,
            ["ROOTMAS__Database__Kind"] = "postgres",
            ["ROOTMAS__Database__ConnectionString"] = Through(Postgres.Url(Database), postgres),
            ["ROOTMAS__Database__PoolMin"] = "1",
            ["ROOTMAS__Redis__ConnectionString"] = Through(Redis.Url, redis),
            ["ROOTMAS__Redis__KeyPrefix"] = _prefix,
            ["ROOTMAS__RabbitMq__Uri"] = Through(Rabbit.Url, rabbit),
            ["ROOTMAS__RabbitMq__Queue"] = _queue,
            ["ROOTMAS__Logging__File__Path"] = LogFileOf(name),
            ["ROOTMAS__Outbound__Allow__0"] = new Uri(Sim.BaseUrl).Authority,
            ["ROOTMAS__Tools__Http__Idempotent__0"] = $"{Sim.BaseUrl}/_tool/idempotent",
        };
        foreach (var (key, value) in _plan.Settings)
        {
            environment["ROOTMAS__" + key.Replace(":", "__", StringComparison.Ordinal)] = value;
        }

        if (name.StartsWith("server", StringComparison.Ordinal) && _plan.Workers > 0)
        {
            environment.TryAdd("ROOTMAS__Runs__Parallelism", "2"); // what is more goes to the workers
        }

        return environment;
    }

    private static string Through(string url, int port) => new UriBuilder(url) { Port = port }.Uri.ToString().TrimEnd('/');
}

/// <summary>Somebody who has logged in, and a client of the load balancer as them.</summary>
internal sealed record ClusterUser(string Name, string Id, HttpClient Client)
{
    /// <summary>What the newest request of theirs that has to be repeated was answered.</summary>
    public string? Refused { get; set; }
}
