using System.Data.Common;
using System.Runtime.ExceptionServices;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>Statements that wait to be sent together, and who reads the rows of those that return some.</summary>
internal sealed class PostgresSends
{
    private readonly List<(NpgsqlCommand Command, Action<DbDataReader>? Row)> waiting = [];

    public bool IsEmpty => waiting.Count == 0;

    public void Add(NpgsqlCommand command, Action<DbDataReader>? row = null) => waiting.Add((command, row));

    /// <summary>All of them in one round trip, in order. One that fails stops all behind it, <paramref name="last"/> too.</summary>
    /// <param name="transaction">Null: the round trip is a transaction by itself.</param>
    /// <param name="last">A statement after them; null: none.</param>
    public async Task RunAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string? last = null)
    {
        await using var batch = new NpgsqlBatch(connection, transaction);
        var isRead = false;
        foreach (var (command, row) in waiting)
        {
            batch.BatchCommands.Add(PostgresText.Of(command));
            isRead |= row is not null;
        }

        if (last is not null)
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(last));
        }

        if (!isRead)
        {
            await batch.ExecuteNonQueryAsync();
        }
        else
        {
            await ReadAsync(batch);
        }

        waiting.Clear();
    }

    private async Task ReadAsync(NpgsqlBatch batch)
    {
        await using var reader = await batch.ExecuteReaderAsync(); // statements without rows are passed over by it
        foreach (var (_, row) in waiting)
        {
            if (row is null)
            {
                continue;
            }

            while (await reader.ReadAsync())
            {
                row(reader);
            }

            await reader.NextResultAsync();
        }
    }
}

/// <summary>What a delegate of <see cref="IDatabase.WriteSentAsync"/> sees: statements can be sent, and nothing else.</summary>
internal sealed class PostgresSendSession(PostgresSends sends, DateTimeOffset now) : DbSession
{
    private List<Action>? afterCommit;

    public override DatabaseKind Kind => DatabaseKind.Postgres;

    public override DbConnection Connection => throw new InvalidOperationException("Statements are only sent here, so there is no connection to ask.");

    public override DbTransaction? Transaction => null;

    public override DateTimeOffset Now => now;

    /// <summary>What was asked to run after the commit.</summary>
    public IReadOnlyList<Action> AfterCommits => afterCommit ?? [];

    /// <summary>What a reader of rows threw: its own writer's affair, and none of the commit's, which was on its way by then.</summary>
    public ExceptionDispatchInfo? Unreadable { get; private set; }

    /// <summary>It has no connection: it can be sent, not run.</summary>
    public override DbCommand Prepared(string sql) => new NpgsqlCommand(sql);

    public override ValueTask SendAsync(DbCommand command)
    {
        sends.Add((NpgsqlCommand)command);
        return ValueTask.CompletedTask;
    }

    public override ValueTask SendReadAsync(RowRead read)
    {
        var command = (NpgsqlCommand)Prepared(read.Sql);
        read.Bind(command);
        sends.Add(command, row => Read(read, row));
        return ValueTask.CompletedTask;
    }

    private void Read(RowRead read, DbDataReader row)
    {
        try
        {
            read.Row(row);
        }
#pragma warning disable CA1031 // whatever it is
        catch (Exception exception)
#pragma warning restore CA1031
        {
            Unreadable ??= ExceptionDispatchInfo.Capture(exception);
        }
    }

    public override void AfterCommit(Action action) => (afterCommit ??= []).Add(action);
}
