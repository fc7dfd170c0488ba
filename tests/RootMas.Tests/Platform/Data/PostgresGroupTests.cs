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
    public async Task A_row_that_cannot_be_read_is_its_own_writers_affair()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.OpenAsync();
        await using var holder = await HoldAsync(test, 1, 2);
        Task[] held = [TouchAsync(test, 1), TouchAsync(test, 2)];
        var unreadable = test.Database.WriteSentAsync(static session => session.SendReadAsync(new RowRead(Touch, static command => command.Set("id", 10L), static _ => throw new FormatException("not this"))), "010", default);
        var others = Task.WhenAll(Enumerable.Range(11, 5).Select(id => TouchAsync(test, id)));
        Assert.Equal("not this", (await Assert.ThrowsAsync<FormatException>(() => unreadable)).Message);
        await others;
        await holder.DisposeAsync();
        await Task.WhenAll(held);
        Assert.Equal(6, await test.ScalarAsync("SELECT count(*) FROM item WHERE id >= 10 AND sent = 1")); // durable all the same, and once
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

    private static async Task<long?> TouchAsync(TestDatabase test, int id)
    {
        long? found = null;
        await test.Database.WriteSentAsync(
            session => session.SendReadAsync(new RowRead(Touch, command => command.Set("id", (long)id), row => found = row.GetInt64(0))),
            id.ToString("D3", CultureInfo.InvariantCulture),
            default);
        return found;
    }

    /// <summary>A stranger's transaction that holds rows until it is disposed of.</summary>
    private static async Task<NpgsqlConnection> HoldAsync(TestDatabase test, params int[] ids)
    {
        var connection = await PostgresConnection.OpenAsync(PostgresConnection.Single(test.Options), TimeSpan.Zero, writes: false, default);
        await using var command = new NpgsqlCommand($"BEGIN; SELECT id FROM item WHERE id IN ({string.Join(',', ids)}) FOR UPDATE", connection);
        await command.ExecuteNonQueryAsync();
        return connection;
    }
}

/// <summary>Who goes with whom, and when.</summary>
public sealed class PostgresLanesTests : IAsyncDisposable
{
    private readonly ManualTimeProvider time = new();
    private readonly Queue<(IReadOnlyList<SentWrite> Group, TaskCompletionSource End)> sent = new();
    private readonly SemaphoreSlim came = new(0);
    private readonly PostgresGroups groups;

    public PostgresLanesTests() => groups = new PostgresGroups(SendAsync, time);

    [Fact]
    public async Task Two_go_alone_and_those_that_come_meanwhile_together_in_order_and_at_most_sixteen()
    {
        var (first, second) = (new TaskCompletionSource(), new TaskCompletionSource());
        Task[] alone = [RunAsync("a", first), RunAsync("b", second)];
        var waiting = Enumerable.Range(0, 20).Select(i => RunAsync($"{19 - i:D2}")).ToList();
        Assert.Empty(sent);

        first.SetResult();
        var (group, end) = await NextAsync();
        Assert.Equal([.. Enumerable.Range(4, 16).Select(static i => $"{i:D2}")], group.Select(static w => w.Order)); // who waited longest, and of these in order
        Assert.All(waiting, static one => Assert.False(one.IsCompleted));
        End(group, end);
        await Task.WhenAll(waiting[..16]);

        (group, end) = await NextAsync();
        Assert.Equal(["00", "01", "02", "03"], group.Select(static w => w.Order));
        End(group, end);
        second.SetResult();
        await Task.WhenAll([.. waiting, .. alone]);
        await RunAsync("free again", Ended());
        Assert.Empty(sent);
    }

    [Fact]
    public async Task A_lane_that_does_not_come_back_is_not_waited_for()
    {
        var (first, second) = (new TaskCompletionSource(), new TaskCompletionSource());
        Task[] stuck = [RunAsync("a", first), RunAsync("b", second)];
        var waiting = RunAsync("c");
        time.Advance(TimeSpan.FromMilliseconds(49));
        Assert.False(await came.WaitAsync(0));
        time.Advance(TimeSpan.FromMilliseconds(1));
        var (group, end) = await NextAsync();
        End(group, end);
        await waiting;
        await RunAsync("d", Ended()); // there is a lane again

        first.SetResult();
        second.SetResult();
        await Task.WhenAll(stuck);
        await RunAsync("e", Ended());
        Assert.Empty(sent);
    }

    [Fact]
    public async Task Who_gives_up_before_it_is_sent_is_not_sent()
    {
        var (first, second) = (new TaskCompletionSource(), new TaskCompletionSource());
        Task[] alone = [RunAsync("a", first), RunAsync("b", second)];
        using var stop = new CancellationTokenSource();
        var (given, kept) = (RunAsync("c", cancellationToken: stop.Token), RunAsync("d"));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        first.SetResult();
        var (group, end) = await NextAsync();
        Assert.Equal("d", Assert.Single(group).Order);
        End(group, end);
        second.SetResult();
        await Task.WhenAll([kept, .. alone]);
    }

    public async ValueTask DisposeAsync()
    {
        await groups.DisposeAsync();
        came.Dispose();
    }

    private static TaskCompletionSource Ended()
    {
        var ended = new TaskCompletionSource();
        ended.SetResult();
        return ended;
    }

    private static void End(IReadOnlyList<SentWrite> group, TaskCompletionSource end)
    {
        foreach (var write in group)
        {
            write.Done(null);
        }

        end.SetResult();
    }

    /// <param name="alone">Ends it, if it goes alone.</param>
    private Task RunAsync(string order, TaskCompletionSource? alone = null, CancellationToken cancellationToken = default) =>
        groups.RunAsync(new SentWrite(static _ => ValueTask.CompletedTask, order), _ => alone?.Task ?? throw new InvalidOperationException($"{order} went alone."), cancellationToken);

    private async Task SendAsync(IReadOnlyList<SentWrite> group)
    {
        var end = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        sent.Enqueue((group, end));
        came.Release();
        await end.Task;
    }

    private async Task<(IReadOnlyList<SentWrite> Group, TaskCompletionSource End)> NextAsync()
    {
        await came.WaitAsync();
        return sent.Dequeue();
    }
}
