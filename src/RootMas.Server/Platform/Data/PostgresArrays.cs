using System.Data.Common;
using Npgsql;
using NpgsqlTypes;

namespace RootMas.Server.Platform.Data;

/// <summary>Sets <c>@name</c> to an array, which only PostgreSQL knows.</summary>
internal static class PostgresArrays
{
    public static DbCommand SetArray(this DbCommand command, string name, string[] values) => Set(command, name, values, NpgsqlDbType.Text);

    public static DbCommand SetArray(this DbCommand command, string name, long[] values) => Set(command, name, values, NpgsqlDbType.Bigint);

    /// <param name="values">BLOBs; null becomes NULL.</param>
    public static DbCommand SetArray(this DbCommand command, string name, byte[]?[] values) => Set(command, name, values, NpgsqlDbType.Bytea);

    private static NpgsqlCommand Set<T>(DbCommand command, string name, T values, NpgsqlDbType type)
    {
        var postgres = (NpgsqlCommand)command;
        postgres.Parameters.Add(new NpgsqlParameter<T>(name, NpgsqlDbType.Array | type) { TypedValue = values });
        return postgres;
    }
}
