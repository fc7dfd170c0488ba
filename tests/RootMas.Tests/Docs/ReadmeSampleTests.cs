using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Tests.Support;

namespace RootMas.Tests.Docs;

/// <summary>The sample of the README is a program that compiles, and it runs and says what it seems to say: the lines between the marks below are the lines of the page.</summary>
public sealed class ReadmeSampleTests
{
    private const string Begin = "        // sample:begin";
    private const string End = "        // sample:end";

    /// <summary>What <c>dotnet new console</c> brings.</summary>
    private const string ImplicitUsings = """
        global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http;
        global using System.Threading; global using System.Threading.Tasks;
        """;

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
    public async Task The_sample_says_why_a_model_could_not_answer()
    {
        using var output = new StringWriter();
        using var models = new ScriptedChatClient(static _ => throw new HttpRequestException("The key is wrong."));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(90));
        await SampleAsync(models, output, limit.Token);
        Assert.StartsWith("It failed: ", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("The key is wrong.", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_readme_prints_is_a_whole_program()
    {
        var page = File.ReadAllText(Repository.PathOf("README.md"));
        const string Fence = "```csharp\n";
        var start = page.IndexOf(Fence, StringComparison.Ordinal) + Fence.Length;
        var program = page[start..page.IndexOf("```", start, StringComparison.Ordinal)];
        Assert.Contains("new InMemoryEngine(", program, StringComparison.Ordinal);
        Assert.Empty(Mistakes(program));
        Assert.NotEmpty(Mistakes(program.Replace("var key = ", "var other = ", StringComparison.Ordinal)));
    }

    /// <summary>Against the runtime and the packages, and without the server.</summary>
    private static List<string> Mistakes(string program)
    {
        var trusted = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator);
        var references = trusted.Where(static p => Path.GetFileName(p) is var name && name.EndsWith(".dll", StringComparison.Ordinal) && name is not ("rootmas.dll" or "RootMas.Tests.dll"));
        var compilation = CSharpCompilation.Create(
            "sample",
            [CSharpSyntaxTree.ParseText(ImplicitUsings), CSharpSyntaxTree.ParseText(program)],
            references.Select(static p => MetadataReference.CreateFromFile(p)),
            new CSharpCompilationOptions(OutputKind.ConsoleApplication, nullableContextOptions: NullableContextOptions.Enable));
        return [.. from found in compilation.GetDiagnostics()
                   where found.Severity == DiagnosticSeverity.Error
                   select $"line {found.Location.GetLineSpan().StartLinePosition.Line + 1}: {found.GetMessage(CultureInfo.InvariantCulture)}"];
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
            else if (update.Event is RunFailed failed)
            {
                await output.WriteLineAsync($"It failed: {failed.Reason}");
            }
        }

        // sample:end
    }
}
