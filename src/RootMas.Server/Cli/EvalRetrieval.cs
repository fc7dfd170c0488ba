using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using RootMas.Server.Knowledge.Documents.Search;

namespace RootMas.Server.Cli;

/// <summary>
/// <c>rootmas eval retrieval FILE</c>: asks each question of the file and looks where the right passages stand. The file has one JSON object a line:
/// <c>{"question": "…", "relevant": ["part of the right passage, or the name of its document", …]}</c>.
/// </summary>
internal static class EvalRetrieval
{
    private static readonly Argument<string> Questions = new("file") { Description = "Questions, one JSON object a line: {\"question\": …, \"relevant\": [text of a passage, or name of a document]}." };
    private static readonly Option<int> Depth = new("--k") { Description = "Passages that count (1–50).", DefaultValueFactory = static _ => 5 };
    private static readonly Option<string?> InCollection = new("--collection") { Description = "Search only in this collection, by id or name." };
    private static readonly Option<string> Rerank = new("--rerank") { Description = "Tier of the model that orders passages anew: none, cheap, standard, premium.", DefaultValueFactory = static _ => "none" };
    private static readonly Option<double> MinRecall = new Option<double>("--min-recall") { Description = "Fail (exit code 1) below this recall@k (0–1).", DefaultValueFactory = static _ => 0 }.WithoutCommas();

    public static Command Create()
    {
        var command = new Command("retrieval", "Measure the search in documents: recall@k, MRR, nDCG.") { Questions, Depth, InCollection, Rerank, MinRecall, CliOptions.JsonOption };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var k = parsed.GetValue(Depth);
        if (k is < 1 or > 50)
        {
            throw new CliException(ExitCodes.Usage, "--k must be 1 to 50.");
        }

        var least = parsed.GetValue(MinRecall);
        if (least is not (>= 0 and <= 1))
        {
            throw new CliException(ExitCodes.Usage, "--min-recall must be 0 to 1: 0.95 is 95 %.");
        }

        var questions = await ReadAsync(parsed.GetValue(Questions)!, cancellationToken);
        var terminal = Terminal.Of(parsed);
        await using var connection = await ServerConnection.OpenAsync(CliOptions.From(parsed), cancellationToken);
        var collection = await DocumentsCommand.CollectionIdAsync(connection, parsed.GetValue(InCollection), cancellationToken);
        var collections = collection is null ? null : new[] { collection };
        var scores = new List<RetrievalScore>();
        foreach (var question in questions)
        {
            var answer = await connection.Api.PostAsync("/api/v1/knowledge/search", new { query = question.Text, limit = k, collections, rerank = parsed.GetValue(Rerank) }, cancellationToken, JsonText.List);
            var score = RetrievalScore.Of([.. answer.Items().Select(static p => (p.Text("title") ?? "", p.Text("text") ?? ""))], question.Relevant, k);
            scores.Add(score);
            if (score.Recall < 1 && !parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.Note($"recall {score.Recall.ToString("0.00", CultureInfo.InvariantCulture)}: {question.Text}");
            }
        }

        var mean = RetrievalScore.Mean(scores);
        Show(parsed, terminal, questions.Count, k, mean);
        if (mean.Recall >= least)
        {
            return ExitCodes.Ok;
        }

        terminal.Error(string.Create(CultureInfo.InvariantCulture, $"recall@{k} {mean.Recall:0.00##} is below {least}."));
        return ExitCodes.Failed;
    }

    private static void Show(ParseResult parsed, Terminal terminal, int questions, int k, RetrievalScore mean)
    {
        if (parsed.GetValue(CliOptions.JsonOption))
        {
            terminal.WriteJson(JsonSerializer.SerializeToElement(new { questions, k, recall_at_k = Math.Round(mean.Recall, 4), mrr = Math.Round(mean.ReciprocalRank, 4), ndcg_at_k = Math.Round(mean.Ndcg, 4) }));
            return;
        }

        terminal.Table(
            ["Questions", $"Recall@{k}", "MRR", $"nDCG@{k}"],
            [[questions.ToString(CultureInfo.InvariantCulture), Number(mean.Recall), Number(mean.ReciprocalRank), Number(mean.Ndcg)]]);
    }

    private static string Number(double value) => value.ToString("0.000", CultureInfo.InvariantCulture);

    private static async Task<IReadOnlyList<RetrievalQuestion>> ReadAsync(string file, CancellationToken cancellationToken)
    {
        if (!File.Exists(file))
        {
            throw new CliException(ExitCodes.NotFound, $"There is no file {file}.");
        }

        var questions = new List<RetrievalQuestion>();
        var number = 0;
        foreach (var line in await File.ReadAllLinesAsync(file, cancellationToken))
        {
            number++;
            if (line.AsSpan().Trim().Length > 0)
            {
                questions.Add(RetrievalQuestion.Parse(line) ?? throw new CliException(ExitCodes.Usage, $"{file}, line {number.ToString(CultureInfo.InvariantCulture)}: expected {{\"question\": \"…\", \"relevant\": [\"…\"]}}."));
            }
        }

        return questions.Count > 0 ? questions : throw new CliException(ExitCodes.Usage, $"{file} has no questions.");
    }
}
