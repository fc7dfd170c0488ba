using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Platform.Data;

/// <summary>Tells installations apart that share a bucket, a folder or a broker: 16 hex digits, made of the moment at which the database was made, to the microsecond. They stay through upgrades, restores and new machines.</summary>
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
