using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>
/// The embedded database, by SQLite's online backup: in one step, which is one read transaction, so writers go on beside it and never make it begin again.
/// It uses connections of its own, in the server's process as well as beside it.
/// </summary>
internal sealed class SqliteCopy(string source, DatabaseOptions options, TimeProvider time) : IDatabaseCopy
{
    // SQLite's codes for what the machine lacks, as opposed to what is wrong with a file.
    private const int Busy = 5;
    private const int NoMemory = 7;
    private const int ReadOnly = 8;
    private const int InputOutput = 10;
    private const int Full = 13;
    private const int CannotOpen = 14;

    private const string Tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";

    public string EntryName => "database/rootmas.db";

    public Task<DatabaseFacts> CopyAsync(string path, CancellationToken cancellationToken) => OwnThread.RunWholeAsync(() =>
    {
        PrivateFiles.Create(path).Dispose(); // so that SQLite finds a file with the right mode
        return Told(async () =>
        {
            using var from = Open(source, SqliteOpenMode.ReadOnly);
            using var to = Open(path, SqliteOpenMode.ReadWrite);
            Execute(to, "PRAGMA synchronous = OFF"); // it goes into an archive, which is synced
            from.BackupDatabase(to);
            cancellationToken.ThrowIfCancellationRequested();
            Execute(to, "PRAGMA journal_mode = DELETE"); // one file
            return await FactsAsync(to, cancellationToken);
        });
    });

    public Task<DateTimeOffset?> MadeAtAsync(CancellationToken cancellationToken) => File.Exists(source)
        ? OwnThread.RunWholeAsync(() => Told(async () =>
        {
            using var connection = Open(source, SqliteOpenMode.ReadOnly);
            return await DatabaseReading.MadeAtAsync(connection, cancellationToken);
        }))
        : Task.FromResult<DateTimeOffset?>(null);

    /// <summary>What stands in the file at <paramref name="path"/>, whose place a backup takes.</summary>
    /// <exception cref="BackupException">It cannot be read.</exception>
    public static Task<Replaced> ReplacedAsync(string path, CancellationToken cancellationToken) => OwnThread.RunWholeAsync(() => Told(async () =>
    {
        using var connection = Open(path, SqliteOpenMode.ReadOnly);
        return await DatabaseReading.ReplacedAsync(connection, null, "", cancellationToken);
    }));

    public async Task<ScratchDatabase> OpenScratchAsync(string path, DatabaseFacts facts, CancellationToken cancellationToken)
    {
        var problems = new List<string>();
        var found = await OwnThread.RunWholeAsync(() => Told(async () =>
        {
            using var connection = Open(path, SqliteOpenMode.ReadWrite);
            problems.AddRange(Lines(connection, "PRAGMA integrity_check(20)").Where(static line => line != "ok").Select(static line => "SQLite: " + line));
            problems.AddRange(Lines(connection, "PRAGMA foreign_key_check").Take(20).Select(static line => $"a row of {line} points to one that is not there"));
            return await FactsAsync(connection, cancellationToken);
        }, BackupFailure.Damaged));
        var database = new SqliteDatabase(path, options with { Readers = 1 }, static () => { }, time, NullLogger<SqliteDatabase>.Instance);
        return new ScratchDatabase(database, found, problems, static () => ValueTask.CompletedTask);
    }

    private static Task<DatabaseFacts> FactsAsync(SqliteConnection connection, CancellationToken cancellationToken) =>
        DatabaseReading.FactsAsync(connection, DatabaseKind.Sqlite, Lines(connection, Tables), null, cancellationToken);

    /// <summary>SQLite's errors as a message for people.</summary>
    /// <param name="ofFile">What an error means that the machine does not explain.</param>
    private static async Task<T> Told<T>(Func<Task<T>> work, BackupFailure ofFile = BackupFailure.Failed)
    {
        try
        {
            return await work();
        }
        catch (SqliteException e)
        {
            var outside = e.SqliteErrorCode is Busy or NoMemory or ReadOnly or InputOutput or Full or CannotOpen;
            throw new BackupException(outside ? BackupFailure.Unable : ofFile, $"SQLite cannot read or copy the database ({e.SqliteErrorCode}: {e.Message}). Nothing was changed. Look at the disk's free space; 'rootmas doctor' says more.", e);
        }
    }

    private static List<string> Lines(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // our own literals
        command.CommandText = sql;
#pragma warning restore CA2100
        using var row = command.ExecuteReader();
        var lines = new List<string>();
        while (row.Read())
        {
            lines.Add(row.GetString(0));
        }

        return lines;
    }

    private static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(SqliteConnectionKeeper.ConnectionString(path, TimeSpan.FromMinutes(1), mode));
        try
        {
            connection.Open();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // our own literals
        command.CommandText = sql;
#pragma warning restore CA2100
        command.ExecuteNonQuery();
    }
}
