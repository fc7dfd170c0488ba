using System.Net;
using System.Text.Json;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Knowledge;
using RootMas.Tests.Support;

namespace RootMas.Tests.Chat;

public abstract class ChatApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task An_answer_carries_everything_the_contract_names()
    {
        await using var world = await ChatWorld.StartAsync();
        var answer = await world.AskAsync(new { message = "Hi", team = "solo" });
        Assert.Equal("Hello there, friend.", answer.GetProperty("response").GetString());
        Assert.InRange(answer.GetProperty("timestamp").GetInt64(), DateTimeOffset.UtcNow.ToUnixTimeSeconds() - 60, DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 60);
        Assert.Equal("communicator", answer.GetProperty("agent").GetString());
        Assert.Equal(answer.GetProperty("run_id").GetString(), answer.GetProperty("flow_id").GetString());
        Assert.NotEqual("", answer.GetProperty("conversation_id").GetString());
        var metadata = answer.GetProperty("metadata");
        Assert.Equal("completed", metadata.GetProperty("status").GetString());
        Assert.NotEqual("", metadata.GetProperty("model").GetString());
        Assert.Equal("cheap", metadata.GetProperty("tier").GetString());
        Assert.True(metadata.GetProperty("usage").GetProperty("input_tokens").GetInt64() > 0);
        Assert.True(metadata.GetProperty("usage").GetProperty("output_tokens").GetInt64() > 0);
        Assert.Equal(0, metadata.GetProperty("usage").GetProperty("cached_tokens").GetInt64());
        Assert.Equal(JsonValueKind.String, metadata.GetProperty("cost_usd").ValueKind);
        Assert.False(metadata.GetProperty("cached").GetBoolean());
        Assert.Equal("communicator", Assert.Single(metadata.GetProperty("agents").EnumerateArray()).GetString());
        Assert.Equal(0, metadata.GetProperty("citations").GetArrayLength());
    }

    [DatabaseFact]
    public async Task A_model_that_is_not_there_is_refused_before_anything_is_made_and_tiers_are_models()
    {
        await using var world = await ChatWorld.StartAsync();
        using var refused = await world.App.PostAsync("/api/v1/chat", """{"message":"Hi","model":"gpt-99"}""");
        var problem = await ProblemAssert.IsProblemAsync(refused, 400, "model_not_found");
        Assert.Contains("premium", problem.GetProperty("errors").GetProperty("model")[0].GetString(), StringComparison.Ordinal);
        Assert.Equal(0, (await world.App.GetJsonAsync("/api/v1/conversations")).GetProperty("items").GetArrayLength());
        await world.AskAsync(new { message = "Hi", team = "solo", model = "premium" });
    }

    [DatabaseFact]
    public async Task Metadata_as_deep_as_a_body_may_be_is_given_back_with_its_message()
    {
        await using var world = await ChatWorld.StartAsync();
        var deep = new string('[', 30) + new string(']', 30); // in metadata, in the body: 32 levels
        var answer = await world.AskAsync(new { message = "Hi", team = "solo", metadata = new { deep = JsonElement.Parse(deep) } });
        var messages = await world.MessagesAsync(answer.GetProperty("conversation_id").GetString()!);
        Assert.Equal(deep, messages[0].GetProperty("metadata").GetProperty("deep").GetRawText());
    }

    [DatabaseFact]
    public async Task A_new_conversation_holds_question_and_answer_and_is_named_after_the_question()
    {
        await using var world = await ChatWorld.StartAsync();
        var answer = await world.AskAsync(new { message = "Hi, what is new?\nTell me.", team = "solo", metadata = new { source = "test" } });
        var conversation = answer.GetProperty("conversation_id").GetString()!;
        Assert.Equal("Hi, what is new?", (await world.App.GetJsonAsync($"/api/v1/conversations/{conversation}")).GetProperty("title").GetString());
        var messages = await world.MessagesAsync(conversation);
        Assert.Equal(["user", "assistant"], messages.Select(m => m.GetProperty("role").GetString()));
        Assert.Equal(JsonValueKind.Null, messages[0].GetProperty("parent_id").ValueKind);
        Assert.Equal("test", messages[0].GetProperty("metadata").GetProperty("source").GetString());
        Assert.Equal(messages[0].GetProperty("id").GetString(), messages[1].GetProperty("parent_id").GetString());
        Assert.Equal(answer.GetProperty("run_id").GetString(), messages[1].GetProperty("run_id").GetString());
    }

    [DatabaseFact]
    public async Task A_later_message_brings_the_conversation_to_the_model()
    {
        await using var world = await ChatWorld.StartAsync();
        var first = await world.AskAsync(new { message = "My name is Ada.", team = "solo" });
        var second = await world.AskAsync(new { message = "And now?", conversation_id = first.GetProperty("conversation_id").GetString() });
        Assert.Equal(first.GetProperty("conversation_id").GetString(), second.GetProperty("conversation_id").GetString());
        var body = world.Sim.Calls[^1].Body!;
        Assert.Contains("My name is Ada.", body, StringComparison.Ordinal);
        Assert.Contains("Hello there, friend.", body, StringComparison.Ordinal);
        Assert.Contains("And now?", body, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task Simple_chat_offers_no_delegation()
    {
        await using var world = await ChatWorld.StartAsync();
        await world.AskAsync(new { message = "Hi" }, "/api/v1/chat/simple");
        Assert.DoesNotContain(Assert.Single(world.Sim.Calls).ToolsOffered, t => t.Contains("delegate", StringComparison.Ordinal) || t.Contains("handoff", StringComparison.Ordinal));
        await world.AskAsync(new { message = "Hi" }, "/api/v1/chat/message");
        Assert.Contains(world.Sim.Calls[^1].ToolsOffered, t => t.Contains("delegate", StringComparison.Ordinal));
    }

    [DatabaseTheory]
    [InlineData("""{}""", "message")]
    [InlineData("""{"message":""}""", "message")]
    [InlineData("""{"message":7}""", "message")]
    [InlineData("""{"message":null}""", "message")]
    [InlineData("""{"message":"x","role":"admin"}""", "role")]
    [InlineData("""{"message":"x","message":"y"}""", "message")]
    [InlineData("""{"message":"x","on_busy":"now"}""", "on_busy")]
    [InlineData("""{"message":"x","user_id":"a b"}""", "user_id")]
    [InlineData("""{"message":"x","metadata":[]}""", "metadata")]
    [InlineData("""{"message":"x","team":"nobody"}""", "team")]
    [InlineData("""{"message":"x","agent":"nobody"}""", "agent")]
    public async Task A_wrong_member_is_400_and_named(string body, string field)
    {
        await using var world = await ChatWorld.StartAsync();
        foreach (var path in new[] { "/api/v1/chat", "/api/v1/chat/stream" })
        {
            using var response = await world.App.PostAsync(path, body);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
            Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.MediaType);
            var problem = JsonElement.Parse(await response.Content.ReadAsStringAsync());
            Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _), problem.ToString());
        }

        Assert.Empty(world.Sim.Calls);
    }

    [DatabaseFact]
    public async Task Only_oneself_can_be_named_and_then_the_default_conversation_goes_on()
    {
        await using var world = await ChatWorld.StartAsync();
        var (status, problem) = await world.TryAskAsync(new { message = "Hi", user_id = "somebody_else" });
        Assert.Equal(HttpStatusCode.Forbidden, status);
        Assert.Equal("user_not_allowed", problem.GetProperty("code").GetString());

        var me = (await world.App.GetJsonAsync("/api/v1/chat/history")).GetProperty("user_id").GetString();
        var first = await world.AskAsync(new { message = "one", user_id = me, team = "solo" });
        var second = await world.AskAsync(new { message = "two", user_id = me, team = "solo" });
        var third = await world.AskAsync(new { message = "three", team = "solo" });
        Assert.Equal(first.GetProperty("conversation_id").GetString(), second.GetProperty("conversation_id").GetString());
        Assert.NotEqual(first.GetProperty("conversation_id").GetString(), third.GetProperty("conversation_id").GetString());
    }

    [DatabaseFact]
    public async Task A_conversation_that_is_not_there_is_404()
    {
        await using var world = await ChatWorld.StartAsync();
        foreach (var id in new[] { Guid.CreateVersion7().ToString(), "..", "' or 1=1 --" })
        {
            var (status, problem) = await world.TryAskAsync(new { message = "Hi", conversation_id = id });
            Assert.Equal(HttpStatusCode.NotFound, status);
            Assert.Equal("conversation_not_found", problem.GetProperty("code").GetString());
        }

        Assert.Equal(HttpStatusCode.NotFound, (await world.App.Client.GetAsync($"/api/v1/chat/history?conversation_id={Guid.CreateVersion7()}")).StatusCode);
    }

    [DatabaseFact]
    public async Task An_impatient_client_gets_202_and_where_to_look()
    {
        await using var world = await ChatWorld.StartAsync();
        var hold = world.Sim.Hold(new());
        using var response = await world.App.SendAsync(HttpMethod.Post, "/api/v1/chat", """{"message":"Hi","team":"solo"}""", ("Prefer", "wait=0"));
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var body = JsonElement.Parse(await response.Content.ReadAsStringAsync());
        var run = body.GetProperty("run_id").GetString()!;
        Assert.Equal($"/api/v1/runs/{run}", response.Headers.Location!.ToString());
        Assert.Equal("running", body.GetProperty("metadata").GetProperty("status").GetString());
        Assert.Equal("", body.GetProperty("response").GetString());
        hold.Release();
        Assert.Equal("run.completed", (await world.EventsAsync(run))[^1].Type);
    }

    [DatabaseFact]
    public async Task A_part_of_the_work_that_waits_for_a_person_is_202_at_once_and_says_which()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { agent: multi_tool }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "https://example.org/pay" } } ] }
            default: { tool_calls: [ { name: delegate, arguments: { agent: multi_tool, task: "pay" } } ] }
            """);
        var (status, answer) = await world.TryAskAsync(new { message = "pay" });

        Assert.Equal(HttpStatusCode.Accepted, status);
        var reason = answer.GetProperty("metadata").GetProperty("reason").GetString()!;
        Assert.Contains("waits for a person", reason);
        var approvals = await world.App.GetJsonAsync("/api/v1/approvals");
        Assert.Contains(approvals.GetProperty("items")[0].GetProperty("run_id").GetString()!, reason);
    }

    [DatabaseFact]
    public async Task A_question_to_the_user_is_202_and_the_next_message_answers_it()
    {
        await using var world = await ChatWorld.StartAsync("""
            rules:
              - match: { tool_called: ask_user }
                answer: { text: "You said {{tool_result}}" }
              - match: { last_user: "Book" }
                answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which city?" } } ] }
            """);
        var (status, parked) = await world.TryAskAsync(new { message = "Book it", team = "solo" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal("waiting_input", parked.GetProperty("metadata").GetProperty("status").GetString());
        Assert.Contains("Which city?", parked.GetProperty("metadata").GetProperty("reason").GetString(), StringComparison.Ordinal);
        var conversation = parked.GetProperty("conversation_id").GetString();

        foreach (var onBusy in new[] { "reject" })
        {
            var answer = await world.AskAsync(new { message = "Kazan", conversation_id = conversation, on_busy = onBusy });
            Assert.Equal(parked.GetProperty("run_id").GetString(), answer.GetProperty("run_id").GetString());
            Assert.Contains("Kazan", answer.GetProperty("response").GetString(), StringComparison.Ordinal);
        }

        var messages = await world.MessagesAsync(conversation!);
        Assert.Equal(["Book it", "Which city?", "Kazan"], messages.Take(3).Select(m => m.GetProperty("content").GetString()));
        Assert.Equal("question", messages[1].GetProperty("status").GetString());
        Assert.Equal(messages[2].GetProperty("id").GetString(), messages[3].GetProperty("parent_id").GetString());
    }

    [DatabaseFact]
    public async Task Cancel_reaches_the_models_connection_within_a_second()
    {
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"{string.Join(' ', Enumerable.Range(0, 1_000))}\", tokens_per_second: 2 }}");
        var conversation = await world.NewConversationAsync();
        var run = (await world.SendAsync(conversation, new { message = "Hi" })).GetProperty("run_id").GetString()!;
        await world.Sim.WaitForCallsAsync(1);
        using var cancelled = await world.App.SendAsync(HttpMethod.Post, $"/api/v1/runs/{run}/cancel");
        Assert.True(cancelled.IsSuccessStatusCode, cancelled.ToString());
        var began = TimeProvider.System.GetTimestamp();
        Assert.Equal("run.cancelled", (await world.EventsAsync(run))[^1].Type);
        Assert.InRange(TimeProvider.System.GetElapsedTime(began).TotalSeconds, 0, 5);
        await Eventually.HoldsAsync(() => world.Sim.Calls[0].Aborted);
    }

    [DatabaseFact]
    public async Task Feedback_is_kept_for_own_answers_only()
    {
        await using var world = await ChatWorld.StartAsync();
        var answer = await world.AskAsync(new { message = "Hi", team = "solo" });
        var messages = await world.MessagesAsync(answer.GetProperty("conversation_id").GetString()!);
        var path = $"/api/v1/messages/{messages[1].GetProperty("id").GetString()}/feedback";
        var kept = await world.App.PostJsonAsync(path, new { score = -1, reason = "wrong" });
        Assert.Equal(-1, kept.GetProperty("score").GetInt32());
        Assert.Equal(1, (await world.App.PostJsonAsync(path, new { score = 1 })).GetProperty("score").GetInt32());
        await world.App.PostJsonAsync(path, new { score = 2 }, HttpStatusCode.BadRequest);
        await world.App.PostJsonAsync($"/api/v1/messages/{messages[0].GetProperty("id").GetString()}/feedback", new { score = 1 }, HttpStatusCode.NotFound);
        await world.App.PostJsonAsync($"/api/v1/messages/{Guid.CreateVersion7()}/feedback", new { score = 1 }, HttpStatusCode.NotFound);
    }

    [DatabaseFact]
    public async Task Feedback_is_read_back_with_the_message_in_the_tree_and_on_its_branch()
    {
        await using var world = await ChatWorld.StartAsync();
        var conversation = (await world.AskAsync(new { message = "Hi", team = "solo" })).GetProperty("conversation_id").GetString()!;
        var answer = (await world.MessagesAsync(conversation))[1];
        Assert.Equal(JsonValueKind.Null, answer.GetProperty("feedback").ValueKind);
        var kept = await world.App.PostJsonAsync($"/api/v1/messages/{answer.Id()}/feedback", new { score = -1, reason = "wrong" });
        foreach (var query in (string[])["", $"?leaf={answer.Id()}"])
        {
            var messages = await world.MessagesAsync(conversation, query);
            Assert.Equal(JsonValueKind.Null, messages[0].GetProperty("feedback").ValueKind);
            Assert.Equal(kept.ToString(), messages[1].GetProperty("feedback").ToString());
        }

        await world.App.PostJsonAsync($"/api/v1/messages/{answer.Id()}/feedback", new { score = 1 });
        var now = (await world.MessagesAsync(conversation))[1].GetProperty("feedback");
        Assert.Equal((1, JsonValueKind.Null), (now.GetProperty("score").GetInt32(), now.GetProperty("reason").ValueKind));
        Assert.Equal(2, (await world.App.GetJsonAsync($"/api/v1/chat/history?conversation_id={conversation}")).GetProperty("history").GetArrayLength());
    }

    [DatabaseFact]
    public async Task Feedback_can_be_taken_back_by_whoever_gave_it()
    {
        await using var world = await ChatWorld.StartAsync();
        var conversation = (await world.AskAsync(new { message = "Hi", team = "solo" })).GetProperty("conversation_id").GetString()!;
        var messages = await world.MessagesAsync(conversation);
        var path = $"/api/v1/messages/{messages[1].Id()}/feedback";
        await world.App.PostJsonAsync(path, new { score = -1, reason = "wrong" });
        foreach (var _ in (int[])[1, 2])
        {
            using var gone = await world.App.SendAsync(HttpMethod.Delete, path);
            Assert.Equal(HttpStatusCode.NoContent, gone.StatusCode);
            Assert.Equal(JsonValueKind.Null, (await world.MessagesAsync(conversation))[1].GetProperty("feedback").ValueKind);
        }

        foreach (var id in (string[])[messages[0].Id(), Guid.CreateVersion7().ToString()])
        {
            using var refused = await world.App.SendAsync(HttpMethod.Delete, $"/api/v1/messages/{id}/feedback");
            Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        }
    }

    [DatabaseFact]
    public async Task Messages_are_counted_for_metrics_and_dashboard()
    {
        await using var world = await ChatWorld.StartAsync();
        await world.AskAsync(new { message = "Hi", team = "solo" });
        Assert.Equal(1, (await world.App.GetJsonAsync("/api/v1/metrics/dashboard")).GetProperty("total_messages").GetInt64());
        Assert.Contains("rootmas_chat_messages_total{", await world.App.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task History_is_paged_oldest_first()
    {
        await using var world = await ChatWorld.StartAsync();
        var conversation = (await world.AskAsync(new { message = "one", team = "solo" })).GetProperty("conversation_id").GetString();
        await world.AskAsync(new { message = "two", conversation_id = conversation });
        await world.AskAsync(new { message = "elsewhere", team = "solo" });
        var all = await world.App.GetJsonAsync("/api/v1/chat/history");
        Assert.Equal(6, all.GetProperty("total").GetInt32());
        var first = await world.App.GetJsonAsync($"/api/v1/chat/history?conversation_id={conversation}&limit=3");
        Assert.Equal((4, 3, 0), (first.GetProperty("total").GetInt32(), first.GetProperty("limit").GetInt32(), first.GetProperty("offset").GetInt32()));
        Assert.Equal(["one", "Hello there, friend.", "two"], first.GetProperty("history").EnumerateArray().Select(m => m.GetProperty("content").GetString()));
        var rest = await world.App.GetJsonAsync($"/api/v1/chat/history?conversation_id={conversation}&cursor={first.GetProperty("next_cursor").GetString()}");
        Assert.Equal("assistant", Assert.Single(rest.GetProperty("history").EnumerateArray()).GetProperty("role").GetString());
        Assert.Equal(JsonValueKind.Null, rest.GetProperty("next_cursor").ValueKind);
        var skipped = await world.App.GetJsonAsync($"/api/v1/chat/history?conversation_id={conversation}&offset=3");
        Assert.Single(skipped.GetProperty("history").EnumerateArray());
        foreach (var bad in new[] { "limit=0", "limit=201", "offset=-1", "cursor=nonsense!", "limit=x" })
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await world.App.Client.GetAsync($"/api/v1/chat/history?{bad}")).StatusCode);
        }

        Assert.Equal(HttpStatusCode.Forbidden, (await world.App.Client.GetAsync("/api/v1/chat/history?user_id=bob")).StatusCode);
    }
}

/// <summary>Waits for what another process or thread is about to do.</summary>
internal static class Eventually
{
    public static Task HoldsAsync(Func<bool> condition) => Wait.UntilAsync(condition);

    public static Task AssertAsync(Func<Task<bool>> condition) => Wait.UntilAsync(static asked => asked(), condition, "It did not happen");
}

public sealed class ChatApiOnSqliteTests() : ChatApiTests(DatabaseKind.Sqlite);

public sealed class ChatApiOnPostgresTests() : ChatApiTests(DatabaseKind.Postgres), IOnPostgres;
