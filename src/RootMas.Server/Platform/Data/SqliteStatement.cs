using System.Buffers;
using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// A prepared statement of SQLite behind ADO.NET's face. Values go straight into the statement: the provider's own command keeps a boxed parameter for each, looks every name up in SQLite
/// at every run and makes a reader each time, which cost more than what SQLite itself does with a row. Belongs to one thread and is run, or read to its end, before its next use.
/// </summary>
internal sealed class SqliteStatement : DbCommand
{
    private const int MostOnStack = 512;
    private readonly SqliteConnection connection;
    private readonly sqlite3_stmt statement;
    private readonly string sql;
    private readonly string[] names;
    private readonly bool[] bound;
    private readonly SqliteRows rows;
    private int next;
    private int unbound;

    public SqliteStatement(SqliteConnection connection, string sql)
    {
        this.connection = connection;
        this.sql = sql;
        SqliteException.ThrowExceptionForRC(raw.sqlite3_prepare_v3(connection.Handle!, sql, raw.SQLITE_PREPARE_PERSISTENT, out statement, out var tail), connection.Handle!);
        if (!string.IsNullOrWhiteSpace(tail))
        {
            statement.Dispose();
            throw new ArgumentException($"One statement at a time; what follows would never run: {tail}", nameof(sql));
        }

        names = new string[raw.sqlite3_bind_parameter_count(statement)];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = raw.sqlite3_bind_parameter_name(statement, i + 1).utf8_to_string()[1..];
        }

        bound = new bool[names.Length];
        rows = new SqliteRows(this, statement);
    }

    [AllowNull]
    public override string CommandText
    {
        get => sql;
        set => throw new NotSupportedException("A prepared statement keeps its text.");
    }

    public override int CommandTimeout { get; set; }

    public override CommandType CommandType { get; set; } = CommandType.Text;

    public override bool DesignTimeVisible { get; set; }

    public override UpdateRowSource UpdatedRowSource { get; set; }

    internal int Changes => raw.sqlite3_changes(connection.Handle!);

    protected override DbConnection? DbConnection
    {
        get => connection;
        set => throw new NotSupportedException("A prepared statement keeps its connection.");
    }

    protected override DbParameterCollection DbParameterCollection => throw new NotSupportedException("Give values with Set.");

    protected override DbTransaction? DbTransaction { get; set; }

    /// <summary>Forgets the last use: every parameter wants a value again.</summary>
    public void Begin()
    {
        raw.sqlite3_reset(statement);
        Array.Clear(bound);
        (next, unbound) = (0, names.Length);
    }

    public void Bind(string name, long value)
    {
        if (IndexOf(name) is var index and > 0)
        {
            Check(raw.sqlite3_bind_int64(statement, index, value));
        }
    }

    public void Bind(string name, double value)
    {
        if (IndexOf(name) is var index and > 0)
        {
            Check(raw.sqlite3_bind_double(statement, index, value));
        }
    }

    public void BindNull(string name)
    {
        if (IndexOf(name) is var index and > 0)
        {
            Check(raw.sqlite3_bind_null(statement, index));
        }
    }

    public void Bind(string name, string value)
    {
        if (IndexOf(name) is not (var index and > 0))
        {
            return;
        }

        if (value.Length == 0)
        {
            Check(raw.sqlite3_bind_text(statement, index, "")); // an empty span would be NULL
            return;
        }

        var most = Encoding.UTF8.GetMaxByteCount(value.Length);
        var rented = most > MostOnStack ? ArrayPool<byte>.Shared.Rent(most) : null;
        var bytes = rented ?? stackalloc byte[MostOnStack];
        Check(raw.sqlite3_bind_text(statement, index, bytes[..Encoding.UTF8.GetBytes(value, bytes)]));
        if (rented is not null)
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    public void Bind(string name, ReadOnlySpan<byte> value)
    {
        if (IndexOf(name) is var index and > 0)
        {
            Check(value.IsEmpty ? raw.sqlite3_bind_zeroblob(statement, index, 0) : raw.sqlite3_bind_blob(statement, index, value));
        }
    }

    public override int ExecuteNonQuery()
    {
        CheckBound();
        try
        {
            while (Step())
            {
                // Rows of RETURNING that nobody asked for.
            }

            return Changes;
        }
        finally
        {
            Reset();
        }
    }

    public override object? ExecuteScalar()
    {
        using var reader = Rows();
        return reader.Read() ? reader.GetValue(0) : null;
    }

    /// <summary>Runs it; the rows must be disposed before the statement's next use.</summary>
    public SqliteRows Rows()
    {
        CheckBound();
        rows.Open();
        return rows;
    }

    public override void Cancel() => throw new NotSupportedException("A statement runs to its end.");

    public override void Prepare()
    {
        // It is.
    }

    internal bool Step()
    {
        var result = raw.sqlite3_step(statement);
        if (result == raw.SQLITE_ROW)
        {
            return true;
        }

        if (result != raw.SQLITE_DONE)
        {
            Check(result);
        }

        return false;
    }

    internal void Reset() => raw.sqlite3_reset(statement);

    protected override DbParameter CreateDbParameter() => throw new NotSupportedException("Give values with Set.");

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) => Rows();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            statement.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>From 1; 0: the statement has no such parameter. Callers set values in the statement's order, so the next one is nearly always it.</summary>
    private int IndexOf(string name)
    {
        var at = next < names.Length && names[next] == name ? next : Array.IndexOf(names, name);
        if (at < 0)
        {
            return 0;
        }

        next = at + 1;
        unbound -= bound[at] ? 0 : 1;
        bound[at] = true;
        return at + 1;
    }

    private void CheckBound()
    {
        if (unbound > 0)
        {
            throw new InvalidOperationException($"Parameters without a value: {string.Join(", ", names.Where((_, i) => !bound[i]))}.");
        }
    }

    private void Check(int result)
    {
        if (result != raw.SQLITE_OK)
        {
            SqliteException.ThrowExceptionForRC(result, connection.Handle!);
        }
    }
}
