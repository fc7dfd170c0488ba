using System.Data.Common;
using System.Runtime.CompilerServices;
using Dapper;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>Work on a session: prepared commands for hot paths (<c>session.Prepared(sql).Set("id", id).RunAsync()</c>), Dapper for the rest.</summary>
public static class DbSessionExtensions
{
    /// <summary>A write without a result.</summary>
    public static Task WriteAsync(this IDatabase database, Func<DbSession, ValueTask> work, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session =>
            {
                await work(session);
                return true;
            },
            cancellationToken);

    /// <summary>As <see cref="DbSession.Prepared"/>, in the language of the session's database.</summary>
    public static DbCommand Prepared(this DbSession session, SqlText sql) => session.Prepared(sql.For(session.Kind));

    /// <summary>Holds the row that <paramref name="select"/> finds by <c>@id</c> until the transaction ends. False: it is not there. SQLite's one writer holds everything: true, without asking.</summary>
    public static ValueTask<bool> HoldAsync(this DbSession session, SqlText select, string id) =>
        session.Kind == DatabaseKind.Sqlite ? ValueTask.FromResult(true) : session.Prepared(select.Postgres).Set("id", id).AnyAsync();

    /// <summary>As <see cref="HoldAsync"/>, but sent: from then on it is held, if it is there.</summary>
    public static ValueTask SendHoldAsync(this DbSession session, SqlText select, string id) =>
        session.Kind == DatabaseKind.Sqlite ? ValueTask.CompletedTask : session.SendReadAsync(new(select.Postgres, command => command.Set("id", id), static _ => { }));

    /// <summary>Dapper: rows as <typeparamref name="T"/>; <c>snake_case</c> columns match properties, INTEGER microseconds become DateTimeOffset, micro-dollars Money.</summary>
    public static async ValueTask<IReadOnlyList<T>> QueryAsync<T>(this DbSession session, string sql, object? args = null)
    {
        DapperSetup.Ensure();
        return (await session.Connection.QueryAsync<T>(sql, args, session.Transaction)).AsList();
    }

    /// <summary>Dapper: the first row, or default.</summary>
    public static async ValueTask<T?> QueryFirstOrDefaultAsync<T>(this DbSession session, string sql, object? args = null)
    {
        DapperSetup.Ensure();
        return await session.Connection.QueryFirstOrDefaultAsync<T>(sql, args, session.Transaction);
    }

    /// <summary>Dapper: one value, or default where there is no row.</summary>
    public static async ValueTask<T?> ScalarAsync<T>(this DbSession session, string sql, object? args = null)
    {
        DapperSetup.Ensure();
        return await session.Connection.ExecuteScalarAsync<T>(sql, args, session.Transaction);
    }

    /// <summary>Dapper: the number of rows that changed.</summary>
    public static async ValueTask<int> ExecuteAsync(this DbSession session, string sql, object? args = null)
    {
        DapperSetup.Ensure();
        return await session.Connection.ExecuteAsync(sql, args, session.Transaction);
    }

    /// <summary>Rows changed.</summary>
    public static ValueTask<int> RunAsync(this DbCommand command) =>
        command is SqliteStatement statement ? new ValueTask<int>(statement.ExecuteNonQuery()) : new ValueTask<int>(Numbered(command).ExecuteNonQueryAsync());

    /// <summary>The first row as <paramref name="read"/> makes it (give a static lambda), or default.</summary>
    public static ValueTask<T?> FirstOrDefaultAsync<T>(this DbCommand command, Func<DbDataReader, T> read)
    {
        if (command is not SqliteStatement statement)
        {
            return FirstAsync(command, read);
        }

        using var rows = statement.Rows();
        return new ValueTask<T?>(rows.Read() ? read(rows) : default);
    }

    /// <summary>All rows as <paramref name="read"/> makes them.</summary>
    public static async ValueTask<List<T>> ListAsync<T>(this DbCommand command, Func<DbDataReader, T> read)
    {
        await using var reader = await (command is SqliteStatement ? command : Numbered(command)).ExecuteReaderAsync();
        List<T> rows = [];
        while (await reader.ReadAsync())
        {
            rows.Add(read(reader));
        }

        return rows;
    }

    /// <summary>The first column of the first row; null: no row, or NULL.</summary>
    public static ValueTask<long?> Int64Async(this DbCommand command) => command.FirstOrDefaultAsync(static row => row.Int64OrNull(0));

    /// <inheritdoc cref="Int64Async"/>
    public static ValueTask<string?> StringAsync(this DbCommand command) => command.FirstOrDefaultAsync(static row => row.StringOrNull(0));

    /// <summary>Whether there is a row.</summary>
    public static ValueTask<bool> AnyAsync(this DbCommand command) => command.FirstOrDefaultAsync(static _ => true);

    private static async ValueTask<T?> FirstAsync<T>(DbCommand command, Func<DbDataReader, T> read)
    {
        await using var reader = await Numbered(command).ExecuteReaderAsync();
        return await reader.ReadAsync() ? read(reader) : default;
    }

    /// <summary>Never inlined: on SQLite PostgreSQL's client is not to be loaded.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static DbCommand Numbered(DbCommand command)
    {
        if (command is NpgsqlCommand postgres)
        {
            PostgresText.Number(postgres);
        }

        return command;
    }
}
