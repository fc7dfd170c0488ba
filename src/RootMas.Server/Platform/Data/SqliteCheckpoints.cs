using Microsoft.Data.Sqlite;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// Moves the write-ahead log into the database file, beside the writer: on its own thread and connection, in passive mode, which waits for nobody.
/// Under a steady stream of writes that alone never finds the log's end, so the log would grow for ever; past <see cref="LongLog"/> pages the writer itself moves the small rest
/// between two groups, and the next write starts the log anew in place (no growing file, cheaper syncs).
/// </summary>
internal sealed partial class SqliteCheckpoints(Func<SqliteConnectionKeeper> open, ILogger logger)
{
    /// <summary>Log pages (4 KiB each) after which a checkpoint is worth its two syncs.</summary>
    private const int EveryPages = 1_024;

    /// <summary>Log pages after which the writer helps.</summary>
    private const int LongLog = 8_192;

    private readonly object gate = new();
    private int pages;
    private bool wanted;
    private bool closed;
    private volatile bool writerHelps;

    /// <summary>Called by the writer after each commit.</summary>
    public void Wrote(SqliteConnectionKeeper writer)
    {
        pages += writer.TakePagesWritten();
        if (writerHelps)
        {
            writerHelps = false;
            TryCheckpoint(writer);
        }

        if (pages >= EveryPages)
        {
            pages = 0;
            lock (gate)
            {
                wanted = true;
                Monitor.Pulse(gate);
            }
        }
    }

    /// <summary>The thread's loop.</summary>
    public void Run()
    {
        SqliteConnectionKeeper? connection = null;
        while (WaitForWork())
        {
            connection ??= TryOpen();
            writerHelps = connection is not null && TryCheckpoint(connection) > LongLog;
        }

        connection?.Dispose();
    }

    public void Close()
    {
        lock (gate)
        {
            closed = true;
            Monitor.Pulse(gate);
        }
    }

    private bool WaitForWork()
    {
        lock (gate)
        {
            while (!wanted && !closed)
            {
                Monitor.Wait(gate);
            }

            wanted = false;
            return !closed;
        }
    }

    private SqliteConnectionKeeper? TryOpen()
    {
        try
        {
            return open();
        }
        catch (SqliteException exception)
        {
            LogFailed(logger, exception.SqliteErrorCode, exception);
            return null;
        }
    }

    /// <summary>A failure loses nothing: the log keeps what could not be moved, and the next round tries again.</summary>
    /// <returns>Pages in the log.</returns>
    private long TryCheckpoint(SqliteConnectionKeeper keeper)
    {
        try
        {
            using var reader = keeper.Prepared("PRAGMA wal_checkpoint(PASSIVE)").ExecuteReader();
            DatabaseMetrics.Checkpoints.Add(1);
            return reader.Read() ? reader.GetInt64(1) : 0;
        }
        catch (SqliteException exception)
        {
            LogFailed(logger, exception.SqliteErrorCode, exception);
            return 0;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A checkpoint of the database failed (SQLite error {Code}); it is tried again")]
    private static partial void LogFailed(ILogger logger, int code, Exception exception);
}
