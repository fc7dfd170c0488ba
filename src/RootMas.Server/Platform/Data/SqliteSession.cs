using System.Data.Common;

namespace RootMas.Server.Platform.Data;

/// <summary>A delegate's view of a connection, closed when the delegate returns.</summary>
internal sealed class SqliteSession(SqliteConnectionKeeper keeper, DateTimeOffset now, bool writes) : DbSession
{
    private List<Action>? afterCommit;
    private bool closed;

    public override DatabaseKind Kind => DatabaseKind.Sqlite;

    public override DbConnection Connection
    {
        get
        {
            ThrowIfClosed();
            return keeper.Connection;
        }
    }

    /// <summary>Null: the transaction is the connection's, begun and ended by the writer; commands need not name it.</summary>
    public override DbTransaction? Transaction => null;

    public override DateTimeOffset Now => now;

    public override DbCommand Prepared(string sql)
    {
        ThrowIfClosed();
        return keeper.Prepared(sql);
    }

    public override void AfterCommit(Action action)
    {
        ThrowIfClosed();
        if (!writes)
        {
            throw new InvalidOperationException("A read has no commit, so nothing can run after it.");
        }

        (afterCommit ??= []).Add(action);
    }

    public void Close() => closed = true;

    public void RunAfterCommit(Action<Exception> onFailed) => RunAll(afterCommit ?? [], onFailed);

    private void ThrowIfClosed()
    {
        if (closed)
        {
            throw new InvalidOperationException("A database session was used after its delegate had returned.");
        }
    }
}
