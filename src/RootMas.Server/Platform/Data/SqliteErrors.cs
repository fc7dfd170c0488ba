using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RootMas.Server.Platform.Data;

/// <summary>Which of SQLite's errors are outages, and what to tell about them.</summary>
internal static class SqliteErrors
{
    /// <summary>The store could not do it, as opposed to: the statement was wrong or broke a constraint.</summary>
    public static bool IsOutage(SqliteException error) => error.SqliteErrorCode is
        raw.SQLITE_FULL or raw.SQLITE_IOERR or raw.SQLITE_CANTOPEN or raw.SQLITE_NOMEM or raw.SQLITE_BUSY or raw.SQLITE_LOCKED
        or raw.SQLITE_PROTOCOL or raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB;

    /// <summary>The connection may be in a bad state; a new one looks at the files afresh.</summary>
    public static bool NeedsNewConnection(Exception? error) => error is SqliteException
    {
        SqliteErrorCode: raw.SQLITE_IOERR or raw.SQLITE_CANTOPEN or raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB or raw.SQLITE_MISUSE,
    };

    /// <summary>One write of the group may be what the store could not take (too large for the rest of the disk, a constraint checked at commit): the others deserve a try of their own.</summary>
    public static bool MayFitAlone(Exception error) => error is SqliteException sqlite && (sqlite.SqliteErrorCode == raw.SQLITE_FULL || !IsOutage(sqlite));

    /// <summary>What kind of failure it was, in a word that may be shown.</summary>
    public static string ClassOf(SqliteException error) => error.SqliteErrorCode switch
    {
        raw.SQLITE_FULL => "disk_full",
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => "locked",
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => "damaged",
        _ => "io_error",
    };

    /// <summary>Outages get a message that says what to do; everything else stays as it is.</summary>
    public static Exception Translate(Exception error) =>
        error is SqliteException sqlite && IsOutage(sqlite) ? new StorageUnavailableException(Advice(sqlite), sqlite) : error;

    private static string Advice(SqliteException error) => error.SqliteErrorCode switch
    {
        raw.SQLITE_FULL => "The disk with the data directory is full. Nothing of this was saved; everything earlier is intact. Free some space: saving goes on by itself.",
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => "Another program holds the database's lock. Nothing of this was saved. Close that program (a database browser?): saving goes on by itself.",
        raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => "The database file is damaged. Nothing of this was saved. Stop the server, keep a copy of the data directory and restore a backup.",
        raw.SQLITE_NOMEM => "There was no memory left for the database. Nothing of this was saved; it is tried anew with the next call.",
        _ => $"The database file could not be read or written (SQLite error {error.SqliteErrorCode}/{error.SqliteExtendedErrorCode}). Nothing of this was saved. Check the disk and the rights of the data directory; it is tried anew with the next call.",
    };
}
