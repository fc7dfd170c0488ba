using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Simulation;

public sealed class SimulatorFaultTests
{
    private static readonly HttpClient Http = new();

    [Fact]
    public async Task A_status_comes_with_retry_after_and_an_error_object()
    {
        await using var sim = await Simulator.StartAsync("default: { fault: { kind: status, status: 429, retry_after: 3 } }");
        using var response = await PostAsync(sim, stream: false);
        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(3), response.Headers.RetryAfter!.Delta);
        Assert.Equal("rate_limit_error", (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("error").GetProperty("type").GetString());
        await Wait.UntilAsync(() => sim.Stats.Running == 0);
        Assert.Equal("status", Assert.Single(sim.Calls).Outcome);
    }

    [Fact]
    public async Task A_closed_connection_sends_nothing()
    {
        await using var sim = await Simulator.StartAsync("default: { fault: { kind: close } }");
        await Assert.ThrowsAsync<HttpRequestException>(() => PostAsync(sim, stream: false));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cut_answer_has_exactly_the_bytes_and_then_fails(bool stream)
    {
        await using var sim = await Simulator.StartAsync("default: { text: \"a long enough text\", fault: { kind: cut, after_bytes: 150 } }");
        using var response = await PostAsync(sim, stream);
        await using var body = await response.Content.ReadAsStreamAsync();
        var read = new MemoryStream();
        await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(read));
        Assert.Equal(150, read.Length);
    }

    [Fact]
    public async Task A_stalled_answer_stays_open()
    {
        await using var sim = await Simulator.StartAsync("default: { fault: { kind: stall, after_bytes: 10 } }");
        using var response = await PostAsync(sim, stream: true);
        await using var body = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[10];
        await body.ReadExactlyAsync(buffer);
        var more = body.ReadAsync(buffer).AsTask();
        Assert.NotSame(more, await Task.WhenAny(more, Task.Delay(100)));
    }

    [Fact]
    public async Task Endless_answers_do_not_end()
    {
        await using var sim = await Simulator.StartAsync("default: { fault: { kind: endless } }");
        using var response = await PostAsync(sim, stream: true);
        await using var body = await response.Content.ReadAsStreamAsync();
        await body.ReadExactlyAsync(new byte[5000]);
        Assert.Equal("running", Assert.Single(sim.Calls).Outcome);
    }

    [Fact]
    public async Task A_huge_answer_is_as_large_as_asked()
    {
        await using var sim = await Simulator.StartAsync("default: { fault: { kind: huge, bytes: 10000000 } }");
        var answer = await SimulatorAnswer.AskAsync(sim, Request(stream: true));
        Assert.Equal(10_000_000, answer.Text.Length);
    }

    [Theory]
    [InlineData("malformed_json", true)]
    [InlineData("malformed_json", false)]
    [InlineData("malformed_sse", true)]
    [InlineData("error_in_stream", true)]
    [InlineData("error_in_stream", false)]
    [InlineData("no_end", true)]
    public async Task Spoilt_answers_are_not_valid(string kind, bool stream)
    {
        await using var sim = await Simulator.StartAsync($"default: {{ text: \"one two three four five six\", fault: {{ kind: {kind} }} }}");
        await Assert.ThrowsAnyAsync<Exception>(() => SimulatorAnswer.AskAsync(sim, Request(stream)));
        await Wait.UntilAsync(() => sim.Stats.Running == 0); // a moment after its last byte
        Assert.Equal(kind, Assert.Single(sim.Calls).Outcome);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Wrong_tools_invalid_arguments_and_empty_choices_are_well_formed(bool stream)
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - { match: { call: 1 }, answer: { fault: { kind: wrong_tool } } }
              - { match: { call: 1 }, answer: { fault: { kind: invalid_arguments } } }
            default: { fault: { kind: empty_choices } }
            """);
        Assert.Equal("no_such_tool", Assert.Single((await SimulatorAnswer.AskAsync(sim, Request(stream))).ToolCalls).Name);
        var invalid = Assert.Single((await SimulatorAnswer.AskAsync(sim, Request(stream))).ToolCalls);
        Assert.Equal("add", invalid.Name);
        Assert.ThrowsAny<JsonException>(() => JsonDocument.Parse(invalid.Arguments));
        Assert.Equal("", (await SimulatorAnswer.AskAsync(sim, Request(stream))).Text);
    }

    [Fact]
    public async Task A_dripping_answer_is_complete_in_the_end()
    {
        await using var sim = await Simulator.StartAsync("default: { text: slow, fault: { kind: drip, bytes_per_second: 20000 } }");
        Assert.Equal("slow", (await SimulatorAnswer.AskAsync(sim, Request(stream: true))).Text);
    }

    [Fact]
    public async Task The_tool_server_counts_requests_and_effects_by_key()
    {
        await using var sim = await Simulator.StartAsync("""
            tools:
              pay: { honours_key: false }
              flaky: { status: 503, times: 1 }
              lost: { cut: after, times: 1 }
            """);
        await CallToolAsync(sim, "book", "k1");
        Assert.Equal("{\"tool\":\"book\",\"effect\":1}", await CallToolAsync(sim, "book", "k1"));
        await CallToolAsync(sim, "pay", "k1");
        await CallToolAsync(sim, "pay", "k1");
        await Assert.ThrowsAsync<HttpRequestException>(() => CallToolAsync(sim, "flaky", "k1"));
        await CallToolAsync(sim, "flaky", "k1");
        await Assert.ThrowsAsync<HttpRequestException>(() => CallToolAsync(sim, "lost", "k1"));

        var counts = sim.ToolCounts;
        Assert.Equal(new KeyCount(2, 1), counts["book"].Keys["k1"]);
        Assert.Equal(new KeyCount(2, 2), counts["pay"].Keys["k1"]);
        Assert.Equal((2, 1), (counts["flaky"].Requests, counts["flaky"].Effects));
        Assert.Equal((1, 1), (counts["lost"].Requests, counts["lost"].Effects));
    }

    [Theory]
    [InlineData(HoldPoint.Before, 0)]
    [InlineData(HoldPoint.After, 1)]
    public async Task A_tool_can_be_held_before_and_after_its_effect(HoldPoint point, int effects)
    {
        await using var sim = await Simulator.StartAsync();
        var hold = sim.Hold(new HoldSpec { Tool = "book", At = point });
        var call = CallToolAsync(sim, "book", "k");
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal(effects, sim.ToolCounts["book"].Effects);
        hold.Release();
        await call;
        Assert.Equal(1, sim.ToolCounts["book"].Effects);
    }

    [Fact]
    public async Task Searches_and_pages_look_like_the_real_ones()
    {
        await using var sim = await Simulator.StartAsync("""
            search:
              - { query: kazan, results: [ { url: "{{base_url}}/pages/mine", title: Mine, content: About } ] }
            pages:
              mine: { html: "<p>from {{base_url}}</p>" }
            """);
        var searx = await Http.GetFromJsonAsync<JsonElement>(sim.BaseUrl + "/searxng/search?q=Kazan&format=json");
        var url = searx.GetProperty("results")[0].GetProperty("url").GetString();
        Assert.Equal($"<p>from {sim.BaseUrl}</p>", await Http.GetStringAsync(url));
        using var refused = await Http.GetAsync(sim.BaseUrl + "/brave/res/v1/web/search?q=x");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, refused.StatusCode);
        using var request = new HttpRequestMessage(HttpMethod.Get, sim.BaseUrl + "/brave/res/v1/web/search?q=x");
        request.Headers.Add("X-Subscription-Token", "t");
        using var brave = await Http.SendAsync(request);
        Assert.Equal(3, (await brave.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("web").GetProperty("results").GetArrayLength());
    }

    private static async Task<string> CallToolAsync(Simulator sim, string tool, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"{sim.BaseUrl}/_tool/{tool}") { Content = JsonContent.Create(new { a = 1 }) };
        request.Headers.Add("Idempotency-Key", key);
        using var response = await Http.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadAsStringAsync();
    }

    private static object Request(bool stream) => new
    {
        model = "m",
        stream,
        messages = new[] { new { role = "user", content = "x" } },
        tools = new[] { new { type = "function", function = new { name = "add" } } },
    };

    private static Task<HttpResponseMessage> PostAsync(Simulator sim, bool stream)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, sim.OpenAiUrl + "/chat/completions") { Content = JsonContent.Create(Request(stream)) };
        return Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }
}
