using System.Globalization;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RootMas.Server.Platform.Data;

/// <summary>One open connection with its prepared commands and its transaction control. Belongs to one thread.</summary>
internal sealed class SqliteConnectionKeeper : IDisposable
{
    private const int MostCommands = 512;
    private const int PagesWritten = 9; // SQLITE_DBSTATUS_CACHE_WRITE

    private readonly Dictionary<string, SqliteStatement> commands = new(StringComparer.Ordinal);
    private readonly Dictionary<string, sqlite3_stmt> control = new(StringComparer.Ordinal);

    private SqliteConnectionKeeper(SqliteConnection connection) => Connection = connection;

    public SqliteConnection Connection { get; }

    public bool InTransaction => raw.sqlite3_get_autocommit(Connection.Handle!) == 0;

    public static SqliteConnectionKeeper Open(string path, DatabaseOptions options, bool readOnly)
    {
        var connection = new SqliteConnection(ConnectionString(
            path, options.BusyTimeout, readOnly ? SqliteOpenMode.ReadOnly : SqliteOpenMode.ReadWriteCreate, gathersLogWrites: !readOnly));
        try
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = Pragmas(options, readOnly);
            command.ExecuteNonQuery();
            return new SqliteConnectionKeeper(connection);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Without a pool: a connection that was closed holds no file.</summary>
    public static string ConnectionString(string path, TimeSpan busyTimeout, SqliteOpenMode mode, bool gathersLogWrites = false)
    {
        var builder = new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = mode,
            Pooling = false,
            DefaultTimeout = Math.Max(1, (int)busyTimeout.TotalSeconds),
        };
        if (gathersLogWrites)
        {
            builder.Vfs = SqliteLogVfs.Name;
        }

        return builder.ToString();
    }

    /// <summary>A prepared statement whose parameters are unset, so that none is left over from its last use.</summary>
    public SqliteStatement Prepared(string sql)
    {
        if (!commands.TryGetValue(sql, out var command))
        {
            if (commands.Count >= MostCommands)
            {
                DisposeCommands();
            }

            command = new SqliteStatement(Connection, sql);
            commands.Add(sql, command);
        }

        command.Begin();
        return command;
    }

    public void BeginWrite() => Control("BEGIN IMMEDIATE");

    public void BeginRead() => Control("BEGIN");

    public void Commit() => Control("COMMIT");

    public void Savepoint() => Control("SAVEPOINT one");

    public void ReleaseSavepoint() => Control("RELEASE one");

    public void RollbackToSavepoint()
    {
        Control("ROLLBACK TO one");
        Control("RELEASE one");
    }

    /// <summary>SQLite may have rolled back by itself.</summary>
    public void Rollback()
    {
        if (InTransaction)
        {
            Control("ROLLBACK");
        }
    }

    /// <summary>Leaves no transaction open. False: even that failed, and the connection is of no more use.</summary>
    public bool TryRollback()
    {
        try
        {
            Rollback();
            return true;
        }
        catch (SqliteException)
        {
            return !InTransaction;
        }
    }

    /// <summary>Pages written to the log since the last call.</summary>
    public int TakePagesWritten()
    {
        var result = raw.sqlite3_db_status(Connection.Handle!, PagesWritten, out var pages, out _, resetFlg: 1);
        return result == raw.SQLITE_OK ? pages : 0;
    }

    public void Dispose()
    {
        DisposeCommands();
        foreach (var statement in control.Values)
        {
            statement.Dispose();
        }

        control.Clear();
        Connection.Dispose();
    }

    /// <summary>Straight to SQLite: a command object and a reader per BEGIN and COMMIT would cost more than they do.</summary>
    private void Control(string sql)
    {
        var handle = Connection.Handle!;
        if (!control.TryGetValue(sql, out var statement))
        {
            SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v2(handle, sql, out statement), handle);
            control.Add(sql, statement);
        }

        var result = raw.sqlite3_step(statement);
        if (result != raw.SQLITE_DONE)
        {
            try
            {
                SqliteException.ThrowExceptionForRC(result, handle);
            }
            finally
            {
                raw.sqlite3_reset(statement);
            }
        }

        raw.sqlite3_reset(statement);
    }

    private void DisposeCommands()
    {
        foreach (var command in commands.Values)
        {
            command.Dispose();
        }

        commands.Clear();
    }

    private static string Pragmas(DatabaseOptions options, bool readOnly)
    {
        var common = string.Create(
            CultureInfo.InvariantCulture,
            $"""
            PRAGMA busy_timeout = {(int)options.BusyTimeout.TotalMilliseconds};
            PRAGMA foreign_keys = ON;
            PRAGMA temp_store = MEMORY;
            PRAGMA cache_size = -{options.CacheMegabytes * 1024};
            PRAGMA mmap_size = {options.MapMegabytes * 1_048_576L};
            """);

        // Checkpoints have their own thread (SqliteCheckpoints): inside a commit they would add two syncs to somebody's latency.
        return readOnly
            ? common + " PRAGMA query_only = ON;"
            : common + $" PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = {(options.Durability == Durability.Full ? "FULL" : "NORMAL")};";
    }
}
