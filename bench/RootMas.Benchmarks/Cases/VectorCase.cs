using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using RootMas.Benchmarks.Targets;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Benchmarks.Cases;

/// <summary>B9: the ten nearest of n vectors of 384 numbers, one after the other on one core: comparing with each, with 32 and with 8 bits a number, our graph over both, and hnswlib.</summary>
internal static class VectorCase
{
    private const string Name = "B9";
    private const int Dimension = 384;
    private const int Nearest = 10;
    private const int Queries = 200;
    private const double WantedRecall = 0.99;

    /// <summary>As in the product: where memory has rounded vectors, so many more are compared exactly.</summary>
    private const int Spare = 32;

    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(1.5);
    private static readonly int[] Widths = [10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1_024];

    public static async Task RunAsync(BenchContext context)
    {
        foreach (var count in new[] { 1_000, 10_000, 100_000, 1_000_000 }.Where(n => n <= context.Options.MostVectors))
        {
            var data = VectorData.Make(count, Queries, Dimension, Nearest);
            var row = string.Create(CultureInfo.InvariantCulture, $"{count:N0} × {Dimension}");
            foreach (var isBytes in (bool[])[false, true])
            {
                context.Note($"{row}, {(isBytes ? "8" : "32")} bits");
                await context.RoundAsync(() => Ours(context, row, data, isBytes));
            }

            context.Note($"{row}, hnswlib");
            await context.RoundAsync(() => HnswlibAsync(context, row, data));
        }
    }

    private static Task Ours(BenchContext context, string row, VectorData data, bool isBytes)
    {
        var content = new PartitionContent(isBytes ? new ByteRows(Dimension) : new FloatRows(Dimension));
        for (var i = 0; i < data.Count; i++)
        {
            content.Put(Guid.NewGuid(), data.Row(i), i);
        }

        var bits = isBytes ? ", 8 bits" : "";
        Tell(context, row, "Root-MAS, scan" + bits, data, content, 1);
        var began = Stopwatch.GetTimestamp();
        var graph = new HnswGraph(content.Rows);
        while (graph.Count < data.Count)
        {
            graph.InsertNext();
        }

        var target = "Root-MAS, graph" + bits;
        context.Report.Add(Name, row, target, "build", "s", Stopwatch.GetElapsedTime(began).TotalSeconds);
        content.Graph = graph;
        context.Report.Add(Name, row, target, "memory", "MB", content.Bytes / 1e6);
        foreach (var width in Widths)
        {
            if (Measure(data, content, width).Recall >= WantedRecall || width == Widths[^1])
            {
                Tell(context, row, target, data, content, width);
                context.Report.Add(Name, row, target, "candidates (ef)", "", width);
                break;
            }
        }

        return Task.CompletedTask;
    }

    private static void Tell(BenchContext context, string row, string target, VectorData data, PartitionContent content, int width)
    {
        for (var began = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(began) < WarmUp;)
        {
            Measure(data, content, width); // until it is compiled for good
        }

        for (var round = 0; round < context.Options.Rounds; round++)
        {
            var (micros, recall) = Measure(data, content, width);
            context.Report.Add(Name, row, target, "one search, p50", "µs", micros);
            if (round == 0)
            {
                context.Report.Add(Name, row, target, "recall@10", "", recall);
            }
        }
    }

    private static (double Micros, double Recall) Measure(VectorData data, PartitionContent content, int width)
    {
        var (times, right) = (new double[Queries], 0);
        for (var q = 0; q < Queries; q++)
        {
            var query = data.Query(q);
            var began = Stopwatch.GetTimestamp();
            var rows = Search(data, content, query, width);
            times[q] = Stopwatch.GetElapsedTime(began).TotalMicroseconds;
            right += rows.Count(data.Truth(q).Contains);
        }

        Array.Sort(times);
        return (times[Queries / 2], right / (double)(Queries * Nearest));
    }

    private static List<int> Search(VectorData data, PartitionContent content, ReadOnlyMemory<float> query, int width)
    {
        var most = content.Rows.IsExact ? Nearest : Nearest + Spare;
        var found = new ScoreHeap(bestFirst: false);
        content.Search(query, Math.Max(width, most), most, found);
        var exact = new ScoreHeap(bestFirst: false);
        while (found.Count > 0)
        {
            var (score, row) = found.Pop();
            exact.Offer(content.Rows.IsExact ? score : VectorMath.Dot(query.Span, data.Row(row)), row, Nearest);
        }

        var rows = new List<int>(Nearest);
        while (exact.Count > 0)
        {
            rows.Add(exact.Pop().Row);
        }

        return rows;
    }

    /// <summary>Its headers come with an npm package; compiled here, for this processor.</summary>
    private static async Task HnswlibAsync(BenchContext context, string row, VectorData data)
    {
        const string target = "hnswlib";
        var peer = await context.Peers.InstallAsync(target);
        if (peer.Problem is not null || Child.Find("g++") is null)
        {
            context.Report.Absent(Name, row, target, "one search, p50", "µs", peer.Problem ?? "g++ is not installed");
            return;
        }

        var program = Path.Combine(context.Folder, "hnswlib-bench");
        var source = Path.Combine(context.Options.Repository, "bench", "peers", target, "main.cc");
        var (exit, said) = await Child.RunAsync("g++", ["-O3", "-march=native", "-std=c++17", "-I", Path.Combine(peer.Folder, "node_modules", "hnswlib-node", "src"), source, "-o", program], context.Folder, TimeSpan.FromMinutes(5));
        if (exit != 0)
        {
            context.Report.Missing(Name, row, target, "one search, p50", "µs", said);
            return;
        }

        var files = await data.SaveAsync(context.Folder);
        (exit, said) = await Child.RunAsync(
            program, [.. files, .. new[] { data.Count, Queries, Dimension, HnswGraph.Links, HnswGraph.BuildWidth }.Select(static n => n.ToString(CultureInfo.InvariantCulture)), "0.99"], context.Folder, TimeSpan.FromHours(2));
        files.ForEach(File.Delete);
        if (exit != 0)
        {
            context.Report.Missing(Name, row, target, "one search, p50", "µs", said);
            return;
        }

        var figures = said.Trim().Split(' ').Select(static f => double.Parse(f, CultureInfo.InvariantCulture)).ToList();
        context.Report.Versions[target] = peer.Versions + ", its C++ with -O3 -march=native";
        context.Report.Add(Name, row, target, "build", "s", figures[0]);
        context.Report.Add(Name, row, target, "candidates (ef)", "", figures[1]);
        context.Report.Add(Name, row, target, "one search, p50", "µs", figures[2]);
        context.Report.Add(Name, row, target, "recall@10", "", figures[3]);
    }
}

/// <summary>Vectors as embeddings of texts lie: in clouds, on a surface of fewer dimensions than they have numbers. The same in every run.</summary>
internal sealed class VectorData(float[] vectors, float[] queries, int[] nearest, int dimension, int k)
{
    private const int Inner = 24;

    public int Count => vectors.Length / dimension;

    public ReadOnlySpan<float> Row(int row) => vectors.AsSpan(row * dimension, dimension);

    public ReadOnlyMemory<float> Query(int query) => queries.AsMemory(query * dimension, dimension);

    /// <summary>The true neighbours.</summary>
    public HashSet<int> Truth(int query) => [.. nearest.AsSpan(query * k, k)];

    public static VectorData Make(int count, int queries, int dimension, int k)
    {
        var random = new Random(9);
        var clouds = Math.Max(8, (int)Math.Sqrt(count));
        var (plane, centres) = (Gauss(random, Inner * dimension), Gauss(random, clouds * Inner));
        var (vectors, asked) = (new float[count * dimension], new float[queries * dimension]);
        Fill(random, vectors, dimension, plane, centres);
        Fill(random, asked, dimension, plane, centres);
        var nearest = new int[queries * k];
        Parallel.For(0, queries, q =>
        {
            var best = new ScoreHeap(bestFirst: false);
            for (var i = 0; i < count; i++)
            {
                best.Offer(VectorMath.Dot(asked.AsSpan(q * dimension, dimension), vectors.AsSpan(i * dimension, dimension)), i, k);
            }

            for (var i = 0; i < k; i++)
            {
                nearest[(q * k) + i] = best.Pop().Row;
            }
        });
        return new VectorData(vectors, asked, nearest, dimension, k);
    }

    /// <summary>As hnswlib's program reads them.</summary>
    public async Task<List<string>> SaveAsync(string folder)
    {
        List<string> files = [.. new[] { "vectors", "queries", "nearest" }.Select(n => Path.Combine(folder, n))];
        await SaveAsync<float>(files[0], vectors);
        await SaveAsync<float>(files[1], queries);
        await SaveAsync<int>(files[2], nearest);
        return files;
    }

    private static async Task SaveAsync<T>(string path, T[] values)
        where T : unmanaged
    {
        const int block = 1 << 20;
        await using var file = File.Create(path);
        for (var at = 0; at < values.Length; at += block)
        {
            await file.WriteAsync(MemoryMarshal.AsBytes<T>(values.AsSpan(at, Math.Min(block, values.Length - at))).ToArray());
        }
    }

    private static void Fill(Random random, float[] into, int dimension, float[] plane, float[] centres)
    {
        var clouds = centres.Length / Inner;
        for (var row = 0; row < into.Length / dimension; row++)
        {
            var cloud = random.Next(clouds) * Inner;
            var here = Gauss(random, Inner + dimension);
            var vector = into.AsSpan(row * dimension, dimension);
            for (var j = 0; j < Inner; j++)
            {
                var weight = centres[cloud + j] + (0.7f * here[j]);
                for (var i = 0; i < dimension; i++)
                {
                    vector[i] += weight * plane[(j * dimension) + i];
                }
            }

            for (var i = 0; i < dimension; i++)
            {
                vector[i] += 0.5f * here[Inner + i];
            }

            VectorMath.Normalize(vector);
        }
    }

    private static float[] Gauss(Random random, int count)
    {
        var values = new float[count];
        for (var i = 0; i < count; i++)
        {
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        }

        return values;
    }
}
