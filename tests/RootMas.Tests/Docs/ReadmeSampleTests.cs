using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;

namespace RootMas.Tests.Docs;

/// <summary>The sample of the README compiles, runs and says what it seems to say: the lines between the marks below are the lines of the page.</summary>
public sealed class ReadmeSampleTests
{
    private const string Begin = "        // sample:begin";
    private const string End = "        // sample:end";

    [Fact]
    public async Task The_sample_answers()
    {
        using var output = new StringWriter();
        using var models = new ScriptedChatClient(_ => [ScriptedChatClient.Say("Hello, "), ScriptedChatClient.Say("you.")]);
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        await SampleAsync(models, output, limit.Token);
        Assert.Equal("Hello, you. (5 tokens)", output.ToString().Trim());
    }

    [Fact]
    public void The_readme_shows_these_lines()
    {
        var source = File.ReadAllText(Repository.PathOf("tests", "RootMas.Tests", "Docs", "ReadmeSampleTests.cs"));
        var start = source.LastIndexOf(Begin, StringComparison.Ordinal) + Begin.Length + 1;
        var lines = source[start..source.LastIndexOf(End, StringComparison.Ordinal)].Split('\n').Select(l => l.StartsWith("        ", StringComparison.Ordinal) ? l[8..] : l);
        Assert.Contains(string.Join('\n', lines).TrimEnd(), File.ReadAllText(Repository.PathOf("README.md")), StringComparison.Ordinal);
    }

    private static async Task SampleAsync(IChatClient models, TextWriter output, CancellationToken ct)
    {
        // sample:begin
        var greeter = new Agent { Name = "greeter", Instructions = "You greet people in one sentence." };
        var team = new TeamSnapshot
        {
            Team = new Team { Name = "small", Pattern = PatternKind.Direct, Entry = "greeter" },
            Agents = new Dictionary<string, Agent> { ["greeter"] = greeter },
        };
        var engine = new InMemoryEngine(models);

        await foreach (var update in engine.RunAsync(team, "hello", ct))
        {
            if (update.Piece is MessageDelta delta)
            {
                await output.WriteAsync(delta.Text);
            }
            else if (update.Event is RunCompleted end)
            {
                await output.WriteLineAsync($" ({end.Usage.OutputTokens} tokens)");
            }
        }

        // sample:end
    }
}
