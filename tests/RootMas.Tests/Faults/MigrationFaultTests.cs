using System.Diagnostics;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F18 of CHECKS.md with the real program: a migration that is killed, several that start together, and a database that is newer than the program.</summary>
public abstract class MigrationFaultTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_program_that_is_killed_while_it_migrates_leaves_a_database_that_the_next_start_finishes()
    {
        await using var place = await MigrationPlace.NewAsync();
        var random = new Random(18);
        for (var kills = 0; kills < 6; kills++)
        {
            using var process = Process.Start(place.Start("migrate"))!;
            using var moment = new CancellationTokenSource(TimeSpan.FromMilliseconds(random.Next(150, 900)));
            try
            {
                await process.WaitForExitAsync(moment.Token);
            }
            catch (OperationCanceledException)
            {
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None);
            }

            // Whole migrations only: a number is there with everything that it makes, or not at all.
            var applied = await place.AppliedAsync(); // once: a server may still be at a commit of the killed program
            Assert.Equal(place.Known.Take(applied.Count).Select(static m => m.Number), applied);
        }

        Assert.Equal(0, (await place.RunAsync("migrate")).ExitCode);
        Assert.Equal(place.Known.Select(static m => m.Number), await place.AppliedAsync());
    }

    [DatabaseFact]
    public async Task Of_programs_that_start_together_each_migration_is_applied_once()
    {
        await using var place = await MigrationPlace.NewAsync();
        var ends = await Task.WhenAll(Enumerable.Range(0, 3).Select(i => place.RunAsync("migrate", ownData: TestDatabase.Kind == DatabaseKind.Postgres ? i : 0)));
        Assert.Contains(ends, static e => e.ExitCode == 0);
        Assert.All(ends, static e => Assert.True(e.ExitCode is 0 or 5, e.Stderr)); // 5: on the embedded database somebody else owns the directory
        Assert.Equal(place.Known.Select(static m => m.Number), await place.AppliedAsync());
    }

    [DatabaseFact]
    public async Task A_database_newer_than_the_program_is_refused_with_advice_and_left_alone()
    {
        await using var place = await MigrationPlace.NewAsync();
        Assert.Equal(0, (await place.RunAsync("migrate")).ExitCode);
        await place.ExecuteAsync("INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version) VALUES (9999, 'future', 'x', 0, '9.9.9')");
        var (code, _, said) = await place.RunAsync("serve");
        Assert.Equal(2, code);
        Assert.Contains("newer than this program", said, StringComparison.Ordinal);
        Assert.Contains("Start version 9.9.9 or a later one", said, StringComparison.Ordinal);
        Assert.Equal(9999, (await place.AppliedAsync())[^1]);
    }

    [DatabaseFact]
    public async Task A_database_to_which_a_newer_program_only_added_something_is_opened()
    {
        await using var place = await MigrationPlace.NewAsync();
        Assert.Equal(0, (await place.RunAsync("migrate")).ExitCode);
        await place.ExecuteAsync($"INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version, usable_from) VALUES (9999, 'future', 'x', 0, '9.9.9', {place.Known[^1].Number})");
        var (code, _, said) = await place.RunAsync("migrate");
        Assert.True(code == 0, said);
        Assert.Equal(9999, (await place.AppliedAsync())[^1]);
    }

    /// <summary>Rows that were there before.</summary>
    private protected static Task<List<string>> RowsAsync(MigrationPlace place) => place.ListAsync("SELECT name || value FROM settings_seen ORDER BY name");

    /// <summary>A database with rows, as a program left it that knew the first so many migrations.</summary>
    private protected static async Task MakeOldAsync(MigrationPlace place, int migrations)
    {
        await place.MigrateAsync(migrations);
        await place.ExecuteAsync($"INSERT INTO settings_seen (name, value) VALUES {string.Join(", ", Enumerable.Range(0, 200).Select(static i => $"('name {i}', '{new string('x', 100)}')"))}");
    }

    /// <summary>After a kill midway: not all migrations, each of them whole, nothing of the next, and every row.</summary>
    private protected static async Task<int> CheckMidwayAsync(MigrationPlace place, List<string> rows)
    {
        var applied = await place.AppliedAsync();
        Assert.Equal(place.Known.Take(applied.Count).Select(static m => m.Number), applied);
        Assert.InRange(applied.Count, 0, place.Known.Count - 1);
        await using var whole = await MigrationPlace.NewAsync();
        await whole.MigrateAsync(applied.Count);
        Assert.Equal(await whole.SchemaAsync(), await place.SchemaAsync());
        Assert.Equal(rows, await RowsAsync(place));
        return applied.Count;
    }

    /// <summary>The next start goes on from there to the end.</summary>
    private protected static async Task FinishAsync(MigrationPlace place, List<string> rows)
    {
        var (code, _, said) = await place.RunAsync("migrate");
        Assert.True(code == 0, said);
        Assert.Equal(place.Known.Select(static m => m.Number), await place.AppliedAsync());
        await using var whole = await MigrationPlace.NewAsync();
        await whole.MigrateAsync(place.Known.Count);
        Assert.Equal(await whole.SchemaAsync(), await place.SchemaAsync());
        Assert.Equal(rows, await RowsAsync(place));
    }
}
