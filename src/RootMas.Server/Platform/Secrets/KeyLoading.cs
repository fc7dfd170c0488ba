using System.Security.Cryptography;
using Npgsql;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Secrets;

/// <summary>
/// Brings the keys of an installation together at the start of an instance. What the database has counts; what this instance was given or finds in its data directory must be the same. A key without a row is taken over
/// from here (an installation that kept its keys in files), or made if nothing was made with it yet.
/// </summary>
internal sealed class KeyLoading(KeySources sources)
{
    /// <summary>The same for every version of this program.</summary>
    private const long LockKey = 0x526f6f744b6579; // "RootKey"

    private readonly Dictionary<string, Row> _rows = new(StringComparer.Ordinal);
    private byte[]? _newMasterFile;

    public async Task<(SecretBox Master, Dictionary<string, byte[]> Keys)> RunAsync(DatabaseOptions options, CancellationToken cancellationToken)
    {
        await using var connection = await PostgresConnection.OpenAsync(options, writes: true, cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await ExecuteAsync(connection, $"SELECT pg_advisory_xact_lock({LockKey})");
        await ReadAsync(connection);
        var master = await MasterAsync(connection);
        await ForgetLostAsync(connection, master);
        var keys = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var key in sources.Declared)
        {
            if (await LoadAsync(connection, master, key) is { } value)
            {
                keys[key.Name] = value;
            }
        }

        if (_newMasterFile is not null)
        {
            KeyFile.Write(sources.Files.Data, MasterKeys.Name, _newMasterFile, overwrite: true); // before the rows that need it
        }

        await transaction.CommitAsync(cancellationToken);
        return (master, keys);
    }

    /// <summary>The key that wraps the others: the operator's, else a file of this data directory, made at the first start of all.</summary>
    private async Task<SecretBox> MasterAsync(NpgsqlConnection connection)
    {
        var file = sources.Files.Find(MasterKeys.Name);
        var here = sources.Masters.Current ?? file;
        var recorded = _rows.GetValueOrDefault(MasterKeys.Name)?.Fingerprint;
        if (here is not null && KeyFile.IdOf(here) == recorded)
        {
            return KeyRing.BoxOf(here);
        }

        var before = new[] { sources.Masters.Previous, file }.FirstOrDefault(k => k is not null && KeyFile.IdOf(k) == recorded);
        if (recorded is not null && (before is null || here is null) && !sources.MayReplace(MasterKeys.Name))
        {
            throw OtherMaster(here, recorded);
        }

        here ??= _newMasterFile = RandomNumberGenerator.GetBytes(KeyFile.Bytes);
        var master = KeyRing.BoxOf(here);
        if (before is not null)
        {
            await WrapAnewAsync(connection, KeyRing.BoxOf(before), master);
        }

        await SaveAsync(connection, MasterKeys.Name, KeyFile.IdOf(here), null);
        return master;
    }

    private StartupRefusedException OtherMaster(byte[]? here, string recorded)
    {
        var path = sources.Files.PathOf(MasterKeys.Name);
        var found = here is null ? "and this instance has none"
            : sources.Masters.Current is null ? $"and {path} is {KeyFile.IdOf(here)}"
            : $"and {MasterKeys.Variable} is {KeyFile.IdOf(here)}";
        return new StartupRefusedException(
            $"The key 'master' differs: the keys of this installation are wrapped by the master key {recorded}, {found}. Nothing was changed. Start this instance with the {MasterKeys.Variable} that the others have. " +
            $"If they have none, copy the file keys/{MasterKeys.Name} from the data directory of one that runs to {path}. " +
            $"To change the master key, start one instance with the new one as {MasterKeys.Variable} and the old one as {MasterKeys.PreviousVariable} (or with the old file in place).");
    }

    private async Task WrapAnewAsync(NpgsqlConnection connection, SecretBox before, SecretBox master)
    {
        foreach (var (name, row) in _rows.Where(static r => r.Value.Sealed is not null).ToList())
        {
            if (TryOpen(before, name, row.Sealed!) is { } key)
            {
                await SaveAsync(connection, name, row.Fingerprint, KeyRing.Seal(master, name, key));
            }
            else if (!sources.MayReplace(name))
            {
                throw NotOpened(name, row);
            }
        }
    }

    /// <summary>Keys that come and go and that nobody can open any more, where the operator says that they are lost, or the master key: whoever has them makes new ones.</summary>
    private async Task ForgetLostAsync(NpgsqlConnection connection, SecretBox master)
    {
        var lost = _rows.Where(r => r.Value.Sealed is { } value && sources.Declared.All(k => k.Name != r.Key)
            && (sources.MayReplace(MasterKeys.Name) || sources.MayReplace(r.Key)) && TryOpen(master, r.Key, value) is null).Select(static r => r.Key).ToList();
        foreach (var name in lost)
        {
            await using var command = new NpgsqlCommand("DELETE FROM shared_keys WHERE name = @name", connection);
            command.Set("name", name);
            await command.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Null: it was sealed with another master key, or was changed.</summary>
    private static byte[]? TryOpen(SecretBox master, string name, byte[] value)
    {
        try
        {
            return KeyRing.Open(master, name, value);
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    private static StartupRefusedException NotOpened(string name, Row row) => new(
        $"The key '{name}' ({row.Fingerprint}) cannot be opened: its row in shared_keys was changed, or was sealed with another master key. Nothing was changed. Restore the database from a backup. " +
        $"If the key is lost, start once with ROOTMAS__Keys__Replace__0={name}: what was made with it is void then.");

    /// <summary>Null: there is none, and need not be.</summary>
    private async Task<byte[]?> LoadAsync(NpgsqlConnection connection, SecretBox master, SharedKey key)
    {
        var here = key.Given ?? (key.OnlyIfGiven ? null : sources.Files.Find(key.Name));
        if (_rows.TryGetValue(key.Name, out var row))
        {
            if (Recorded(master, key, row, here) is { } known)
            {
                return known;
            }
        }
        else if (key.OnlyIfGiven && here is null)
        {
            return null;
        }
        else
        {
            here = await EarlierAsync(connection, key, here);
        }

        if (key.OnlyIfGiven && here is null)
        {
            await ExecuteAsync(connection, $"DELETE FROM shared_keys WHERE name = '{key.Name}'");
            return null;
        }

        var value = here ?? RandomNumberGenerator.GetBytes(KeyFile.Bytes);
        await SaveAsync(connection, key.Name, KeyFile.IdOf(value), key.Given is null ? KeyRing.Seal(master, key.Name, value) : null);
        return value;
    }

    /// <summary>The key of the row; null: another one takes its place, as the operator wants.</summary>
    /// <exception cref="StartupRefusedException">They differ.</exception>
    private byte[]? Recorded(SecretBox master, SharedKey key, Row row, byte[]? here)
    {
        if (here is not null && KeyFile.IdOf(here) != row.Fingerprint)
        {
            return sources.MayReplace(key) || (key.Before is { } before && KeyFile.IdOf(before) == row.Fingerprint)
                ? null
                : throw new StartupRefusedException($"The key '{key.Name}' differs: {PlaceOf(key)} has {KeyFile.IdOf(here)}, and this installation has {row.Fingerprint}. Nothing was changed. {AdviceOf(key)}");
        }

        if (row.Sealed is null)
        {
            return here ?? (sources.MayReplace(key)
                ? null
                : throw new StartupRefusedException($"The key '{key.Name}' ({row.Fingerprint}) is given to other instances by {key.Setting}, and not to this one. Nothing was changed. Give it the same."));
        }

        return TryOpen(master, key.Name, row.Sealed) ?? (sources.MayReplace(key) ? null : throw NotOpened(key.Name, row));
    }

    /// <summary>What the database was used with before keys had rows. Null: with nothing that this key makes, or with a key that did its work then.</summary>
    /// <exception cref="StartupRefusedException">That key is not here.</exception>
    private async Task<byte[]?> EarlierAsync(NpgsqlConnection connection, SharedKey key, byte[]? here)
    {
        if (key.MadeWith is null || sources.MayReplace(key))
        {
            return here;
        }

        await using var command = new NpgsqlCommand(key.MadeWith, connection);
        var id = (string?)await command.ExecuteScalarAsync();
        return id is null || (here is not null && (id.Length == 0 || KeyFile.IdOf(here) == id)) || key.Earlier.Any(k => KeyFile.IdOf(k) == id)
            ? here
            : throw new StartupRefusedException(
                $"The key '{key.Name}' {(id.Length > 0 ? $"({id}) " : "")}of this installation is not here: the database was used before by an instance that kept its keys in its data directory. Nothing was changed. " +
                $"Start once in that directory, which takes its keys to the database, or copy its file keys/{key.Name} to {sources.Files.PathOf(key.Name)}. " +
                $"If the key is lost, start once with ROOTMAS__Keys__Replace__0={key.Name}: what was made with it is void then.");
    }

    private string PlaceOf(SharedKey key) => key.Given is null ? sources.Files.PathOf(key.Name) : key.Setting;

    private string AdviceOf(SharedKey key) => key.Given is null
        ? "That file belongs to another installation: use another data directory, or move the file away. The installation's key comes from the database."
        : $"Give this instance the same {key.Setting} as the others, or none. To change it for all, start one with ROOTMAS__Keys__Replace__0={key.Name}; what was made with the old one is void then.";

    private async Task ReadAsync(NpgsqlConnection connection)
    {
        // Who keeps a new key holds this row until it is there: only the next statement is sure to see it.
        await ExecuteAsync(connection, $"SELECT 1 FROM shared_keys WHERE name = '{MasterKeys.Name}' FOR NO KEY UPDATE");
        await using var command = new NpgsqlCommand("SELECT name, fingerprint, sealed FROM shared_keys", connection);
        await using var rows = await command.ExecuteReaderAsync();
        while (await rows.ReadAsync())
        {
            _rows[rows.GetString(0)] = new Row(rows.GetString(1), await rows.IsDBNullAsync(2) ? null : rows.Bytes(2));
        }
    }

    private async Task SaveAsync(NpgsqlConnection connection, string name, string fingerprint, byte[]? value)
    {
        _rows[name] = new Row(fingerprint, value);
        await using var command = new NpgsqlCommand(
            """
            INSERT INTO shared_keys (name, fingerprint, sealed, created_at) VALUES (@name, @fingerprint, @sealed, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)
            ON CONFLICT (name) DO UPDATE SET fingerprint = excluded.fingerprint, sealed = excluded.sealed
            """,
            connection);
        command.Set("name", name).Set("fingerprint", fingerprint).Set("sealed", value);
        await command.ExecuteNonQueryAsync();
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    private sealed record Row(string Fingerprint, byte[]? Sealed);
}
