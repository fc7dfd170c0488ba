using System.Collections.Concurrent;
using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

/// <summary>What every database promises those who use it.</summary>
public abstract class DatabaseTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Table = "CREATE TABLE item (id BIGINT PRIMARY KEY, name TEXT, at BIGINT, cost BIGINT);";

    [DatabaseFact]
    public async Task What_was_written_is_read_back()
    {
        await using var test = new TestDatabase(sql: Table);
        var at = await test.Database.WriteAsync(
            async session =>
            {
                await session.Prepared("INSERT INTO item VALUES (@id, @name, @at, @cost)").Set("id", 1).Set("name", "Ä𝄞").Set("at", session.Now).Set("cost", new Money(7)).RunAsync();
                return session.Now;
            },
            default);
        var row = await test.Database.ReadAsync(
            session => session.Prepared("SELECT name, at, cost FROM item").FirstOrDefaultAsync(static row => (Name: row.GetString(0), At: row.Time(1), Cost: row.Money(2))), default);
        Assert.Equal(("Ä𝄞", at, new Money(7)), row);
        Assert.InRange(at - DateTimeOffset.UtcNow, TimeSpan.FromSeconds(-30), TimeSpan.FromSeconds(30));
    }

    [DatabaseFact]
    public async Task What_was_sent_runs_in_order_at_the_latest_with_the_commit_and_not_at_all_after_a_failure()
    {
        const string Insert = "INSERT INTO item VALUES (@id, @name, NULL, NULL)";
        const string Names = "SELECT name FROM item ORDER BY id";
        await using var test = new TestDatabase(sql: Table);
        var seen = await test.Database.WriteAsync(
            async session =>
            {
                await session.SendAsync(session.Prepared(Insert).Set("id", 1).Set("name", "a"));
                await session.SendAsync(session.Prepared("UPDATE item SET name = @name WHERE id = 1").Set("name", "b"));
                await session.FlushAsync();
                var names = await session.Prepared(Names).ListAsync(static r => r.GetString(0));
                await session.SendAsync(session.Prepared(Insert).Set("id", 2).Set("name", "c"));
                return names;
            },
            default);
        Assert.Equal(["b"], seen);
        await Assert.ThrowsAnyAsync<DbException>(() => test.Database.WriteAsync(
            async session =>
            {
                await session.SendAsync(session.Prepared(Insert).Set("id", 3).Set("name", "d"));
                await session.SendAsync(session.Prepared(Insert).Set("id", 1).Set("name", "there is one"));
            },
            default));
        Assert.Equal(["b", "c"], await test.Database.ReadAsync(session => session.Prepared(Names).ListAsync(static r => r.GetString(0)), default));
    }

    [DatabaseFact]
    public async Task Several_reads_give_each_its_own_rows_however_often_and_however_many_statements_there_are_already()
    {
        const string Below = "SELECT name FROM item WHERE id < @id ORDER BY id";
        await using var test = new TestDatabase(new DatabaseOptions { PoolMin = 0, PoolMax = 1 }, sql: Table + "INSERT INTO item VALUES (1, 'a', NULL, NULL), (2, 'b', NULL, NULL);");
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(["a | ", "a | ", "a,b"], await ReadAsync(1, 2, 3)); // the empty one between others shifts nothing
            await Assert.ThrowsAsync<FormatException>(() => test.Database.ReadAsync(
                async session =>
                {
                    await session.ReadAllAsync(new(Below, static c => c.Set("id", 3), static _ => throw new FormatException()), new("SELECT 1", static _ => { }, static _ => { }));
                    return 0;
                },
                default));
            await Assert.ThrowsAnyAsync<DbException>(() => test.Database.ReadAsync(
                async session =>
                {
                    await session.ReadAllAsync(new(Below, static c => c.Set("id", 3), static _ => { }), new("SELECT nothing FROM item", static _ => { }, static _ => { }));
                    return 0;
                },
                default));
        }

        async Task<List<string>> ReadAsync(params long[] ids)
        {
            var (one, more, last) = (new List<string>(), new List<string>(), new List<string>());
            await test.Database.ReadAsync(
                async session =>
                {
                    for (var i = 0; i < 510; i++)
                    {
                        session.Prepared($"SELECT {i}"); // SQLite keeps 512 of them
                    }

                    await session.ReadAllAsync(
                        new("SELECT name FROM item WHERE id = 1", static _ => { }, r => one.Add(r.GetString(0))),
                        new(Below, c => c.Set("id", ids[0]), r => more.Add(r.GetString(0))),
                        new(Below, c => c.Set("id", ids[1]), r => more.Add(r.GetString(0))),
                        new("SELECT name FROM item WHERE id < @id ORDER BY id DESC", c => c.Set("id", ids[2]), r => last.Add(r.GetString(0))));
                    return 0;
                },
                default);
            last.Reverse();
            return [string.Join(',', one) + " | ", string.Join(',', more) + " | ", string.Join(',', last)];
        }
    }

    [DatabaseFact]
    public async Task After_commit_actions_run_in_their_order_and_never_for_what_was_rolled_back()
    {
        await using var test = new TestDatabase(sql: Table);
        var seen = new ConcurrentQueue<int>();
        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => test.Database.WriteAsync(
            async session =>
            {
                session.AfterCommit(() => seen.Enqueue(i * 2));
                session.AfterCommit(() => seen.Enqueue((i * 2) + 1));
                await session.Prepared("INSERT INTO item (id) VALUES (@id)").Set("id", i).RunAsync();
                return i % 7 == 3 ? throw new InvalidDataException() : i;
            },
            default))).ContinueWith(static _ => { }, TaskScheduler.Default);
        Assert.Equal(Enumerable.Range(0, 100).Where(i => i % 7 != 3).SelectMany(i => new[] { i * 2, (i * 2) + 1 }), seen.Order());
        Assert.All(Enumerable.Range(0, 100).Where(i => i % 7 != 3), i => Assert.True(seen.ToList().IndexOf(i * 2) < seen.ToList().IndexOf((i * 2) + 1)));
    }

    [DatabaseFact]
    public async Task A_read_sees_one_snapshot_and_what_it_writes_is_not_kept()
    {
        await using var test = new TestDatabase(sql: Table);
        await Insert(test, 1);
        using var looked = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var reading = Task.Run(() => test.Database.ReadAsync(
            async session =>
            {
                var before = await session.Prepared("SELECT COUNT(*) FROM item").Int64Async();
                looked.Set();
                goOn.Wait();
                return (before, After: await session.Prepared("SELECT COUNT(*) FROM item").Int64Async());
            },
            default));
        await Task.Run(looked.Wait);
        await Insert(test, 2);
        goOn.Set();
        Assert.Equal((1, 1), await reading);
        try
        {
            await test.Database.ReadAsync(session => session.Prepared("DELETE FROM item").RunAsync(), default);
        }
        catch (DbException)
        {
            // SQLite says so; PostgreSQL just does not keep it.
        }

        Assert.Equal(2, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => test.Database.ReadAsync(
            session =>
            {
                session.AfterCommit(() => { });
                return ValueTask.FromResult(1);
            },
            default));
    }

    [DatabaseFact]
    public async Task A_cancelled_call_is_not_begun_and_a_disposed_database_refuses()
    {
        var test = new TestDatabase(sql: Table);
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Insert(test, 1, cancelled.Token));
        Assert.Equal(0, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
        await test.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => Insert(test, 2));
    }

    [DatabaseFact]
    public async Task Dapper_reads_snake_case_times_and_money()
    {
        await using var test = new TestDatabase(sql: "CREATE TABLE thing (thing_id TEXT, made_at BIGINT, gone_at BIGINT, total_cost BIGINT)");
        var at = UnixTime.Truncate(DateTimeOffset.UtcNow);
        await test.Database.WriteAsync(
            session => session.ExecuteAsync("INSERT INTO thing VALUES (@Id, @At, NULL, @Cost)", new { Id = "x", At = at, Cost = new Money(5) }), default);

        var things = await test.Database.ReadAsync(session => session.QueryAsync<Thing>("SELECT * FROM thing WHERE made_at = @At", new { At = at }), default);

        Assert.Equal([new Thing { ThingId = "x", MadeAt = at, TotalCost = new Money(5) }], things);
    }

    [DatabaseFact]
    public async Task A_write_that_throws_is_rolled_back_alone()
    {
        await using var test = new TestDatabase(sql: Table);
        var good = Enumerable.Range(0, 50).Select(i => Insert(test, i)).ToList();
        var bad = test.Database.WriteAsync(
            async session =>
            {
                await session.Prepared("INSERT INTO item (id) VALUES (1000)").RunAsync();
                throw new InvalidDataException("no");
            },
            default);
        var more = Enumerable.Range(100, 50).Select(i => Insert(test, i)).ToList();

        await Task.WhenAll([.. good, .. more]);
        await Assert.ThrowsAsync<InvalidDataException>(() => bad);
        Assert.Equal(100, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [DatabaseFact]
    public async Task A_constraint_violation_reaches_only_its_caller()
    {
        await using var test = new TestDatabase(sql: Table);
        await Insert(test, 1);
        var second = Insert(test, 1);
        await Insert(test, 2);
        await Assert.ThrowsAnyAsync<DbException>(() => second);
    }

    [DatabaseFact]
    public async Task An_after_commit_action_that_throws_does_not_deny_the_commit()
    {
        await using var test = new TestDatabase(sql: Table);
        await test.Database.WriteAsync(
            async session =>
            {
                session.AfterCommit(() => throw new InvalidDataException());
                await session.Prepared("INSERT INTO item (id) VALUES (1)").RunAsync();
            },
            default);
        Assert.Equal(1, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [DatabaseFact]
    public async Task A_session_cannot_be_used_after_its_delegate()
    {
        await using var test = new TestDatabase();
        DbSession? kept = null;
        await test.Database.WriteAsync(
            session =>
            {
                kept = session;
                return ValueTask.CompletedTask;
            },
            default);
        Assert.Throws<InvalidOperationException>(() => kept!.Prepared("SELECT 1"));
    }

    [DatabaseFact]
    public async Task A_forgotten_parameter_throws_instead_of_repeating_its_last_value()
    {
        await using var test = new TestDatabase(sql: Table);
        const string sql = "INSERT INTO item (id, name) VALUES (@id, @name)";
        await test.Database.WriteAsync(session => session.Prepared(sql).Set("id", 1).Set("name", "secret").RunAsync(), default);
        await Assert.ThrowsAnyAsync<Exception>(() =>
            test.Database.WriteAsync(session => session.Prepared(sql).Set("id", 2).RunAsync(), default));
    }

    private static Task<int> Insert(TestDatabase test, int id, CancellationToken cancellationToken = default) =>
        test.Database.WriteAsync(session => session.Prepared("INSERT INTO item (id) VALUES (@id)").Set("id", id).RunAsync(), cancellationToken);

    private sealed record Thing
    {
        public required string ThingId { get; init; }

        public required DateTimeOffset MadeAt { get; init; }

        public DateTimeOffset? GoneAt { get; init; }

        public required Money TotalCost { get; init; }
    }
}

public sealed class DatabaseOnSqliteTests() : DatabaseTests(DatabaseKind.Sqlite);

public sealed class DatabaseOnPostgresTests() : DatabaseTests(DatabaseKind.Postgres), IOnPostgres;
