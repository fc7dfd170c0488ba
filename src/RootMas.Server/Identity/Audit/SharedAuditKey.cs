using System.Security.Cryptography;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Audit;

/// <summary>The key of the chain where instances share their keys: a row of the database itself, sealed with the master key. For commands and copies, which start no server.</summary>
internal static class SharedAuditKey
{
    private const string IsThere = "SELECT 1 FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'shared_keys'";

    private const string Row = "SELECT sealed FROM shared_keys WHERE name = @name AND sealed IS NOT NULL";

    /// <summary>Null: there is no such row, or none of these keys opens it.</summary>
    public static Task<AuditKey?> FindAsync(IDatabase database, IReadOnlyCollection<byte[]> masters, CancellationToken cancellationToken) => database.ReadAsync(
        async session =>
        {
            if (session.Kind == DatabaseKind.Sqlite || !await session.Prepared(IsThere).AnyAsync()
                || await session.Prepared(Row).Set("name", AuditKey.FileName).FirstOrDefaultAsync(static r => r.Bytes(0)) is not { } value)
            {
                return null;
            }

            return masters.Select(master => Open(master, value)).FirstOrDefault(static key => key is not null);
        },
        cancellationToken);

    private static AuditKey? Open(byte[] master, byte[] value)
    {
        try
        {
            return new AuditKey(KeyRing.Open(KeyRing.BoxOf(master), AuditKey.FileName, value));
        }
        catch (CryptographicException)
        {
            return null; // sealed with another one
        }
    }
}
