using System.Data.Common;
using System.Runtime.CompilerServices;
using Npgsql;
using NpgsqlTypes;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Platform.Data;

/// <summary>Sets <c>@name</c> of a prepared command. Every parameter must be set before each run; one that was forgotten throws.</summary>
public static class DbParameters
{
    /// <summary>Null becomes NULL.</summary>
    public static DbCommand Set(this DbCommand command, string name, string? value)
    {
        if (command is not SqliteStatement statement)
        {
            return command.SetValue(name, value is null ? null : Storable(value), ValueKind.Text);
        }

        if (value is null)
        {
            statement.BindNull(name);
        }
        else
        {
            statement.Bind(name, value);
        }

        return command;
    }

    public static DbCommand Set(this DbCommand command, string name, long value)
    {
        if (command is not SqliteStatement statement)
        {
            return command.SetValue(name, value, ValueKind.Integer);
        }

        statement.Bind(name, value);
        return command;
    }

    public static DbCommand Set(this DbCommand command, string name, long? value)
    {
        if (value is { } number)
        {
            return command.Set(name, number);
        }

        if (command is not SqliteStatement statement)
        {
            return command.SetValue(name, null, ValueKind.Integer);
        }

        statement.BindNull(name);
        return command;
    }

    public static DbCommand Set(this DbCommand command, string name, double value)
    {
        if (command is not SqliteStatement statement)
        {
            return command.SetValue(name, value, ValueKind.Real);
        }

        statement.Bind(name, value);
        return command;
    }

    public static DbCommand Set(this DbCommand command, string name, bool value) => command.Set(name, value ? 1L : 0L);

    /// <summary>As UTC microseconds.</summary>
    public static DbCommand Set(this DbCommand command, string name, DateTimeOffset value) => command.Set(name, UnixTime.ToMicros(value));

    /// <inheritdoc cref="Set(DbCommand, string, DateTimeOffset)"/>
    public static DbCommand Set(this DbCommand command, string name, DateTimeOffset? value) => command.Set(name, value is { } time ? UnixTime.ToMicros(time) : (long?)null);

    /// <summary>As micro-dollars.</summary>
    public static DbCommand Set(this DbCommand command, string name, Money value) => command.Set(name, value.MicroUsd);

    /// <summary>As a BLOB.</summary>
    public static DbCommand Set(this DbCommand command, string name, byte[]? value)
    {
        if (command is not SqliteStatement statement)
        {
            return command.SetValue(name, value, ValueKind.Blob);
        }

        if (value is null)
        {
            statement.BindNull(name);
        }
        else
        {
            statement.Bind(name, value.AsSpan());
        }

        return command;
    }

    /// <summary>
    /// The type is always said, for NULL too: PostgreSQL prepares a statement for the types of its parameters. Never inlined: whoever compiles <c>Set</c> for SQLite, which is hot, would load PostgreSQL's client with it.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static DbCommand SetValue(this DbCommand command, string name, object? value, ValueKind kind)
    {
        if (command is NpgsqlCommand postgres)
        {
            postgres.Parameters.Add(new NpgsqlParameter(name, TypeOf(kind)) { Value = value ?? DBNull.Value });
            return command;
        }

        var parameter = command.CreateParameter();
        parameter.ParameterName = "@" + name;
        parameter.Value = value ?? DBNull.Value;
        command.Parameters.Add(parameter);
        return command;
    }

    private static NpgsqlDbType TypeOf(ValueKind kind) => kind switch
    {
        ValueKind.Text => NpgsqlDbType.Text,
        ValueKind.Integer => NpgsqlDbType.Bigint,
        ValueKind.Real => NpgsqlDbType.Double,
        _ => NpgsqlDbType.Bytea,
    };

    /// <summary>PostgreSQL's text knows no NUL, and UTF-8 no half of a pair: both become the replacement character there, instead of an error in the middle of a run.</summary>
    private static string Storable(string text)
    {
        if (!text.Contains('\0', StringComparison.Ordinal) && text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0)
        {
            return text;
        }

        return System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text.Replace('\0', '\uFFFD')));
    }

    private enum ValueKind
    {
        Text,
        Integer,
        Real,
        Blob,
    }
}
