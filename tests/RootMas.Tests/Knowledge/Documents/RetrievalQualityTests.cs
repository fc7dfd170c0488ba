using System.Globalization;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;
using Xunit.Abstractions;

namespace RootMas.Tests.Knowledge.Documents;

public sealed class RetrievalOnSqliteTests(ITestOutputHelper output) : RetrievalQualityTests(DatabaseKind.Sqlite, output);

public sealed class RetrievalOnPostgresTests(ITestOutputHelper output) : RetrievalQualityTests(DatabaseKind.Postgres, output), IOnPostgres;

/// <summary>Questions in two languages over eight small documents, by the command that people use: whoever makes the search worse sees it here.</summary>
public abstract class RetrievalQualityTests(DatabaseKind kind, ITestOutputHelper output) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task The_right_passage_stands_among_the_first_five_and_mostly_first()
    {
        await using var app = await TestApp.StartAsync();
        using var cli = new CliSession(app.Data);
        var data = Repository.PathOf("tests", "RootMas.Tests", "Knowledge", "Data");
        await cli.DoAsync("documents", "upload", Path.Combine(data, "corpus"));
        var figures = JsonElement.Parse(await cli.DoAsync("eval", "retrieval", Path.Combine(data, "questions.jsonl"), "--json"));
        output.WriteLine(figures.GetRawText());
        Assert.InRange(Number(figures, "recall_at_k"), 0.95, 1);
        Assert.InRange(Number(figures, "mrr"), 0.85, 1);
        Assert.InRange(Number(figures, "ndcg_at_k"), 0.87, 1);
    }

    [DatabaseFact]
    public async Task The_commands_say_what_they_did_and_fail_by_exit_code()
    {
        await using var app = await TestApp.StartAsync();
        using var folder = new TempFolder();
        using var cli = new CliSession(app.Data);
        var file = Path.Combine(folder.Path, "notes.md");
        await File.WriteAllTextAsync(file, "# Notes\n\nThe meeting is on Friday.");
        Assert.Contains("notes.md: ready, 1 chunk", await cli.DoAsync("documents", "upload", file), StringComparison.Ordinal);
        var id = JsonElement.Parse(await cli.DoAsync("documents", "list", "--json")).GetProperty("items")[0].Id();
        Assert.Contains("The meeting is on Friday.", await cli.DoAsync("documents", "search", "meeting Friday"), StringComparison.Ordinal);
        Assert.Contains("The meeting is on Friday.", await cli.DoAsync("documents", "show", id, "--text"), StringComparison.Ordinal);
        Assert.Contains("default", await cli.DoAsync("documents", "collections"), StringComparison.Ordinal);
        var questions = Path.Combine(folder.Path, "q.jsonl");
        await File.WriteAllTextAsync(questions, "{\"question\": \"nothing of the kind\", \"relevant\": [\"zebra\"]}\n");
        Assert.Equal(1, await cli.RunAsync("eval", "retrieval", questions, "--min-recall", "0.5"));
        Assert.Contains("recall@5 0.00 is below 0.5.", cli.Notes.ToString(), StringComparison.Ordinal);
        foreach (var none in (string[])["1.5", "95", "-0.1"])
        {
            Assert.Equal(2, await cli.RunAsync("eval", "retrieval", questions, $"--min-recall={none}"));
            Assert.Contains("--min-recall must be 0 to 1", cli.Notes.ToString(), StringComparison.Ordinal);
        }

        await File.WriteAllTextAsync(questions, "{\"question\": 1}\n");
        Assert.Equal(2, await cli.RunAsync("eval", "retrieval", questions));
        Assert.Equal(3, await cli.RunAsync("eval", "retrieval", Path.Combine(folder.Path, "none.jsonl")));
        await File.WriteAllBytesAsync(file, [0x7F, 0x45, 0, 0]);
        Assert.Equal(1, await cli.RunAsync("documents", "upload", file, "--name", "bad.bin"));
        await cli.DoAsync("documents", "delete", id);
        Assert.Equal(3, await cli.RunAsync("documents", "show", id));
    }

    private static double Number(JsonElement json, string name) => double.Parse(json.GetProperty(name).GetRawText(), CultureInfo.InvariantCulture);
}
