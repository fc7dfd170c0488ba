using System.Data.Common;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>A delegate's view of a pooled connection, closed when the delegate returns. Statements are prepared by the driver, per connection, from their second use on.</summary>
internal sealed class PostgresSession(NpgsqlConnection connection, NpgsqlTransaction transaction, DateTimeOffset now, bool writes) : DbSession
{
    private List<Action>? afterCommit;
    private List<NpgsqlCommand>? sent;
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
        (sent ??= []).Add((NpgsqlCommand)command);
        return ValueTask.CompletedTask;
    }

    public override async ValueTask ReadAllAsync(params IReadOnlyList<RowRead> reads)
    {
        ThrowIfClosed();
        await using var batch = BatchOf([.. reads.Select(Bound)]);
        await using var reader = await batch.ExecuteReaderAsync();
        foreach (var (_, _, row) in reads)
        {
            while (await reader.ReadAsync())
            {
                row(reader);
            }

            await reader.NextResultAsync();
        }
    }

    public override async ValueTask FlushAsync()
    {
        if (sent is { Count: > 0 } commands)
        {
            sent = null;
            await using var batch = BatchOf(commands);
            await batch.ExecuteNonQueryAsync();
        }
    }

    /// <summary>Something was sent that the server has not been given yet.</summary>
    public bool HasUnsent => sent is { Count: > 0 };

    /// <summary>What was sent and the commit in one round trip. A statement that fails stops all behind it, the commit too.</summary>
    public async Task CommitAsync()
    {
        await using var batch = BatchOf(sent ?? []);
        sent = null;
        batch.BatchCommands.Add(new NpgsqlBatchCommand("COMMIT"));
        await batch.ExecuteNonQueryAsync();
    }

    private NpgsqlCommand Bound(RowRead read)
    {
        var command = (NpgsqlCommand)Prepared(read.Sql);
        read.Bind(command);
        return command;
    }

    private NpgsqlBatch BatchOf(List<NpgsqlCommand> commands)
    {
        var batch = new NpgsqlBatch(connection, transaction);
        foreach (var command in commands)
        {
            var (one, parameters) = (new NpgsqlBatchCommand(command.CommandText), command.Parameters.ToArray());
            command.Parameters.Clear(); // a parameter is in one collection at a time
            one.Parameters.AddRange(parameters);
            batch.BatchCommands.Add(one);
        }

        return batch;
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

    public void RunAfterCommit(Action<Exception> onFailed)
    {
        foreach (var action in afterCommit ?? [])
        {
            try
            {
                action();
            }
#pragma warning disable CA1031 // the write is durable, so its caller must hear of success
            catch (Exception exception)
#pragma warning restore CA1031
            {
                onFailed(exception);
            }
        }
    }

    private void ThrowIfClosed()
    {
        if (closed)
        {
            throw new InvalidOperationException("A database session was used after its delegate had returned.");
        }
    }
}
