using System.Collections.Concurrent;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Agents;

/// <summary>Snapshots by content hash, stored once. What is known to be stored is remembered, so that a new run of a known snapshot costs no statement.</summary>
public sealed class SnapshotStore(IDatabase database)
{
    private const int MaxKept = 512;

    private readonly ConcurrentDictionary<string, TeamSnapshot> _stored = new(StringComparer.Ordinal);

    /// <summary>Call inside the transaction that creates the run: afterwards the hash can be loaded as surely as the run is there.</summary>
    public async ValueTask EnsureAsync(DbSession session, StoredSnapshot snapshot)
    {
        if (_stored.ContainsKey(snapshot.Hash))
        {
            return;
        }

        await session.Prepared("insert into team_snapshots (hash, json, created_at) values (@hash, @json, @created_at) on conflict (hash) do nothing")
            .Set("hash", snapshot.Hash)
            .Set("json", snapshot.Json)
            .Set("created_at", session.Now)
            .RunAsync();

        // Only after the commit: a rolled-back insert must not be remembered as stored.
        session.AfterCommit(() => Remember(snapshot.Hash, snapshot.Snapshot));
    }

    /// <summary>The snapshot, or null when no run ever started with it.</summary>
    public async ValueTask<TeamSnapshot?> LoadAsync(string hash, CancellationToken cancellationToken)
    {
        if (_stored.TryGetValue(hash, out var known))
        {
            return known;
        }

        var json = await database.LookAsync(
            session => session.Prepared("select json from team_snapshots where hash = @hash").Set("hash", hash).FirstOrDefaultAsync(static row => row.Bytes(0)), cancellationToken);
        if (json is null)
        {
            return null;
        }

        var snapshot = RunJson.DeserializeSnapshot(json);
        Remember(hash, snapshot);
        return snapshot;
    }

    private void Remember(string hash, TeamSnapshot snapshot)
    {
        if (_stored.Count >= MaxKept)
        {
            _stored.Clear();
        }

        _stored[hash] = snapshot;
    }
}
