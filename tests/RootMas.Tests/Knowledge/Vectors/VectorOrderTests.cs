using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>On PostgreSQL transactions end side by side, and what each does after its commit may come in another order than the commits: memory ends up with what the database has.</summary>
public sealed class VectorOrderTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const string Space = "s";

    [PostgresFact]
    public async Task Of_two_changes_the_one_that_was_committed_last_counts_however_late_the_other_comes()
    {
        await using var world = await VectorWorld.OpenAsync();
        var id = Guid.NewGuid();
        await world.PutAsync(Space, new VectorEntry(Guid.NewGuid(), "a", "0:1"));
        await world.SearchAsync(Space, "0:1", 1, "a"); // there is something in memory that has to follow
        await LateAsync(world, session => PutAsync(world, session, id, "a", "1:1"), session => PutAsync(world, session, id, "b", "2:2"));
        await Wait.UntilAsync(async w => await FoundAsync(w) is [{ Partition: "b", Score: > 0.99f }], world, "the first change undid the second");

        await LateAsync(world, session => world.Memory.RemoveAsync(session, Space, [id]), session => PutAsync(world, session, id, "b", "2:2"));
        await Wait.UntilAsync(async w => await FoundAsync(w) is [{ Partition: "b", Score: > 0.99f }], world, "what was put again is not found");

        await LateAsync(world, session => PutAsync(world, session, id, "a", "2:2"), session => world.Memory.RemoveAsync(session, Space, [id]));
        await Wait.UntilAsync(async w => await FoundAsync(w) is [], world, "what was removed is found");

        async Task<List<VectorHit>> FoundAsync(VectorWorld w) => [.. (await w.SearchAsync(Space, "2:2", 9, "a", "b")).Where(h => h.Id == id)];
    }

    /// <summary>The first commits first, and comes to memory after the second.</summary>
    private static async Task LateAsync(VectorWorld world, Func<DbSession, ValueTask> first, Func<DbSession, ValueTask> second)
    {
        using var committed = new SemaphoreSlim(0);
        using var goesOn = new ManualResetEventSlim();
        var writing = Task.Run(() => world.Database.WriteAsync(
            async session =>
            {
                session.AfterCommit(() =>
                {
                    committed.Release();
                    goesOn.Wait(TimeSpan.FromMinutes(1));
                });
                await first(session);
            },
            default));
        await committed.WaitAsync(TimeSpan.FromMinutes(1));
        await world.Database.WriteAsync(second, default);
        goesOn.Set();
        await writing;
    }

    private static ValueTask PutAsync(VectorWorld world, DbSession session, Guid id, string partition, string text) =>
        world.Memory.PutAsync(session, Space, VectorTable.ModelOf(world.Embedder.Identity), [new StoredVector(id, partition, new PointEmbedder().Of(text))]);
}
