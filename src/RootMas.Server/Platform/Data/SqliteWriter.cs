using Microsoft.Data.Sqlite;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// The one writer. Takes everything that waits, runs it inside one transaction, and answers all of it after the one sync that the commit costs: the busier it is, the more writes share it.
/// Savepoints, which copy every page that two delegates touch, are taken only when one of a group has failed: then the group is run again with one around each, and the others do not suffer.
/// </summary>
internal sealed partial class SqliteWriter(
    Func<SqliteConnectionKeeper> open, SqliteCheckpoints checkpoints, DatabaseOptions options, TimeProvider time, ILogger logger) : IDisposable
{
    private readonly List<DatabaseWork> alone = new(1);
    private SqliteConnectionKeeper? connection;

    /// <summary>The thread's loop; ends when the queue is closed and drained.</summary>
    public void Run(WorkQueue<DatabaseWork> queue)
    {
        var group = new List<DatabaseWork>(options.GroupSize);
        while (queue.Take(group, options.GroupSize) > 0)
        {
            group.RemoveAll(static work => !work.TryStart());
            if (group.Count > 0)
            {
                Save(group);
            }

            if (group.Count > 1)
            {
                Thread.Yield(); // there is a crowd: those who are about to write get to it first, so that more of them share the next sync
            }

            group.Clear();
        }
    }

    /// <summary>Opens the connection now, so that a start fails and not the first write.</summary>
    public void Open() => connection ??= open();

    public void Dispose() => connection?.Dispose();

    private void Save(List<DatabaseWork> group)
    {
        var began = time.GetTimestamp();
        try
        {
            Commit(group);
        }
#pragma warning disable CA1031 // the thread must live on, and every caller must hear
        catch (Exception exception)
#pragma warning restore CA1031
        {
            LogWriterFailed(logger, exception);
            FailAll(group, exception);
            Reopen();
        }

        DatabaseMetrics.Commits.Record(time.GetElapsedTime(began).TotalSeconds);
        DatabaseMetrics.GroupSizes.Record(group.Count);
    }

    /// <summary>Why the last commit failed; null: it did not.</summary>
    public string? LastFailure { get; private set; }

    private void Commit(List<DatabaseWork> group)
    {
        Exception? failure = null;
        DatabaseWork? culprit = null;
        try
        {
            connection ??= open();
            connection.BeginWrite();
            culprit = Attempt(connection, group);
            if (culprit is null)
            {
                connection.Commit();
            }
        }
        catch (SqliteException exception)
        {
            failure = exception;
        }

        if (failure is null && culprit is null)
        {
            LastFailure = null;
            Publish(group);
            checkpoints.Wrote(connection!);
            return;
        }

        Recover(group, culprit, failure);
    }

    /// <summary>False: one of them failed, and what it had written until then is still in the transaction.</summary>
    private static bool TryTogether(SqliteConnectionKeeper keeper, List<DatabaseWork> group, DateTimeOffset now)
    {
        foreach (var work in group)
        {
            work.Attempt(new SqliteSession(keeper, now, writes: true));
            now = After(now);
            if (work.Error is not null || !keeper.InTransaction)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Runs all of them. Not null: the one whose failure ended the whole transaction.</summary>
    private DatabaseWork? Attempt(SqliteConnectionKeeper keeper, List<DatabaseWork> group)
    {
        var now = UnixTime.Truncate(time.GetUtcNow());
        if (group.Count == 1)
        {
            // Alone it owns the transaction: no savepoint needed.
            group[0].Attempt(new SqliteSession(keeper, now, writes: true));
            return group[0].Error is null && keeper.InTransaction ? null : group[0];
        }

        if (TryTogether(keeper, group, now))
        {
            return null;
        }

        keeper.Rollback();
        keeper.BeginWrite();
        foreach (var work in group)
        {
            keeper.Savepoint();
            work.Attempt(new SqliteSession(keeper, now, writes: true));
            now = After(now);
            if (!keeper.InTransaction)
            {
                return work; // disk full and the like: SQLite rolled everything back
            }

            if (work.Error is null)
            {
                keeper.ReleaseSavepoint();
            }
            else
            {
                keeper.RollbackToSavepoint();
            }
        }

        return null;
    }

    /// <summary>What is written first is the older one, also in one commit.</summary>
    private static DateTimeOffset After(DateTimeOffset now) => now.AddMicroseconds(1);

    /// <summary>Nothing of the group was kept. The culprit hears why; the others, if there is hope for them, are saved one by one.</summary>
    private void Recover(List<DatabaseWork> group, DatabaseWork? culprit, Exception? failure)
    {
        var usable = connection?.TryRollback() ?? false;
        if (!usable || SqliteErrors.NeedsNewConnection(failure ?? culprit?.Error))
        {
            Reopen();
        }

        if (group.Count == 1)
        {
            var error = failure ?? culprit?.Error ?? new InvalidOperationException("A database delegate ended the transaction that it was given. Transactions belong to the database.");
            Report(error);
            group[0].Fail(SqliteErrors.Translate(error));
            return;
        }

        if (culprit is null && !SqliteErrors.MayFitAlone(failure!))
        {
            Report(failure!);
            FailAll(group, SqliteErrors.Translate(failure!));
            return;
        }

        foreach (var work in group)
        {
            alone.Clear();
            alone.Add(work);
            Commit(alone);
        }
    }

    private void Publish(List<DatabaseWork> group)
    {
        foreach (var work in group)
        {
            work.RunActions(exception => LogActionFailed(logger, exception));
        }

        if (group.Count == 1)
        {
            group[0].Answer();
            return;
        }

        // All of them by one item: each one for itself would wake a thread of the pool, again and again.
        ThreadPool.UnsafeQueueUserWorkItem(
            static answered =>
            {
                foreach (var work in answered)
                {
                    work.Answer();
                }
            },
            group.ToArray(),
            preferLocal: false);
    }

    private static void FailAll(List<DatabaseWork> group, Exception exception)
    {
        foreach (var work in group)
        {
            work.Fail(exception);
        }
    }

    private void Reopen()
    {
        connection?.Dispose();
        connection = null; // opened by the next write, so that an outage costs each caller one attempt
    }

    private void Report(Exception error)
    {
        if (error is SqliteException sqlite && SqliteErrors.IsOutage(sqlite))
        {
            LastFailure = SqliteErrors.ClassOf(sqlite);
            LogOutage(logger, sqlite.SqliteErrorCode, sqlite.SqliteExtendedErrorCode, sqlite);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The database could not save: SQLite error {Code}/{Extended}")]
    private static partial void LogOutage(ILogger logger, int code, int extended, Exception exception);

    [LoggerMessage(Level = LogLevel.Critical, Message = "The database writer failed unexpectedly; its callers were told, it goes on with a new connection")]
    private static partial void LogWriterFailed(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "An action after a commit failed; the commit itself is durable")]
    private static partial void LogActionFailed(ILogger logger, Exception exception);
}
