using System.Data.Common;
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
            return command.SetValue(name, value);
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
            return command.SetValue(name, value);
        }

        statement.Bind(name, value);
        return command;
    }

    public static DbCommand Set(this DbCommand command, string name, long? value) => value is { } number ? command.Set(name, number) : command.Set(name, (string?)null);

    public static DbCommand Set(this DbCommand command, string name, double value)
    {
        if (command is not SqliteStatement statement)
        {
            return command.SetValue(name, value);
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
            return command.SetValue(name, value);
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

    private static DbCommand SetValue(this DbCommand command, string name, object? value)
    {
        var parameters = command.Parameters;
        for (var i = 0; i < parameters.Count; i++)
        {
            var known = parameters[i];
            if (known.ParameterName.AsSpan(1).SequenceEqual(name))
            {
                known.Value = value ?? DBNull.Value;
                return command;
            }
        }

        var parameter = command.CreateParameter();
        parameter.ParameterName = "@" + name;
        parameter.Value = value ?? DBNull.Value;
        parameters.Add(parameter);
        return command;
    }
}
