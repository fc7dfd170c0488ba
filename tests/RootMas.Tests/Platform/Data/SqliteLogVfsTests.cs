using System.Globalization;
using Microsoft.Data.Sqlite;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Data;

public sealed class SqliteLogVfsTests
{
    private const string Table = "CREATE TABLE item (id INTEGER PRIMARY KEY, data BLOB); CREATE TABLE page (id INTEGER PRIMARY KEY, data BLOB);";
    private const int Pages = 50;

    [Theory]
    [InlineData(Durability.Full)]
    [InlineData(Durability.Normal)]
    public async Task A_commit_of_many_pages_is_written_in_a_few_calls(Durability durability)
    {
        if (!OperatingSystem.IsLinux())
        {
            return; // nobody else counts the calls of a thread
        }

        await using var test = new TestDatabase(new DatabaseOptions { Durability = durability }, sql: Table);
        await InsertPages(test);
        var before = await Calls(test);
        await InsertPages(test);

        Assert.InRange(await Calls(test) - before, 1, Pages / 2);
    }

    [Theory]
    [InlineData(Durability.Full)]
    [InlineData(Durability.Normal)]
    public async Task What_is_acknowledged_is_in_the_files(Durability durability)
    {
        await using var test = new TestDatabase(new DatabaseOptions { Durability = durability }, sql: Table);
        for (var i = 1; i <= 20; i++)
        {
            await Insert(test, i, i * 1_000);
            Assert.Equal(i, CountInCopy(test.Directory.DatabasePath));
        }
    }

    /// <summary>What a transaction gave up of its cache and changed again stands in the log already: SQLite overwrites the page there, and corrects the headers of all frames behind it, the last one's too.</summary>
    [Theory]
    [InlineData(Durability.Full)]
    [InlineData(Durability.Normal)]
    public async Task A_commit_that_corrected_its_frames_is_in_the_files(Durability durability)
    {
        await using var test = new TestDatabase(new DatabaseOptions { Durability = durability, CacheMegabytes = 1 }, sql: Table);
        await test.Database.WriteAsync(
            async session =>
            {
                for (var i = 1; i <= 60; i++)
                {
                    await session.Prepared("INSERT INTO item VALUES (@id, zeroblob(@size))").Set("id", i).Set("size", 200_000).RunAsync();
                    await session.Prepared("UPDATE item SET data = zeroblob(@size) WHERE id = @id").Set("size", 100_000 + i).Set("id", Math.Max(1, i - 20)).RunAsync();
                }
            },
            default);

        Assert.Equal(60, CountInCopy(test.Directory.DatabasePath));
        Assert.Equal(await test.ScalarAsync("SELECT SUM(LENGTH(data)) FROM item"), InCopy(test.Directory.DatabasePath, "SELECT SUM(LENGTH(data)) FROM item"));
    }

    [Theory]
    [InlineData(Durability.Full)]
    [InlineData(Durability.Normal)]
    public async Task A_transaction_larger_than_the_cache_is_whole_or_not_there(Durability durability)
    {
        await using var test = new TestDatabase(new DatabaseOptions { Durability = durability, CacheMegabytes = 1 }, sql: Table);
        await Insert(test, 1, 5_000_000);
        await Assert.ThrowsAsync<InvalidDataException>(() => test.Database.WriteAsync(
            async session =>
            {
                for (var i = 2; i < 40; i++)
                {
                    await session.Prepared("INSERT INTO item VALUES (@id, zeroblob(@size))").Set("id", i).Set("size", 200_000).RunAsync();
                    await session.Prepared("UPDATE item SET data = zeroblob(@size) WHERE id = 1").Set("size", i).RunAsync(); // reads back what the cache has given up
                }

                throw new InvalidDataException();
            },
            default));
        await Insert(test, 50, 3_000_000);

        Assert.Equal(2, await test.ScalarAsync("SELECT COUNT(*) FROM item"));
        Assert.Equal(8_000_000, await test.ScalarAsync("SELECT SUM(LENGTH(data)) FROM item"));
        Assert.Equal(2, CountInCopy(test.Directory.DatabasePath));
        Assert.Equal(1, await test.ScalarAsync("SELECT COUNT(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"));
    }

    private static Task InsertPages(TestDatabase test) => test.Database.WriteAsync(
        async session =>
        {
            for (var i = 0; i < Pages; i++)
            {
                await session.Prepared("INSERT INTO page (data) VALUES (zeroblob(3000))").RunAsync();
            }
        },
        default);

    private static Task<int> Insert(TestDatabase test, long id, long size) => test.Database.WriteAsync(
        session => session.Prepared("INSERT INTO item VALUES (@id, zeroblob(@size))").Set("id", id).Set("size", size).RunAsync(), default);

    /// <summary>Writing calls of the writer's own thread so far.</summary>
    private static Task<long> Calls(TestDatabase test) => test.Database.WriteAsync(
        static _ => ValueTask.FromResult(long.Parse(File.ReadLines("/proc/thread-self/io").Single(static line => line.StartsWith("syscw: ", StringComparison.Ordinal))[7..], CultureInfo.InvariantCulture)),
        default);

    private static long CountInCopy(string path) => InCopy(path, "SELECT COUNT(*) FROM item");

    /// <summary>What somebody finds who has the files as they are now.</summary>
    private static long InCopy(string path, string sql)
    {
        using var folder = new TempFolder();
        var copy = Path.Combine(folder.Path, "copy.db");
        foreach (var part in (string[])["", "-wal"])
        {
            using var from = new FileStream(path + part, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var to = File.Create(copy + part);
            from.CopyTo(to);
        }

        using var connection = new SqliteConnection($"Data Source={copy};Pooling=False");
        connection.Open();
#pragma warning disable CA2100 // a test's own text
        using var count = new SqliteCommand(sql, connection);
#pragma warning restore CA2100
        return (long)count.ExecuteScalar()!;
    }
}
