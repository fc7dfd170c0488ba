using System.Collections.Concurrent;
using System.Security.Cryptography;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Platform.Secrets;

/// <summary>
/// The keys of this installation. On the embedded database they are settings or files of the data directory. On PostgreSQL they are the same for every instance: rows of <c>shared_keys</c>, sealed with the master key,
/// read when the database is opened (<see cref="KeyLoading"/>), so whoever has awaited the database has them.
/// </summary>
public sealed class KeyRing
{
    private readonly KeySources _sources;
    private readonly ConcurrentDictionary<string, byte[]> _keys = new(StringComparer.Ordinal);
    private SecretBox? _master;

    internal KeyRing(KeySources sources, bool isShared) => (_sources, IsShared) = (sources, isShared);

    /// <summary>The keys lie in the database, and other instances use them too.</summary>
    public bool IsShared { get; }

    /// <summary>The operator's master keys, the one before it too while it is being changed.</summary>
    internal IReadOnlyList<byte[]> Masters => _sources.Masters.All;

    /// <summary>The operator says that this key is lost: what was made with it is void.</summary>
    internal bool IsLost(string name) => _sources.MayReplace(name);

    /// <summary>A declared key.</summary>
    public byte[] Get(string name)
    {
        if (_keys.TryGetValue(name, out var key))
        {
            return key;
        }

        if (IsShared)
        {
            throw new InvalidOperationException($"The key '{name}' is asked for before the database was opened.");
        }

        var declared = _sources.Declared.First(k => k.Name == name);
        return _keys.GetOrAdd(name, _ => declared.Given ?? KeyFile.ReadOrCreate(_sources.Files.Data, name));
    }

    /// <summary>A key that comes and goes, from its row; before there were rows, from its file. Null: it is nowhere. Only where keys are shared.</summary>
    /// <exception cref="CryptographicException">It was sealed with another master key: this instance has to start again with that one.</exception>
    public async ValueTask<byte[]?> FindAsync(DbSession session, string name)
    {
        ArgumentNullException.ThrowIfNull(session);
        var row = await session.Prepared("SELECT sealed FROM shared_keys WHERE name = @name").Set("name", name).FirstOrDefaultAsync(static r => r.Bytes(0));
        return row is null ? _sources.Files.Find(name) : Open(Master, name, row);
    }

    /// <summary>Keeps a key for all instances, unless it is there. Only where keys are shared.</summary>
    /// <exception cref="ProblemException">The master key was changed since this instance started.</exception>
    public async ValueTask PutAsync(DbSession session, string name, byte[] key)
    {
        ArgumentNullException.ThrowIfNull(session);
        if (await session.Prepared("SELECT fingerprint FROM shared_keys WHERE name = @name").Set("name", MasterKeys.Name).StringAsync() != Master.Id)
        {
            throw new ProblemException(Problems.Conflict("master_key_changed", "The master key was changed since this instance started, so it can keep no new keys. Nothing was done. Start it again with the new master key."));
        }

        await session.Prepared("INSERT INTO shared_keys (name, fingerprint, sealed, created_at) VALUES (@name, @fingerprint, @sealed, @now) ON CONFLICT DO NOTHING")
            .Set("name", name).Set("fingerprint", KeyFile.IdOf(key)).Set("sealed", Seal(Master, name, key)).Set("now", session.Now).RunAsync();
    }

    /// <summary>Forgets a key that comes and goes.</summary>
    public static async ValueTask RemoveAsync(DbSession session, string name)
    {
        ArgumentNullException.ThrowIfNull(session);
        await session.Prepared("DELETE FROM shared_keys WHERE name = @name").Set("name", name).RunAsync();
    }

    /// <summary>Reads, makes or moves the keys of the database, as one transaction: of several instances that start together one makes them.</summary>
    /// <exception cref="StartupRefusedException">This instance has other keys; it is said which.</exception>
    internal async Task LoadAsync(DatabaseOptions database, CancellationToken cancellationToken)
    {
        var (master, keys) = await new KeyLoading(_sources).RunAsync(database, cancellationToken);
        foreach (var (name, key) in keys)
        {
            _keys[name] = key;
        }

        _master = master;
    }

    internal static SecretBox BoxOf(byte[] master) => new(master, "rootmas keys of an installation v1");

    internal static byte[] Seal(SecretBox master, string name, byte[] key) => master.Seal("key/" + name, Convert.ToBase64String(key));

    internal static byte[] Open(SecretBox master, string name, byte[] row) => Convert.FromBase64String(master.Open("key/" + name, row));

    private SecretBox Master => _master ?? throw new InvalidOperationException("Keys are asked for before the database was opened.");
}
