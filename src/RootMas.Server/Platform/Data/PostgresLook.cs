using System.Data.Common;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>A connection for one statement that only looks, without a transaction around it. Whatever needs more asks for it: a second statement would see another moment, and a write would stay.</summary>
internal sealed class PostgresLook(NpgsqlConnection connection, DateTimeOffset now) : DbSession
{
    private bool used;

    public override DatabaseKind Kind => DatabaseKind.Postgres;

    public override DbConnection Connection => throw new InvalidOperationException("A look is one prepared statement: use ReadAsync.");

    public override DbTransaction? Transaction => null;

    public override DateTimeOffset Now => now;

    public override DbCommand Prepared(string sql)
    {
        if (used || !IsLook(sql.AsSpan().TrimStart()))
        {
            throw new InvalidOperationException("A look is one SELECT: use ReadAsync, or WriteAsync.");
        }

        used = true;
        return new NpgsqlCommand(sql, connection);
    }

    public override void AfterCommit(Action action) => throw new InvalidOperationException("A read has no commit, so nothing can run after it.");

    public void Close() => used = true;

    private static bool IsLook(ReadOnlySpan<char> sql) => sql.StartsWith("select", StringComparison.OrdinalIgnoreCase) || sql.StartsWith("with recursive", StringComparison.OrdinalIgnoreCase);
}
