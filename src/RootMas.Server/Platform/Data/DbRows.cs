using System.Data.Common;
using System.Runtime.CompilerServices;
using Npgsql;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Platform.Data;

/// <summary>Typed columns of a row.</summary>
public static class DbRows
{
    public static string? StringOrNull(this DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);

    public static long? Int64OrNull(this DbDataReader row, int column) => row.IsDBNull(column) ? null : row.GetInt64(column);

    /// <summary>Of a column of 0 and 1, or of a condition, which PostgreSQL answers with its own kind of truth.</summary>
    public static bool Flag(this DbDataReader row, int column) => row is SqliteRows ? row.GetInt64(column) != 0 : FlagOfOther(row, column);

    /// <summary>From UTC microseconds.</summary>
    public static DateTimeOffset Time(this DbDataReader row, int column) => UnixTime.FromMicros(row.GetInt64(column));

    /// <inheritdoc cref="Time"/>
    public static DateTimeOffset? TimeOrNull(this DbDataReader row, int column) => row.IsDBNull(column) ? null : row.Time(column);

    /// <summary>From micro-dollars.</summary>
    public static Money Money(this DbDataReader row, int column) => new(row.GetInt64(column));

    /// <summary>Of a BLOB.</summary>
    public static byte[] Bytes(this DbDataReader row, int column) => row.GetFieldValue<byte[]>(column);

    /// <summary>Apart, so that SQLite's way does not load PostgreSQL's client.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool FlagOfOther(DbDataReader row, int column) => row is NpgsqlDataReader && row.GetFieldType(column) == typeof(bool) ? row.GetBoolean(column) : row.GetInt64(column) != 0;
}
