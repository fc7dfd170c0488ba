using System.Collections.Concurrent;
using Microsoft.Data.Sqlite;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

public sealed class SqliteDatabaseTests
{
    private const string Table = "CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, at INTEGER, cost INTEGER);";

    [Fact]
    public async Task What_was_written_is_read_back()
    {
        await using var test = new TestDatabase(sql: Table);
        var at = await test.Database.WriteAsync(
            async session =>
            {
                await session.Prepared("INSERT INTO item VALUES (@id, @name, @at, @cost)")
                    .Set("id", 1).Set("name", "Ä\0𝄞").Set("at", session.Now).Set("cost", new Money(7)).RunAsync();
                return session.Now;
            },
            default);

        var row = await test.Database.ReadAsync(
            session => session.Prepared("SELECT name, at, cost FROM item").FirstOrDefaultAsync(static row => (Name: row.GetString(0), At: row.Time(1), Cost: row.Money(2))), default);

        Assert.Equal(("Ä\0𝄞", at, new Money(7)), row);
    }

    [Fact]
    public async Task After_commit_actions_run_in_order_and_never_for_what_was_rolled_back()
    {
        await using var test = new TestDatabase(sql: Table);
        var seen = new ConcurrentQueue<int>();
        var gate = HoldWriter(test);
        var writes = Enumerable.Range(0, 200).Select(i => test.Database.WriteAsync(
            async session =>
            {
                session.AfterCommit(() => seen.Enqueue(i * 2));
                session.AfterCommit(() => seen.Enqueue((i * 2) + 1));
                await session.Prepared("INSERT INTO item (id) VALUES (@id)").Set("id", i).RunAsync();
                return i % 7 == 3 ? throw new InvalidDataException() : i;
            },
            default)).ToList();
        gate.Set();
        await Task.WhenAll(writes).ContinueWith(static _ => { }, TaskScheduler.Default);

        Assert.Equal(Enumerable.Range(0, 200).Where(i => i % 7 != 3).SelectMany(i => new[] { i * 2, (i * 2) + 1 }), seen);
    }

    [Fact]
    public async Task Cancelling_a_waiting_write_takes_it_out_and_a_running_one_goes_on()
    {
        await using var test = new TestDatabase(sql: Table);
        using var cancel = new CancellationTokenSource();
        using var started = new ManualResetEventSlim();
        using var release = new ManualResetEventSlim();
        var running = test.Database.WriteAsync(
            async session =>
            {
                started.Set();
                release.Wait();
                await session.Prepared("INSERT INTO item (id) VALUES (1)").RunAsync();
            },
            cancel.Token);
        started.Wait();
        var waiting = Insert(test, 2, cancel.Token);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        release.Set();

        await running;
        Assert.Equal(1, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [Fact]
    public async Task A_full_queue_makes_callers_wait_and_lets_them_give_up()
    {
        await using var test = new TestDatabase(new DatabaseOptions { QueueLength = 2 }, sql: Table);
        var gate = HoldWriter(test);
        using var cancel = new CancellationTokenSource();
        var inside = new[] { Insert(test, 1), Insert(test, 2) };
        var outside = Insert(test, 3);
        var leaving = Insert(test, 4, cancel.Token);
        Assert.Equal(2, test.Sqlite.WaitingWrites);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        gate.Set();

        await Task.WhenAll([.. inside, outside]);
        Assert.Equal(3, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [Fact]
    public async Task Awaiting_something_else_inside_a_delegate_is_told_as_a_bug_and_rolled_back()
    {
        await using var test = new TestDatabase(sql: Table);
        var never = new TaskCompletionSource();
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => test.Database.WriteAsync(
            async session =>
            {
                await session.Prepared("INSERT INTO item (id) VALUES (1)").RunAsync();
                await never.Task;
            },
            default));

        Assert.Contains("awaited something else", error.Message, StringComparison.Ordinal);
        Assert.Equal(0, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [Fact]
    public async Task A_delegate_that_ends_the_transaction_itself_is_told_so()
    {
        await using var test = new TestDatabase();
        await Assert.ThrowsAsync<InvalidOperationException>(() => test.ExecuteAsync("COMMIT"));
        Assert.Equal(1, await test.ScalarAsync("SELECT 1"));
    }

    [Fact]
    public async Task A_read_sees_one_snapshot_and_may_not_write()
    {
        await using var test = new TestDatabase(sql: Table);
        await Insert(test, 1);
        using var looked = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var reading = test.Database.ReadAsync(
            async session =>
            {
                var before = await session.Prepared("SELECT COUNT(*) FROM item").Int64Async();
                looked.Set();
                goOn.Wait();
                return (before, After: await session.Prepared("SELECT COUNT(*) FROM item").Int64Async());
            },
            default);
        looked.Wait();
        await Insert(test, 2);
        goOn.Set();

        Assert.Equal((1, 1), await reading);
        Assert.Equal(2, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
        await Assert.ThrowsAsync<SqliteException>(() => test.Database.ReadAsync(session => session.Prepared("DELETE FROM item").RunAsync(), default));
        await Assert.ThrowsAsync<InvalidOperationException>(() => test.Database.ReadAsync(
            session =>
            {
                session.AfterCommit(() => { });
                return ValueTask.FromResult(1);
            },
            default));
    }

    [Fact]
    public async Task Disposing_finishes_what_is_queued()
    {
        var folder = Path.Combine(Path.GetTempPath(), "rootmas-test-" + Guid.NewGuid().ToString("N"));
        var first = new TestDatabase(sql: Table, folder: folder);
        var writes = Enumerable.Range(0, 500).Select(i => Insert(first, i)).ToList();
        await first.DisposeAsync();
        await Task.WhenAll(writes);
        await Assert.ThrowsAsync<ObjectDisposedException>(() => Insert(first, 1000));

        await using (var second = new TestDatabase(sql: Table, folder: folder))
        {
            Assert.Equal(500, await second.ScalarAsync("SELECT COUNT(*) FROM item"));
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task The_files_are_private()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        await using var test = new TestDatabase(sql: Table);
        await Insert(test, 1);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(test.Directory.Path));
        foreach (var file in Directory.GetFiles(test.Directory.Path))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    private static Task<int> Insert(TestDatabase test, int id, CancellationToken cancellationToken = default) =>
        test.Database.WriteAsync(session => session.Prepared("INSERT INTO item (id) VALUES (@id)").Set("id", id).RunAsync(), cancellationToken);

    /// <summary>Keeps the writer busy until the event is set, so that what follows shares one commit.</summary>
    private static ManualResetEventSlim HoldWriter(TestDatabase test)
    {
        var gate = new ManualResetEventSlim();
        using var started = new ManualResetEventSlim();
        _ = test.Database.WriteAsync(
            _ =>
            {
                started.Set();
                gate.Wait();
                return ValueTask.CompletedTask;
            },
            default);
        started.Wait();
        return gate;
    }
}
