using System.Collections.Concurrent;
using System.Threading.Channels;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>
/// Search in process. A space is read at its first use and followed from then on: own writes at their commit, those of other instances by <see cref="ChangeFeed"/>. What is in memory is derived, so whenever in doubt it is read anew.
/// </summary>
internal sealed class MemoryVectors : IVectorIndex
{
    private const string Topic = "vectors";
    private const int IdsPerChange = 100;

    private static readonly TimeSpan[] SettleAgain = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(9)];

    /// <summary>Further candidates that are compared exactly where memory has rounded vectors.</summary>
    private const int Spare = 32;

    private readonly ConcurrentDictionary<(string Space, string Model), Slot> _slots = new();
    private readonly Channel<bool> _work = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly IDatabase _database;
    private readonly ChangeFeed? _feed;
    private readonly VectorLimits _limits;
    private readonly VectorFolder _folder;
    private readonly Rereading _changed;

    /// <param name="database">Has the truth.</param>
    /// <param name="feed">Null: there are no other instances.</param>
    /// <param name="folder">Where graphs are kept.</param>
    /// <param name="limits">Sizes.</param>
    public MemoryVectors(IDatabase database, ChangeFeed? feed, VectorFolder folder, VectorLimits limits)
    {
        (_database, _feed, _folder, _limits) = (database, feed, folder, limits);
        _changed = new Rereading(ReadAgainAsync);
        feed?.Subscribe(Topic, FollowAsync, ForgetAsync);
    }

    public string Name => "memory";

    /// <summary>Something may have to be built.</summary>
    public ChannelReader<bool> Work => _work.Reader;

    /// <summary>What is in memory now.</summary>
    public IEnumerable<(string Space, string Model, VectorSpace Content)> Loaded =>
        from slot in _slots
        let space = slot.Value.Ready
        where space is not null
        select (slot.Key.Space, slot.Key.Model, space);

    public async ValueTask PutAsync(DbSession session, string space, string model, IReadOnlyList<StoredVector> rows)
    {
        await VectorTable.PutAsync(session, space, model, rows);
        List<Guid> ids = [.. rows.Select(static r => r.Id)];
        await TellAsync(session, space, ids);
        session.AfterCommit(() => Change(space, ids, () => Apply((space, model), content =>
        {
            foreach (var row in rows)
            {
                content.Put(row);
            }
        })));
    }

    public async ValueTask RemoveAsync(DbSession session, string space, IReadOnlyCollection<Guid> ids)
    {
        await VectorTable.RemoveAsync(session, space, ids);
        await TellAsync(session, space, ids);
        session.AfterCommit(() => Change(space, ids, () =>
        {
            foreach (var key in _slots.Keys.Where(k => k.Space == space))
            {
                Apply(key, content => RemoveAll(content, ids));
            }
        }));
    }

    public async ValueTask<int> DropAsync(DbSession session, string space, string model, int most)
    {
        var gone = await VectorTable.DropAsync(session, space, model, most);
        if (gone.Count == 0)
        {
            session.AfterCommit(() => _slots.TryRemove((space, model), out _));
        }

        return gone.Count;
    }

    /// <summary>Lets go of what other models made: this process searches with one at a time, and whoever is at an old one now keeps it until they have their answer.</summary>
    public void Keep(string model)
    {
        foreach (var key in _slots.Keys.Where(k => k.Model != model))
        {
            _slots.TryRemove(key, out _);
        }
    }

    /// <summary>Has whatever was removed taken out of graphs, too, and of the files that keep them.</summary>
    public void Tidy()
    {
        foreach (var (_, partition) in Loaded.SelectMany(static l => l.Content.Partitions))
        {
            if (partition.Tidy())
            {
                _work.Writer.TryWrite(true);
            }
        }
    }

    public async ValueTask<IReadOnlyList<VectorHit>> SearchAsync(
        string space, string model, ReadOnlyMemory<float> query, IReadOnlyCollection<string> partitions, int k, CancellationToken cancellationToken)
    {
        var look = new VectorLook(partitions, k);
        return await FindAsync((space, model), query, look, partition => partition.Search(query, k, Spare), cancellationToken);
    }

    public async ValueTask<IReadOnlyList<VectorHit>> SearchAmongAsync(
        string space, string model, ReadOnlyMemory<float> query, IReadOnlyCollection<Guid> among, VectorLook look, CancellationToken cancellationToken) =>
        await FindAsync((space, model), query, look, partition => partition.SearchAmong(query, among, look.Count, Spare), cancellationToken);

    private async ValueTask<IReadOnlyList<VectorHit>> FindAsync(
        (string Space, string Model) key, ReadOnlyMemory<float> query, VectorLook look, Func<VectorPartition, List<PartitionHit>> search, CancellationToken cancellationToken)
    {
        var content = await LoadAsync(key.Space, key.Model).WaitAsync(cancellationToken);
        var (hits, rounded, k) = (new List<VectorHit>(), new List<VectorHit>(), look.Count);
        foreach (var name in look.Partitions.Distinct(StringComparer.Ordinal))
        {
            foreach (var hit in content.Find(name) is { } partition ? search(partition) : [])
            {
                (hit.IsExact ? hits : rounded).Add(new VectorHit(hit.Id, name, hit.Score));
            }
        }

        hits.AddRange(await ExactAsync(key.Space, key.Model, query, rounded, k, cancellationToken));
        hits.Sort(static (a, b) => b.Score.CompareTo(a.Score) is var order && order != 0 ? order : a.Id.CompareTo(b.Id));
        return hits.Count > k ? hits.GetRange(0, k) : hits;
    }

    /// <summary>Reads a space, if it is not there yet.</summary>
    public Task<VectorSpace> LoadAsync(string space, string model)
    {
        var key = (space, model);
        var slot = _slots.GetOrAdd(key, static _ => new Slot());
        return slot.Task(async () =>
        {
            try
            {
                var content = await ReadAsync(space, model);
                slot.Open(content);
                _work.Writer.TryWrite(true);
                return content;
            }
            catch
            {
                _slots.TryRemove(new(key, slot)); // the next search tries again
                throw;
            }
        });
    }

    /// <summary>The best candidates with the vectors of the database.</summary>
    private async ValueTask<List<VectorHit>> ExactAsync(string space, string model, ReadOnlyMemory<float> query, List<VectorHit> rounded, int k, CancellationToken cancellationToken)
    {
        if (rounded.Count == 0)
        {
            return rounded;
        }

        var best = rounded.OrderByDescending(static h => h.Score).Take(k + Spare).Select(static h => h.Id).ToList();
        var rows = await _database.ReadAsync(session => VectorTable.ReadAsync(session, space, best), cancellationToken);
        return [.. rows.Where(r => r.Model == model).Select(r => new VectorHit(r.Row.Id, r.Row.Partition, VectorMath.Dot(query.Span, r.Row.Values)))];
    }

    private async Task<VectorSpace> ReadAsync(string space, string model)
    {
        await Task.Yield(); // the caller holds the slot
        var dimension = VectorTable.DimensionOf(model);
        var content = new VectorSpace(dimension, _limits);
        var missing = new List<Guid>();
        foreach (var (partition, wanted) in await ListAsync(space, model))
        {
            var kept = wanted.Count >= _limits.GraphFrom ? await HnswFile.ReadAsync(_folder.PathOf(space, model, partition), dimension, CancellationToken.None) : null;
            missing.AddRange(kept is null ? wanted.Keys : content.Adopt(partition, kept, wanted));
        }

        foreach (var ids in missing.Chunk(500))
        {
            foreach (var (made, row) in await _database.ReadAsync(session => VectorTable.ReadAsync(session, space, ids), CancellationToken.None))
            {
                if (made == model)
                {
                    content.Put(row);
                }
            }
        }

        return content;
    }

    private async Task<Dictionary<string, Dictionary<Guid, long>>> ListAsync(string space, string model)
    {
        const int page = 5_000;
        var partitions = new Dictionary<string, Dictionary<Guid, long>>(StringComparer.Ordinal);
        var after = Guid.Empty;
        for (var full = true; full;)
        {
            var rows = await _database.ReadAsync(session => VectorTable.ListAsync(session, space, model, after, page), CancellationToken.None);
            foreach (var row in rows)
            {
                if (!partitions.TryGetValue(row.Partition, out var ids))
                {
                    partitions[row.Partition] = ids = [];
                }

                ids[row.Id] = row.Stamp;
                after = row.Id;
            }

            full = rows.Count == page;
        }

        return partitions;
    }

    private async ValueTask TellAsync(DbSession session, string space, IReadOnlyCollection<Guid> ids)
    {
        if (_feed is null)
        {
            return;
        }

        foreach (var some in ids.Chunk(IdsPerChange))
        {
            await _feed.AddAsync(session, Topic, $"{space} {string.Join(',', some.Select(static i => i.ToString("N")))}");
        }
    }

    /// <summary>Another instance put or removed these.</summary>
    private Task FollowAsync(string subject)
    {
        var parts = subject.Split(' ');
        return _changed.ReadAsync(parts[0], parts[1].Split(',').Select(Guid.Parse));
    }

    /// <summary>
    /// On PostgreSQL transactions end side by side, and what each of them does here comes in any order, also between the reading and the applying of what another instance wrote. So whoever has changed something looks once more at what the database has now,
    /// and what an earlier look has read of it by then is not taken: a caller finds what it wrote, also for the moment in between.
    /// </summary>
    private void Change(string space, IReadOnlyCollection<Guid> ids, Action apply)
    {
        if (_database.Kind != DatabaseKind.Postgres)
        {
            apply();
            return;
        }

        _changed.Changed(space, ids);
        try
        {
            apply();
        }
        finally
        {
            _ = SettleAsync(space, ids);
        }
    }

    /// <summary>A database that is slow for a moment is not asked for everything instead.</summary>
    private async Task SettleAsync(string space, IReadOnlyCollection<Guid> ids)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                await _changed.ReadAsync(space, ids);
                return;
            }
            catch (StorageUnavailableException) when (tries < SettleAgain.Length)
            {
                await Task.Delay(SettleAgain[tries]);
            }
#pragma warning disable CA1031 // whatever it was, the next search reads the space anew, or says why it cannot
            catch
#pragma warning restore CA1031
            {
                break;
            }
        }

        foreach (var key in _slots.Keys.Where(k => k.Space == space))
        {
            _slots.TryRemove(key, out _);
        }
    }

    private async Task ReadAgainAsync(string space, IReadOnlyCollection<Guid> ids, ChangedSince since)
    {
        var keys = _slots.Keys.Where(k => k.Space == space).ToList();
        if (keys.Count == 0)
        {
            return;
        }

        foreach (var some in ids.Chunk(IdsPerChange))
        {
            await ReadAgainAsync(keys, some, since);
        }
    }

    private async Task ReadAgainAsync(List<(string Space, string Model)> keys, Guid[] ids, ChangedSince since)
    {
        var space = keys[0].Space;
        var rows = await _database.ReadAsync(session => VectorTable.ReadAsync(session, space, ids), CancellationToken.None);
        foreach (var key in keys)
        {
            var there = rows.Where(r => r.Model == key.Model).Select(static r => r.Row).ToList();
            Apply(key, content =>
            {
                RemoveAll(content, ids.Except(there.Select(static r => r.Id)).Where(id => !since.Has(space, id)));
                there.Where(row => !content.Has(row) && !since.Has(space, row.Id)).ToList().ForEach(content.Put);
            });
        }
    }

    private Task ForgetAsync()
    {
        _slots.Clear();
        return Task.CompletedTask;
    }

    private void Apply((string Space, string Model) key, Action<VectorSpace> change)
    {
        if (_slots.TryGetValue(key, out var slot))
        {
            slot.Apply(change);
            _work.Writer.TryWrite(true);
        }
    }

    private static void RemoveAll(VectorSpace content, IEnumerable<Guid> ids)
    {
        foreach (var id in ids)
        {
            content.Remove(id);
        }
    }

    /// <summary>A space that is read or being read. Changes that are committed meanwhile are made again on top: each is a whole state, so twice does no harm.</summary>
    private sealed class Slot
    {
        private readonly Lock _lock = new();
        private List<Action<VectorSpace>>? _waiting = [];
        private Task<VectorSpace>? _task;
        private VectorSpace? _ready;

        public VectorSpace? Ready => Volatile.Read(ref _ready);

        public Task<VectorSpace> Task(Func<Task<VectorSpace>> read)
        {
            lock (_lock)
            {
                return _task ??= read();
            }
        }

        public void Open(VectorSpace content)
        {
            lock (_lock)
            {
                _waiting?.ForEach(change => change(content));
                _waiting = null;
                Volatile.Write(ref _ready, content);
            }
        }

        public void Apply(Action<VectorSpace> change)
        {
            lock (_lock)
            {
                if (_ready is { } content)
                {
                    change(content);
                }
                else
                {
                    _waiting?.Add(change);
                }
            }
        }
    }
}
