using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Platform.Data;

/// <summary>Tells installations apart that share a bucket, a folder or a broker: 16 hex digits, made of the moment at which the database was made, to the microsecond. It stays through upgrades and restores in the same place; a backup that is restored in another place becomes an installation of its own, unless whoever does it says that it is the same (decision 47).</summary>
public static class InstallationId
{
    /// <summary>The moment, of a database that has a schema.</summary>
    public const string MadeAt = "SELECT applied_at FROM schema_migrations ORDER BY number LIMIT 1";

    private const int Length = 16;

    public static string Of(DateTimeOffset made) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(made.UtcTicks.ToString(CultureInfo.InvariantCulture))))[..Length];

    /// <summary>Whether it may be one: what others send is not believed.</summary>
    public static bool Is(string? text) => text is { Length: Length } && text.All(char.IsAsciiHexDigitLower);

    /// <exception cref="StorageUnavailableException">The database does not answer.</exception>
    public static Task<string> ReadAsync(IDatabase database, CancellationToken cancellationToken) => database.LookAsync(
        static async session => Of(UnixTime.FromMicros(await session.Prepared(MadeAt).Int64Async() ?? 0)), cancellationToken);
}
