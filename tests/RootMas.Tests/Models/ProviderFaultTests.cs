using System.Diagnostics;
using System.Net;
using Microsoft.AspNetCore.Http;
using RootMas.Server.Models;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Platform.Resilience;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.FakeModelServer;

namespace RootMas.Tests.Models;

/// <summary>F10 of the fault table: whatever a provider does, the next model or a clear failure follows, and usage is settled.</summary>
public sealed class ProviderFaultTests
{
    /// <summary>How long a model that is never heard of is waited for.</summary>
    private static ModelProvider Quick(ModelProvider p) => p with { FirstTokenTimeout = TimeSpan.FromMilliseconds(300) };

    [Fact]
    public async Task A_429_with_a_short_Retry_After_is_waited_for_and_a_long_one_is_not()
    {
        await using var models = await ModelHarness.StartAsync(p => p with { Attempts = 3, MaxRetryDelay = TimeSpan.FromSeconds(1) });
        models.Server.On("a", Status(429, retryAfter: "0"), Status(429), Answer("third time")).On("c", Status(429, retryAfter: "60")).On("d", Answer("other"));
        Assert.Equal("third time", (await models.AskAsync(ModelHarness.Call())).Text);
        Assert.Equal(["rate_limited", "rate_limited"], (await models.RowsAsync()).Select(r => r.Outcome));

        Assert.Equal("other", (await models.AskAsync(ModelHarness.Call("standard"))).Text);
        Assert.Equal(1, models.Server.CountOf("c"));
    }

    [Fact]
    public async Task A_model_that_keeps_failing_is_asked_as_often_as_declared_and_given_up()
    {
        await using var models = await ModelHarness.StartAsync(static p => p with { Attempts = 3 });
        models.Server.On("a", Status(503)).On("b", Answer("the next one"));
        Assert.Equal("the next one", (await models.AskAsync(ModelHarness.Call())).Text);
        Assert.Equal((3, 1), (models.Server.CountOf("a"), models.Server.CountOf("b")));
    }

    [Theory]
    [InlineData("""{"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}""")] // DeepSeek
    [InlineData("""{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}""")] // OpenRouter
    [InlineData("""{"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"the provider is gone"}}]}""")]
    [InlineData("""{"choices":[{"index":0,"delta":{},"finish_reason":"network_error"}]}""")] // Z.AI
    [InlineData("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"error":"over capacity"}}""")]
    [InlineData("""{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"error":{"code":500,"message":"internal"},"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}""")]
    public async Task An_answer_that_its_provider_broke_off_is_none(string last)
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream([Delta("Half a"), last])).On("b", Answer("the whole one"));
        var seen = await models.AskAsync(ModelHarness.Call());
        Assert.Null(seen.Failure);
        Assert.EndsWith("the whole one", seen.Text, StringComparison.Ordinal);
        Assert.Single(seen.Superseded);
        var row = Assert.Single(await models.RowsAsync());
        Assert.NotEqual("ok", row.Outcome);
        Assert.True(row.Cost > 0, "what was said before it broke off is paid for");
    }

    [Fact]
    public async Task A_refused_connection_is_unreachable()
    {
        await using var models = await ModelHarness.StartAsync(p => p with { BaseUrl = new Uri("http://127.0.0.1:1/v1") });
        var failure = (await models.AskAsync(ModelHarness.Call())).Failure;
        Assert.Equal(("unreachable", true), (failure?.ErrorClass, failure?.RetryLater));
        Assert.All(await models.RowsAsync(), r => Assert.Equal(("unreachable", 0L), (r.Outcome, r.Cost)));
    }

    /// <summary>A firewall that drops, or a host that is off: the client's own time-out for connections looks like a stop by the caller.</summary>
    [Fact]
    public async Task A_connection_that_is_not_made_in_time_is_unreachable_too()
    {
        using var deaf = await DeafAddress.StartAsync(IPAddress.Loopback, 0);
        using var transport = new ProviderTransport(TimeProvider.System, connectTimeout: TimeSpan.FromMilliseconds(100));
        var provider = new ModelProvider { Name = "deaf", BaseUrl = new Uri($"http://127.0.0.1:{deaf.Port}/v1") };
        var failure = await Assert.ThrowsAsync<EndpointException>(() => transport.SendAsync(provider, HttpMethod.Get, "models", null, default));
        Assert.Equal((FailureKind.Unreachable, true), (failure.Kind, failure.IsTransient));
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(20));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => transport.SendAsync(provider, HttpMethod.Get, "models", null, stop.Token));
    }

    [Fact]
    public async Task A_model_whose_host_hears_nothing_is_tried_again_for_nothing_and_the_next_one_answers()
    {
        using var deaf = await DeafAddress.StartAsync(IPAddress.Loopback, 0);
        await using var models = await ModelHarness.StartAsync(ofA: p => p with { BaseUrl = new Uri($"http://127.0.0.1:{deaf.Port}/v1"), Attempts = 2 }, connectTimeout: TimeSpan.FromSeconds(1));
        models.Server.On("b", Answer("the next one"));
        var seen = await models.AskAsync(ModelHarness.Call());
        Assert.Null(seen.Failure);
        Assert.Equal("the next one", seen.Text);
        Assert.Equal([("a", "unreachable", 0L), ("a", "unreachable", 0L)], (await models.RowsAsync()).Select(static r => (r.Model, r.Outcome, r.Cost)));
    }

    [Fact]
    public async Task No_first_token_in_time_goes_to_the_next_model_and_closes_the_connection()
    {
        await using var models = await ModelHarness.StartAsync(ofA: Quick);
        models.Server.On("a", models.Server.Hang()).On("b", Answer("b"));
        var asked = 0;
        do
        {
            var seen = await models.AskAsync(ModelHarness.Call());
            Assert.Equal("b", seen.Text);
            Assert.Empty(seen.Superseded);
            asked++;
        }
        while (models.Server.CountOf("a") == 0); // on a machine without time the request may not have left in so little of it

        Assert.Equal(Enumerable.Repeat("timeout", asked), (await models.RowsAsync()).Select(static r => r.Outcome));
        await models.Server.Aborted.Task.WaitAsync(TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Silence_after_the_first_token_supersedes()
    {
        await using var models = await ModelHarness.StartAsync(ofA: static p => p with { IdleTimeout = TimeSpan.FromMilliseconds(300) });
        models.Server.On("a", models.Server.Hang(Delta("I was"))).On("b", Answer("b"));
        var seen = await models.AskAsync(ModelHarness.Call());
        Assert.Equal(("b", "I was", "timeout"), (seen.Text, Assert.Single(seen.Superseded), Assert.Single(seen.Reasons)));
    }

    [Fact]
    public async Task An_answer_that_never_ends_is_cut_by_the_total_time()
    {
        await using var models = await ModelHarness.StartAsync(ofA: static p => p with { TotalTimeout = TimeSpan.FromSeconds(5) }); // its first piece comes in that time
        models.Server.On("a", Stream(Enumerable.Repeat(Delta("more "), 100_000), delay: TimeSpan.FromMilliseconds(20))).On("b", Answer("b"));
        var seen = await models.AskAsync(ModelHarness.Call());
        Assert.Equal(("b", "timeout"), (seen.Text, Assert.Single(seen.Reasons)));
    }

    [Fact]
    public async Task One_byte_at_a_time_is_read_and_too_slow_a_trickle_is_given_up()
    {
        await using var models = await ModelHarness.StartAsync(ofA: Quick);
        models.Server.On("a", Bytes(TimeSpan.FromMilliseconds(50))).On("b", Answer("b")).On("c", Bytes(TimeSpan.Zero));
        Assert.Equal("ok", (await models.AskAsync(ModelHarness.Call("standard"))).Text);
        Assert.Equal("b", (await models.AskAsync(ModelHarness.Call())).Text);

        static Func<HttpContext, Task> Bytes(TimeSpan delay) => async http =>
        {
            http.Response.ContentType = "text/event-stream";
            foreach (var part in $"data: {Delta("ok")}\n\ndata: [DONE]\n\n")
            {
                await http.Response.WriteAsync(part.ToString());
                await http.Response.Body.FlushAsync();
                await Task.Delay(delay, http.RequestAborted);
            }
        };
    }

    public static TheoryData<string, string> Malformed => new()
    {
        { "cut in the middle of JSON", """{"choices":[{"delta":{"content":"x""" },
        { "not JSON", "<html>busy</html>" },
        { "an array", "[]" },
        { "a lone surrogate", """{"choices":[{"delta":{"content":"\ud800"}}]}""" },
    };

    [Theory]
    [MemberData(nameof(Malformed))]
    public async Task A_malformed_piece_goes_to_the_next_tier(string what, string piece)
    {
        Assert.NotEmpty(what);
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream([piece])).On("c", Answer("c"));
        var call = ModelHarness.Call();
        Assert.Equal("c", (await models.AskAsync(call)).Text);
        Assert.Equal(["a: invalid_answer"], call.FailedAttempts);
    }

    [Fact]
    public async Task Empty_choices_are_an_empty_answer()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Status(200, """{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":0}}""")).On("c", Answer("c"));
        var call = ModelHarness.Call();
        Assert.Equal("c", (await models.AskAsync(call)).Text);
        Assert.Equal(["a: empty_answer"], call.FailedAttempts);
        Assert.Equal(3L, Assert.Single(await models.RowsAsync()).Cost);
    }

    [Fact]
    public async Task Ten_megabytes_of_answer_are_a_fault_and_do_not_fill_the_memory()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream(Enumerable.Repeat(Delta(new string('x', 10_000)), 1_000))).On("c", Answer("c"));
        var seen = await models.AskAsync(ModelHarness.Call());
        Assert.Equal("c", seen.Text);
        Assert.InRange(Assert.Single(seen.Superseded).Length, 1, 1_100_000);
    }

    [Fact]
    public async Task One_piece_of_twenty_megabytes_is_a_fault()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Stream([Delta(new string('x', 20_000_000))])).On("c", Answer("c"));
        Assert.Equal("c", (await models.AskAsync(ModelHarness.Call())).Text);
    }

    [Fact]
    public async Task Arguments_that_are_no_object_survive_as_text_for_the_engine()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", Tool("known", "{\"n\": 1,"));
        var tool = Microsoft.Extensions.AI.AIFunctionFactory.CreateDeclaration("known", "", System.Text.Json.JsonElement.Parse("{}"));
        var call = Assert.Single((await models.AskAsync(ModelHarness.Call(), new() { Tools = [tool] })).Calls);
        Assert.Equal("{\"n\": 1,", call.AdditionalProperties?["rootmas.raw_arguments"]);
        Assert.Null(call.Arguments);
    }

    [Fact]
    public async Task Cancelling_closes_the_providers_connection_at_once_and_settles_the_row()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", models.Server.Hang(Delta("begun")));
        using var cancel = new CancellationTokenSource();
        var started = Stopwatch.GetTimestamp();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var update in models.Client.GetStreamingResponseAsync(
                [new(Microsoft.Extensions.AI.ChatRole.User, "hi")], ModelHarness.Options(ModelHarness.Call()), cancel.Token))
            {
                started = Stopwatch.GetTimestamp();
                await cancel.CancelAsync();
            }
        });
        await models.Server.Aborted.Task.WaitAsync(TimeSpan.FromSeconds(5));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(5), "the promise is one second; five times that on a loaded machine");
        var row = Assert.Single(await models.RowsAsync());
        Assert.Equal(("cancelled", true), (row.Outcome, row.Estimated));
    }

    [Fact]
    public async Task A_reader_that_just_leaves_settles_the_row_too()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("a", models.Server.Hang(Delta("begun")));
        await foreach (var update in models.Client.GetStreamingResponseAsync([new(Microsoft.Extensions.AI.ChatRole.User, "hi")], ModelHarness.Options(ModelHarness.Call())))
        {
            break;
        }

        await models.Server.Aborted.Task.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.Equal("cancelled", Assert.Single(await models.RowsAsync()).Outcome);
    }

    [Fact]
    public async Task The_circuit_opens_after_repeated_failures_and_closes_when_the_model_returns()
    {
        var clock = new SteppedClock();
        await using var models = await ModelHarness.StartAsync(static p => p with { BreakDuration = TimeSpan.FromMinutes(1) }, clock: clock);
        models.Server.On("b", [.. Enumerable.Repeat(Status(500), 5), Answer("back")]);
        for (var i = 0; i < 7; i++)
        {
            Assert.True((await models.AskAsync(ModelHarness.Call(model: "b"))).Failure?.RetryLater);
        }

        Assert.Equal("open", models.Router.Current.Find("b")?.Circuit);
        Assert.Equal(5, models.Server.CountOf("b"));
        Assert.Equal(5, (await models.RowsAsync()).Count);
        var failure = (await models.AskAsync(ModelHarness.Call(model: "b"))).Failure;
        Assert.NotNull(failure?.RetryAfter);
        clock.Advance(failure.RetryAfter.Value);
        Assert.Equal("back", (await models.AskAsync(ModelHarness.Call(model: "b"))).Text);
        Assert.Equal("closed", models.Router.Current.Find("b")?.Circuit);
    }

    /// <summary>OpenAI's answer to an account without credit.</summary>
    [Fact]
    public async Task A_provider_without_credit_is_not_waited_for()
    {
        await using var models = await ModelHarness.StartAsync();
        models.Server.On("b", Status(429, """{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"""));
        var failure = (await models.AskAsync(ModelHarness.Call(model: "b"))).Failure;
        Assert.Equal(("credit", false), (failure?.ErrorClass, failure?.RetryLater));
        Assert.Contains("no credit left", failure!.Message, StringComparison.Ordinal);
        Assert.Equal(1, models.Server.CountOf("b"));
    }

    [Fact]
    public async Task A_circuit_refuses_as_long_as_the_settings_say_and_is_half_open_then_also_if_nobody_asks()
    {
        var clock = new SteppedClock();
        await using var models = await ModelHarness.StartAsync(clock: clock);
        models.Server.On("b", [.. Enumerable.Repeat(Status(500), 5)]);
        var endpoint = models.Router.Current.Find("b")!;
        Assert.Equal((false, "closed"), (endpoint.Refuses, endpoint.Circuit));
        for (var i = 0; i < 5; i++)
        {
            await models.AskAsync(ModelHarness.Call(model: "b"));
        }

        Assert.Equal((true, "open"), (endpoint.Refuses, endpoint.Circuit));
        clock.Advance(new ResilienceOptions().Model.BreakFor);
        Assert.Equal((false, "half_open"), (endpoint.Refuses, endpoint.Circuit));
    }
}
