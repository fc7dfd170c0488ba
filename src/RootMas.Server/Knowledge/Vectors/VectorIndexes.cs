using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Which index this installation searches with; decided once, when the database can be asked.</summary>
internal sealed partial class VectorIndexes(IDatabase database, IEmbedder embedder, MemoryVectors memory, VectorOptions options, ILogger<VectorIndexes> logger)
{
    private readonly Lock _lock = new();
    private volatile IVectorIndex? _current = database.Kind == DatabaseKind.Sqlite ? memory : null;
    private Task<IVectorIndex>? _choosing;

    /// <exception cref="StartupRefusedException">pgvector is asked for and cannot be had.</exception>
    public ValueTask<IVectorIndex> CurrentAsync()
    {
        if (_current is { } known)
        {
            return ValueTask.FromResult(known);
        }

        lock (_lock)
        {
            if (_choosing is null or { IsFaulted: true } or { IsCanceled: true })
            {
                _choosing = ChooseAsync();
            }

            return new ValueTask<IVectorIndex>(_choosing);
        }
    }

    /// <summary>What can be said at the start already.</summary>
    /// <exception cref="StartupRefusedException">pgvector is asked for and cannot be had.</exception>
    public async ValueTask<IVectorIndex> StartAsync()
    {
        if (options.Index == VectorIndexKind.Pgvector && database.Kind == DatabaseKind.Sqlite)
        {
            throw new StartupRefusedException("Knowledge:Vectors:Index is pgvector, and the database is SQLite. Use PostgreSQL with the extension pgvector, or say auto.");
        }

        return await CurrentAsync();
    }

    private async Task<IVectorIndex> ChooseAsync()
    {
        await Task.Yield(); // the caller holds the lock
        if (options.Index == VectorIndexKind.Memory)
        {
            return _current = memory;
        }

        var (vectors, problem) = await PgVectors.TryCreateAsync(database, embedder.Identity, options.SearchWidth, CancellationToken.None);
        if (vectors is not null)
        {
            LogPgvector(vectors.Version);
            return _current = vectors;
        }

        if (options.Index == VectorIndexKind.Pgvector)
        {
            throw new StartupRefusedException($"Knowledge:Vectors:Index is pgvector, and {problem}. Install the extension (CREATE EXTENSION vector, by a superuser), or say auto.");
        }

        LogMemory(problem);
        return _current = memory;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Vectors are searched in PostgreSQL, with pgvector {Version}")]
    private partial void LogPgvector(string version);

    [LoggerMessage(Level = LogLevel.Information, Message = "Vectors are searched in process: {Problem}")]
    private partial void LogMemory(string problem);
}
