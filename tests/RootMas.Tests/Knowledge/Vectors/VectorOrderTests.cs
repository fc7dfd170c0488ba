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

    [PostgresFact]
    public async Task What_was_just_changed_is_found_at_once_although_an_earlier_look_is_still_on_its_way()
    {
        await using var world = await VectorWorld.OpenAsync();
        var (id, model) = (Guid.NewGuid(), VectorTable.ModelOf(world.Embedder.Identity));
        var held = new HeldReads(world.Database);
        var memory = new MemoryVectors(held, null, world.Folder, VectorWorld.Exact);
        await memory.LoadAsync(Space, model);
        held.Holds = true;
        await PutAsync("a", "2:2");
        await held.ReadAsync(); // the look after it has the row in partition a
        await PutAsync("b", "2:2");
        await held.NextAsync(); // that look was applied, and the next one has read
        Assert.Equal("b", Assert.Single(await FindAsync()).Partition);
        await world.Database.WriteAsync(session => memory.RemoveAsync(session, Space, [id]), default);
        await held.NextAsync();
        Assert.Empty(await FindAsync());
        held.Release();

        Task PutAsync(string partition, string text) => world.Database.WriteAsync(session => memory.PutAsync(session, Space, model, [new StoredVector(id, partition, new PointEmbedder().Of(text))]), default);
        ValueTask<IReadOnlyList<VectorHit>> FindAsync() => memory.SearchAsync(Space, model, new PointEmbedder().Of("2:2"), ["a", "b"], 9, default);
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

    /// <summary>Keeps back what was read.</summary>
    private sealed class HeldReads(IDatabase inner) : IDatabase
    {
        private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
        private readonly SemaphoreSlim _read = new(0);
        private readonly SemaphoreSlim _go = new(0);

        public DatabaseKind Kind => inner.Kind;

        public bool Holds { get; set; }

        public Task OpenAsync() => inner.OpenAsync();

        public Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.WriteAsync(work, cancellationToken);

        public async Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            var result = await inner.ReadAsync(work, cancellationToken);
            if (Holds)
            {
                _read.Release();
                Assert.True(await _go.WaitAsync(Patience, cancellationToken));
            }

            return result;
        }

        /// <summary>Until something has been read.</summary>
        public async Task ReadAsync() => Assert.True(await _read.WaitAsync(Patience));

        /// <summary>Hands over what was read, and waits for what is read after it.</summary>
        public async Task NextAsync()
        {
            _go.Release();
            await ReadAsync();
        }

        public void Release()
        {
            Holds = false;
            _go.Release();
        }
    }
}
