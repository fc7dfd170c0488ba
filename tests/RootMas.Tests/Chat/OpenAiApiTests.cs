using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

public sealed class OpenAiApiTests
{
    private const string Path = "/v1/chat/completions";

    [Fact]
    public async Task Teams_and_agents_are_models()
    {
        await using var world = await ChatWorld.StartAsync();
        var list = await world.App.GetJsonAsync("/v1/models");
        Assert.Equal("list", list.GetProperty("object").GetString());
        var ids = list.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()).ToArray();
        Assert.Contains("root-mas", ids);
        Assert.Contains("agent:researcher", ids);
        Assert.Equal("agent:researcher", (await world.App.GetJsonAsync("/v1/models/agent:researcher")).GetProperty("id").GetString());
        await RefusedAsync(await world.App.Client.GetAsync("/v1/models/nobody"), HttpStatusCode.NotFound, "model_not_found", "model");
    }

    [Fact]
    public async Task Models_were_made_when_the_server_started_whenever_it_is_asked()
    {
        var clock = new SteppedClock();
        await using var app = await TestApp.StartAsync(o => o.Clock = clock);
        var began = clock.GetUtcNow().ToUnixTimeSeconds();
        clock.Advance(TimeSpan.FromMinutes(5));
        Assert.All((await app.GetJsonAsync("/v1/models")).GetProperty("data").EnumerateArray(), m => Assert.Equal(began, m.GetProperty("created").GetInt64()));
    }

    [Fact]
    public async Task A_completion_has_openais_shape_and_a_hidden_conversation_of_its_own()
    {
        await using var world = await ChatWorld.StartAsync();
        var answer = await CompleteAsync(world, """{"model":"solo","messages":[{"role":"user","content":"Hi"}],"unknown":1}""");
        Assert.StartsWith("chatcmpl-", answer.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal(("chat.completion", "solo"), (answer.GetProperty("object").GetString(), answer.GetProperty("model").GetString()));
        var choice = Assert.Single(answer.GetProperty("choices").EnumerateArray());
        Assert.Equal(("assistant", "Hello there, friend."), (choice.GetProperty("message").GetProperty("role").GetString(), choice.GetProperty("message").GetProperty("content").GetString()));
        Assert.Equal("stop", choice.GetProperty("finish_reason").GetString());
        var usage = answer.GetProperty("usage");
        Assert.Equal(usage.GetProperty("total_tokens").GetInt32(), usage.GetProperty("prompt_tokens").GetInt32() + usage.GetProperty("completion_tokens").GetInt32());
        Assert.Equal(0, (await world.App.GetJsonAsync("/api/v1/conversations")).GetProperty("items").GetArrayLength());
        Assert.Equal(0, (await world.App.GetJsonAsync("/api/v1/chat/history")).GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task A_stream_keeps_its_id_names_the_role_once_and_ends_with_done()
    {
        await using var world = await ChatWorld.StartAsync();
        var chunks = await StreamAsync(world, """{"model":"agent:communicator","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}""");
        Assert.Single(chunks.Select(c => c.GetProperty("id").GetString()).Distinct());
        Assert.Single(chunks, c => c.GetProperty("choices").GetArrayLength() > 0 && c.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("role", out _));
        Assert.Equal("Hello there, friend.", string.Concat(chunks.SkipLast(1).Select(Content)));
        Assert.Equal("stop", chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.True(chunks[^1].GetProperty("usage").GetProperty("completion_tokens").GetInt32() > 0);
        Assert.Equal(JsonValueKind.Null, chunks[0].GetProperty("usage").ValueKind);
        var plain = await StreamAsync(world, """{"model":"solo","messages":[{"role":"user","content":"Hi"}],"stream":true}""");
        Assert.All(plain, c => Assert.False(c.TryGetProperty("usage", out _)));
    }

    [Fact]
    public async Task History_instructions_and_sampling_reach_the_model()
    {
        await using var world = await ChatWorld.StartAsync();
        await CompleteAsync(world, """
            {"model":"solo","messages":[{"role":"system","content":"Speak like a pirate."},{"role":"user","content":"I am Ada."},{"role":"assistant","content":"Ahoy Ada!"},
             {"role":"user","content":[{"type":"text","text":"Who am I?"}]}],"temperature":0.25,"max_tokens":77,"stop":["END"]}
            """);
        var body = JsonElement.Parse(world.Sim.Calls[^1].Body!);
        var text = body.ToString();
        foreach (var expected in new[] { "Speak like a pirate.", "I am Ada.", "Ahoy Ada!", "Who am I?" })
        {
            Assert.Contains(expected, text, StringComparison.Ordinal);
        }

        Assert.Equal(0.25, body.GetProperty("temperature").GetDouble());
        Assert.Equal("END", body.GetProperty("stop") is { ValueKind: JsonValueKind.Array } stop ? stop[0].GetString() : body.GetProperty("stop").GetString());
        Assert.Contains("77", text, StringComparison.Ordinal);
        var messages = body.GetProperty("messages").EnumerateArray().ToArray();
        Assert.True(Array.FindIndex(messages, m => m.ToString().Contains("pirate", StringComparison.Ordinal)) >= 0);
    }

    [Theory]
    [InlineData("")]
    [InlineData(""","max_tokens":2""")]
    public async Task A_cut_answer_says_length(string limit)
    {
        await using var world = await ChatWorld.StartAsync("default: { text: \"too long\", finish_reason: length }");
        var answer = await CompleteAsync(world, $$"""{"model":"solo","messages":[{"role":"user","content":"Hi"}]{{limit}}}""");
        Assert.Equal("length", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        using var streamed = await PostAsync(world, $$"""{"model":"solo","messages":[{"role":"user","content":"Hi"}],"stream":true{{limit}}}""");
        Assert.Contains("\"finish_reason\":\"length\"", await streamed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wishes_are_for_the_member_that_answers_and_not_for_those_whose_work_it_uses()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules: [ { match: { agent: fact_checker }, answer: { json: { claims: [] } } } ]
            default: { text: "Hello there, friend." }
            """);
        await CompleteAsync(world, """{"model":"research","messages":[{"role":"user","content":"Hi"}],"max_tokens":77,"stop":["END"]}""");
        var limits = world.Sim.Calls.Select(static c => JsonElement.Parse(c.Body!).TryGetProperty("max_tokens", out var most) ? most.GetInt32() : 0).ToArray();
        Assert.Equal([0, 0, 77], limits);
        Assert.True(JsonElement.Parse(world.Sim.Calls[^1].Body!).TryGetProperty("stop", out _));
    }

    [Fact]
    public async Task A_stream_takes_a_place_among_the_users_open_streams_until_it_ends()
    {
        await using var world = await ChatWorld.StartAsync(configure: static o => o.Settings["Limits:StreamsPerUser"] = "1");
        const string Streamed = """{"model":"solo","messages":[{"role":"user","content":"Hi"}],"stream":true}""";
        var hold = world.Sim.Hold(new HoldSpec { At = HoldPoint.Before });
        using (var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat/stream") { Content = new StringContent("""{"message":"Hi","team":"solo"}""", Encoding.UTF8, "application/json") })
        using (var open = await world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            Assert.Equal(HttpStatusCode.OK, open.StatusCode);
            using var second = await PostAsync(world, Streamed);
            Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
            using var third = await world.App.PostAsync("/api/v1/chat/stream", """{"message":"Hi","team":"solo"}""");
            Assert.Equal(HttpStatusCode.TooManyRequests, third.StatusCode);
            hold.Release();
            Assert.Contains("run.completed", await open.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        await Support.Wait.UntilAsync(
            static async w =>
            {
                using var again = await PostAsync(w, Streamed);
                return again.StatusCode == HttpStatusCode.OK;
            },
            world,
            "the place was not given back");
    }

    [Theory]
    [InlineData("""{"model":"solo","messages":[{"role":"user","content":"x"}],"stop":"\ud800"}""", "invalid_json", null)]
    [InlineData("""{"model":"solo","messages":[{"role":"user","content":"x"}],"metadata":{"a":"\ud800"}}""", "invalid_json", null)]
    [InlineData("{", "invalid_json", null)]
    [InlineData("""{"model":"nobody","messages":[{"role":"user","content":"x"}]}""", "model_not_found", "model")]
    [InlineData("""{"model":"agent:nobody","messages":[{"role":"user","content":"x"}]}""", "model_not_found", "model")]
    [InlineData("""{"model":"solo","messages":[{"role":"user","content":"x"}],"n":3}""", "unsupported_parameter", "n")]
    [InlineData("""{"model":"solo","messages":[{"role":"user","content":"x"}],"temperature":"x"}""", "invalid_value", "temperature")]
    [InlineData("""{"model":"solo","messages":[{"role":"user","content":"x"}],"seed":1.5}""", "invalid_value", "seed")]
    [InlineData("""{"model":"solo","messages":[{"role":"user","content":"x"}],"audio":{}}""", "unsupported_parameter", "audio")]
    [InlineData("""{"model":"solo","messages":[{"role":"user","content":"x","name":5}]}""", "invalid_value", "messages[0].name")]
    public async Task Errors_have_openais_shape(string body, string code, string? param)
    {
        await using var world = await ChatWorld.StartAsync();
        await RefusedAsync(await PostAsync(world, body), code == "model_not_found" ? HttpStatusCode.NotFound : HttpStatusCode.BadRequest, code, param);
        Assert.Empty(world.Sim.Calls);
    }

    [Fact]
    public async Task Long_messages_are_fine_here_and_bodies_go_to_16_MiB()
    {
        await using var world = await ChatWorld.StartAsync();
        await CompleteAsync(world, $$"""{"model":"solo","messages":[{"role":"user","content":"{{new string('x', 50_000)}}"}]}""");
        using var big = await PostAsync(world, $$"""{"model":"solo","messages":[{"role":"user","content":"x"}],"padding":"{{new string('x', 15_000_000)}}"}""");
        Assert.Equal(HttpStatusCode.OK, big.StatusCode);
        await RefusedAsync(await PostAsync(world, $$"""{"model":"solo","padding":"{{new string('x', 17_000_000)}}"}"""), HttpStatusCode.RequestEntityTooLarge, "body_too_large", null);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Closing_the_connection_cancels_the_run(bool stream)
    {
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"{string.Join(' ', Enumerable.Range(0, 1_000))}\", tokens_per_second: 1 }}");
        using var leave = new CancellationTokenSource();
        var asking = PostAsync(world, $$"""{"model":"solo","messages":[{"role":"user","content":"Hi"}],"stream":{{(stream ? "true" : "false")}}}""", leave.Token);
        await world.Sim.WaitForCallsAsync(1);
        if (stream)
        {
            (await asking).Dispose();
        }
        else
        {
            await leave.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        }

        await Eventually.HoldsAsync(() => world.Sim.Calls[0].Aborted);
        await Eventually.AssertAsync(async () => (await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items")[0].GetProperty("status").GetString() == "cancelled");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_run_that_waits_for_a_person_says_where_to_decide(bool stream)
    {
        await using var world = await ChatWorld.StartAsync("default: { tool_calls: [ { name: ask_user, arguments: { question: \"Which city?\" } } ] }");
        var body = $$"""{"model":"solo","messages":[{"role":"user","content":"Book"}],"stream":{{(stream ? "true" : "false")}}}""";
        var (text, reason) = await AnswerAsync(world, body, stream);
        Assert.Equal("stop", reason);
        Assert.Contains("Which city?", text, StringComparison.Ordinal);
        Assert.Contains("/input", text, StringComparison.Ordinal);
    }

    private static async Task<(string Text, string? Reason)> AnswerAsync(ChatWorld world, string body, bool stream)
    {
        if (stream)
        {
            var chunks = await StreamAsync(world, body);
            return (string.Concat(chunks.Select(Content)), chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        }

        var choice = (await CompleteAsync(world, body)).GetProperty("choices")[0];
        return (choice.GetProperty("message").GetProperty("content").GetString()!, choice.GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_run_below_that_waits_for_a_person_ends_the_answer_and_says_where_to_decide(bool stream)
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { agent: communicator }, answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "pay" } } ] } }
            default: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "https://example.com/pay", body: "five" } } ] }
            """);
        var body = $$$"""{"model":"root-mas","messages":[{"role":"user","content":"pay"}],"stream":{{{(stream ? "true" : "false")}}}}""";
        var (text, reason) = await AnswerAsync(world, body, stream);
        var root = (await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items")[0].GetProperty("id").GetString();
        var tree = await world.App.GetJsonAsync($"/api/v1/runs/{root}?tree=1");
        Assert.Equal("stop", reason);
        Assert.Contains($"The run {tree.GetProperty("children")[0].GetProperty("id").GetString()} waits for a person", text, StringComparison.Ordinal);
        Assert.Contains("/api/v1/approvals", text, StringComparison.Ordinal);
        Assert.Equal(("waiting_children", "waiting_approval"), (tree.GetProperty("status").GetString(), tree.GetProperty("children")[0].GetProperty("status").GetString()));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_prompt_that_is_too_long_for_the_models_is_told_in_openais_words(bool stream)
    {
        await using var world = await ChatWorld.StartAsync("""default: { fault: { kind: status, status: 400, body: '{"error":{"code":"context_length_exceeded","message":"too long"}}' } }""");
        var body = $$$"""{"model":"solo","messages":[{"role":"user","content":"Hi"}],"stream":{{{(stream ? "true" : "false")}}}}""";
        if (!stream)
        {
            await RefusedAsync(await PostAsync(world, body), HttpStatusCode.BadRequest, "context_length_exceeded", "messages");
            return;
        }

        using var response = await PostAsync(world, body);
        Assert.Contains("\"type\":\"invalid_request_error\",\"param\":\"messages\",\"code\":\"context_length_exceeded\"", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1, streamed")]
    [InlineData("/v1")]
    [InlineData("/api/v1/chat")]
    public async Task Usage_counts_the_run_and_all_runs_below_it(string form)
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - { match: { agent: communicator, last_role: tool }, answer: { text: "So.", usage: { input: 100, output: 10 } } }
              - { match: { agent: communicator }, answer: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "look" } } ], usage: { input: 200, output: 20 } } }
            default: { text: "Found.", usage: { input: 400, output: 40 } }
            """);
        var (input, output) = form switch
        {
            "/api/v1/chat" => Of((await world.AskAsync(new { message = "Hi", team = "root-mas" })).GetProperty("metadata").GetProperty("usage"), "input_tokens", "output_tokens"),
            "/v1" => Of((await CompleteAsync(world, """{"model":"root-mas","messages":[{"role":"user","content":"Hi"}]}""")).GetProperty("usage"), "prompt_tokens", "completion_tokens"),
            _ => Of((await StreamAsync(world, """{"model":"root-mas","messages":[{"role":"user","content":"Hi"}],"stream":true,"stream_options":{"include_usage":true}}"""))[^1].GetProperty("usage"), "prompt_tokens", "completion_tokens"),
        };
        Assert.Equal((700, 70), (input, output));
        static (int, int) Of(JsonElement usage, string input, string output) => (usage.GetProperty(input).GetInt32(), usage.GetProperty(output).GetInt32());
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task Json_mode_gives_json(bool stream, bool isFenced)
    {
        await using var world = await ChatWorld.StartAsync(isFenced ? """default: { text: "```json\n{\"city\": \"Kazan\"}\n```" }""" : "default: { json: { city: Kazan } }");
        var body = $$"""{"model":"solo","messages":[{"role":"user","content":"Where?"}],"response_format":{"type":"json_object"},"stream":{{(stream ? "true" : "false")}}}""";
        var text = stream
            ? string.Concat((await StreamAsync(world, body)).Select(Content))
            : (await CompleteAsync(world, body)).GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!;
        Assert.Equal("Kazan", JsonElement.Parse(text).GetProperty("city").GetString());
    }

    /// <summary>A client that knows no error frames takes a stream of nothing else for an empty answer.</summary>
    [Fact]
    public async Task A_stream_that_fails_before_its_first_text_has_the_status_of_the_failure()
    {
        await using var world = await ChatWorld.StartAsync("default: { fault: { kind: status, status: 401 } }");
        foreach (var stream in new[] { false, true })
        {
            using var response = await PostAsync(world, $$"""{"model":"solo","messages":[{"role":"user","content":"Hi"}],"stream":{{(stream ? "true" : "false")}}}""");
            var text = await response.Content.ReadAsStringAsync();
            Assert.True(response.StatusCode >= HttpStatusCode.BadRequest, $"{response.StatusCode}: {text}");
            Assert.Equal(("application/json", "false"), (response.Content.Headers.ContentType!.MediaType, Assert.Single(response.Headers.GetValues("x-should-retry"))));
            Assert.NotNull(JsonElement.Parse(text).GetProperty("error").GetProperty("code").GetString());
        }
    }

    [Fact]
    public async Task Many_streams_of_one_user_begin_at_once()
    {
        const int Streams = 256;
        await using var world = await ChatWorld.StartAsync("default: { text: \"one two three four\" }");
        world.Sim.Hold(new() { At = HoldPoint.Middle });
        var first = await Task.WhenAll(Enumerable.Range(0, Streams).Select(i => FirstTextAsync(world, $$"""{"model":"solo","messages":[{"role":"user","content":"{{i}}"}],"stream":true}""")));
        Assert.All(first, f => Assert.StartsWith("one", f.Text, StringComparison.Ordinal));
        world.Sim.ReleaseAll();
        foreach (var (_, stream) in first)
        {
            Assert.EndsWith("data: [DONE]\n\n", await stream.ReadToEndAsync(), StringComparison.Ordinal);
            stream.Dispose();
        }
    }

    /// <summary>Reads a stream up to its first text.</summary>
    private static async Task<(string Text, StreamReader Stream)> FirstTextAsync(ChatWorld world, string body)
    {
        var response = await PostAsync(world, body);
        var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        while (await lines.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("data: {", StringComparison.Ordinal) && Content(JsonElement.Parse(line["data: ".Length..])) is { Length: > 0 } text)
            {
                return (text, lines);
            }
        }

        return ("", lines);
    }

    private static string Content(JsonElement chunk) =>
        chunk.GetProperty("choices").GetArrayLength() > 0 && chunk.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("content", out var text) ? text.GetString()! : "";

    private static async Task<JsonElement> CompleteAsync(ChatWorld world, string body)
    {
        using var response = await PostAsync(world, body);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        return JsonElement.Parse(text);
    }

    private static async Task<List<JsonElement>> StreamAsync(ChatWorld world, string body)
    {
        using var response = await PostAsync(world, body);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        var text = await response.Content.ReadAsStringAsync();
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(c => c.StartsWith("data: {", StringComparison.Ordinal)).Select(c => JsonElement.Parse(c["data: ".Length..]))];
    }

    private static async Task<HttpResponseMessage> PostAsync(ChatWorld world, string body, CancellationToken cancellationToken = default)
    {
        // Whoever is refused for the size of the body need not send it.
        using var request = new HttpRequestMessage(HttpMethod.Post, Path) { Headers = { ExpectContinue = body.Length > 1_000_000 }, Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } } };
        return await world.App.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    private static async Task RefusedAsync(HttpResponseMessage response, HttpStatusCode status, string code, string? param)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(status == response.StatusCode, $"{(int)response.StatusCode} {text}");
        var error = JsonElement.Parse(text).GetProperty("error");
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.Equal("invalid_request_error", error.GetProperty("type").GetString());
        Assert.NotEqual("", error.GetProperty("message").GetString());
        Assert.Equal(param, error.GetProperty("param").GetString());
        response.Dispose();
    }
}
