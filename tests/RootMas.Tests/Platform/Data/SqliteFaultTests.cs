using Microsoft.Data.Sqlite;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

public sealed class SqliteFaultTests
{
    private const string Table = "CREATE TABLE item (id INTEGER PRIMARY KEY, data BLOB);";

    [Fact]
    public async Task A_full_disk_is_told_keeps_what_was_there_and_recovers_by_itself()
    {
        await using var test = new TestDatabase(sql: Table);
        await Insert(test, 1, 10);
        var pages = await test.ScalarAsync("PRAGMA page_count");
        await Limit(test, pages!.Value + 3);

        var error = await Assert.ThrowsAsync<StorageUnavailableException>(() => Insert(test, 2, 100_000));
        Assert.Contains("full", error.Message, StringComparison.Ordinal);
        Assert.Equal(1, await test.ScalarAsync("SELECT COUNT(*) FROM item"));

        await Limit(test, 1_000_000);
        await Insert(test, 3, 100_000);
        Assert.Equal(2, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [Fact]
    public async Task On_a_full_disk_the_small_writes_of_a_group_are_kept_and_the_large_one_is_told()
    {
        await using var test = new TestDatabase(sql: Table);
        var pages = await test.ScalarAsync("PRAGMA page_count");
        await Limit(test, pages!.Value + 3);
        using var gate = new ManualResetEventSlim();
        var hold = test.Database.WriteAsync(
            _ =>
            {
                gate.Wait();
                return ValueTask.CompletedTask;
            },
            default);
        var small = Enumerable.Range(0, 20).Select(i => Insert(test, i, 10)).ToList();
        var large = Insert(test, 100, 100_000);
        var more = Enumerable.Range(20, 20).Select(i => Insert(test, i, 10)).ToList();
        gate.Set();

        await Task.WhenAll([hold, .. small, .. more]);
        await Assert.ThrowsAsync<StorageUnavailableException>(() => large);
        Assert.Equal(40, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [Fact]
    public async Task A_lock_held_by_another_program_is_told_to_all_at_once_and_recovers()
    {
        await using var test = new TestDatabase(new DatabaseOptions { BusyTimeout = TimeSpan.FromMilliseconds(50) }, sql: Table);
        await Insert(test, 1, 1);
        using var other = new SqliteConnection($"Data Source={test.Directory.DatabasePath};Pooling=False");
        other.Open();
        using var begin = new SqliteCommand("BEGIN IMMEDIATE", other);
        begin.ExecuteNonQuery();
        var writes = Enumerable.Range(2, 50).Select(i => Insert(test, i, 1)).ToList();
        foreach (var write in writes)
        {
            Assert.Contains("lock", (await Assert.ThrowsAsync<StorageUnavailableException>(() => write)).Message, StringComparison.Ordinal);
        }

        using var rollback = new SqliteCommand("ROLLBACK", other);
        rollback.ExecuteNonQuery();
        await Insert(test, 2, 1);
        Assert.Equal(2, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
    }

    [Fact]
    public async Task A_commit_refused_by_a_deferred_constraint_fails_only_its_own_write()
    {
        await using var test = new TestDatabase(sql: Table + "CREATE TABLE child (item INTEGER REFERENCES item (id) DEFERRABLE INITIALLY DEFERRED);");
        using var gate = new ManualResetEventSlim();
        var hold = test.Database.WriteAsync(
            _ =>
            {
                gate.Wait();
                return ValueTask.CompletedTask;
            },
            default);
        var good = Insert(test, 1, 1);
        var bad = test.ExecuteAsync("INSERT INTO child VALUES (99)");
        var alsoGood = test.ExecuteAsync("INSERT INTO child VALUES (1)");
        gate.Set();

        await Task.WhenAll(hold, good, alsoGood);
        Assert.Equal(19, (await Assert.ThrowsAsync<SqliteException>(() => bad)).SqliteErrorCode);
        Assert.Equal(1, await test.ScalarAsync("SELECT COUNT(*) FROM child"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Under_random_failures_exactly_the_writes_that_succeeded_are_there(int seed)
    {
        await using var test = new TestDatabase(new DatabaseOptions { GroupSize = 16, QueueLength = 64 }, sql: Table);
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 64).Select(worker => Task.Run(() => Work(test, worker, new Random((seed * 1_000) + worker)))));

        var expected = outcomes.SelectMany(ids => ids).Order().ToList();
        var there = await test.Database.ReadAsync(session => session.Prepared("SELECT id FROM item ORDER BY id").ListAsync(static row => row.GetInt64(0)), default);
        Assert.Equal(expected, there);
    }

    private static async Task<List<long>> Work(TestDatabase test, int worker, Random random)
    {
        List<long> kept = [];
        for (var i = 0; i < 40; i++)
        {
            var id = (worker * 1_000L) + i;
            var kind = random.Next(6);
            try
            {
                await test.Database.WriteAsync(
                    async session =>
                    {
                        await session.Prepared("INSERT INTO item VALUES (@id, NULL)").Set("id", id).RunAsync();
                        if (kind == 1)
                        {
                            throw new InvalidDataException();
                        }

                        if (kind == 2)
                        {
                            await session.Prepared("INSERT INTO item VALUES (@id, NULL)").Set("id", id).RunAsync();
                        }

                        if (kind == 3)
                        {
                            await session.Prepared("ROLLBACK").RunAsync(); // a bug that takes the whole group with it
                        }
                    },
                    default);
                kept.Add(id);
            }
            catch (Exception exception) when (exception is InvalidDataException or SqliteException or InvalidOperationException)
            {
                Assert.InRange(kind, 1, 3);
            }
        }

        return kept;
    }

    private static Task<int> Insert(TestDatabase test, int id, int bytes) => test.Database.WriteAsync(
        session => session.Prepared("INSERT INTO item VALUES (@id, zeroblob(@bytes))").Set("id", id).Set("bytes", bytes).RunAsync(), default);

    private static Task<long?> Limit(TestDatabase test, long pages) =>
        test.Database.WriteAsync(session => session.Prepared($"PRAGMA max_page_count = {pages}").Int64Async(), default);
}
