using System.ClientModel;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Simulation;

public sealed class SimulatorTests
{
    private const string Script = """
        rules:
          - name: weather tool
            match: { agent: researcher, tool_offered: weather, last_role: user }
            answer:
              tool_calls:
                - { name: weather, arguments: { city: "Kazan", note: "{{last_message}}" } }
                - { name: clock, arguments: { } }
          - name: after tool
            match: { last_role: tool, tool_called: weather }
            answer: { text: "The tool said: {{tool_result}}", usage: { input: 100, cached: 40, output: 7 } }
          - name: pattern
            match: { last_message_regex: "add (\\d+) and (\\d+)" }
            answer: { text: "{{group_1}}+{{group_2}}" }
          - name: structured
            match: { structured: true }
            answer: { json: { verdict: "true", score: 95 } }
          - name: thinker
            match: { last_message: think }
            answer: { reasoning: "Let me see.", text: "Thought." }
        default: { text: "One two three four." }
        """;

    [Fact]
    public async Task The_official_client_gets_the_default_answer_whole_and_streamed()
    {
        await using var sim = await Simulator.StartAsync(Script);
        var client = Client(sim);

        var whole = (await client.CompleteChatAsync("hello")).Value;
        Assert.Equal("One two three four.", whole.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, whole.FinishReason);
        Assert.Equal(4, whole.Usage.OutputTokenCount);

        var pieces = new List<string>();
        ChatTokenUsage? usage = null;
        await foreach (var update in client.CompleteChatStreamingAsync("hello"))
        {
            pieces.AddRange(update.ContentUpdate.Select(p => p.Text).Where(t => t.Length > 0));
            usage = update.Usage ?? usage;
        }

        Assert.Equal(["One", " two", " three", " four."], pieces);
        Assert.Equal(4, usage!.OutputTokenCount);
        Assert.Equal(2, sim.Stats.Chat);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Tool_calls_and_their_results_match_rules_and_fill_templates(bool stream)
    {
        await using var sim = await Simulator.StartAsync(Script);
        var messages = new List<object> { new { role = "system", content = "Agent: researcher\nYou search." }, new { role = "user", content = "rain \"now\"?" } };
        var calls = await AskAsync(sim, new { model = "m", stream, messages, tools = new[] { new { type = "function", function = new { name = "weather" } } } });
        Assert.Equal(["weather", "clock"], calls.ToolCalls.Select(c => c.Name));
        Assert.Equal("rain \"now\"?", JsonDocument.Parse(calls.ToolCalls[0].Arguments).RootElement.GetProperty("note").GetString());
        Assert.Equal(2, calls.ToolCalls.Select(c => c.Id).Distinct().Count());

        messages.Add(new { role = "assistant", tool_calls = calls.ToolCalls.Select(c => new { id = c.Id, type = "function", function = new { name = c.Name, arguments = c.Arguments } }) });
        messages.Add(new { role = "tool", tool_call_id = calls.ToolCalls[0].Id, content = "12 °C" });
        var answer = await AskAsync(sim, new { model = "m", stream, messages, stream_options = stream ? new { include_usage = true } : null });
        Assert.Equal("The tool said: 12 °C", answer.Text);
        Assert.Equal((100, 40, 7), (answer.Input, answer.Cached, answer.Output));
        Assert.All(sim.Calls, c => Assert.Equal("researcher", c.Agent));
        Assert.Equal(["weather tool", "after tool"], sim.Calls.Select(c => c.Rule));
    }

    [Theory]
    [InlineData("please add 2 and 40", "2+40")]
    [InlineData("nothing of the kind", "One two three four.")]
    public async Task A_pattern_fills_its_groups(string message, string expected)
    {
        await using var sim = await Simulator.StartAsync(Script);
        Assert.Equal(expected, (await AskAsync(sim, Plain(message))).Text);
    }

    [Fact]
    public async Task Structured_output_is_the_value_as_json_and_reasoning_comes_before_the_text()
    {
        await using var sim = await Simulator.StartAsync(Script);
        var structured = await AskAsync(sim, new { model = "m", messages = User("x"), response_format = new { type = "json_object" } });
        Assert.Equal(95, JsonDocument.Parse(structured.Text).RootElement.GetProperty("score").GetInt32());

        var thought = await AskAsync(sim, Plain("think", stream: true));
        Assert.Equal(("Let me see.", "Thought."), (thought.Reasoning, thought.Text));
    }

    [Fact]
    public async Task Rules_count_calls_times_and_sequences()
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - { match: { last_message: a, call: 2 }, answer: { text: second } }
              - { match: { last_message: a, every: 3 }, answer: { text: third } }
              - { match: { last_message: a }, times: 2, answer: { text: early } }
              - { match: { last_message: b }, answers: [ { text: one }, { text: two } ] }
            default: { text: rest }
            """);
        var answers = new List<string>();
        for (var i = 0; i < 6; i++)
        {
            answers.Add((await AskAsync(sim, Plain("a"))).Text);
        }

        // The counter of a rule counts only what reaches the rule: the second rule never saw call 2.
        Assert.Equal(["early", "second", "early", "third", "rest", "rest"], answers);
        Assert.Equal(["one", "two", "two"], [(await AskAsync(sim, Plain("b"))).Text, (await AskAsync(sim, Plain("b"))).Text, (await AskAsync(sim, Plain("b"))).Text]);
        Assert.Equal(5 + 2, sim.Stats.Duplicates);
    }

    [Fact]
    public async Task The_same_seed_gives_the_same_faults()
    {
        const string script = "{\"seed\": 7, \"rules\": [{\"probability\": 0.5, \"answer\": {\"text\": \"hit\"}}], \"default\": {\"text\": \"miss\"}}";
        var runs = new List<string>();
        for (var run = 0; run < 2; run++)
        {
            await using var sim = await Simulator.StartAsync(script);
            var answers = new List<string>();
            for (var i = 0; i < 12; i++)
            {
                answers.Add((await AskAsync(sim, Plain("x"))).Text);
            }

            runs.Add(string.Join(',', answers));
        }

        Assert.Equal(runs[0], runs[1]);
        Assert.Contains("hit", runs[0]);
        Assert.Contains("miss", runs[0]);
    }

    [Fact]
    public async Task A_held_call_waits_and_goes_on_after_release()
    {
        await using var sim = await Simulator.StartAsync(Script);
        var hold = sim.Hold(new HoldSpec { Call = 2, At = HoldPoint.Middle });
        Assert.Equal("One two three four.", (await AskAsync(sim, Plain("x", stream: true))).Text);
        var held = AskAsync(sim, Plain("y", stream: true));
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.False(held.IsCompleted);
        hold.Release();
        Assert.Equal("One two three four.", (await held).Text);
    }

    [Fact]
    public async Task Holds_of_the_first_and_of_the_second_call_stop_these_two_and_the_third_passes()
    {
        await using var sim = await Simulator.StartAsync(Script);
        var (first, second) = (sim.Hold(new HoldSpec { Call = 1 }), sim.Hold(new HoldSpec { Call = 2 }));
        var one = AskAsync(sim, Plain("x"));
        await first.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.False(second.Reached.IsCompleted);
        var two = AskAsync(sim, Plain("y"));
        await second.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal("One two three four.", (await AskAsync(sim, Plain("z"))).Text);
        Assert.False(one.IsCompleted || two.IsCompleted);
        sim.ReleaseAll();
        Assert.All(await Task.WhenAll(one, two), static a => Assert.Equal("One two three four.", a.Text));
    }

    [Fact]
    public async Task Of_two_holds_of_the_same_call_the_later_one_stops_the_next()
    {
        await using var sim = await Simulator.StartAsync();
        var before = sim.Hold(new HoldSpec { Tool = "book", At = HoldPoint.Before, Call = 1 });
        var after = sim.Hold(new HoldSpec { Tool = "book", At = HoldPoint.After, Call = 1 });
        using var http = new HttpClient { BaseAddress = new Uri(sim.BaseUrl) };
        var one = http.PostAsync("/_tool/book", null);
        await before.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.False(after.Reached.IsCompleted);
        var two = http.PostAsync("/_tool/book", null);
        await after.Reached.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal((2, 1), (sim.ToolCounts["book"].Requests, sim.ToolCounts["book"].Effects));
        sim.ReleaseAll();
        using var answer = await one;
        using var other = await two;
        Assert.Equal(2, sim.ToolCounts["book"].Effects);
    }

    [Theory]
    [InlineData("text: one two three, usage: { none: true }, tokens_per_second: 0.01")]
    [InlineData("text: WORD, piece_chars: 1, tokens_per_second: 20")]
    public async Task A_whole_answer_takes_as_long_as_its_stream_whatever_its_usage_says(string slow)
    {
        await using var sim = await Simulator.StartAsync($$"""
            rules:
              - match: { last_message: slow }
                answer: { {{slow.Replace("WORD", new string('w', 10_000))}} }
            default: { text: one two three four five, usage: { output: 1000000 }, tokens_per_second: 10 }
            """);
        using var http = new HttpClient();
        using var leave = new CancellationTokenSource();
        var waiting = http.PostAsJsonAsync(sim.OpenAiUrl + "/chat/completions", Plain("slow"), leave.Token);
        await sim.WaitForCallsAsync(1);
        Assert.Equal("one two three four five", (await AskAsync(sim, Plain("quick"))).Text); // not after the day that its usage would take
        Assert.Equal("running", sim.Calls[0].Outcome);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
    }

    [Fact]
    public async Task Equal_requests_are_counted_where_calls_are_recorded_and_unknown_where_only_totals_are()
    {
        await using var sim = await Simulator.StartAsync("record: counts");
        await AskAsync(sim, Plain("x"));
        await AskAsync(sim, Plain("x"));
        Assert.Null(sim.Stats.Duplicates);
        using var http = new HttpClient();
        var stats = await http.GetFromJsonAsync<JsonElement>(sim.BaseUrl + "/_sim/stats");
        Assert.Equal((2, JsonValueKind.Null), (stats.GetProperty("calls").GetInt32(), stats.GetProperty("duplicates").ValueKind));

        sim.Reset();
        sim.Use("record: calls");
        await AskAsync(sim, Plain("x"));
        await AskAsync(sim, Plain("x"));
        Assert.Equal(1L, sim.Stats.Duplicates);
        Assert.All(sim.Calls, static c => Assert.Null(c.Body));
    }

    [Fact]
    public async Task A_client_that_leaves_is_recorded_as_aborted()
    {
        await using var sim = await Simulator.StartAsync("default: { fault: { kind: hang } }");
        using var http = new HttpClient();
        using var leave = new CancellationTokenSource();
        var request = http.PostAsJsonAsync(sim.OpenAiUrl + "/chat/completions", Plain("x"), leave.Token);
        await sim.WaitForCallsAsync(1);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await Wait.UntilAsync(() => sim.Stats.Running == 0);
        Assert.True(Assert.Single(sim.Calls).Aborted);
        Assert.Equal(1, sim.Stats.Aborted);
    }

    [Fact]
    public async Task Scripts_calls_stats_and_waits_work_over_http()
    {
        await using var sim = await Simulator.StartAsync();
        using var http = new HttpClient { BaseAddress = new Uri(sim.BaseUrl) };
        using var put = await http.PutAsync("/_sim/script", new StringContent("default: { text: 42 }"));
        Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        var wait = http.GetAsync("/_sim/wait?calls=2");
        Assert.Equal("42", (await AskAsync(sim, Plain("x"))).Text);
        Assert.False(wait.IsCompleted);
        await AskAsync(sim, Plain("x"));
        using (var waited = await wait)
        {
            Assert.Equal(HttpStatusCode.OK, waited.StatusCode);
        }

        await Wait.UntilAsync(() => sim.Stats.Running == 0); // a call ends a moment after its last byte
        var stats = await http.GetFromJsonAsync<JsonElement>("/_sim/stats");
        Assert.Equal((2, 1), (stats.GetProperty("calls").GetInt32(), stats.GetProperty("duplicates").GetInt32()));
        var calls = await http.GetFromJsonAsync<JsonElement>("/_sim/calls?after=1");
        Assert.Equal("ok", calls.GetProperty("items")[0].GetProperty("outcome").GetString());

        using var bad = await http.PutAsync("/_sim/script", new StringContent("rules: [ { match: { lastmessage: x }, answer: { text: y } } ]"));
        Assert.Equal(HttpStatusCode.BadRequest, bad.StatusCode);
        Assert.Contains("lastmessage", await bad.Content.ReadAsStringAsync());
        using var open = await http.PutAsync("/_sim/script", new StringContent("rules: [ { match: { last_message_regex: '(' }, answer: { text: y } } ]"));
        Assert.Equal(HttpStatusCode.BadRequest, open.StatusCode);
        using var hold = await http.PostAsync("/_sim/hold", new StringContent("{ \"call\": 1, \"at\": \"before\" }"));
        var id = (await hold.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString();
        var held = AskAsync(sim, Plain("held"));
        using var reached = await http.GetAsync($"/_sim/wait?hold={id}");
        Assert.Equal(HttpStatusCode.OK, reached.StatusCode);
        using var released = await http.PostAsync($"/_sim/release?id={id}", null);
        Assert.Equal("42", (await held).Text);

        using var reset = await http.PostAsync("/_sim/reset", null);
        Assert.Equal(0, sim.Stats.Calls);
    }

    [Theory]
    [InlineData("rules:", "$.rules")]
    [InlineData("rules:\n  -", "rules[0]: ")]
    [InlineData("rules:\n  - match:\n    answer: { text: x }", "$.rules[0].match")]
    [InlineData("rules: [ { answers: [ { text: x }, ~ ] } ]", "rules[0].answers[1]: ")]
    [InlineData("default:", "$.default")]
    [InlineData("default: { tool_calls: [ ~ ] }", "default.tool_calls[0]: ")]
    [InlineData("default: { tool_calls: [ { id: a } ] }", "$.default.tool_calls[0]")]
    [InlineData("default: { text: { a: 1 } }", "$.default.text")]
    [InlineData("default: { tokens_per_second: .nan }", "")]
    [InlineData("tools: { x: }", "tools.x: ")]
    [InlineData("search: [ ~ ]", "search[0]: ")]
    [InlineData("pages: { x: { headers: { a: } } }", "pages.x.headers.a: ")]
    [InlineData("{\"rules\":[null]}", "rules[0]: ")]
    [InlineData("default: { tokens_per_second: 0 }", "default.tokens_per_second: ")]
    [InlineData("default: { first_token_ms: -1 }", "default.first_token_ms: ")]
    [InlineData("rules: [ { answer: { fault: { kind: drip, bytes_per_second: 0 } } } ]", "rules[0].answer.fault.bytes_per_second: ")]
    [InlineData("rules: [ { answer: { fault: { kind: status, status: 42 } } } ]", "rules[0].answer.fault.status: ")]
    [InlineData("embeddings: { fault: { kind: cut, after_bytes: -1 } }", "embeddings.fault.after_bytes: ")]
    [InlineData("embedding_dimensions: 0", "embedding_dimensions: ")]
    [InlineData("tools: { x: { status: 600 } }", "tools.x.status: ")]
    [InlineData("tools: { x: { delay_after_ms: -5 } }", "tools.x.delay_after_ms: ")]
    [InlineData("pages: { x: { bytes_per_second: 0 } }", "pages.x.bytes_per_second: ")]
    public async Task A_script_that_no_answer_can_be_sent_with_is_refused_with_the_place_and_the_one_before_stays(string script, string place)
    {
        Assert.Contains(place, Assert.Throws<ScriptException>(() => ScriptReader.Read(script)).Message, StringComparison.Ordinal);
        await using var sim = await Simulator.StartAsync("default: { text: as before }");
        using var http = new HttpClient { BaseAddress = new Uri(sim.BaseUrl) };
        using var put = await http.PutAsync("/_sim/script", new StringContent(script));
        Assert.Equal(HttpStatusCode.BadRequest, put.StatusCode);
        Assert.Contains(place, await put.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal("as before", (await AskAsync(sim, Plain("x"))).Text);
    }

    [Fact]
    public async Task Embeddings_are_unit_vectors_that_grow_apart_with_the_texts()
    {
        await using var sim = await Simulator.StartAsync();
        var client = new OpenAIClient(new ApiKeyCredential("k"), new OpenAIClientOptions { Endpoint = new Uri(sim.OpenAiUrl) }).GetEmbeddingClient("e");
        var vectors = (await client.GenerateEmbeddingsAsync(["how is the weather in Kazan", "the weather in Kazan, how is it?", "prime numbers below one hundred"])).Value.Select(e => e.ToFloats().ToArray()).ToArray();
        Assert.Equal(384, vectors[0].Length);
        Assert.Equal(1, Dot(vectors[0], vectors[0]), 3);
        Assert.True(Dot(vectors[0], vectors[1]) > Dot(vectors[0], vectors[2]) + 0.3f);
    }

    private static float Dot(float[] a, float[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static ChatClient Client(Simulator sim) => new("sim-standard", new ApiKeyCredential("k"), new OpenAIClientOptions { Endpoint = new Uri(sim.OpenAiUrl) });

    private static object[] User(string message) => [new { role = "user", content = message }];

    private static object Plain(string message, bool stream = false) => new { model = "m", stream, messages = User(message) };

    private static Task<SimulatorAnswer> AskAsync(Simulator sim, object request) => SimulatorAnswer.AskAsync(sim, request);
}
