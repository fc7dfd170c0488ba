using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;

namespace RootMas.Tests.Simulation;

/// <summary>What the simulator reads of a request, and what it refuses.</summary>
public sealed class SimulatorRequestTests
{
    private static readonly HttpClient Http = new();

    [Theory]
    [InlineData("full")]
    [InlineData("calls")]
    [InlineData("counts")]
    public async Task A_rule_matches_alike_whatever_is_recorded(string record)
    {
        await using var sim = await Simulator.StartAsync($$"""
            record: {{record}}
            rules:
              - { match: { agent: researcher, stream: false, model: m }, answer: { text: found } }
              - { match: { agent: writer }, answer: { text: wrote } }
              - { match: { model: other }, answer: { text: other } }
            default: { text: nobody }
            """);
        const string researcher = "You are a team.\n\nAgent: researcher\nYou search.";
        Assert.Equal("found", await AskAsync(sim, new { content = researcher, role = "system" }, User("hello")));
        Assert.Equal("found", await AskAsync(sim, User("Agent: writer"), Prompt(researcher)));
        Assert.Equal("found", await AskAsync(sim, Prompt(new object[] { new { type = "text", text = "Agent: rese" }, new { type = "text", text = "archer" } })));
        Assert.Equal("wrote", await AskAsync(sim, Prompt("Be brief."), new { role = "developer", content = "Привет.\nAgent: writer\n" }, Prompt(researcher)));
        Assert.Equal("nobody", await AskAsync(sim, Prompt("Agent: Nobody"), Prompt(researcher)));
        Assert.Equal("nobody", await AskAsync(sim, Prompt("Be brief."), User("Agent: researcher")));
        Assert.Equal("nobody", await AskAsync(sim, new { role = "assistant", content = (string?)null }, new { role = "tool", content = "Agent: writer" }));
        Assert.Equal("nobody", await TextAsync(sim, """{"model":5,"stream":"yes","messages":{"role":"system","content":"Agent: writer"}}"""));
        Assert.Equal("other", await TextAsync(sim, """{"messages":[],"model":"other","metadata":{"model":"m","messages":[1]}}"""));
    }

    [Theory]
    [InlineData("full")]
    [InlineData("counts")]
    public async Task What_is_no_request_is_refused_alike_whatever_is_recorded(string record)
    {
        await using var sim = await Simulator.StartAsync($"record: {record}");
        foreach (var body in (string[])["", "[]", "5", "{\"model\":", "{} {}", "{\"messages\":[\"hello\"]}"])
        {
            await IsRefusedAsync(sim, "/chat/completions", body);
        }

        Assert.Equal(0, sim.Stats.Calls);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("5")]
    [InlineData("""{"model":"e"}""")]
    [InlineData("""{"model":"e","input":5}""")]
    [InlineData("""{"model":"e","input":[]}""")]
    [InlineData("""{"model":"e","input":["x",true]}""")]
    [InlineData("""{"model":"e","input":"\ud800"}""")]
    [InlineData("""{"model":5,"input":"x"}""")]
    [InlineData("""{"model":"e","input":"x","dimensions":"8"}""")]
    [InlineData("""{"model":"e","input":"x","dimensions":1.5}""")]
    [InlineData("""{"model":"e","input":"x","encoding_format":5}""")]
    [InlineData("""{"model":"e","input":"x","encoding_format":"hex"}""")]
    public async Task An_embeddings_request_of_the_wrong_types_is_refused(string body)
    {
        await using var sim = await Simulator.StartAsync();
        await IsRefusedAsync(sim, "/embeddings", body);
    }

    [Theory]
    [InlineData("""{"model":"e","input":"x","dimensions":null,"encoding_format":null,"stream":null}""", 384)]
    [InlineData("""{"input":["x"],"dimensions":8,"encoding_format":"float"}""", 8)]
    public async Task An_embeddings_request_may_leave_out_what_has_a_default(string body, int dimensions)
    {
        await using var sim = await Simulator.StartAsync();
        using var response = await Http.PostAsync(sim.OpenAiUrl + "/embeddings", new StringContent(body));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var answer = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(dimensions, answer.GetProperty("data")[0].GetProperty("embedding").GetArrayLength());
    }

    private static object Prompt(object content) => new { role = "system", content };

    private static object User(string content) => new { role = "user", content };

    private static async Task<string> AskAsync(Simulator sim, params object[] messages) =>
        (await SimulatorAnswer.AskAsync(sim, new { model = "m", stream = (bool?)null, messages })).Text;

    private static async Task<string?> TextAsync(Simulator sim, string body)
    {
        using var response = await Http.PostAsync(sim.OpenAiUrl + "/chat/completions", new StringContent(body));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString();
    }

    private static async Task IsRefusedAsync(Simulator sim, string path, string body)
    {
        using var response = await Http.PostAsync(sim.OpenAiUrl + path, new StringContent(body));
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error");
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
    }
}
