using System.Text;
using System.Text.Json;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary><c>rootmas eval cache</c>.</summary>
public sealed class EvalCacheTests
{
    [Fact]
    public async Task A_file_of_labelled_questions_is_measured_and_a_wrong_one_is_refused()
    {
        using var session = new CliSession();
        using var folder = new TempFolder();
        var file = Path.Combine(folder.Path, "questions.csv");
        var text = new StringBuilder("text,label\n");
        foreach (var question in Topics.Questions(80))
        {
            text.Append('"').Append(question).Append("\",").Append(Topics.Of(question)).Append('\n');
        }

        await File.WriteAllTextAsync(file, text.ToString());
        Assert.Equal(0, await session.RunAsync("eval", "cache", file, "--max-wrong", "0.02", "--threshold", "0.7", "--json"));
        var answer = JsonElement.Parse(session.Output.ToString());
        Assert.Equal((80, "local"), (answer.GetProperty("questions").GetInt32(), answer.GetProperty("embedder").GetString()));
        Assert.Equal(["verified", "threshold"], answer.GetProperty("runs").EnumerateArray().Select(static r => r.GetProperty("policy").GetString()));
        await File.WriteAllTextAsync(file, "x,y\n1,2\n");
        Assert.Equal(2, await session.RunAsync("eval", "cache", file));
        Assert.Equal(2, await session.RunAsync("eval", "cache", file, "--max-wrong", "2"));
        Assert.Equal(3, await session.RunAsync("eval", "cache", file + ".missing"));
    }
}
