using Microsoft.Data.Sqlite;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// The database cannot do this now (disk full, I/O error, locked from outside); nothing of it was kept. It is tried anew with every call, so it recovers by itself.
/// Over HTTP: 503 with <c>Retry-After</c>. The message may be shown to the operator, not to a client.
/// </summary>
public sealed class StorageUnavailableException(string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>There is no room left: somebody has to make some, where other outages end by themselves.</summary>
    internal bool IsOfFullDisk => InnerException switch
    {
        null => false,
        StorageUnavailableException inner => inner.IsOfFullDisk,
        SqliteException error => SqliteErrors.ClassOf(error) == PostgresErrors.DiskFull,
        { } error => PostgresErrors.ClassOf(error) == PostgresErrors.DiskFull,
    };
}
