using System.Globalization;
using Npgsql;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>Writes that are only sent share round trips and commits, and nothing else.</summary>
public sealed class PostgresGroupTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const string Table = "CREATE TABLE item (id BIGINT PRIMARY KEY, tx BIGINT NOT NULL DEFAULT 0, sent BIGINT NOT NULL DEFAULT 0); INSERT INTO item (id) SELECT generate_series(1, 40);";
    private const string Touch = "UPDATE item SET tx = txid_current()::bigint, sent = sent + 1 WHERE id = @id RETURNING id";

    [PostgresFact]
    public async Task Those_that_come_while_others_are_on_their_way_share_a_commit_and_wait_for_nobody_who_is_held_up()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        await using var holder = await HoldAsync(test, 1, 2, 20);
        Task[] held = [TouchAsync(test, 1), TouchAsync(test, 2)]; // both lanes
        var others = Enumerable.Range(10, 10).Select(id => TouchAsync(test, id)).ToList();
        var stuck = TouchAsync(test, 20); // in one group with some of the others
        var refused = test.Database.WriteSentAsync(static session => session.SendAsync(session.Prepared("INSERT INTO item (id) VALUES (1)")), "refused", default);
        var late = Enumerable.Range(21, 10).Select(id => TouchAsync(test, id)).ToList();

        await Task.WhenAll(others.Concat(late)); // while the rows are held
        Assert.Equal(PostgresErrorCodes.UniqueViolation, (await Assert.ThrowsAsync<PostgresException>(() => refused)).SqlState);
        Assert.All([.. held, stuck], static one => Assert.False(one.IsCompleted));

        await holder.DisposeAsync();
        await Task.WhenAll([.. held, stuck]);
        Assert.Equal(23, await test.ScalarAsync("SELECT CAST(sum(sent) AS BIGINT) FROM item"));
        Assert.Equal(23, await test.ScalarAsync("SELECT count(*) FROM item WHERE sent = 1"));
    }

    [PostgresFact]
    public async Task A_crowd_takes_few_commits_and_each_hears_of_its_own_row()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        await using var holder = await HoldAsync(test, 1, 2);
        Task[] held = [TouchAsync(test, 1), TouchAsync(test, 2)];
        var rows = await Task.WhenAll(Enumerable.Range(10, 30).Select(id => TouchAsync(test, id)));
        await holder.DisposeAsync();
        await Task.WhenAll(held);
        Assert.Equal(Enumerable.Range(10, 30).Select(static id => (long?)id), rows);
        Assert.InRange(await test.ScalarAsync("SELECT count(DISTINCT tx) FROM item WHERE id >= 10") ?? 0, 1, 10); // 16 in each
    }

    [PostgresFact]
    public async Task Who_gives_up_before_it_is_sent_has_written_nothing()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        await using var holder = await HoldAsync(test, 1, 2);
        Task[] held = [TouchAsync(test, 1), TouchAsync(test, 2)];
        using var stop = new CancellationTokenSource();
        var given = TouchAsync(test, 10, stop.Token);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        await TouchAsync(test, 11);
        await holder.DisposeAsync();
        await Task.WhenAll(held);
        Assert.Equal(0, await test.ScalarAsync("SELECT sent FROM item WHERE id = 10"));
    }

    [PostgresFact]
    public async Task Who_asks_one_after_the_other_has_the_same_connection()
    {
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 5 });
        HashSet<long?> seen = [];
        for (var i = 0; i < 20; i++)
        {
            seen.Add(await test.ScalarAsync("SELECT pg_backend_pid()::bigint"));
        }

        Assert.Single(seen);
    }

    private static async Task<long?> TouchAsync(TestDatabase test, int id, CancellationToken cancellationToken = default)
    {
        long? found = null;
        await test.Database.WriteSentAsync(
            session => session.SendReadAsync(new RowRead(Touch, command => command.Set("id", (long)id), row => found = row.GetInt64(0))),
            id.ToString("D3", CultureInfo.InvariantCulture),
            cancellationToken);
        return found;
    }

    /// <summary>A stranger's transaction that holds rows until it is disposed of.</summary>
    private static async Task<NpgsqlConnection> HoldAsync(TestDatabase test, params int[] ids)
    {
        var connection = new NpgsqlConnection(PostgresConnection.Single(test.Options));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand($"BEGIN; SELECT id FROM item WHERE id IN ({string.Join(',', ids)}) FOR UPDATE", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }
}
