using System.Net.Http.Json;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Knowledge;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>What the background does: graphs that are kept, texts that lack a vector, models that change.</summary>
[Covers(typeof(VectorStore))]
public abstract class VectorUpkeepTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [DatabaseFact]
    public async Task A_restart_takes_the_graph_from_its_file_and_what_changed_meanwhile_from_the_database()
    {
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(100, 200, 64));
        var entries = Entries(400);
        await world.PutAsync("chunks", entries);
        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        Assert.NotNull((await PartitionAsync(world)).Content.Graph);

        // The process that writes now knows no graph: its file grows old.
        world.Again();
        await world.Store.RemoveAsync("chunks", [entries[0].Id], CancellationToken.None);
        await world.PutAsync("chunks", entries[1] with { Text = "9:1" }, new VectorEntry(Guid.NewGuid(), "p", "9:2"));

        world.Again();
        var partition = await PartitionAsync(world);
        Assert.NotNull(partition.Content.Graph); // nobody has built
        Assert.Equal(400, partition.Count);
        Assert.Equal(PartitionWork.Extend, partition.Work);
        Assert.Equal(entries[1].Id, (await world.SearchAsync("chunks", "9:1", 1, "p"))[0].Id);
        Assert.DoesNotContain(await world.SearchAsync("chunks", entries[0].Text, 5, "p"), h => h.Id == entries[0].Id);
        await world.BuildAsync();
        Assert.Equal(PartitionWork.None, (await PartitionAsync(world)).Work);
        Assert.Equal(entries[1].Id, (await world.SearchAsync("chunks", "9:1", 1, "p"))[0].Id);
    }

    [DatabaseFact]
    public async Task A_partition_that_has_become_small_again_calls_no_rounded_vector_exact()
    {
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(50, 100, 64));
        var entries = Entries(120);
        await world.PutAsync("chunks", entries);
        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        Assert.False((await PartitionAsync(world)).Content.Rows.IsExact);
        await world.Store.RemoveAsync("chunks", [.. entries.Take(40).Select(static e => e.Id)], CancellationToken.None);
        Assert.True((await PartitionAsync(world)).Tidy());
        await world.BuildAsync();
        var content = (await PartitionAsync(world)).Content;
        Assert.Equal((80, 0), (content.LiveCount, content.DeadCount));
        await AreExactAsync(world, entries);
        world.Again();
        await AreExactAsync(world, entries);
    }

    private static async Task AreExactAsync(VectorWorld world, List<VectorEntry> entries)
    {
        var points = new PointEmbedder();
        var (query, texts) = (points.Of("3:7000"), entries.ToDictionary(static e => e.Id, static e => e.Text));
        var hits = await world.SearchAsync("chunks", "3:7000", 20, "p");
        Assert.Equal(20, hits.Count);
        Assert.All(hits, h => Assert.Equal(VectorMath.Dot(query, points.Of(texts[h.Id])), h.Score, 1e-6f));
    }

    [DatabaseFact]
    public async Task Vectors_are_kept_under_the_name_of_the_model_that_made_them()
    {
        var points = new PointEmbedder();
        await using var world = await VectorWorld.OpenAsync(embedder: points);
        var (entries, other) = (Entries(3), points.Identity with { Version = "2" });
        points.Refuses = _ =>
        {
            points.Identity = other; // another model takes over while the request is on its way
            return null;
        };
        await world.PutAsync("chunks", entries);
        var rows = await world.Database.ReadAsync(session => VectorTable.ReadAsync(session, "chunks", entries.Select(static e => e.Id)), CancellationToken.None);
        Assert.Equal(3, rows.Count);
        Assert.All(rows, row => Assert.Equal(VectorTable.ModelOf(other), row.Model));
        Assert.Equal(6, points.Embedded); // once more, by the other
    }

    [DatabaseFact]
    public async Task Many_deletions_are_followed_by_a_new_graph_without_the_dead()
    {
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(100, int.MaxValue, 64));
        var entries = Entries(500);
        await world.PutAsync("chunks", entries);
        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        await world.Store.RemoveAsync("chunks", [.. entries.Take(200).Select(e => e.Id)], CancellationToken.None);
        Assert.Equal(PartitionWork.Rebuild, (await PartitionAsync(world)).Work);
        await world.BuildAsync();
        var content = (await PartitionAsync(world)).Content;
        Assert.Equal((300, 0, 300), (content.LiveCount, content.DeadCount, content.Graph?.Count));
        Assert.Equal(entries[300].Id, (await world.SearchAsync("chunks", entries[300].Text, 1, "p"))[0].Id);
    }

    [DatabaseFact]
    public async Task A_check_takes_a_single_deletion_out_of_the_file_of_the_graph()
    {
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(100, int.MaxValue, 64));
        var entries = Entries(200);
        await world.PutAsync("chunks", entries);
        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        await world.Store.RemoveAsync("chunks", [entries[7].Id], CancellationToken.None);
        await world.BuildAsync();
        Assert.True(await IsKeptAsync(world, entries[7].Id)); // one in two hundred is not worth a new graph

        await world.Builder.TidyAsync(VectorTable.ModelOf(world.Embedder.Identity), CancellationToken.None);
        await world.BuildAsync();
        Assert.False(await IsKeptAsync(world, entries[7].Id));
        Assert.True(await IsKeptAsync(world, entries[8].Id));
        Assert.Equal(PartitionWork.None, (await PartitionAsync(world)).Work);
    }

    [DatabaseFact]
    public async Task What_was_deleted_leaves_a_graph_that_nobody_has_searched_since_the_start()
    {
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(100, int.MaxValue, 64));
        var entries = Entries(1_200);
        await world.PutAsync("chunks", entries);
        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        var model = VectorTable.ModelOf(world.Embedder.Identity);
        world.Again();
        await world.Builder.TidyAsync(model, CancellationToken.None);
        Assert.True(await IsKeptAsync(world, entries[7].Id)); // nothing was deleted

        await world.Store.RemoveAsync("chunks", [entries[1_150].Id], CancellationToken.None);
        world.Again();
        await world.Builder.TidyAsync(model, CancellationToken.None);
        Assert.Empty(world.Folder.Files());
        Assert.Empty(world.Memory.Loaded);

        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        Assert.True(await IsKeptAsync(world, entries[7].Id));
        Assert.False(await IsKeptAsync(world, entries[1_150].Id));

        // A text that says something else now has left its old vector there.
        world.Again();
        await world.PutAsync("chunks", entries[3] with { Text = "9:1" });
        await world.Builder.TidyAsync(model, CancellationToken.None);
        Assert.Empty(world.Folder.Files());
    }

    [DatabaseTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_graph_of_a_partition_that_has_become_small_does_not_stay_on_disk(bool isLoaded)
    {
        await using var world = await VectorWorld.OpenAsync(new VectorLimits(100, int.MaxValue, 64));
        var entries = Entries(150);
        await world.PutAsync("chunks", entries);
        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        Assert.Single(world.Folder.Files());
        if (!isLoaded)
        {
            world.Again();
        }

        await world.Store.RemoveAsync("chunks", [.. entries.Take(80).Select(e => e.Id)], CancellationToken.None);
        await world.SearchAsync("chunks", "0:0", 1, "p");
        await world.BuildAsync();
        await world.Builder.TidyAsync(VectorTable.ModelOf(world.Embedder.Identity), CancellationToken.None);
        Assert.Empty(world.Folder.Files());
    }

    [DatabaseFact]
    public async Task A_file_that_a_killed_process_left_half_written_goes_and_one_that_is_being_written_stays()
    {
        await using var world = await VectorWorld.OpenAsync();
        world.Folder.Create();
        var (old, fresh) = (world.Folder.PathOf("chunks", "m", "p") + HnswFile.Unfinished, world.Folder.PathOf("chunks", "m", "q") + HnswFile.Unfinished);
        await File.WriteAllTextAsync(old, "vectors");
        await File.WriteAllTextAsync(fresh, "vectors");
        File.SetLastWriteTimeUtc(old, new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        await world.Builder.TidyAsync("m", CancellationToken.None);
        Assert.False(File.Exists(old));
        Assert.True(File.Exists(fresh));
    }

    [DatabaseFact]
    public async Task What_was_deleted_goes_from_disk_while_the_embedder_is_away()
    {
        var clock = new ManualTimeProvider();
        await using var world = await VectorWorld.OpenAsync();
        world.Folder.Create();
        await File.WriteAllTextAsync(world.Folder.PathOf("chunks", "m", "p"), "vectors");
        var texts = new Texts("chunks", Entries(3)) { Fails = true };
        using var upkeep = new VectorUpkeep(Check(world, texts), world.Builder, new VectorOptions(), new BackgroundJobs(clock), clock, NullLogger<VectorUpkeep>.Instance);
        await upkeep.StartingAsync(CancellationToken.None);
        await upkeep.StartAsync(CancellationToken.None);
        await Wait.UntilAsync(() => world.Folder.Files().Count == 0);
        await upkeep.StopAsync(CancellationToken.None);
    }

    [DatabaseFact]
    public async Task After_a_change_of_model_every_text_gets_a_new_vector_and_search_goes_on()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(clock: clock);
        var texts = new Texts("chunks", Entries(300));
        await world.PutAsync("chunks", [.. texts.All]);

        var next = new PointEmbedder("2");
        world.Again(next);
        Assert.Empty(await world.SearchAsync("chunks", "0:0", 5, "p")); // nothing of the new model is there yet, and nothing of the old one is mistaken for it
        await world.PutAsync("chunks", texts.All[0]);
        Assert.Equal(texts.All[0].Id, Assert.Single(await world.SearchAsync("chunks", "0:0", 5, "p")).Id);
        Assert.Equal(299, await Check(world, texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal(texts.All[77].Id, (await world.SearchAsync("chunks", texts.All[77].Text, 5, "p"))[0].Id);
        Assert.Equal(600, await CountAsync(world));

        // Others may still use the old model; a day later it is gone.
        clock.Advance(TimeSpan.FromHours(25));
        Assert.Equal(0, await Check(world, texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal(300, await CountAsync(world));
        Assert.Equal(texts.All[77].Id, (await world.SearchAsync("chunks", texts.All[77].Text, 5, "p"))[0].Id);
    }

    [DatabaseFact]
    public async Task A_change_of_model_while_running_is_seen_long_before_the_next_check()
    {
        var clock = new ManualTimeProvider();
        var embedder = new PointEmbedder();
        await using var world = await VectorWorld.OpenAsync(embedder: embedder);
        var texts = new Texts("chunks", Entries(30));
        using var upkeep = new VectorUpkeep(Check(world, texts), world.Builder, new VectorOptions(), new BackgroundJobs(clock), clock, NullLogger<VectorUpkeep>.Instance);
        await upkeep.StartingAsync(CancellationToken.None);
        await upkeep.StartAsync(CancellationToken.None);
        await Wait.UntilAsync(() => embedder.Embedded == 30);
        embedder.Identity = embedder.Identity with { Version = "2" };
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1)); // at most some thousand times: the next check comes after six hours
            return embedder.Embedded == 60;
        });
        await upkeep.StopAsync(CancellationToken.None);
    }

    [DatabaseFact]
    public async Task A_text_without_a_vector_gets_one_and_a_vector_without_a_text_goes()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(clock: clock);
        var entries = Entries(300);
        await world.PutAsync("chunks", entries);
        var texts = new Texts("chunks", [.. entries.Skip(10), .. Entries(5, from: 5_000), entries[9] with { Partition = "q" }]);
        Assert.Equal(6, await Check(world, texts).RunAsync(Minute, CancellationToken.None));
        Assert.Equal(entries[9].Id, Assert.Single(await world.SearchAsync("chunks", entries[9].Text, 5, "q")).Id);
        Assert.Equal(305, await CountAsync(world)); // a vector may come before its text
        clock.Advance(TimeSpan.FromHours(2));
        await Check(world, texts).RunAsync(Minute, CancellationToken.None);
        Assert.Equal(296, await CountAsync(world));
        Assert.DoesNotContain(await world.SearchAsync("chunks", entries[3].Text, 10, "p"), h => h.Id == entries[3].Id);
    }

    [DatabaseFact]
    public async Task One_instance_checks_a_space_and_another_takes_over_when_it_is_gone()
    {
        var clock = new SteppedClock();
        await using var world = await VectorWorld.OpenAsync(clock: clock);
        var texts = new Texts("chunks", Entries(300));
        var first = Check(world, texts, "first");
        texts.Fails = true;
        await Assert.ThrowsAsync<InvalidOperationException>(() => first.RunAsync(Minute, CancellationToken.None));
        texts.Fails = false;
        Assert.Equal(0, await Check(world, texts, "second").RunAsync(Minute, CancellationToken.None)); // the first may still be at it
        clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal(300, await Check(world, texts, "second").RunAsync(Minute, CancellationToken.None));
        Assert.Equal(0, await first.RunAsync(Minute, CancellationToken.None)); // it has just been seen to
    }

    internal static List<VectorEntry> Entries(int count, int from = 0) =>
        [.. Enumerable.Range(from, count).Select(static i => new VectorEntry(Guid.NewGuid(), "p", $"{i % 6}:{i}")).OrderBy(static e => e.Id.ToString("D"), StringComparer.Ordinal)];

    private static VectorCheck Check(VectorWorld world, Texts texts, string instance = "one") => world.Check(texts, instance);

    private static async Task<VectorPartition> PartitionAsync(VectorWorld world) =>
        (await world.Memory.LoadAsync("chunks", VectorTable.ModelOf(world.Embedder.Identity))).Find("p")!;

    private static async Task<bool> IsKeptAsync(VectorWorld world, Guid id) =>
        (await File.ReadAllBytesAsync(Assert.Single(world.Folder.Files()))).AsSpan().IndexOf(id.ToByteArray()) >= 0;

    private static Task<long?> CountAsync(VectorWorld world) => world.Database.ReadAsync(static s => s.Prepared("SELECT count(*) FROM vectors").Int64Async(), CancellationToken.None);
}

public sealed class VectorUpkeepOnSqliteTests() : VectorUpkeepTests(DatabaseKind.Sqlite);

public sealed class VectorUpkeepOnPostgresTests() : VectorUpkeepTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>In the real server, and over two of them.</summary>
public sealed class VectorServerTests
{
    [PostgresFact]
    public async Task What_one_instance_puts_or_removes_the_other_sees()
    {
        await using var cluster = await TestCluster.StartAsync();
        var (here, there) = (cluster[0].Get<IVectorStore>(), cluster[1].Get<IVectorStore>());
        var query = (await cluster[1].Get<IEmbedder>().EmbedAsync(["Where is my card?"], EmbedPurpose.Query, "system", CancellationToken.None))[0];
        Assert.Empty(await there.SearchAsync("chunks", query, ["p"], 5, CancellationToken.None)); // it has read the space before anything is in it
        var entries = Enumerable.Range(0, 250).Select(static i => new VectorEntry(Guid.NewGuid(), "p", i == 0 ? "My card, where is it?" : $"Weather of day {i}")).ToList();
        await here.PutAsync("chunks", entries, "system", CancellationToken.None);
        await TestCluster.UntilAsync(async () => (await there.SearchAsync("chunks", query, ["p"], 250, CancellationToken.None)).Count == 250, "all are there");
        Assert.Equal(entries[0].Id, (await there.SearchAsync("chunks", query, ["p"], 1, CancellationToken.None))[0].Id);
        await here.RemoveAsync("chunks", [entries[0].Id], CancellationToken.None);
        await TestCluster.UntilAsync(async () => (await there.SearchAsync("chunks", query, ["p"], 1, CancellationToken.None))[0].Id != entries[0].Id, "it is gone");
    }

    [Fact]
    public async Task The_server_searches_and_says_so_in_its_metrics()
    {
        await using var app = await TestApp.StartAsync();
        var store = app.Get<IVectorStore>();
        var id = Guid.NewGuid();
        await store.PutAsync("memory", [new VectorEntry(id, "u", "Я живу в Казани"), new VectorEntry(Guid.NewGuid(), "u", "Prime numbers below one hundred")], "system", CancellationToken.None);
        var query = (await app.Get<IEmbedder>().EmbedAsync(["Кто живет в Казани?"], EmbedPurpose.Query, "system", CancellationToken.None))[0];
        Assert.Equal(id, (await store.SearchAsync("memory", query, ["u"], 1, CancellationToken.None))[0].Id);
        var metrics = await app.Client.GetStringAsync("/metrics");
        Assert.Contains("rootmas_knowledge_search_duration", metrics, StringComparison.Ordinal);
        Assert.Contains("rootmas_knowledge_vectors{", metrics, StringComparison.Ordinal);
        var health = await app.Client.GetStringAsync("/health");
        Assert.Contains("vector-check", health, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pgvector_on_SQLite_stops_the_start_and_says_what_to_do()
    {
        var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => TestApp.StartAsync(o => o.Settings["Knowledge:Vectors:Index"] = "pgvector"));
        Assert.Contains("Use PostgreSQL", refused.Message, StringComparison.Ordinal);
    }
}
