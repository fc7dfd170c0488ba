namespace RootMas.Server.Platform.Data;

/// <summary>One reading thread: a read-only connection, each delegate in a transaction of its own, which is its snapshot.</summary>
internal sealed class SqliteReader(Func<SqliteConnectionKeeper> open, TimeProvider time) : IDisposable
{
    private SqliteConnectionKeeper? connection;

    public void Run(WorkQueue<DatabaseWork> queue)
    {
        var next = new List<DatabaseWork>(1);
        while (queue.Take(next, 1) > 0)
        {
            if (next[0].TryStart())
            {
                Read(next[0]);
            }

            next.Clear();
        }
    }

    public void Dispose() => connection?.Dispose();

    private void Read(DatabaseWork work)
    {
        Exception? failure;
        try
        {
            connection ??= open();
            connection.BeginRead();
            work.Attempt(new SqliteSession(connection, UnixTime.Truncate(time.GetUtcNow()), writes: false));
            failure = work.Error;
            if (connection.InTransaction)
            {
                connection.Commit();
            }
        }
#pragma warning disable CA1031 // the thread must live on; the caller gets it
        catch (Exception exception)
#pragma warning restore CA1031
        {
            failure = exception;
        }

        if (failure is null)
        {
            work.Answer(); // a read has no actions
            return;
        }

        if (connection is not null && (!connection.TryRollback() || SqliteErrors.NeedsNewConnection(failure)))
        {
            connection.Dispose();
            connection = null;
        }

        work.Fail(SqliteErrors.Translate(failure));
    }
}
