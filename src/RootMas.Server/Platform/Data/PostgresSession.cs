using System.Data.Common;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>A delegate's view of a pooled connection, closed when the delegate returns. Statements are prepared by the driver, per connection, from their second use on.</summary>
internal sealed class PostgresSession(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now, bool writes) : DbSession
{
    private List<Action>? afterCommit;
    private readonly PostgresSends sends = new();
    private bool closed;

    public override DatabaseKind Kind => DatabaseKind.Postgres;

    public override DbConnection Connection
    {
        get
        {
            ThrowIfClosed();
            return connection;
        }
    }

    public override DbTransaction? Transaction => transaction;

    public override DateTimeOffset Now => now;

    public override DbCommand Prepared(string sql)
    {
        ThrowIfClosed();
        return new NpgsqlCommand(sql, connection, transaction);
    }

    public override ValueTask SendAsync(DbCommand command)
    {
        ThrowIfClosed();
        sends.Add((NpgsqlCommand)command);
        return ValueTask.CompletedTask;
    }

    public override ValueTask SendReadAsync(RowRead read)
    {
        sends.Add(Bound(read), read.Row);
        return ValueTask.CompletedTask;
    }

    public override async ValueTask ReadAllAsync(params IReadOnlyList<RowRead> reads)
    {
        ThrowIfClosed();
        var all = new PostgresSends();
        foreach (var read in reads)
        {
            all.Add(Bound(read), read.Row);
        }

        await all.RunAsync(connection, transaction);
    }

    public override async ValueTask FlushAsync()
    {
        if (!sends.IsEmpty)
        {
            await sends.RunAsync(connection, transaction);
        }
    }

    /// <summary>Something was sent that the server has not been given yet.</summary>
    public bool HasUnsent => !sends.IsEmpty;

    /// <summary>What was sent and the commit in one round trip. A statement that fails stops all behind it, the commit too.</summary>
    public Task CommitAsync() => sends.RunAsync(connection, transaction, "COMMIT");

    private NpgsqlCommand Bound(RowRead read)
    {
        var command = (NpgsqlCommand)Prepared(read.Sql);
        read.Bind(command);
        return command;
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

    /// <summary>What was asked to run after the commit.</summary>
    public IReadOnlyList<Action> AfterCommits => afterCommit ?? [];

    private void ThrowIfClosed()
    {
        if (closed)
        {
            throw new InvalidOperationException("A database session was used after its delegate had returned.");
        }
    }
}
