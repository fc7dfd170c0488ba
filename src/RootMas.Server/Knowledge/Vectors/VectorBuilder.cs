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

    private readonly ConcurrentDictionary<string, int> _kept = new(StringComparer.Ordinal);

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

        var files = folder.Files(); // before the look into the database: what comes after is none of these
        if (files.Count == 0)
        {
            return;
        }

        var wanted = (await database.ReadAsync(VectorTable.PartitionsAsync, cancellationToken)).Select(p => folder.PathOf(p.Space, p.Model, p.Partition)).ToHashSet(StringComparer.Ordinal);
        foreach (var path in files)
        {
            Forget(path, isGone: !wanted.Contains(path));
        }
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
        var content = partition.Content;
        if (content.Graph is { } graph && (isNew || graph.Count - _kept.GetValueOrDefault(path) > graph.Count / NewShare))
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
