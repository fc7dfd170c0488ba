using System.Collections.Concurrent;
using System.Threading.Channels;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Brings partitions into the form that their size wants, one after the other, on a thread of its own, and keeps their graphs in files.</summary>
internal sealed class VectorBuilder(MemoryVectors memory, VectorFolder folder, IDatabase database, VectorIndexes indexes)
{
    /// <summary>A file is written again when so much of the graph is newer: one row in so many.</summary>
    private const int NewShare = 10;

    private const int CatchUpPage = 500;

    private const int ComparedPage = 1_000;

    /// <summary>No file takes so long to write.</summary>
    private static readonly TimeSpan LongWrite = TimeSpan.FromHours(1);

    private readonly ConcurrentDictionary<string, int> _kept = new(StringComparer.Ordinal);

    /// <summary>Whoever writes or removes files: one at a time, so that none goes that has just taken the place of an old one.</summary>
    private readonly SemaphoreSlim _files = new(1);

    /// <summary>Something may have to be built.</summary>
    public ChannelReader<bool> Work => memory.Work;

    /// <summary>Finds out which index there is.</summary>
    /// <exception cref="RootMas.Server.Platform.StartupRefusedException">pgvector is asked for and cannot be had.</exception>
    public async Task StartAsync() => await indexes.StartAsync();

    /// <summary>Everything that there is to build now.</summary>
    public async Task BuildAsync(CancellationToken cancellationToken)
    {
        foreach (var (space, model, content) in memory.Loaded)
        {
            while (content.Emptied.TryDequeue(out var name))
            {
                Forget(folder.PathOf(space, model, name), isGone: content.Find(name) is null);
            }

            foreach (var (name, partition) in content.Partitions)
            {
                if (partition.Work != PartitionWork.None)
                {
                    await BuildAsync(folder.PathOf(space, model, name), partition, cancellationToken);
                }
            }
        }
    }

    /// <summary>pgvector's tables take up what processes without them wrote.</summary>
    public async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        if (await indexes.CurrentAsync() is not PgVectors vectors)
        {
            return;
        }

        // Also those of which nothing is left: another process dropped them.
        var stored = await database.ReadAsync(VectorTable.SpacesAsync, cancellationToken);
        foreach (var (space, model) in stored.Where(s => vectors.Fits(s.Model)).Union(await vectors.IndexedAsync(cancellationToken)))
        {
            while (await vectors.CatchUpAsync(space, model, CatchUpPage, cancellationToken) > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Lets go, in memory and on disk, of graphs of other models, of partitions that are no more, and of removed entries.</summary>
    public async Task TidyAsync(string model, CancellationToken cancellationToken)
    {
        memory.Keep(model);
        memory.Tidy();
        if (await indexes.CurrentAsync() is PgVectors vectors)
        {
            await vectors.DropUnusedAsync(cancellationToken);
        }

        await _files.WaitAsync(cancellationToken);
        try
        {
            await TidyFilesAsync(cancellationToken);
        }
        finally
        {
            _files.Release();
        }
    }

    private async Task TidyFilesAsync(CancellationToken cancellationToken)
    {
        var files = folder.Files(); // before the look into the database: what comes after is none of these
        var (homes, now) = await database.ReadAsync(static async session => (await VectorTable.PartitionsAsync(session), session.Now), cancellationToken);
        var wanted = homes.ToDictionary(p => folder.PathOf(p.Space, p.Model, p.Partition), StringComparer.Ordinal);
        foreach (var path in files)
        {
            Forget(path, isGone: !wanted.TryGetValue(path, out var home) || await HasRemovedAsync(path, home, cancellationToken));
        }

        foreach (var path in folder.Unfinished(now - LongWrite))
        {
            File.Delete(path);
        }
    }

    /// <summary>Whether a file keeps what was removed and nothing will take its place: nobody has searched since the start, or the partition has become too small for a graph.</summary>
    private async Task<bool> HasRemovedAsync(string path, (string Space, string Model, string Partition) home, CancellationToken cancellationToken)
    {
        if (memory.Loaded.Any(l => (l.Space, l.Model) == (home.Space, home.Model) && l.Content.Find(home.Partition) is { Work: PartitionWork.Rebuild }))
        {
            return false; // it is written anew in a moment
        }

        if (await HnswFile.ListAsync(path, cancellationToken) is not { } kept || kept.Exists(static k => k.Stamp is null))
        {
            return true;
        }

        foreach (var some in kept.Chunk(ComparedPage))
        {
            var stored = await database.ReadAsync(session => VectorTable.ListAsync(session, home.Space, home.Model, some.Select(static k => k.Id)), cancellationToken);
            if (!stored.Where(s => s.Partition == home.Partition).Select(static s => (s.Id, (long?)s.Stamp)).ToHashSet().IsSupersetOf(some))
            {
                return true;
            }
        }

        return false;
    }

    private void Forget(string path, bool isGone)
    {
        if (isGone)
        {
            _kept.TryRemove(path, out _);
            if (File.Exists(path)) // the folder comes with the first graph, and most installations never have one
            {
                File.Delete(path);
            }
        }
    }

    private async Task BuildAsync(string path, VectorPartition partition, CancellationToken cancellationToken)
    {
        var isNew = partition.Work == PartitionWork.Rebuild;

        // It computes for long, so it takes no thread from those who answer.
        await Task.Factory.StartNew(() => Build(partition, cancellationToken), cancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await _files.WaitAsync(cancellationToken);
        try
        {
            await KeepAsync(path, partition.Content, isNew, cancellationToken);
        }
        finally
        {
            _files.Release();
        }
    }

    private async Task KeepAsync(string path, PartitionContent content, bool isNew, CancellationToken cancellationToken)
    {
        if (content.Graph is not { } graph)
        {
            Forget(path, isGone: true); // of when there was more
        }
        else if (isNew || graph.Count - _kept.GetValueOrDefault(path) > graph.Count / NewShare)
        {
            folder.Create();
            await HnswFile.WriteAsync(path, content, cancellationToken);
            _kept[path] = graph.Count;
        }
    }

    private static void Build(VectorPartition partition, CancellationToken cancellationToken)
    {
        if (partition.Work == PartitionWork.Rebuild)
        {
            partition.Rebuild(cancellationToken);
        }

        partition.Extend(cancellationToken);
    }
}
