using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>What holds for vector search whatever the index and whatever the database.</summary>
public abstract class VectorIndexRules(DatabaseKind kind) : OnDatabase(kind)
{
    /// <summary>Larger than the limits of the kinds that have some.</summary>
    private const int Many = 300;

    /// <summary>A space of its own for each test, because PGlite has one database.</summary>
    private readonly string _space = "s" + Guid.NewGuid().ToString("N")[..8];

    private protected abstract Task<VectorWorld> OpenAsync();

    [DatabaseFact]
    public async Task The_nearest_come_first_with_their_cosine_and_only_from_the_named_partitions()
    {
        await using var world = await OpenAsync();
        var points = new PointEmbedder();
        var entries = await FillAsync(world);
        foreach (var query in (string[])["0:5", "1:900", "2:901", "3:902"])
        {
            var near = points.Of(query);
            var expected = entries.Where(e => e.Partition != "c").Select(e => (e.Id, Score: VectorMath.Dot(near, points.Of(e.Text)))).OrderByDescending(e => e.Score).Take(10).ToDictionary(e => e.Id, e => e.Score);
            var hits = await world.SearchAsync(_space, query, 10, "a", "b", "a", "nothing here");
            Assert.Equal(10, hits.Count);
            Assert.Equal(hits.OrderByDescending(h => h.Score).Select(h => h.Id), hits.Select(h => h.Id));
            Assert.DoesNotContain(hits, h => h.Partition is not ("a" or "b"));
            Assert.InRange(hits.Count(h => expected.ContainsKey(h.Id)), 9, 10);
            Assert.All(hits.Where(h => expected.ContainsKey(h.Id)), h => Assert.Equal(expected[h.Id], h.Score, 4));
        }
    }

    [DatabaseFact]
    public async Task What_is_put_again_is_replaced_and_may_move_to_another_partition()
    {
        await using var world = await OpenAsync();
        await FillAsync(world);
        var id = Guid.NewGuid();
        await world.PutAsync(_space, new VectorEntry(id, "a", "9:1"));
        Assert.Equal(id, (await world.SearchAsync(_space, "9:1", 1, "a"))[0].Id);
        await world.PutAsync(_space, new VectorEntry(id, "b", "8:1"));
        Assert.DoesNotContain(await world.SearchAsync(_space, "9:1", 5, "a"), h => h.Id == id);
        var moved = (await world.SearchAsync(_space, "8:1", 1, "b"))[0];
        Assert.Equal((id, "b"), (moved.Id, moved.Partition));
        Assert.Equal(1, moved.Score, 4);
    }

    [DatabaseFact]
    public async Task What_is_removed_is_found_no_more_and_what_is_rolled_back_stays()
    {
        await using var world = await OpenAsync();
        var entries = await FillAsync(world);
        var gone = (await world.SearchAsync(_space, "1:7", 3, "a", "b")).Select(h => h.Id).ToList();
        await world.Store.RemoveAsync(_space, [.. gone, Guid.NewGuid()], CancellationToken.None);
        Assert.DoesNotContain(await world.SearchAsync(_space, "1:7", 20, "a", "b"), h => gone.Contains(h.Id));

        await Assert.ThrowsAsync<InvalidOperationException>(() => world.Database.WriteAsync(
            async session =>
            {
                await world.Store.RemovePartitionAsync(session, _space, "c");
                throw new InvalidOperationException("no");
            },
            CancellationToken.None));
        Assert.Equal(5, (await world.SearchAsync(_space, "1:7", 5, "c")).Count);
        await world.Database.WriteAsync(session => world.Store.RemovePartitionAsync(session, _space, "c"), CancellationToken.None);
        Assert.Empty(await world.SearchAsync(_space, "1:7", 5, "c"));
        Assert.NotEmpty(await world.SearchAsync(_space, "1:7", 5, "a"));
        world.Again();
        Assert.Empty(await world.SearchAsync(_space, "1:7", 5, "c"));
        Assert.DoesNotContain(await world.SearchAsync(_space, "1:7", entries.Count, "a", "b"), h => gone.Contains(h.Id));
    }

    [DatabaseFact]
    public async Task A_restart_finds_the_same()
    {
        await using var world = await OpenAsync();
        await FillAsync(world);
        await world.PutAsync(_space, new VectorEntry(Guid.NewGuid(), "a", "2:3000"), new VectorEntry(Guid.NewGuid(), "b", "2:3001"));
        var before = await world.SearchAsync(_space, "2:3000", 12, "a", "b");
        world.Again();
        Assert.Equal(before.Select(h => h.Id), (await world.SearchAsync(_space, "2:3000", 12, "a", "b")).Select(h => h.Id));
    }

    [DatabaseFact]
    public async Task A_text_or_a_query_that_means_nothing_is_like_nothing()
    {
        await using var world = await OpenAsync();
        await FillAsync(world);
        await world.PutAsync(_space, new VectorEntry(Guid.NewGuid(), "a", "…"));
        Assert.All(await world.SearchAsync(_space, "…", 3, "a"), h => Assert.Equal(0, h.Score));
        Assert.InRange((await world.SearchAsync(_space, "0:1", 1, "a"))[0].Score, 0.5f, 1.0001f);
        Assert.Empty(await world.SearchAsync(_space, "0:1", 3));
        Assert.Empty(await world.SearchAsync(_space, "0:1", 0, "a"));
        Assert.Empty(await world.SearchAsync("another space", "0:1", 3, "a"));
    }

    [DatabaseFact]
    public async Task Of_named_entries_the_nearest_are_found_however_many_others_are_nearer()
    {
        await using var world = await OpenAsync();
        var points = new PointEmbedder();
        await FillAsync(world);
        var far = Enumerable.Range(0, 12).Select(i => new VectorEntry(Guid.NewGuid(), i % 2 == 0 ? "a" : "b", $"{20 + i}:1")).ToList();
        await world.PutAsync(_space, far);
        await world.BuildAsync();
        var near = points.Of("0:5");
        var expected = far.Select(e => (e.Id, e.Partition, Score: VectorMath.Dot(near, points.Of(e.Text)))).OrderByDescending(e => e.Score).ToList();
        Guid[] among = [.. far.Select(e => e.Id), Guid.NewGuid()];
        Assert.DoesNotContain(await world.SearchAsync(_space, "0:5", 50, "a", "b"), h => among.Contains(h.Id));

        var hits = await world.SearchAmongAsync(_space, "0:5", among, 5, "a", "b", "nothing here");
        Assert.Equal(expected.Take(5).Select(e => (e.Id, e.Partition)), hits.Select(h => (h.Id, h.Partition)));
        Assert.All(hits, h => Assert.Equal(expected.Single(e => e.Id == h.Id).Score, h.Score, 4));
        Assert.Equal(expected.Where(e => e.Partition == "b").Select(e => e.Id), (await world.SearchAmongAsync(_space, "0:5", among, 50, "b")).Select(h => h.Id));

        await world.Store.RemoveAsync(_space, [hits[0].Id], CancellationToken.None);
        Assert.Equal(expected.Skip(1).Select(e => e.Id), (await world.SearchAmongAsync(_space, "0:5", among, 50, "a", "b")).Select(h => h.Id));
        Assert.Empty(await world.SearchAmongAsync(_space, "0:5", [], 5, "a"));
        Assert.Empty(await world.SearchAmongAsync(_space, "0:5", among, 0, "a"));
        Assert.Empty(await world.SearchAmongAsync(_space, "0:5", among, 5));
    }

    [DatabaseFact]
    public async Task A_partition_in_which_everything_is_far_away_is_found_whole()
    {
        await using var world = await OpenAsync();
        await FillAsync(world);
        var far = Enumerable.Range(0, 8).Select(i => new VectorEntry(Guid.NewGuid(), "far", $"30:{i}")).ToList();
        await world.PutAsync(_space, far);
        Assert.Equal(far.Select(e => e.Id).Order(), (await world.SearchAsync(_space, "0:5", 8, "far")).Select(h => h.Id).Order());
        Assert.Equal(8, (await world.SearchAsync(_space, "0:5", 50, "far")).Count);
    }

    [DatabaseFact]
    public async Task Writes_beside_searches_are_all_found_in_the_end()
    {
        await using var world = await OpenAsync();
        await FillAsync(world);
        var ids = Enumerable.Range(0, 60).Select(_ => Guid.NewGuid()).ToList();
        using var done = new CancellationTokenSource();
        var searching = Task.Run(async () =>
        {
            for (var i = 0; !done.IsCancellationRequested; i++)
            {
                Assert.Equal(5, (await world.SearchAsync(_space, $"{i % 5}:{i}", 5, "a", "b")).Count);
            }
        });
        await Task.WhenAll(ids.Chunk(10).Select((some, n) => Task.Run(() => world.PutAsync(_space, [.. some.Select((id, i) => new VectorEntry(id, "a", $"7:{(n * 10) + i}"))]))));
        await world.BuildAsync();
        await done.CancelAsync();
        await searching;
        Assert.Equal(ids.Order(), (await world.SearchAsync(_space, "7:0", 60, "a")).Select(h => h.Id).Order());
    }

    /// <summary>Two large partitions and a small one, in the form that the limits want.</summary>
    private async Task<List<VectorEntry>> FillAsync(VectorWorld world)
    {
        var entries = Enumerable.Range(0, (2 * Many) + 20).Select(i => new VectorEntry(Guid.NewGuid(), i >= 2 * Many ? "c" : i % 2 == 0 ? "a" : "b", $"{i % 6}:{i}")).ToList();
        await world.PutAsync(_space, entries);
        await world.SearchAsync(_space, "0:0", 1, "a"); // it is read at its first use
        await world.BuildAsync();
        return entries;
    }
}

public sealed class ExactVectorsOnSqliteTests() : VectorIndexRules(DatabaseKind.Sqlite)
{
    private protected override Task<VectorWorld> OpenAsync() => VectorWorld.OpenAsync();
}

public sealed class ByteVectorsOnSqliteTests() : VectorIndexRules(DatabaseKind.Sqlite)
{
    private protected override Task<VectorWorld> OpenAsync() => VectorWorld.OpenAsync(VectorWorld.Exact with { BytesFrom = 100 });
}

public sealed class GraphVectorsOnSqliteTests() : VectorIndexRules(DatabaseKind.Sqlite)
{
    private protected override Task<VectorWorld> OpenAsync() => VectorWorld.OpenAsync(VectorWorld.Exact with { GraphFrom = 100 });
}

public sealed class ByteGraphVectorsOnSqliteTests() : VectorIndexRules(DatabaseKind.Sqlite)
{
    private protected override Task<VectorWorld> OpenAsync() => VectorWorld.OpenAsync(new VectorLimits(100, 100, 64));
}

public sealed class ExactVectorsOnPostgresTests() : VectorIndexRules(DatabaseKind.Postgres), IOnPostgres
{
    private protected override Task<VectorWorld> OpenAsync() => VectorWorld.OpenAsync();
}

public sealed class ByteGraphVectorsOnPostgresTests() : VectorIndexRules(DatabaseKind.Postgres), IOnPostgres
{
    private protected override Task<VectorWorld> OpenAsync() => VectorWorld.OpenAsync(new VectorLimits(100, 100, 64));
}

/// <summary>The kind stays SQLite's, because the server of these tests is not the one that <see cref="TestDatabase"/> knows.</summary>
public sealed class PgvectorTests() : VectorIndexRules(DatabaseKind.Sqlite), IOnPgvector
{
    private protected override Task<VectorWorld> OpenAsync() => VectorWorld.OnPgvectorAsync();

    [DatabaseFact]
    public async Task A_day_after_a_change_of_the_length_the_old_table_goes_with_its_index_and_of_another_model_its_rows()
    {
        var clock = new SteppedClock();
        var texts = new Texts("s" + Guid.NewGuid().ToString("N")[..8], VectorUpkeepTests.Entries(30));
        await using (var before = await VectorWorld.OnPgvectorAsync(new PointEmbedder("1", 24), clock))
        {
            await LookAfterAsync(before, texts);
        }

        foreach (var version in (string[])["1", "2"])
        {
            await using var world = await VectorWorld.OnPgvectorAsync(new PointEmbedder(version, 25), clock);
            await LookAfterAsync(world, texts);
            Assert.Equal(version == "1", await IsThereAsync(world, "vectors_24")); // another instance may still search there
            clock.Advance(TimeSpan.FromHours(25));
            await LookAfterAsync(world, texts);
            Assert.False(await IsThereAsync(world, "vectors_24"));
            Assert.Equal(
                (30, 30),
                (await CountAsync(world, $"vectors WHERE space = '{texts.Space}'"), await CountAsync(world, $"public_vectors.vectors_25 WHERE space = '{texts.Space}'")));
            Assert.Equal(texts.All[7].Id, (await world.SearchAsync(texts.Space, texts.All[7].Text, 1, "p"))[0].Id);
        }
    }

    /// <summary>What the background does.</summary>
    private static async Task LookAfterAsync(VectorWorld world, Texts texts)
    {
        await world.Builder.CatchUpAsync(CancellationToken.None);
        await world.Check(texts).RunAsync(TimeSpan.FromMinutes(1), CancellationToken.None);
        await world.Builder.TidyAsync(VectorTable.ModelOf(world.Embedder.Identity), CancellationToken.None);
    }

    private static async Task<bool> IsThereAsync(VectorWorld world, string table) =>
        await world.Database.ReadAsync(s => s.Prepared("SELECT to_regclass(@table)::text").Set("table", "public_vectors." + table).StringAsync(), CancellationToken.None) is not null;

    private static Task<long?> CountAsync(VectorWorld world, string what) => world.Database.ReadAsync(s => s.Prepared($"SELECT count(*) FROM {what}").Int64Async(), CancellationToken.None);
}
