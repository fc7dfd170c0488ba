using Npgsql;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F7 where it is worst: the connection to PostgreSQL is cut while it works on a batch whose last statement is the commit.</summary>
public sealed class BatchCutTests() : OnDatabase(DatabaseKind.Postgres)
{
    [PostgresFact]
    public async Task A_batch_of_which_only_the_beginning_arrived_is_written_once_in_the_end()
    {
        await using var world = await CutWorld.StartAsync();
        var run = await world.Harness.OwnedAsync();
        for (var i = 1; i <= 4; i++)
        {
            world.Proxy.CutNextCommit(CutAt.Within);
            Assert.Equal(AppendOutcome.Appended, (await run.AppendAsync(RunStatus.Running, Asked($"m{i}"))).Outcome);
            Assert.Equal(i, world.Proxy.Cuts);
        }

        Assert.Equal([1L, 2, 3, 4, 5, 6], (await world.Harness.LogAsync(run.Id)).Select(static e => e.Seq));
    }

    /// <summary>The server has all of the batch and stands before a lock in it, so the second try asks whether the first went through before anybody can know.</summary>
    [PostgresFact]
    public async Task A_batch_that_the_server_goes_on_with_after_its_client_is_gone_counts_once()
    {
        await using var world = await CutWorld.StartAsync();
        var run = await world.Harness.OwnedAsync();
        await using var other = new NpgsqlConnection(world.Server.ConnectionString(world.Name));
        await other.OpenAsync();
        for (var i = 1; i <= 2; i++)
        {
            await using var held = await other.BeginTransactionAsync();
            await using (var hold = new NpgsqlCommand("LOCK TABLE run_events IN SHARE MODE", other, held))
            {
                await hold.ExecuteNonQueryAsync();
            }

            var appending = run.AppendAsync(RunStatus.Running, Asked($"m{i}")).AsTask();
            await BlockedAsync(world, 1);
            world.Proxy.CutAll();
            await BlockedAsync(world, 2);
            await held.RollbackAsync();
            Assert.Equal(AppendOutcome.Appended, (await appending).Outcome);
        }

        Assert.Equal([1L, 2, 3, 4], (await world.Harness.LogAsync(run.Id)).Select(static e => e.Seq));
    }

    private static async Task BlockedAsync(CutWorld world, int count) => await Wait.UntilAsync(
        static async at => await at.world.Server.ScalarAsync<long>($"SELECT count(*) FROM pg_stat_activity WHERE datname = '{at.world.Name}' AND wait_event_type = 'Lock'", "postgres") >= at.count, (world, count), $"{count} waited for a lock");

    private static ModelRequested Asked(string id) => new(id, "cheap", "v1", "h", "answer", 1);
}
