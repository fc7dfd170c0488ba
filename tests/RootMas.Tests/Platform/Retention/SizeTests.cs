using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;
using Xunit.Abstractions;

namespace RootMas.Tests.Platform.Retention;

public sealed class SizeOnSqliteTests(ITestOutputHelper output) : SizeTests(DatabaseKind.Sqlite, output);

public sealed class SizeOnPostgresTests(ITestOutputHelper output) : SizeTests(DatabaseKind.Postgres, output), IOnPostgres;

/// <summary>
/// A turn takes as much room as docs/data.md says: a question of 60 and an answer of 400 characters, in conversations of ten turns, asked of the built program as a process of its own.
/// The long form asks so many that what grows with the square, or is never freed, would show: the last turns take no more than the first ones.
/// </summary>
public abstract class SizeTests(DatabaseKind kind, ITestOutputHelper output) : OnDatabase(kind)
{
    private static readonly string Question = "What do you think about this, and why would others disagree?"[..60];
    private static readonly string Answer = string.Concat(Enumerable.Repeat("An answer of four hundred characters is. ", 10))[..400];

    [DatabaseFact]
    public async Task A_simple_turn_takes_no_more_than_the_documented_bytes()
    {
        var turns = TestLength.IsLong ? 20_000 : 400;
        var documented = TestDatabase.Kind == DatabaseKind.Postgres ? 16_000 : 10_000;
        await using var sim = await Simulator.StartAsync($"record: counts\ndefault: {{ text: \"{Answer}\" }}");
        var settings = ServerSettings.With(sim) with { Config = Repository.PathOf("config") };
        var (server, database) = TestDatabase.Kind == DatabaseKind.Postgres ? await NewDatabaseAsync() : (null, "");
        await using var program = await ServerProcess.StartAsync(server is null ? settings : settings with { Environment = On(server, database, settings.Environment) });
        try
        {
            await TalkAsync(program, 20); // the first ones make pages, caches, snapshots
            List<Size> sizes = [await SizeAsync(program, server, database)];
            for (var part = 0; part < 4; part++)
            {
                await Parallel.ForEachAsync(Enumerable.Range(0, turns / 40), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, _) => await TalkAsync(program, 10));
                sizes.Add(await SizeAsync(program, server, database));
            }

            var perTurn = (sizes[^1].Total - sizes[0].Total) / (double)turns;
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TestDatabase.Kind}: {perTurn:0} bytes per turn over {turns} turns, by quarters {string.Join(", ", sizes.Zip(sizes.Skip(1), (a, b) => (b.Total - a.Total) * 4 / turns))}"));
            foreach (var (table, bytes) in sizes[^1].Tables.OrderByDescending(static t => t.Value))
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {table}: {(bytes - sizes[0].Tables.GetValueOrDefault(table)) / (double)turns:0}"));
            }

            Assert.InRange(perTurn, 1, documented);
            Assert.InRange((sizes[^1].Total - sizes[^2].Total) * 4 / (double)turns, 0, documented);
            Assert.Equal(turns + 20, sizes[^1].Turns);
        }
        finally
        {
            await (server?.DropAsync(database) ?? Task.CompletedTask);
        }
    }

    private static async Task<(PostgresServer? Server, string Database)> NewDatabaseAsync() =>
        await PostgresServer.SharedAsync() is var server ? (server, await server.NewDatabaseAsync(migrated: false)) : default;

    private static Dictionary<string, string> On(PostgresServer server, string database, IReadOnlyDictionary<string, string> environment) => new(environment, StringComparer.Ordinal)
    {
        ["ROOTMAS__Database__Kind"] = "postgres",
        ["ROOTMAS__Database__ConnectionString"] = server.Url(database),
        ["ROOTMAS__Database__PoolMin"] = "1",
    };

    private static async Task TalkAsync(ServerProcess program, int turns)
    {
        string? conversation = null;
        for (var i = 0; i < turns; i++)
        {
            using var response = await program.Http.PostAsJsonAsync("/api/v1/chat", new { message = Question, team = "solo", conversation_id = conversation });
            var answer = await response.Content.ReadAsStringAsync();
            Assert.True(response.IsSuccessStatusCode, answer);
            conversation = JsonElement.Parse(answer).GetProperty("conversation_id").GetString();
        }
    }

    /// <summary>As the database counts it, whatever the program says.</summary>
    private static async Task<Size> SizeAsync(ServerProcess program, PostgresServer? server, string database)
    {
        const string Turns = "SELECT count(*) FROM runs WHERE status = 'completed'";
        if (server is not null)
        {
            var tables = JsonElement.Parse(await server.ScalarAsync<string>(
                "SELECT json_object_agg(relname, pg_total_relation_size(oid))::text FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace", database))
                .EnumerateObject().ToDictionary(static t => t.Name, static t => t.Value.GetInt64());
            return new Size(tables.Values.Sum(), await server.ScalarAsync<long>(Turns, database), tables);
        }

        await using var connection = new SqliteConnection($"Data Source={Path.Combine(program.Data, "rootmas.db")};Mode=ReadOnly;Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size), ({Turns})";
        await using var row = await command.ExecuteReaderAsync();
        await row.ReadAsync();
        return new Size(row.GetInt64(0), row.GetInt64(1), []);
    }

    private sealed record Size(long Total, long Turns, Dictionary<string, long> Tables);
}
