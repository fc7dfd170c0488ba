using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>The runs slice behind a connection that can be cut.</summary>
internal sealed class CutWorld : IAsyncDisposable
{
    private readonly PostgresServer server;
    private readonly string name;
    private readonly PostgresDatabase database;

    private CutWorld(PostgresServer server, string name, RunsOptions? runs)
    {
        (this.server, this.name) = (server, name);
        Proxy = new CuttingProxy(server.Port);
        var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = $"postgres://postgres@127.0.0.1:{Proxy.Port}/{name}", PoolMin = 1, PoolMax = 3, ConnectTimeout = TimeSpan.FromMinutes(1) };
        database = new PostgresDatabase(options, _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance);
        Harness = new RunsHarness(options: runs, database: new TestDatabase(database));
    }

    public CuttingProxy Proxy { get; }

    public RunsHarness Harness { get; }

    public PostgresServer Server => server;

    /// <summary>Of its database.</summary>
    public string Name => name;

    public static async Task<CutWorld> StartAsync(RunsOptions? runs = null)
    {
        var shared = await PostgresServer.SharedAsync();
        return new CutWorld(shared, await shared.NewDatabaseAsync(migrated: true), runs);
    }

    public async ValueTask DisposeAsync()
    {
        await Harness.DisposeAsync();
        await database.DisposeAsync();
        await Proxy.DisposeAsync();
        await server.DropAsync(name);
    }
}
