using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RootMas.Server.Knowledge;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>Vector search on a database of its own, as the server puts it together, without the server.</summary>
internal sealed class VectorWorld : IAsyncDisposable
{
    private readonly IAsyncDisposable _owned;
    private readonly DataDirectory _data;
    private readonly TempFolder? _folder;
    private VectorIndexes _indexes = null!;
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    private VectorWorld(IDatabase database, DataDirectory data, IAsyncDisposable owned, TempFolder? folder, IEmbedder embedder, VectorLimits limits, VectorIndexKind kind)
    {
        (Database, _data, _owned, _folder, Embedder, Limits, Kind) = (database, data, owned, folder, embedder, limits, kind);
        Again();
    }

    public static VectorLimits Exact { get; } = new(int.MaxValue, int.MaxValue, 64);

    public IDatabase Database { get; }

    public IEmbedder Embedder { get; private set; }

    public VectorLimits Limits { get; }

    public VectorIndexKind Kind { get; }

    public MemoryVectors Memory { get; private set; } = null!;

    public VectorStore Store { get; private set; } = null!;

    public VectorWriter Writer { get; private set; } = null!;

    public OldVectors Old { get; private set; } = null!;

    public VectorFolder Folder => new(_data);

    /// <summary>On the database of the tests of this class.</summary>
    public static async Task<VectorWorld> OpenAsync(VectorLimits? limits = null, IEmbedder? embedder = null, TimeProvider? clock = null)
    {
        var database = new TestDatabase(time: clock);
        await database.Database.OpenAsync();
        return new VectorWorld(database.Database, database.Directory, database, null, embedder ?? new PointEmbedder(), limits ?? Exact, VectorIndexKind.Memory);
    }

    /// <summary>On a PostgreSQL with pgvector.</summary>
    public static async Task<VectorWorld> OnPgvectorAsync(IEmbedder? embedder = null, TimeProvider? clock = null)
    {
        var folder = new TempFolder();
        var options = new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = await PgvectorServer.UrlAsync(), PoolMin = 0, PoolMax = 1 };
        var migrator = new PostgresMigrator(options, Migration.Embedded("postgres"), TimeProvider.System, NullLogger<PostgresMigrator>.Instance);
        var database = new PostgresDatabase(options, migrator.MigrateAsync, TimeProvider.System, NullLogger<PostgresDatabase>.Instance, clock);
        await ForgetStatementsAsync(options.ConnectionString!);
        await database.OpenAsync();
        return new VectorWorld(database, new DataDirectory(folder.Path), database, folder, embedder ?? new PointEmbedder(), new VectorLimits(int.MaxValue, int.MaxValue, 100), VectorIndexKind.Pgvector);
    }

    /// <summary>PGlite has one session for all connections, one after the other: what an earlier one prepared is still there.</summary>
    private static async Task ForgetStatementsAsync(string url)
    {
        await using var connection = new NpgsqlConnection(PostgresConnection.Single(new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = url }).ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand("DEALLOCATE ALL", connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <summary>As after a restart: only what is on disk is known.</summary>
    public void Again(IEmbedder? embedder = null)
    {
        Embedder = embedder ?? Embedder;
        Memory = new MemoryVectors(Database, null, Folder, Limits);
        var options = new VectorOptions { Index = Kind, SearchWidth = Limits.SearchWidth };
        _indexes = new VectorIndexes(Database, Embedder, Memory, options, NullLogger<VectorIndexes>.Instance);
        var metrics = new VectorMetrics(_services.GetRequiredService<IMeterFactory>(), Memory);
        Store = new VectorStore(Database, Embedder, _indexes, metrics, TimeProvider.System);
        Writer = new VectorWriter(Store, Embedder, Database, metrics, NullLogger<VectorWriter>.Instance);
        Old = new OldVectors(Database, _indexes, options, NullLogger<OldVectors>.Instance);
    }

    /// <summary>What the background does.</summary>
    public Task BuildAsync() => Builder.BuildAsync(CancellationToken.None);

    public VectorBuilder Builder => new(Memory, Folder, Database, _indexes);

    /// <summary>Looks after these texts.</summary>
    public VectorCheck Check(IVectorTexts texts, string instance = "one") => new([texts], Writer, Old, Embedder, Database, new Instance(instance, "serve"));

    public Task PutAsync(string space, params IReadOnlyList<VectorEntry> entries) => Store.PutAsync(space, entries, "system", CancellationToken.None).AsTask();

    public async Task<IReadOnlyList<VectorHit>> SearchAsync(string space, string query, int k, params string[] partitions) =>
        await Store.SearchAsync(space, (await Embedder.EmbedAsync([query], EmbedPurpose.Query, "system", CancellationToken.None))[0], partitions, k, CancellationToken.None);

    public async Task<IReadOnlyList<VectorHit>> SearchAmongAsync(string space, string query, IReadOnlyCollection<Guid> among, int k, params string[] partitions) =>
        await Store.SearchAmongAsync(space, (await Embedder.EmbedAsync([query], EmbedPurpose.Query, "system", CancellationToken.None))[0], among, partitions, k, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await _owned.DisposeAsync();
        await _services.DisposeAsync();
        _folder?.Dispose();
    }
}
