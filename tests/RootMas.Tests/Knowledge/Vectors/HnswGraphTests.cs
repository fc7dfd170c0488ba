using System.Security.Cryptography;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>The graph itself, and the file that keeps it.</summary>
public sealed class HnswGraphTests
{
    private static readonly PointEmbedder Points = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void It_finds_nearly_all_that_comparing_with_each_would_find(bool bytes)
    {
        var content = Built(3_000, bytes);
        var points = Enumerable.Range(0, 3_000).Select(static row => Points.Of(TextOf(row))).ToList();
        var (found, all) = (0, 0);
        for (var i = 0; i < 50; i++)
        {
            var query = Points.Of($"{i % 25}:{100_000 + i}");
            var exact = Enumerable.Range(0, 3_000).OrderByDescending(row => VectorMath.Dot(query, points[row])).Take(10).ToHashSet();
            found += RowsOf(content, query, 10).Count(exact.Contains);
            all += 10;
        }

        Assert.True(found >= 0.95 * all, $"recall@10 is {found / (double)all}");
    }

    [Fact]
    public void Deleted_rows_are_not_found_and_do_not_cut_the_graph()
    {
        var content = Built(1_000, bytes: false);
        for (var row = 0; row < 1_000; row++)
        {
            if (row % 10 != 0)
            {
                Assert.True(content.Remove(content.IdOf(row)));
            }
        }

        var rows = RowsOf(content, Points.Of("3:5000"), 100);
        Assert.Equal(100, rows.Count);
        Assert.All(rows, row => Assert.Equal(0, row % 10));
    }

    [Fact]
    public void Every_row_is_reached_from_the_entry()
    {
        var content = Built(2_000, bytes: false);
        Assert.Equal(2_000, RowsOf(content, Points.Of("0:0"), 2_000).Count);
    }

    [Fact]
    public void Levels_fall_off_as_they_should()
    {
        var levels = Enumerable.Range(0, 100_000).Select(HnswGraph.LevelOf).ToList();
        Assert.InRange(levels.Count(l => l >= 1) / 100_000d, 0.055, 0.07); // 1/16
        Assert.InRange(levels.Count(l => l >= 2) / 100_000d, 0.003, 0.005); // 1/256
    }

    [Fact]
    public async Task Searches_beside_inserts_see_a_graph_that_holds_together()
    {
        var content = Rows(3_000, bytes: false);
        var graph = new HnswGraph(content.Rows);
        content.Graph = graph;
        graph.InsertNext();
        var searching = Task.Run(() =>
        {
            var (searches, others) = (0, 0);
            while (graph.Count < 3_000)
            {
                // What is not in the graph yet is compared one by one. A list of links that is rewritten while it is read may lead past the nearest row, never out of its neighbourhood, and seldom.
                var found = RowsOf(content, Points.Of(TextOf(77)), 1)[0];
                Assert.Equal(77 % 25, found % 25);
                searches++;
                others += found == 77 ? 0 : 1;
            }

            return (searches, others);
        });
        while (graph.Count < 3_000)
        {
            graph.InsertNext();
        }

        var (looked, missed) = await searching;
        Assert.InRange(missed, 0, 1 + (looked / 20));
        Assert.Equal(77, RowsOf(content, Points.Of(TextOf(77)), 1)[0]);
    }

    /// <summary>Whoever searches looks through the rows that were not in the graph when it began; what is inserted meanwhile must not come out of the graph too.</summary>
    [Fact]
    public void A_search_finds_in_the_graph_only_what_was_in_it_when_it_began()
    {
        var content = Built(600, bytes: false);
        var (found, query) = (new ScoreHeap(bestFirst: false), Points.Of(TextOf(500)));
        content.Graph!.Search(content.Rows.Prepare(query), 600, 600, new HnswLook(content.Alive, 400), found);
        var rows = new List<int>();
        while (found.Count > 0)
        {
            rows.Add(found.Pop().Row);
        }

        Assert.Equal(Enumerable.Range(0, 400), rows.Order()); // others lie on the way, and are passed
    }

    [Fact]
    public async Task Beside_inserts_and_writes_nothing_is_found_twice()
    {
        var partition = new VectorPartition(48, new VectorLimits(100, int.MaxValue, 64));
        Guid[] ids = [.. Enumerable.Range(0, 1_500).Select(static _ => Guid.NewGuid())];
        foreach (var (row, id) in ids.Take(200).Index())
        {
            partition.Put(id, Points.Of(TextOf(row)), row);
        }

        partition.Rebuild(CancellationToken.None);
        var (query, isDone) = (Points.Of(TextOf(77)), 0);
        var searching = Task.Run(() =>
        {
            while (Volatile.Read(ref isDone) == 0)
            {
                var found = partition.Search(query, 50, 0).ConvertAll(static h => h.Id);
                Assert.Equal(found.Count, found.Distinct().Count());
            }
        });
        foreach (var (row, id) in ids.Skip(200).Index())
        {
            partition.Put(id, Points.Of(TextOf(row + 200)), row);
            partition.Put(ids[row % 100], Points.Of(TextOf(row % 100)), row + 5_000); // again
            partition.Extend(CancellationToken.None);
        }

        Volatile.Write(ref isDone, 1);
        await searching;
    }

    /// <summary>32 bits a number may be rounded ones in a file of the form before: they are read from the table again.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_the_form_before_only_what_says_that_it_is_rounded_is_taken(bool bytes)
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "graph");
        await HnswFile.WriteAsync(path, Built(200, bytes), CancellationToken.None);
        Assert.NotNull(await HnswFile.ReadAsync(path, 48, CancellationToken.None));
        var file = await File.ReadAllBytesAsync(path);
        file[7] = (byte)'1';
        SHA256.HashData(file.AsSpan(0, file.Length - SHA256.HashSizeInBytes), file.AsSpan(file.Length - SHA256.HashSizeInBytes));
        await File.WriteAllBytesAsync(path, file);
        Assert.Equal(bytes, await HnswFile.ReadAsync(path, 48, CancellationToken.None) is not null);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_file_gives_back_the_same_graph(bool bytes)
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "graph");
        var content = Built(1_500, bytes);
        content.Remove(content.IdOf(7));
        await HnswFile.WriteAsync(path, content, CancellationToken.None);
        var again = await HnswFile.ReadAsync(path, 48, CancellationToken.None);
        Assert.NotNull(again);
        Assert.Equal(content.LiveCount, again.LiveCount);
        for (var i = 0; i < 20; i++)
        {
            var query = Points.Of($"{i}:777");
            Assert.Equal(RowsOf(content, query, 10), RowsOf(again, query, 10));
        }

        Assert.Null(await HnswFile.ReadAsync(path, 47, CancellationToken.None));
        Assert.Null(await HnswFile.ReadAsync(path + ".none", 48, CancellationToken.None));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(-1)]
    public async Task A_damaged_file_is_not_believed(int at)
    {
        using var folder = new TempFolder();
        var path = Path.Combine(folder.Path, "graph");
        await HnswFile.WriteAsync(path, Built(200, bytes: true), CancellationToken.None);
        var bytes = await File.ReadAllBytesAsync(path);
        bytes[at < 0 ? bytes.Length + at : at] ^= 1;
        await File.WriteAllBytesAsync(path, bytes);
        Assert.Null(await HnswFile.ReadAsync(path, 48, CancellationToken.None));
        await File.WriteAllBytesAsync(path, bytes[..(bytes.Length / 2)]);
        Assert.Null(await HnswFile.ReadAsync(path, 48, CancellationToken.None));
    }

    [Fact]
    public void Products_of_bytes_are_exact_in_every_form()
    {
        var random = new Random(1);
        foreach (var length in (int[])[0, 1, 15, 16, 17, 31, 32, 33, 63, 384, 500])
        {
            var (a, b) = (new sbyte[length], new sbyte[length]);
            for (var i = 0; i < length; i++)
            {
                (a[i], b[i]) = ((sbyte)random.Next(-127, 128), (sbyte)(i % 3 == 0 ? -127 : random.Next(-127, 128)));
            }

            Assert.Equal(a.Zip(b, static (x, y) => x * y).Sum(), ByteMath.Dot(a, b));
            if (length > 0)
            {
                var (sum, done) = ByteMath.Portable(ref a[0], ref b[0], length);
                Assert.Equal(a.Take(done).Zip(b, static (x, y) => x * y).Sum(), sum);
            }
        }
    }

    private static string TextOf(int row) => $"{row % 25}:{row}";

    private static PartitionContent Rows(int count, bool bytes)
    {
        var content = new PartitionContent(bytes ? new ByteRows(48) : new FloatRows(48));
        for (var row = 0; row < count; row++)
        {
            content.Put(Guid.NewGuid(), Points.Of(TextOf(row)), row);
        }

        return content;
    }

    private static PartitionContent Built(int count, bool bytes)
    {
        var content = Rows(count, bytes);
        var graph = new HnswGraph(content.Rows);
        while (graph.Count < count)
        {
            graph.InsertNext();
        }

        content.Graph = graph;
        return content;
    }

    private static List<int> RowsOf(PartitionContent content, float[] query, int k)
    {
        var found = new ScoreHeap(bestFirst: false);
        content.Search(query, 100, k, found);
        var rows = new List<int>();
        while (found.Count > 0)
        {
            rows.Add(found.Pop().Row);
        }

        rows.Reverse();
        return rows;
    }
}
