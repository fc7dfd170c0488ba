using System.Globalization;
using Microsoft.Data.Sqlite;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;
using Xunit.Abstractions;

namespace RootMas.Tests.Platform.Retention;

public sealed class SizeOnSqliteTests(ITestOutputHelper output) : SizeTests(DatabaseKind.Sqlite, output);

public sealed class SizeOnPostgresTests(ITestOutputHelper output) : SizeTests(DatabaseKind.Postgres, output), IOnPostgres;

/// <summary>A turn takes as much room as docs/data.md says: a question of 60 and an answer of 400 characters, in conversations of ten turns.</summary>
public abstract class SizeTests(DatabaseKind kind, ITestOutputHelper output) : OnDatabase(kind)
{
    private static readonly string Question = "What do you think about this, and why would others disagree?"[..60];
    private static readonly string Answer = string.Concat(Enumerable.Repeat("An answer of four hundred characters is. ", 10))[..400];

    [DatabaseFact]
    public async Task A_simple_turn_takes_no_more_than_the_documented_bytes()
    {
        var turns = TestLength.IsLong ? 20_000 : 400;
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"{Answer}\" }}");
        await TalkAsync(world, 20); // the first ones make pages, caches, snapshots
        var before = await SizeAsync(world);
        await Parallel.ForEachAsync(Enumerable.Range(0, turns / 10), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, _) => await TalkAsync(world, 10));
        var after = await SizeAsync(world);

        var perTurn = (after.Total - before.Total) / (double)turns;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{TestDatabase.Kind}: {perTurn:0} bytes per turn over {turns} turns"));
        foreach (var (table, bytes) in after.Tables.OrderByDescending(static t => t.Value))
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {table}: {(bytes - before.Tables.GetValueOrDefault(table)) / (double)turns:0}"));
        }

        Assert.InRange(perTurn, 1, TestDatabase.Kind == DatabaseKind.Postgres ? 16_000 : 10_000);
    }

    private static async Task TalkAsync(ChatWorld world, int turns)
    {
        string? conversation = null;
        for (var i = 0; i < turns; i++)
        {
            var answer = await world.AskAsync(new { message = Question, team = "solo", conversation_id = conversation });
            conversation = answer.GetProperty("conversation_id").GetString();
        }
    }

    private static async Task<(long Total, Dictionary<string, long> Tables)> SizeAsync(ChatWorld world)
    {
        if (TestDatabase.Kind == DatabaseKind.Postgres)
        {
            var tables = await world.App.Get<IDatabase>().ReadAsync(
                static session => session.Prepared("SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace").ListAsync(static r => (Name: r.GetString(0), Bytes: r.GetInt64(1))),
                CancellationToken.None);
            return (tables.Sum(static t => t.Bytes), tables.ToDictionary(static t => t.Name, static t => t.Bytes));
        }

        await using var connection = new SqliteConnection($"Data Source={Path.Combine(world.App.Data, "rootmas.db")};Mode=ReadOnly;Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)";
        return ((long)(await command.ExecuteScalarAsync())!, []);
    }
}
