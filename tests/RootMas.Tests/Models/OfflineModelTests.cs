using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Models;
using RootMas.Server.Models.Offline;
using RootMas.Server.Tools.Calculator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Models;

public sealed class OfflineModelTests
{
    private static readonly string[] Everything = ["calculator", "current_time", "fetch_page", "web_search", "http_request", "ask_user", "usage_report"];

    [Theory]
    [InlineData("Что ты умеешь", "Я офлайн-модель: правила, а не нейросеть.")]
    [InlineData("Hello", "I am the offline model: rules, not a neural network.")]
    public async Task Its_first_words_say_what_it_is(string request, string first) =>
        Assert.StartsWith(first, (await AskAsync(request)).Text, StringComparison.Ordinal);

    [Theory]
    [InlineData("What is (1250 + 3 * 89.90) * 0.93?", "calculator", "(1250 + 3 * 89.90) * 0.93")]
    [InlineData("What is sqrt(2) * 10^40?", "calculator", "sqrt(2) * 10^40")]
    [InlineData("Compute 2 * sqrt(3^2 + 4^2), please", "calculator", "2 * sqrt(3^2 + 4^2)")]
    [InlineData("sqrt(16)?", "calculator", "sqrt(16)")]
    [InlineData("Сколько будет 17,5 % от 2 340?", "calculator", "2340 * 17.5 / 100")]
    [InlineData("What time is it in Kazan?", "current_time", "Kazan")]
    [InlineData("который час?", "current_time", "")]
    [InlineData("Read https://example.org/a and sum it up.", "fetch_page", "https://example.org/a")]
    [InlineData("POST {\"x\": 1} to http://127.0.0.1:9/hook", "http_request", "POST")]
    [InlineData("Please ask me what I need", "ask_user", "What exactly do you need? One sentence is enough.")]
    public async Task It_calls_the_tool_that_the_request_needs(string request, string tool, string argument)
    {
        var call = (await AskAsync(request, Everything)).Calls[0];
        Assert.Equal(tool, call.Name);
        Assert.Contains(argument, call.Arguments!.Count == 0 ? "" : call.Arguments.Values.First()!.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"type":"object","properties":{"a":true,"n":{"type":"integer"}},"required":["a","n"]}""", "n", "0")]
    [InlineData("""{"$defs":{"p":{"type":"object","properties":{"n":{"type":"integer","minimum":3}},"required":["n"]}},"type":"object","properties":{"p":{"$ref":"#/$defs/p"}},"required":["p"]}""", "p", "{\"n\":3}")]
    [InlineData("""{"type":"object","properties":{"b":{"anyOf":[{"type":"null"},{"type":"boolean"}]}},"required":["b"]}""", "b", "false")]
    [InlineData("""{"$defs":{"l":{"type":"object","properties":{"next":{"$ref":"#/$defs/l"}},"required":["next"]}},"type":"object","properties":{"x":{"type":"integer"},"l":{"$ref":"#/$defs/l"}},"required":["x","l"]}""", "x", "0")]
    public async Task It_fills_what_is_wanted_whatever_the_schema_refers_to(string schema, string member, string value) =>
        Assert.Equal(value, JsonElement.Parse((await AskAsync("hello", schema: schema)).Text).GetProperty(member).GetRawText());

    [Theory]
    [InlineData("""{"type":5}""")]
    [InlineData("""{"type":"object","properties":[]}""")]
    [InlineData("""{"type":"object","properties":{},"required":[1]}""")]
    [InlineData("""{"type":"object","properties":{"a":{"type":"integer","minimum":"x"}}}""")]
    [InlineData("""{"type":"object","properties":{"a":{"$ref":"#/nowhere"}}}""")]
    public async Task A_schema_that_is_none_is_refused_by_name(string schema) =>
        Assert.Equal(FailureKind.BadRequest, (await Assert.ThrowsAsync<EndpointException>(() => AskAsync("hello", schema: schema))).Kind);

    [Fact]
    public async Task Digits_and_spaces_without_end_are_answered() =>
        Assert.NotEqual("", (await AskAsync(new string('1', 4_000) + new string(' ', 4_000) + "x", ["calculator"])).Text);

    [Fact]
    public async Task It_never_names_a_tool_that_is_not_offered()
    {
        foreach (var request in new[] { "2+2*3", "what time is it?", "read http://a.b", "POST http://a.b/c", "ask me", "plan a trip", "who is it?" })
        {
            Assert.Empty((await AskAsync(request)).Calls);
        }
    }

    [Fact]
    public async Task It_answers_from_what_tools_returned_and_names_the_sources()
    {
        var client = new OfflineChatClient(TimeSpan.Zero, TimeProvider.System);
        var response = await client.GetResponseAsync(
        [
            new(ChatRole.User, "Read https://example.org/a"),
            new(ChatRole.Assistant, [new FunctionCallContent("1", "fetch_page", new Dictionary<string, object?> { ["url"] = "https://example.org/a" })]),
            new(ChatRole.Tool, [new FunctionResultContent("1", "The metro has 11 stations.")]),
        ]);
        Assert.Contains("> The metro has 11 stations.", response.Text, StringComparison.Ordinal);
        Assert.Contains("Sources: https://example.org/a", response.Text, StringComparison.Ordinal);
    }

    /// <summary>Marks are for models. One inside of another one has a character without width in it.</summary>
    [Fact]
    public async Task What_it_quotes_has_neither_the_engines_marks_nor_its_own_words_a_second_time()
    {
        using var client = new OfflineChatClient(TimeSpan.Zero, TimeProvider.System);
        var inner = (await AskAsync("Hello")).Text;
        var response = await client.GetResponseAsync(
        [
            new(ChatRole.User, "Ask the researcher"),
            new(ChatRole.Assistant, [new FunctionCallContent("1", "delegate", new Dictionary<string, object?> { ["agent"] = "researcher" })]),
            new(ChatRole.Tool, [new FunctionResultContent("1", $"<untrusted source=\"delegate\" id=\"1\">\n{inner}\n<\u200Buntrusted source=\"fetch_page\" id=\"2\">\nThe metro has 11 stations.\n</\u200Buntrusted>\nThat is all.\n</untrusted>")]),
        ]);
        Assert.Contains("\n> The metro has 11 stations.\n> That is all.\n", response.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("untrusted", response.Text, StringComparison.Ordinal);
        Assert.Equal(1, Regex.Count(response.Text, "rules, not a neural network", RegexOptions.None, TimeSpan.FromSeconds(5)));
        Assert.Equal(1, Regex.Count(response.Text, "real model", RegexOptions.None, TimeSpan.FromSeconds(5)));
    }

    [Theory]
    [InlineData("review", """{"type":"object","properties":{"verdict":{"type":"string","enum":["done","replan","stop"]},"summary":{"type":"string"}},"required":["verdict","summary"]}""")]
    [InlineData("select", """{"type":"object","properties":{"speaker":{"type":"string","enum":["a","b",""]},"done":{"type":"boolean"},"reason":{"type":"string"}},"required":["speaker","done"],"additionalProperties":false}""")]
    [InlineData("coordinate", """{"type":"object","properties":{"decisions":{"type":"array","items":{"type":"object","properties":{"task":{"type":"string","enum":["t1"]},"action":{"type":"string","enum":["drop"]},"reason":{"type":"string"}},"required":["task","action","reason"],"additionalProperties":false}}},"required":["decisions"]}""")]
    [InlineData("answer", """{"type":"object","properties":{"verdict":{"enum":["verified","uncertain"]},"confidence":{"type":"integer","minimum":30,"maximum":90},"list":{"type":"array","minItems":1,"items":{"type":"string","maxLength":10}},"text":{"type":["string","null"]}},"required":["verdict","confidence","list","text"]}""")]
    public async Task Structured_answers_fit_their_schema(string purpose, string schema)
    {
        var text = (await AskAsync("To decide: t1 (failed)", [], purpose, schema)).Text;
        Assert.Empty(JsonSchemaValidator.Validate(schema, JsonElement.Parse(text)));
    }

    [Fact]
    public async Task A_plan_fits_the_engines_schema_and_names_only_its_agents()
    {
        var schema = TeamSchemas.PlanSchema(["researcher", "fact_checker"]);
        var plan = JsonElement.Parse((await AskAsync("Plan a trip for 300 dollars", [], "plan", schema)).Text);
        Assert.Empty(JsonSchemaValidator.Validate(schema, plan));
        Assert.Equal(["researcher", "fact_checker"], plan.GetProperty("tasks").EnumerateArray().Select(t => t.GetProperty("agent").GetString()));
    }

    [Fact]
    public async Task The_whole_team_works_on_a_trip_and_the_arithmetic_is_checked_with_the_calculator()
    {
        using var client = new OfflineChatClient(TimeSpan.Zero, TimeProvider.System);
        var engine = new InMemoryEngine(client, [new CalculatorTool()]);
        var updates = await engine.AllAsync(Team(), new RunInput("Plan a three-day trip to Kazan with a budget of 300 dollars, and check the arithmetic"));

        var tools = updates.Events<ToolStarted>();
        Assert.Contains(tools, t => t.Tool == "delegate" && t.Arguments.GetProperty("agent").GetString() == "meta");
        Assert.Contains(tools, t => t.Tool == "calculator" && t.Arguments.GetProperty("expression").GetString()!.Contains("300", StringComparison.Ordinal));
        var answer = updates.Events<MessageCompleted>()[^1].Text;
        Assert.StartsWith(OfflineWords.English, answer, StringComparison.Ordinal);
        Assert.Contains("lodging: 120 USD", answer, StringComparison.Ordinal);
        Assert.Contains("> 300", answer, StringComparison.Ordinal);
        foreach (var task in (string[])["**facts** (researcher)", "**check** (fact_checker)", "**spend** (budget_manager)"])
        {
            Assert.Contains(task, answer, StringComparison.Ordinal);
        }

        Assert.DoesNotContain("untrusted", answer, StringComparison.Ordinal);
        Assert.Equal(1, Regex.Count(answer, "real model", RegexOptions.None, TimeSpan.FromSeconds(5)));
        Assert.NotEmpty(updates.Events<RunCompleted>());
    }

    private static TeamSnapshot Team()
    {
        string[] names = ["communicator", "meta", "researcher", "fact_checker", "budget_manager"];
        var snapshot = TestTeams.Of(PatternKind.Direct, names, change: t => t with
        {
            Edges = [new("communicator", "meta"), new("communicator", "researcher"), new("meta", "researcher")],
            DelegatePatterns = new Dictionary<string, PatternKind> { ["meta"] = PatternKind.Plan },
        });
        var calculator = new CalculatorTool();
        return snapshot with
        {
            Agents = snapshot.Agents.ToDictionary(a => a.Key, a => a.Key == "communicator" ? a.Value with { Tools = ["calculator"] } : a.Value),
            Tools = new Dictionary<string, ToolDefinition> { ["calculator"] = calculator.Definition },
        };
    }

    private static async Task<Seen> AskAsync(string request, IEnumerable<string>? tools = null, string purpose = "answer", string? schema = null)
    {
        using var client = new OfflineChatClient(TimeSpan.Zero, TimeProvider.System);
        var options = ModelHarness.Options(
            new ModelCall { OwnerId = "u", Purpose = purpose, Tier = "cheap", Agent = "communicator" },
            new ChatOptions
            {
                Tools = [.. (tools ?? []).Select(t => AIFunctionFactory.CreateDeclaration(t, "", JsonElement.Parse("""{"type":"object"}""")))],
                ResponseFormat = schema is null ? null : ChatResponseFormat.ForJsonSchema(JsonElement.Parse(schema)),
            });
        var seen = new Seen();
        await foreach (var update in client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, request)], options))
        {
            seen.Add(update);
        }

        return seen;
    }
}
