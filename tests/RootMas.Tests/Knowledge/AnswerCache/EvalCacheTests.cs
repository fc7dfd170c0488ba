using System.Text;
using System.Text.Json;
using RootMas.Server.Knowledge.AnswerCache;
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
        string[] command = ["eval", "cache", file, "--max-wrong", "0.02", "--threshold", "0.7", "1"];
        Assert.Equal(0, await session.RunAsync([.. command, "--json"]));
        var answer = JsonElement.Parse(session.Output.ToString());
        Assert.Equal((80, "local"), (answer.GetProperty("questions").GetInt32(), answer.GetProperty("embedder").GetString()));
        var runs = answer.GetProperty("runs").EnumerateArray().ToList();
        Assert.Equal(["verified", "threshold", "threshold"], runs.Select(static r => r.GetProperty("policy").GetString()));

        static double Rate(JsonElement run, string name) => run.GetProperty(name).GetDouble();
        var best = runs[1..].Where(r => Rate(r, "error_rate") <= Rate(runs[0], "error_rate")).MaxBy(static r => Rate(r, "hit_rate"));
        Assert.Equal(Rate(best, "setting"), Rate(runs[0], "best_threshold_of_no_larger_error"));
        Assert.Equal(0, await session.RunAsync(command));
        var overTime = session.Output.ToString().Split('\n').Select(static l => l.Trim('\r').Split('\t')).Where(static l => l.Length == 3).ToList();
        Assert.Equal(["8", "20", "40", "60", "80"], overTime.Select(static l => l[0]));
        Assert.Equal([Shown(runs[0]), Shown(best)], overTime[^1][1..]);
        static string Shown(JsonElement run) => $"{CacheSimulation.Percent(Rate(run, "hit_rate"))} / {CacheSimulation.Percent(Rate(run, "error_rate"))}";
        await File.WriteAllTextAsync(file, "x,y\n1,2\n");
        Assert.Equal(2, await session.RunAsync("eval", "cache", file));
        Assert.Equal(2, await session.RunAsync("eval", "cache", file, "--max-wrong", "2"));
        Assert.Equal(3, await session.RunAsync("eval", "cache", file + ".missing"));
    }
}
