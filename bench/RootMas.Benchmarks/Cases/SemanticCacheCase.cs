using System.Globalization;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Embeddings;

namespace RootMas.Benchmarks.Cases;

/// <summary>B10: what the semantic cache gives and how often that is wrong, over time, for three bounds and for fixed thresholds. The set lies beside the repository and is not part of it.</summary>
internal static class SemanticCacheCase
{
    private const string Name = "B10";
    private const string Ours = "Root-MAS, built-in embedder";

    private static readonly double[] Bounds = [0.01, 0.02, 0.05];

    public static async Task RunAsync(BenchContext context)
    {
        var folder = Path.GetFullPath(Path.Combine(context.Options.Repository, "..", "shared", "data", "banking77"));
        string[] files = [Path.Combine(folder, "train.csv"), Path.Combine(folder, "test.csv")];
        if (!Array.TrueForAll(files, File.Exists))
        {
            context.Report.Absent(Name, "Banking77", Ours, "hits", "%", "the set is not at ../shared/data/banking77 (train.csv, test.csv)");
            return;
        }

        var questions = new List<LabelledQuestion>();
        foreach (var file in files)
        {
            questions.AddRange(LabelledFile.Parse(file, await File.ReadAllTextAsync(file)));
        }

        var shuffled = questions.ToArray();
        new Random(7).Shuffle(shuffled);
        await MeasureAsync(context, "in random order", shuffled, context.Options.Quick ? [0.85, 0.8] : [.. Enumerable.Range(0, 13).Select(static i => Math.Round(0.98 - (i * 0.02), 2))]);
        if (!context.Options.Quick)
        {
            await MeasureAsync(context, "in the order of the file, one intent after the other", [.. questions], []);
        }
    }

    private static async Task MeasureAsync(BenchContext context, string order, LabelledQuestion[] questions, double[] thresholds)
    {
        var embedder = new LocalEmbedder();
        var vectors = new List<float[]>(questions.Length);
        foreach (var chunk in questions.Chunk(256))
        {
            vectors.AddRange(await embedder.EmbedAsync([.. chunk.Select(static q => q.Text)], EmbedPurpose.Query, "system", CancellationToken.None));
        }

        var simulation = new CacheSimulation(questions, vectors);
        var fixedOnes = new List<SimulationRun>();
        foreach (var threshold in thresholds)
        {
            context.Note($"threshold {threshold}");
            fixedOnes.Add(simulation.Threshold(threshold));
        }

        foreach (var bound in Bounds)
        {
            context.Note($"{order}, at most {bound:0.##}");
            var run = simulation.Verified(bound);
            Tell(context, $"{order}, δ = {bound * 100:0} %", Ours, run, overTime: true);
            Tell(context, $"{order}, δ = {bound * 100:0} %", "vCache as published", PublishedPolicy.Run(questions, vectors, bound), overTime: false);
            if (run.BestOfNoLargerError(fixedOnes) is { } best)
            {
                Tell(context, $"{order}, δ = {bound * 100:0} %", string.Create(CultureInfo.InvariantCulture, $"best fixed threshold of no larger error ({best.Setting:0.00})"), best, overTime: true);
            }
        }

        foreach (var run in fixedOnes)
        {
            Tell(context, order, string.Create(CultureInfo.InvariantCulture, $"threshold {run.Setting:0.00}"), run, overTime: false);
        }
    }

    private static void Tell(BenchContext context, string row, string target, SimulationRun run, bool overTime)
    {
        void Add(string metric, double share) => context.Report.Add(Name, row, target, metric, "%", share * 100);
        Add("hits ÷ lookups", run.HitRate);
        Add("wrong ÷ lookups", run.ErrorRate);
        Add("wrong ÷ lookups, upper end (95 %)", run.Errors.High);
        Add("wrong ÷ hits", run.FalseHitRate);
        Add("wrong ÷ hits, lower end (95 %)", run.FalseHits.Low);
        Add("wrong ÷ hits, upper end (95 %)", run.FalseHits.High);
        foreach (var part in overTime ? SimulationRun.Stages.SkipLast(1) : [])
        {
            Add($"hits ÷ lookups after {part * 100:0} % of the questions", run.At(part).HitRate);
            Add($"wrong ÷ lookups after {part * 100:0} % of the questions", run.At(part).ErrorRate);
        }
    }
}
