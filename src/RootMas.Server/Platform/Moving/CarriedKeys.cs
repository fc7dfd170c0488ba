using System.Security.Cryptography;
using Npgsql;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Platform.Moving;

/// <summary>
/// On the way back from PostgreSQL, where instances share their keys in the database: the embedded database has its keys in files, and without them no password, secret, token or audit row would be right there.
/// The other way needs nothing: the first start takes the files to the database.
/// </summary>
internal static class CarriedKeys
{
    /// <summary>The keys that the data directory lacks, opened; nothing is written yet.</summary>
    /// <exception cref="StartupRefusedException">They cannot be opened here, or the directory has others.</exception>
    public static async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(DatabaseOptions options, MasterKeys masters, DataDirectory data, OutboundPolicies outbound, CancellationToken cancellationToken)
    {
        var files = new DataDirectoryKeys(data);
        byte[]?[] given = [masters.Current, masters.Previous, files.Find(MasterKeys.Name)];
        var boxes = given.OfType<byte[]>().Select(KeyRing.BoxOf).ToList();
        var missing = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var (name, fingerprint, value) in await RowsAsync(options, outbound, cancellationToken))
        {
            if (files.Find(name) is { } here)
            {
                if (KeyFile.IdOf(here) != fingerprint)
                {
                    throw new StartupRefusedException($"The key '{name}' differs: {files.PathOf(name)} has {KeyFile.IdOf(here)}, and the database has {fingerprint}. Nothing was changed. Copy to a new data directory.");
                }

                continue;
            }

            missing[name] = boxes.Select(box => Open(box, name, value)).FirstOrDefault(static k => k is not null)
                ?? throw new StartupRefusedException(
                    $"The key '{name}' is in the database, sealed with the master key, which is not here. Nothing was changed. Give {MasterKeys.Variable} as the servers have it, or put the file keys/{MasterKeys.Name} of one of them at {files.PathOf(MasterKeys.Name)}.");
        }

        return missing;
    }

    public static void Write(IReadOnlyDictionary<string, byte[]> keys, DataDirectory data)
    {
        foreach (var (name, key) in keys)
        {
            KeyFile.Write(data, name, key, overwrite: false);
        }
    }

    private static byte[]? Open(SecretBox box, string name, byte[] value)
    {
        try
        {
            return KeyRing.Open(box, name, value);
        }
        catch (CryptographicException)
        {
            return null; // sealed with another one
        }
    }

    private static Task<List<(string Name, string Fingerprint, byte[] Value)>> RowsAsync(DatabaseOptions options, OutboundPolicies outbound, CancellationToken cancellationToken) => outbound.Get("postgres").ExecuteAsync(
        async token =>
        {
            await using var connection = await PostgresConnection.OpenAsync(options, writes: false, token);
            var rows = new List<(string, string, byte[])>();
            await using var there = new NpgsqlCommand("SELECT to_regclass('shared_keys') IS NOT NULL", connection);
            if (await there.ExecuteScalarAsync(token) is not true)
            {
                return rows; // of another schema: the copy refuses it
            }

            await using var command = new NpgsqlCommand("SELECT name, fingerprint, sealed FROM shared_keys WHERE sealed IS NOT NULL", connection);
            await using var reader = await command.ExecuteReaderAsync(token);
            while (await reader.ReadAsync(token))
            {
                rows.Add((reader.GetString(0), reader.GetString(1), reader.Bytes(2)));
            }

            return rows;
        },
        cancellationToken).AsTask();
}
