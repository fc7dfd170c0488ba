using System.Collections;
using System.Data.Common;
using System.Globalization;
using System.Text;
using SQLitePCL;

namespace RootMas.Server.Platform.Data;

/// <summary>The rows of one run of a <see cref="SqliteStatement"/>, forward only. One object for all its runs.</summary>
internal sealed class SqliteRows(SqliteStatement owner, sqlite3_stmt statement) : DbDataReader
{
    private bool open;
    private bool onRow;

    public override int Depth => 0;

    public override int FieldCount => raw.sqlite3_column_count(statement);

    public override bool HasRows => throw new NotSupportedException("Read tells.");

    public override bool IsClosed => !open;

    public override int RecordsAffected => owner.Changes;

    public override object this[int ordinal] => GetValue(ordinal);

    public override object this[string name] => GetValue(GetOrdinal(name));

    public void Open()
    {
        if (open)
        {
            throw new InvalidOperationException("The statement's rows are still being read.");
        }

        (open, onRow) = (true, false);
    }

    public override bool Read() => onRow = owner.Step();

    public override bool NextResult() => false;

    public override void Close()
    {
        if (open)
        {
            (open, onRow) = (false, false);
            owner.Reset();
        }
    }

    public override bool IsDBNull(int ordinal) => TypeOf(ordinal) == raw.SQLITE_NULL;

    public override long GetInt64(int ordinal) => Present(ordinal) == raw.SQLITE_INTEGER
        ? raw.sqlite3_column_int64(statement, ordinal)
        : throw new InvalidCastException($"Column {GetName(ordinal)} is no integer.");

    public override int GetInt32(int ordinal) => checked((int)GetInt64(ordinal));

    public override short GetInt16(int ordinal) => checked((short)GetInt64(ordinal));

    public override byte GetByte(int ordinal) => checked((byte)GetInt64(ordinal));

    public override bool GetBoolean(int ordinal) => GetInt64(ordinal) != 0;

    public override double GetDouble(int ordinal)
    {
        Present(ordinal);
        return raw.sqlite3_column_double(statement, ordinal);
    }

    public override float GetFloat(int ordinal) => (float)GetDouble(ordinal);

    public override decimal GetDecimal(int ordinal) => decimal.Parse(GetString(ordinal), NumberStyles.Number | NumberStyles.AllowExponent, CultureInfo.InvariantCulture);

    public override string GetString(int ordinal)
    {
        Present(ordinal);
        return Encoding.UTF8.GetString(raw.sqlite3_column_blob(statement, ordinal)); // the bytes as they are: a NUL ends nothing
    }

    public override T GetFieldValue<T>(int ordinal) =>
        typeof(T) == typeof(byte[]) ? (T)(object)Blob(ordinal).ToArray() : base.GetFieldValue<T>(ordinal);

    public override object GetValue(int ordinal)
    {
        var type = TypeOf(ordinal);
        return type == raw.SQLITE_INTEGER ? GetInt64(ordinal)
            : type == raw.SQLITE_FLOAT ? GetDouble(ordinal)
            : type == raw.SQLITE_TEXT ? GetString(ordinal)
            : type == raw.SQLITE_BLOB ? Blob(ordinal).ToArray()
            : DBNull.Value;
    }

    public override int GetValues(object[] values)
    {
        var count = Math.Min(values.Length, FieldCount);
        for (var i = 0; i < count; i++)
        {
            values[i] = GetValue(i);
        }

        return count;
    }

    public override string GetName(int ordinal) => raw.sqlite3_column_name(statement, ordinal).utf8_to_string();

    public override int GetOrdinal(string name)
    {
        for (var i = 0; i < FieldCount; i++)
        {
            if (string.Equals(GetName(i), name, StringComparison.OrdinalIgnoreCase))
            {
                return i;
            }
        }

        throw new ArgumentOutOfRangeException(nameof(name), name, "The rows have no such column.");
    }

    public override Type GetFieldType(int ordinal) => GetValue(ordinal).GetType();

    public override string GetDataTypeName(int ordinal) => raw.sqlite3_column_decltype(statement, ordinal).utf8_to_string() ?? "";

    public override Guid GetGuid(int ordinal) => Guid.Parse(GetString(ordinal), CultureInfo.InvariantCulture);

    public override DateTime GetDateTime(int ordinal) => throw new NotSupportedException("Times are stored as microseconds: use Time.");

    public override char GetChar(int ordinal) => throw new NotSupportedException("Characters are not stored: use GetString.");

    public override long GetBytes(int ordinal, long dataOffset, byte[]? buffer, int bufferOffset, int length)
    {
        var blob = Blob(ordinal);
        return buffer is null ? blob.Length : Copy(blob[(int)dataOffset..], buffer.AsSpan(bufferOffset, length));
    }

    public override long GetChars(int ordinal, long dataOffset, char[]? buffer, int bufferOffset, int length)
    {
        var text = GetString(ordinal);
        return buffer is null ? text.Length : Copy(text.AsSpan((int)dataOffset), buffer.AsSpan(bufferOffset, length));
    }

    public override IEnumerator GetEnumerator() => new DbEnumerator(this, closeReader: false);

    private static int Copy<T>(ReadOnlySpan<T> from, Span<T> to)
    {
        var count = Math.Min(from.Length, to.Length);
        from[..count].CopyTo(to);
        return count;
    }

    private ReadOnlySpan<byte> Blob(int ordinal)
    {
        Present(ordinal);
        return raw.sqlite3_column_blob(statement, ordinal);
    }

    private int TypeOf(int ordinal) => onRow ? raw.sqlite3_column_type(statement, ordinal) : throw new InvalidOperationException("There is no row here.");

    private int Present(int ordinal) => TypeOf(ordinal) is var type && type != raw.SQLITE_NULL ? type : throw new InvalidOperationException($"Column {GetName(ordinal)} is NULL.");
}
