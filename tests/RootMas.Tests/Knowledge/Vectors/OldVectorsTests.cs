using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>What becomes of the vectors of a model that is used no more.</summary>
public abstract class OldVectorsTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Day = TimeSpan.FromHours(25);

    [DatabaseFact]
    public async Task They_stay_for_a_day_after_the_last_text_got_a_new_one_however_old_they_are()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(clock: clock);
        var texts = new Texts("chunks", VectorUpkeepTests.Entries(150));
        await world.PutAsync("chunks", texts.All);
        clock.Advance(Day * 100);
        world.Again(new PointEmbedder("2"));
        Assert.Equal(150, await world.Check(texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal(300, await CountAsync(world)); // another instance may be started anew a moment later
        clock.Advance(Day);
        Assert.Equal(0, await world.Check(texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal(150, await CountAsync(world));
        Assert.Equal(texts.All[77].Id, (await world.SearchAsync("chunks", texts.All[77].Text, 5, "p"))[0].Id);
    }

    [DatabaseFact]
    public async Task They_stay_while_an_instance_works_with_them()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(clock: clock);
        var (texts, before, now) = (new Texts("chunks", VectorUpkeepTests.Entries(50)), new PointEmbedder("1"), new PointEmbedder("2"));
        await CheckWithAsync(world, texts, before);
        await CheckWithAsync(world, texts, now);
        for (var half = 0; half < 5; half++)
        {
            clock.Advance(Day / 2);
            await CheckWithAsync(world, texts, before, "old");
            await CheckWithAsync(world, texts, now);
            Assert.Equal(100, await CountAsync(world));
        }

        clock.Advance(Day);
        await CheckWithAsync(world, texts, now);
        Assert.Equal((50, 1), (await CountAsync(world), await CountAsync(world, "vector_spaces")));
    }

    [DatabaseFact]
    public async Task They_stay_while_a_text_has_no_new_one_yet()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(clock: clock);
        var texts = new Texts("chunks", VectorUpkeepTests.Entries(300));
        await world.PutAsync("chunks", texts.All);
        var next = new PointEmbedder("2");
        world.Again(next);
        next.Refuses = text => text == texts.All[299].Text ? new RootMas.Runtime.Agents.ModelException("unreachable", "It is away.", retryLater: true) : null;
        for (var day = 0; day < 3; day++)
        {
            await Assert.ThrowsAsync<RootMas.Runtime.Agents.ModelException>(() => world.Check(texts).RunAsync(Minute, CancellationToken.None));
            Assert.Equal(300, await CountAsync(world, "vectors where model like '%/1/%'"));
            clock.Advance(Day);
        }

        next.Refuses = static _ => null;
        await world.Check(texts).RunAsync(Minute, CancellationToken.None);
        clock.Advance(Day);
        await world.Check(texts).RunAsync(Minute, CancellationToken.None);
        Assert.Equal((0, 300), (await CountAsync(world, "vectors where model like '%/1/%'"), await CountAsync(world)));
    }

    [DatabaseFact]
    public async Task Their_graphs_go_from_disk_and_memory_and_so_does_that_of_a_partition_that_is_deleted()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(100, int.MaxValue, 64), clock: clock);
        var texts = new Texts("chunks", [.. VectorUpkeepTests.Entries(150), .. VectorUpkeepTests.Entries(150).Select(static e => e with { Partition = "q" })]);
        await world.PutAsync("chunks", texts.All);
        await BuiltAsync(world);
        var (old, next) = (VectorTable.ModelOf(world.Embedder.Identity), new PointEmbedder("2"));
        Assert.Equal(Paths(world, old, "p", "q"), world.Folder.Files().Order(StringComparer.Ordinal));

        world.Again(next);
        await world.Check(texts).RunAsync(Minute, CancellationToken.None);
        await BuiltAsync(world);
        await world.Builder.TidyAsync(VectorTable.ModelOf(next.Identity), CancellationToken.None);
        Assert.Equal(4, world.Folder.Files().Count); // both models' vectors are there
        clock.Advance(Day);
        await world.Check(texts).RunAsync(Minute, CancellationToken.None);
        await world.Builder.TidyAsync(VectorTable.ModelOf(next.Identity), CancellationToken.None);
        Assert.Equal(Paths(world, VectorTable.ModelOf(next.Identity), "p", "q"), world.Folder.Files().Order(StringComparer.Ordinal));
        Assert.All(world.Memory.Loaded, loaded => Assert.NotEqual(old, loaded.Model));

        await world.Database.WriteAsync(session => world.Store.RemovePartitionAsync(session, "chunks", "q"), CancellationToken.None);
        await world.BuildAsync(); // what follows each change
        Assert.Equal(Paths(world, VectorTable.ModelOf(next.Identity), "p"), world.Folder.Files());
    }

    [DatabaseFact]
    public async Task A_partition_that_is_deleted_where_there_never_was_a_graph_stops_no_building()
    {
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(5_000, 50_000, 64)); // as by default
        await world.PutAsync("chunks", VectorUpkeepTests.Entries(20));
        await BuiltAsync(world);
        await world.Database.WriteAsync(session => world.Store.RemovePartitionAsync(session, "chunks", "p"), CancellationToken.None);
        await world.BuildAsync();
        Assert.Empty(world.Folder.Files());
    }

    private static async Task CheckWithAsync(VectorWorld world, Texts texts, PointEmbedder embedder, string instance = "one")
    {
        world.Again(embedder);
        await world.Check(texts, instance).RunAsync(Minute, CancellationToken.None);
    }

    private static async Task BuiltAsync(VectorWorld world)
    {
        await world.SearchAsync("chunks", "0:0", 1, "p"); // it is read at its first use
        await world.BuildAsync();
    }

    private static IEnumerable<string> Paths(VectorWorld world, string model, params string[] partitions) =>
        partitions.Select(p => world.Folder.PathOf("chunks", model, p)).Order(StringComparer.Ordinal);

    private static Task<long?> CountAsync(VectorWorld world, string what = "vectors") => world.Database.ReadAsync(s => s.Prepared($"SELECT count(*) FROM {what}").Int64Async(), CancellationToken.None);
}

public sealed class OldVectorsOnSqliteTests() : OldVectorsTests(DatabaseKind.Sqlite);

public sealed class OldVectorsOnPostgresTests() : OldVectorsTests(DatabaseKind.Postgres), IOnPostgres;
