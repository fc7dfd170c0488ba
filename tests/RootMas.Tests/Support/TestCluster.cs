using System.Security.Cryptography;

namespace RootMas.Tests.Support;

/// <summary>Several servers on one PostgreSQL database, each with a data directory of its own: many machines, in one process. They share a master key, so keys are the installation's and not one directory's.</summary>
public sealed class TestCluster : IAsyncDisposable
{
    private readonly PostgresServer _postgres;
    private readonly string _name;
    private readonly Action<TestAppOptions>? _configure;
    private readonly List<TestApp> _apps = [];

    private TestCluster(PostgresServer postgres, string name, Action<TestAppOptions>? configure) => (_postgres, _name, _configure) = (postgres, name, configure);

    public IReadOnlyList<TestApp> Apps => _apps;

    /// <summary>The address of the database.</summary>
    public string Postgres => _postgres.Url(_name);

    public string MasterKey { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    public TestApp this[int index] => _apps[index];

    /// <summary>Starts them all at the same time.</summary>
    /// <param name="configure">For each of them.</param>
    public static async Task<TestCluster> StartAsync(int servers = 2, Action<TestAppOptions>? configure = null)
    {
        var postgres = await PostgresServer.SharedAsync();
        var cluster = new TestCluster(postgres, await postgres.NewDatabaseAsync(migrated: true), configure);
        try
        {
            var starting = Enumerable.Range(0, servers).Select(_ => cluster.StartOneAsync(null)).ToList();
            await Task.WhenAll(starting);
            cluster._apps.AddRange(starting.Select(static s => s.Result));
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>One more. It is stopped with the others.</summary>
    /// <param name="configure">After what all of them have in common.</param>
    public async Task<TestApp> AddAsync(Action<TestAppOptions>? configure = null)
    {
        var app = await StartOneAsync(configure);
        _apps.Add(app);
        return app;
    }

    /// <summary>Stops one and takes it out. Its data directory goes with it, unless the test gave it.</summary>
    public async Task RemoveAsync(TestApp app)
    {
        _apps.Remove(app);
        await app.StopAsync();
        await app.DisposeAsync();
    }

    public Task<T> ScalarAsync<T>(string sql) => _postgres.ScalarAsync<T>(sql, _name);

    public Task ExecuteAsync(string sql) => _postgres.ExecuteAsync(sql, _name);

    /// <summary>Asks until it is so. How long that takes is not looked at, only that it does not take for ever.</summary>
    public static async Task UntilAsync(Func<Task<bool>> condition, string what)
    {
        var deadline = TimeProvider.System.GetTimestamp();
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await condition())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(deadline) < TimeSpan.FromSeconds(90), $"not within 90 s: {what}");
            await pause.WaitForNextTickAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_apps.Select(static app => app.DisposeAsync().AsTask()));
        await _postgres.DropAsync(_name);
    }

    private Task<TestApp> StartOneAsync(Action<TestAppOptions>? configure) => TestApp.StartAsync(options =>
    {
        options.Postgres = Postgres;
        options.Environment["ROOTMAS_MASTER_KEY"] = MasterKey;
        _configure?.Invoke(options);
        configure?.Invoke(options);
    });
}
