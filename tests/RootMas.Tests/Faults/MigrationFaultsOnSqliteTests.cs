using System.Diagnostics;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F18 where it is certain that the kill falls into a migration: SQLite writes to its log only within one.</summary>
public sealed class MigrationFaultsOnSqliteTests() : MigrationFaultTests(DatabaseKind.Sqlite)
{
    /// <summary>The first migrations, which an old program had applied.</summary>
    private const int Old = 12;

    [ShimFact]
    public async Task A_program_that_is_killed_between_two_writes_of_a_migration_leaves_nothing_of_it()
    {
        await using var place = await MigrationPlace.NewAsync();
        await MakeOldAsync(place, Old);
        var rows = await RowsAsync(place);
        var (applied, kills) = (Old, 0);

        // A page in the log is two writes: no commit is passed over until a kill finds a whole migration behind it.
        for (var writes = 1; applied == Old; writes += 2)
        {
            using var shim = await FaultShim.MakeAsync("rootmas.db-wal");
            shim.StopWriting(writes);
            using var process = Process.Start(place.Start("migrate", shim.Environment))!;
            await shim.StandsAsync(process);
            process.Kill();
            await process.WaitForExitAsync();
            applied = await CheckMidwayAsync(place, rows);
            kills++;
        }

        Assert.Equal(Old + 1, applied);
        Assert.True(kills > 2, $"{kills} kills");
        await FinishAsync(place, rows);
    }
}
