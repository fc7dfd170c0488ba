using Microsoft.Data.Sqlite;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Retention;

/// <summary>The file of the embedded database only grows: freed pages are used again, and given back to the disk here.</summary>
internal static class SqliteSpace
{
    /// <returns>The file's size before and after.</returns>
    /// <exception cref="StartupRefusedException">There is no database, somebody works on it, a restore was interrupted, or the disk has no room for the copy that this makes.</exception>
    public static async Task<(long Before, long After)> CompactAsync(DataDirectory data, CancellationToken cancellationToken)
    {
        var file = new FileInfo(data.DatabasePath);
        if (!file.Exists)
        {
            throw new StartupRefusedException($"There is no database at {data.DatabasePath}. Name the data directory with --data.");
        }

        data.Acquire();
        HalfRestored.Refuse(data);
        var before = file.Length;
        if (new DriveInfo(data.Path).AvailableFreeSpace < before * 2)
        {
            throw new StartupRefusedException($"Compacting writes the database anew and needs {before >> 19} MiB free at {data.Path}. Nothing was changed. Free some space first.");
        }

        await using var connection = new SqliteConnection(SqliteConnectionKeeper.ConnectionString(data.DatabasePath, TimeSpan.FromSeconds(30), SqliteOpenMode.ReadWrite));
        await connection.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandTimeout = 0;
        command.CommandText = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
        await command.ExecuteNonQueryAsync(cancellationToken);
        file.Refresh();
        return (before, file.Length);
    }
}
