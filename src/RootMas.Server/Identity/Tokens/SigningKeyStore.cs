using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Tokens;

/// <summary>Where the keys themselves are that sign access tokens: one file each in the data directory, or, where instances share a database, its sealed keys.</summary>
public sealed class SigningKeyStore(KeyRing keys, DataDirectory data, IDatabase database)
{
    /// <summary>Held by whoever changes them, so that two instances do not each make a new one.</summary>
    private static readonly SqlText Turn = SqlDialect.Held("select 1 from shared_keys where name = @id");

    private bool IsShared => keys.IsShared;

    /// <summary>Null: it is not here.</summary>
    public async ValueTask<byte[]?> FindAsync(string kid, CancellationToken cancellationToken)
    {
        if (IsShared)
        {
            return await database.ReadAsync(session => keys.FindAsync(session, NameOf(kid)), cancellationToken);
        }

        var path = KeyFile.PathOf(data, NameOf(kid));
        return File.Exists(path) ? KeyFile.Read(path) : null;
    }

    /// <summary>Before the transaction that names it: a crash in between leaves a file that nothing uses.</summary>
    public void Prepare(string kid, byte[] key)
    {
        if (!IsShared)
        {
            KeyFile.Write(data, NameOf(kid), key, overwrite: false);
        }
    }

    /// <summary>In the transaction that names it, first of all.</summary>
    public async ValueTask PutAsync(DbSession session, string kid, byte[] key)
    {
        if (IsShared)
        {
            await session.HoldAsync(Turn, MasterKeys.Name);
            await keys.PutAsync(session, NameOf(kid), key);
        }
    }

    /// <summary>In the transaction that forgets it.</summary>
    public async ValueTask RemoveAsync(DbSession session, string kid)
    {
        if (IsShared)
        {
            await KeyRing.RemoveAsync(session, NameOf(kid));
        }
    }

    /// <summary>What an installation has that kept its keys in files becomes everybody's.</summary>
    public async Task ShareFilesAsync(IReadOnlyCollection<KeyValuePair<string, byte[]>> held, CancellationToken cancellationToken)
    {
        var files = IsShared ? held.Where(k => File.Exists(KeyFile.PathOf(data, NameOf(k.Key)))).ToList() : [];
        if (files.Count > 0)
        {
            await database.WriteAsync(
                async session =>
                {
                    foreach (var (kid, key) in files)
                    {
                        await PutAsync(session, kid, key);
                    }
                },
                cancellationToken);
        }
    }

    /// <summary>Files that nothing names any more.</summary>
    public void RemoveUnused(IReadOnlyCollection<string> used)
    {
        var folder = Path.GetDirectoryName(KeyFile.PathOf(data, "x"))!;
        if (IsShared || !Directory.Exists(folder))
        {
            return;
        }

        foreach (var file in Directory.EnumerateFiles(folder, NameOf("*")).Where(f => !used.Contains(Path.GetFileName(f)[NameOf("").Length..], StringComparer.Ordinal)))
        {
            File.Delete(file);
        }
    }

    private static string NameOf(string kid) => $"signing-{kid}";
}
