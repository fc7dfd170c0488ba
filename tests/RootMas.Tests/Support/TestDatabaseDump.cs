using System.Data.Common;
using System.Text;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace RootMas.Tests.Support;

/// <summary>All that stands in a table, as text, for tests of what must not be there.</summary>
internal static class TestDatabaseDump
{
    public static string Of(string data, string table) => Of(new SqliteConnection($"Data Source={Path.Combine(data, "rootmas.db")};Mode=ReadOnly;Pooling=False"), table);

    /// <summary>Of the server's database, whichever it is.</summary>
    public static string Of(TestApp app, string table)
    {
        using var source = app.Postgres is { } url ? NpgsqlDataSource.Create(PostgresServer.OfUrl(url)) : null;
        return source is null ? Of(app.Data, table) : Of(source.CreateConnection(), table);
    }

    private static string Of(DbConnection made, string table)
    {
        using var connection = made;
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a test's own literal
        command.CommandText = $"select * from {table}";
#pragma warning restore CA2100
        using var rows = command.ExecuteReader();
        var text = new StringBuilder();
        while (rows.Read())
        {
            for (var i = 0; i < rows.FieldCount; i++)
            {
                text.Append(rows.GetValue(i) is byte[] bytes ? Encoding.UTF8.GetString(bytes) : rows.GetValue(i).ToString()).Append('\u001f');
            }
        }

        return text.ToString();
    }
}
