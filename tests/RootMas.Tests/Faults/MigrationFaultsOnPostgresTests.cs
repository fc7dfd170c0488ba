using System.Diagnostics;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F18 where it is certain that the kill falls into a migration: it has made a table, and waits for another one that somebody holds.</summary>
public sealed class MigrationFaultsOnPostgresTests() : MigrationFaultTests(DatabaseKind.Postgres), IOnPostgres
{
    /// <summary>It makes a table, then an index of <see cref="Held"/>.</summary>
    private const string Midway = "turns_of_the_graph";

    private const string Held = "graph_jobs";

    /// <summary>A transaction that has written waits for the table.</summary>
    private const string Waiting = $"SELECT a.pid::text FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid WHERE a.datname = current_database() AND NOT l.granted AND l.relation = '{Held}'::regclass AND a.backend_xid IS NOT NULL";

    private const string Others = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

    [PostgresFact]
    public async Task A_program_that_is_killed_in_the_middle_of_a_migration_leaves_nothing_of_it()
    {
        await using var place = await MigrationPlace.NewAsync();
        var old = place.Known.TakeWhile(static m => m.Name != Midway).Count() - 1; // and one that is applied whole before it
        await MakeOldAsync(place, old);
        var rows = await RowsAsync(place);
        await using (await place.LockAsync(Held))
        {
            using var process = Process.Start(place.Start("migrate"))!;
            await TestCluster.UntilAsync(async () => process.HasExited || (await place.ListAsync(Waiting)).Count == 1, "the migration waits for the table");
            Assert.False(process.HasExited, "it did not wait for the table");
            process.Kill();
            await process.WaitForExitAsync();
            Assert.Single(await place.ListAsync(Waiting)); // the server does not know yet
        }

        await TestCluster.UntilAsync(async () => (await place.ListAsync(Others)).Count == 0, "the server ends what its client left");
        Assert.Equal(old + 1, await CheckMidwayAsync(place, rows));
        await FinishAsync(place, rows);
    }
}
