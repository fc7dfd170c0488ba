using Microsoft.Extensions.AI;
using RootMas.Runtime.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

public sealed class CascadeTests
{
    private static readonly AITool Known = AIFunctionFactory.CreateDeclaration("known", "", System.Text.Json.JsonElement.Parse("""{"type":"object"}"""));

    private const string TooLong = """{"error":{"code":"context_length_exceeded","message":"too long"}}""";

    [Fact]
    public async Task One_good_answer_is_one_request_and_one_row_for_the_step()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Answer("Hello there", input: 100, output: 7));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);

        Assert.Equal("Hello there", seen.Text);
        Assert.Equal(ChatFinishReason.Stop, seen.Finish);
        var entry = Assert.Single(call.Ledger);
        Assert.Equal(("a", "ok", new Money(114)), (entry.Model, entry.Outcome, entry.Cost));
        Assert.Equal((new Money(114), "a", "fake", "cheap"), (call.Cost, call.ModelUsed, call.ProviderUsed, call.TierUsed));
        Assert.Empty(await models.RowsAsync());
    }

    [Theory]
    [InlineData(429, "rate_limited")]
    [InlineData(500, "server_error")]
    [InlineData(503, "server_error")]
    [InlineData(404, "bad_request")]
    [InlineData(401, "auth")]
    public async Task A_failing_model_is_silently_replaced_by_the_next_of_its_tier(int status, string outcome)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(status)).On("b", Answer("from b"));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);

        Assert.Equal("from b", seen.Text);
        Assert.Empty(seen.Superseded);
        Assert.Equal([$"a: {outcome}"], call.FailedAttempts);
        Assert.Equal(("a", outcome, 0L, false), Assert.Single(await models.RowsAsync()));
        Assert.Equal("b", Assert.Single(call.Ledger).Model);
    }

    [Theory]
    [InlineData("""{"error":{"message":"cut within a character \ud83d","type":"upstream"}}""")]
    [InlineData("""{"error":"cut within a character \ud83d"}""")]
    [InlineData("""{"\ud83d":1,"error":{"code":"\ud83d"}}""")]
    public async Task A_failure_whose_words_are_no_text_is_what_its_status_says(string body)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(502, body)).On("b", Answer("from b"));
        var call = ModelHarness.Call();
        Assert.Equal("from b", (await models.AskAsync(call)).Text);
        Assert.Equal(["a: server_error"], call.FailedAttempts);
        Assert.Equal(("a", "server_error", 0L, false), Assert.Single(await models.RowsAsync()));
    }

    [Fact]
    public async Task A_cut_before_the_first_token_is_silent_and_after_it_supersedes_with_no_glued_text()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Abort).On("b", Stream([Delta("half an"), Delta(" answ")], cut: true)).On("c", Answer("whole"));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);

        Assert.Equal("whole", seen.Text);
        Assert.Equal(["half an answ"], seen.Superseded);
        Assert.Equal(["a: unreachable", "b: unreachable"], call.FailedAttempts);
        var rows = await models.RowsAsync();
        Assert.Equal([("a", false), ("b", true)], rows.Select(r => (r.Model, r.Estimated)));
        Assert.True(rows[1].Cost > 0, "a provider charges for what it wrote before the cut");
        Assert.Equal(3, models.Server.Requests.Count);
        Assert.Equal(call.Cost.MicroUsd, rows.Sum(r => r.Cost) + call.Ledger.Sum(e => e.Cost.MicroUsd));
    }

    [Fact]
    public async Task An_error_inside_the_stream_goes_on_with_the_next_model()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream([Delta("so"), """{"error":{"message":"overloaded","code":529}}"""])).On("b", Answer("fine"));
        var seen = await models.AskAsync(ModelHarness.Call());
        Assert.Equal("fine", seen.Text);
        Assert.Equal(["server_error"], seen.Reasons);
    }

    [Theory]
    [InlineData("unknown_tool")]
    [InlineData("empty_answer")]
    [InlineData("cut_off")]
    public async Task A_measurably_bad_answer_goes_to_the_next_tier_not_the_next_model(string fault)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("c", Answer("good")).On("b", Answer("never asked")).On("a", fault switch
        {
            "unknown_tool" => Tool("no_such_tool", "{}"),
            "empty_answer" => Stream([Finish("stop")]),
            _ => Answer("cut", finish: "length"),
        });
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call, new ChatOptions { Tools = [Known] });

        Assert.Equal("good", seen.Text);
        Assert.Equal([$"a: {fault}"], call.FailedAttempts);
        Assert.Equal(0, models.Server.CountOf("b"));
        Assert.Equal("standard", call.TierUsed);
    }

    [Fact]
    public async Task A_length_that_the_caller_asked_for_is_no_fault()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Answer("short", finish: "length"));
        var seen = await models.AskAsync(ModelHarness.Call(), new ChatOptions { MaxOutputTokens = 5 });
        Assert.Equal(("short", ChatFinishReason.Length), (seen.Text, seen.Finish));
    }

    [Fact]
    public async Task Without_a_better_model_an_unknown_tool_is_left_to_the_engine_and_an_empty_answer_fails()
    {
        await using var models = await ModelHarness.StartAsync(tiers: new Dictionary<string, string[]> { ["cheap"] = ["a"], ["standard"] = ["a"], ["premium"] = ["a"] });
        models.Server.On("a", Tool("no_such_tool", "{}"), Stream([Finish("stop")]));
        Assert.Equal("no_such_tool", Assert.Single((await models.AskAsync(ModelHarness.Call())).Calls).Name);

        var failure = (await models.AskAsync(ModelHarness.Call())).Failure;
        Assert.Equal(("invalid_answer", false), (failure?.ErrorClass, failure?.RetryLater));
    }

    [Theory]
    [InlineData(503)]
    [InlineData(401)]
    [InlineData(400)]
    public async Task A_usable_answer_counts_after_all_when_no_better_model_gives_one(int status)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Answer("as far as it went", finish: "length")).On("c", Status(status)).On("d", Status(status));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);

        Assert.Null(seen.Failure);
        Assert.Equal(("as far as it went", ChatFinishReason.Length), (seen.Text, seen.Finish));
        Assert.Empty(seen.Superseded);
        Assert.Equal((1, 0), (models.Server.CountOf("a"), models.Server.CountOf("b")));
        Assert.Equal(("a", "cheap"), (call.ModelUsed, call.TierUsed));
        Assert.Equal("a: cut_off", call.FailedAttempts[0]);
        Assert.Empty(call.Ledger);
        Assert.Equal(call.Cost.MicroUsd, (await models.RowsAsync()).Sum(static r => r.Cost));
    }

    [Fact]
    public async Task A_usable_answer_is_said_again_when_a_better_model_broke_off_in_the_midst_of_its_own()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Answer("as far as it went", finish: "length")).On("c", Stream([Delta("Half")], cut: true)).On("d", Abort);
        var seen = await models.AskAsync(ModelHarness.Call());
        Assert.Null(seen.Failure);
        Assert.Equal(("as far as it went", ChatFinishReason.Length), (seen.Text, seen.Finish));
        Assert.Equal(["as far as it went", "Half"], seen.Superseded);
    }

    [Fact]
    public async Task A_call_of_an_unknown_tool_counts_when_better_models_are_away_or_say_nothing()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Tool("no_such_tool", "{}")).On("c", Status(503)).On("d", Stream([Finish("stop")]));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);
        Assert.Null(seen.Failure);
        Assert.Equal("no_such_tool", Assert.Single(seen.Calls).Name);
        Assert.Empty(seen.Superseded);
        Assert.Equal(["a: unknown_tool", "c: server_error", "d: empty_answer"], call.FailedAttempts);
    }

    [Fact]
    public async Task Invalid_structured_output_gets_one_repair_round_and_then_the_next_tier()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Answer("not json"), Answer("""{"n":"x"}""")).On("c", Answer("""{"n":3}"""));
        var format = ChatResponseFormat.ForJsonSchema(System.Text.Json.JsonElement.Parse("""{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"""), "answer");
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call, new ChatOptions { ResponseFormat = format });

        Assert.Equal("""{"n":3}""", seen.Text);
        Assert.Equal(["a: repair", "a: invalid_structure"], call.FailedAttempts);
        Assert.Equal(2, models.Server.CountOf("a"));
        Assert.Contains("not json", models.Server.Requests[1].Body, StringComparison.Ordinal);
        Assert.DoesNotContain("not json", models.Server.Requests[2].Body, StringComparison.Ordinal);
        Assert.Equal(["not json", """{"n":"x"}"""], seen.Superseded);
    }

    [Fact]
    public async Task All_models_down_asks_to_come_back_later()
    {
        await using var models = await ModelHarness.StartAsync();
        foreach (var model in ModelHarness.Models)
        {
            models.Server.On(model, Status(429, retryAfter: model == "d" ? "7" : "30"));
        }

        var failure = (await models.AskAsync(ModelHarness.Call())).Failure;
        Assert.Equal(("rate_limited", true, TimeSpan.FromSeconds(7)), (failure?.ErrorClass, failure?.RetryLater, failure?.RetryAfter));
        Assert.Equal(4, (await models.RowsAsync()).Count);
    }

    [Fact]
    public async Task Refused_keys_everywhere_name_what_to_configure()
    {
        await using var models = await ModelHarness.StartAsync();
        foreach (var model in ModelHarness.Models)
        {
            models.Server.On(model, Status(401, """{"error":{"message":"Incorrect API key sk-secret"}}"""));
        }

        var failure = (await models.AskAsync(ModelHarness.Call())).Failure;
        Assert.Equal(("auth", false), (failure?.ErrorClass, failure?.RetryLater));
        Assert.Contains("FAKE_KEY", failure?.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("sk-secret", failure?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_key_that_nobody_named_a_place_for_names_the_setting()
    {
        await using var models = await ModelHarness.StartAsync(static p => p with { KeySource = null });
        models.Server.On("a", Status(401));
        var failure = (await models.AskAsync(ModelHarness.Call(model: "a"))).Failure;
        Assert.Contains("Check providers.fake.api_key_env in models.yaml.", failure?.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(400, """{"error":{"code":"context_length_exceeded","message":"too long"}}""", "context_length")]
    [InlineData(400, """{"error":{"message":"This model's maximum context length is 8192 tokens"}}""", "context_length")]
    [InlineData(400, """{"error":{"code":"content_filter","message":"no"}}""", "content_filter")]
    [InlineData(400, """{"error":{"message":"bad","param":"messages[1]"}}""", "bad_request")]
    public async Task A_request_that_no_model_would_take_fails_at_once(int status, string body, string errorClass)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(status, body));
        var failure = (await models.AskAsync(ModelHarness.Call())).Failure;
        Assert.Equal((errorClass, false), (failure?.ErrorClass, failure?.RetryLater));
        Assert.Single(models.Server.Requests);
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_for_a_model_goes_to_the_next_with_more_room()
    {
        await using var models = await ModelHarness.StartAsync(rooms: new Dictionary<string, int> { ["a"] = 16_000, ["b"] = 16_000, ["c"] = 8_000, ["d"] = 100_000 });
        models.Server.On("a", Status(400, TooLong)).On("d", Answer("from d"));
        var call = ModelHarness.Call();
        var seen = await models.AskAsync(call);
        Assert.Equal("from d", seen.Text);
        Assert.Equal(["a: context_length"], call.FailedAttempts);
        Assert.Equal(["a", "d"], models.Server.Requests.Select(static r => r.Model));
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_for_the_largest_model_fails_and_names_its_room()
    {
        await using var models = await ModelHarness.StartAsync(rooms: new Dictionary<string, int> { ["a"] = 8_000, ["b"] = 16_000, ["c"] = 16_000, ["d"] = 8_000 });
        models.Server.On("a", Status(400, TooLong)).On("b", Status(400, TooLong));
        var failure = (await models.AskAsync(ModelHarness.Call())).Failure;
        Assert.Equal(("context_length", false), (failure?.ErrorClass, failure?.RetryLater));
        Assert.Contains("16000", failure?.Message, StringComparison.Ordinal);
        Assert.Equal(["a", "b"], models.Server.Requests.Select(static r => r.Model));
    }

    [Theory]
    [InlineData("""{"error":{"message":"bad","param":"messages[1]"}}""")]
    [InlineData(TooLong)]
    public async Task A_request_that_a_stand_in_does_not_take_waits_for_the_model_that_is_away(string body)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(503)).On("b", Status(400, body));
        var failure = (await models.AskAsync(ModelHarness.Call())).Failure;
        Assert.Equal(("server_error", true), (failure?.ErrorClass, failure?.RetryLater));
        Assert.Contains("a: server_error; b: ", failure?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fixed_model_has_no_stand_in()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("b", Status(500));
        var call = ModelHarness.Call(model: "b");
        var failure = (await models.AskAsync(call)).Failure;
        Assert.True(failure?.RetryLater);
        Assert.Equal(["b"], models.Server.Requests.Select(r => r.Model));

        var unknown = (await models.AskAsync(ModelHarness.Call(model: "nope"))).Failure;
        Assert.Contains("Legal: a, b, c, cheap", unknown?.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_used_up_budget_sends_nothing_and_a_small_one_limits_the_answer()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Answer("x"), Answer("as far as it goes", output: 497, finish: "length"));
        Assert.Equal("budget", (await models.AskAsync(ModelHarness.Call(budget: Money.Zero))).Failure?.ErrorClass);
        Assert.Equal("budget", (await models.AskAsync(ModelHarness.Call(budget: new Money(20)))).Failure?.ErrorClass);
        Assert.Empty(models.Server.Requests);

        await models.AskAsync(ModelHarness.Call(budget: new Money(1000)));
        Assert.Contains("\"max_tokens\":4", models.Server.Requests[0].Body, StringComparison.Ordinal);
        var cut = await models.AskAsync(ModelHarness.Call(budget: new Money(1000)));
        Assert.Equal(("budget", "as far as it goes"), (cut.Failure?.ErrorClass, cut.Text));
    }

    [Fact]
    public async Task A_call_without_a_run_writes_its_own_row()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("c", Answer("ok"));
        var response = await models.Client.GetResponseAsync([new ChatMessage(ChatRole.User, "hi")]);
        Assert.Equal("ok", response.Text);
        Assert.Equal(("c", "ok", 20L, false), Assert.Single(await models.RowsAsync()));
    }

    [Fact]
    public async Task Vectors_come_in_batches_and_each_request_has_its_row()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("found-embed", async http =>
        {
            var count = System.Text.Json.JsonDocument.Parse(models.Server.Requests[^1].Body).RootElement.GetProperty("input").GetArrayLength();
            var data = string.Join(',', Enumerable.Range(0, count).Reverse().Select(i => $$"""{"index":{{i}},"embedding":[{{i}},1.5]}"""));
            await Status(200, $$$"""{"data":[{{{data}}}],"usage":{"prompt_tokens":{{{count}}},"total_tokens":{{{count}}}}}""")(http);
        });
        var vectors = await models.Embeddings.GenerateAsync(Enumerable.Range(0, 100).Select(i => $"t{i}"));
        Assert.Equal(100, vectors.Count);
        Assert.Equal([95f, 1.5f], vectors[95].Vector.ToArray());
        Assert.Equal([3f, 1.5f], vectors[99].Vector.ToArray());
        Assert.Equal([96L, 4L], (await models.RowsAsync()).Select(r => r.Cost));
    }

    [Fact]
    public async Task Vectors_come_from_a_provider_that_fails_at_first_and_each_attempt_has_its_row()
    {
        await using var models = await ModelHarness.StartAsync(static p => p with { Attempts = 3 });
        var asked = 0;
        models.Server.On("found-embed", http => Interlocked.Increment(ref asked) == 1
            ? Status(503)(http)
            : Status(200, """{"data":[{"index":0,"embedding":[0.5,1.5]}],"usage":{"prompt_tokens":7,"total_tokens":7}}""")(http));
        var vectors = await models.Embeddings.GenerateAsync(["text"]);
        Assert.Equal([0.5f, 1.5f], Assert.Single(vectors).Vector.ToArray());
        Assert.Equal(
            [("found-embed", "ok", 7L, false), ("found-embed", "server_error", 0L, false)],
            (await models.RowsAsync()).OrderBy(static r => r.Outcome, StringComparer.Ordinal));
    }
}
