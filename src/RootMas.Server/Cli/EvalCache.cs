using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Embeddings;

namespace RootMas.Server.Cli;

/// <summary>
/// <c>rootmas eval cache FILE</c>: what the semantic cache would have done with questions whose meaning is known, by the embedder of this installation. Nothing is sent to a model that answers, and nothing is kept.
/// </summary>
internal static class EvalCache
{
    private static readonly Argument<string> File = new("file") { Description = "Questions with labels (text,label), or pairs with whether they mean the same (a,b,same): CSV with a header, TSV, or JSON lines." };
    private static readonly Option<double[]> MaxWrong = new Option<double[]>("--max-wrong") { Description = "Wrong answers as a part of all lookups that are allowed (δ), one or several.", DefaultValueFactory = static _ => [0.01, 0.02, 0.05], AllowMultipleArgumentsPerToken = true }.WithoutCommas();
    private static readonly Option<double[]> Thresholds = new Option<double[]>("--threshold") { Description = "Fixed thresholds to compare with, one or several.", DefaultValueFactory = static _ => [0.98, 0.95, 0.92, 0.9, 0.85, 0.8], AllowMultipleArgumentsPerToken = true }.WithoutCommas();
    private static readonly Option<int?> Shuffle = new("--shuffle") { Description = "Ask in a random order of this seed; without it in the order of the file." };

    public static Command Create()
    {
        var command = new Command("cache", "Measure the semantic cache: hit rate and wrong answers.") { File, MaxWrong, Thresholds, Shuffle, CliOptions.JsonOption };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var (deltas, thresholds) = (parsed.GetValue(MaxWrong)!, parsed.GetValue(Thresholds)!);
        if (Array.Exists(deltas, static d => d is not (> 0 and <= 0.5)) || Array.Exists(thresholds, static t => t is not (> 0 and <= 1)))
        {
            throw new CliException(ExitCodes.Usage, "--max-wrong must be above 0 and at most 0.5, --threshold above 0 and at most 1.");
        }

        var questions = (await ReadAsync(parsed, cancellationToken)).ToArray();
        if (parsed.GetValue(Shuffle) is { } seed)
        {
            new Random(seed).Shuffle(questions);
        }

        await using var app = ServerHost.Build(CliOptions.From(parsed).ToArguments() with { IsEmbedded = true });
        var embedder = app.Services.GetRequiredService<IEmbedder>();
        var vectors = new List<float[]>(questions.Length);
        foreach (var chunk in questions.Chunk(128))
        {
            vectors.AddRange(await embedder.EmbedAsync([.. chunk.Select(static q => q.Text)], EmbedPurpose.Query, "system", cancellationToken));
        }

        var simulation = new CacheSimulation(questions, vectors);
        SimulationRun[] runs = [.. deltas.Select(d => simulation.Verified(d)), .. thresholds.Select(simulation.Threshold)];
        Show(parsed, embedder.Identity.Model, questions.Length, runs);
        return ExitCodes.Ok;
    }

    private static async Task<IReadOnlyList<LabelledQuestion>> ReadAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var path = Path.Combine(CliConsole.Of(parsed).WorkingDirectory ?? "", parsed.GetValue(File)!);
        try
        {
            return LabelledFile.Parse(path, await System.IO.File.ReadAllTextAsync(path, cancellationToken));
        }
        catch (InvalidDataException e)
        {
            throw new CliException(ExitCodes.Usage, $"{path}: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.NotFound, $"{path} cannot be read.", e);
        }
    }

    private static void Show(ParseResult parsed, string embedder, int questions, SimulationRun[] runs)
    {
        var terminal = Terminal.Of(parsed);
        if (parsed.GetValue(CliOptions.JsonOption))
        {
            terminal.WriteJson(JsonSerializer.SerializeToElement(new { embedder, questions, runs = runs.Select(r => View(r, runs)) }));
            return;
        }

        terminal.Note($"{questions} questions, embedder {embedder}. Intervals are 95 % (Wilson).");
        terminal.Table(
            ["policy", "hits %", "wrong ÷ lookups %", "interval", "wrong ÷ hits %", "interval"],
            runs.Select(static r => (IReadOnlyList<string>)[Name(r), Percent(r.HitRate), Percent(r.ErrorRate), Interval(r.Errors), Percent(r.FalseHitRate), Interval(r.FalseHits)]));
        ShowOverTime(terminal, runs);
    }

    /// <summary>How each bound came to its figures, and beside it the best of the fixed thresholds that was no more often wrong: hits and wrong answers as a part of the lookups so far.</summary>
    private static void ShowOverTime(Terminal terminal, SimulationRun[] runs)
    {
        var columns = runs.Where(static r => r.Policy == "verified").SelectMany(r => r.BestOfNoLargerError(runs) is { } best ? (SimulationRun[])[r, best] : [r]).ToList();
        terminal.Note("Over time, hits % / wrong ÷ lookups %; beside each bound the best fixed threshold of no larger error, which nobody knows beforehand.");
        terminal.Table(
            ["questions", .. columns.Select(Name)],
            SimulationRun.Stages.Select(stage => (IReadOnlyList<string>)
                [columns[0].At(stage).Lookups.ToString(CultureInfo.InvariantCulture), .. columns.Select(r => r.At(stage) is var p ? $"{Percent(p.HitRate)} / {Percent(p.ErrorRate)}" : "")]));
    }

    private static object View(SimulationRun r, SimulationRun[] runs) => new
    {
        policy = r.Policy,
        setting = r.Setting,
        hit_rate = r.HitRate,
        error_rate = r.ErrorRate,
        error_rate_interval = (double[])[r.Errors.Low, r.Errors.High],
        false_hit_rate = r.FalseHitRate,
        false_hit_rate_interval = (double[])[r.FalseHits.Low, r.FalseHits.High],
        best_threshold_of_no_larger_error = r.Policy == "verified" ? r.BestOfNoLargerError(runs)?.Setting : null,
        over_time = r.Points.Select(static p => new { lookups = p.Lookups, hits = p.Hits, wrong = p.Wrong }),
    };

    private static string Name(SimulationRun run) => run.Policy == "verified"
        ? string.Create(CultureInfo.InvariantCulture, $"verified, at most {run.Setting * 100:0.##} %")
        : string.Create(CultureInfo.InvariantCulture, $"threshold {run.Setting:0.###}");

    private static string Percent(double share) => CacheSimulation.Percent(share);

    private static string Interval((double Low, double High) i) => $"{Percent(i.Low)}–{Percent(i.High)}";
}
