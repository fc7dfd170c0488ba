using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Chat;
using RootMas.Tests.Knowledge.Documents;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

/// <summary>Administrators see that others work, not what they say; unless they were granted it, and then it is written down.</summary>
public sealed class ContentReadTests
{
    private const string Canary = "canary-5f2b";

    private const string Script = $$"""
        default: { text: "You said {{Canary}}." }
        rules:
          - match: { last_role: tool }
            answer: { text: "Understood {{Canary}}." }
          - match: { last_role: user, last_user: "order" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "http://127.0.0.1:9/x", json: { note: "{{Canary}}" } } } ] }
        """;

    [Fact]
    public async Task Without_the_grant_everything_is_there_but_what_was_said()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var root = await world.App.AsAsync("root", "admin");
        using var ann = await world.App.AsAsync("ann");
        var run = await AskAsync(ann);
        foreach (var path in (string[])[$"/api/v1/runs/{run}", $"/api/v1/runs/{run}?tree=1", $"/api/v1/runs?user={ann.Id}", "/api/v1/runs?user=*", $"/api/v1/runs/{run}/events", "/api/v1/visualization/flows", "/api/v1/logs?limit=1000", "/api/v1/metrics/dashboard"])
        {
            var text = (await root.GetAsync(path)).GetRawText();
            Assert.DoesNotContain("canary", text, StringComparison.Ordinal);
        }

        var events = (await root.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items");
        Assert.Equal((await ann.GetAsync($"/api/v1/runs/{run}/events")).GetProperty("items").GetArrayLength(), events.GetArrayLength());
        Assert.All(events.EnumerateArray(), e => Assert.True(e.GetProperty("redacted").GetBoolean()));
        Assert.Equal("completed", (await root.GetAsync($"/api/v1/runs/{run}")).GetProperty("status").GetString());
        var streamed = await StreamAsync(root, run);
        Assert.DoesNotContain("canary", streamed, StringComparison.Ordinal);
        Assert.Contains("run.completed", streamed, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Forbidden, (await root.Client.GetAsync("/api/v1/chat/history?user_id=ann")).StatusCode);
        using var cancelled = await root.Client.PostAsJsonAsync($"/api/v1/runs/{run}/cancel", new { });
        Assert.DoesNotContain("canary", await cancelled.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        foreach (var path in (string[])["/ws", "/ws/visualization"])
        {
            using var socket = await TestSocket.ConnectAsync(world.App, root, path);
            await socket.SendAsync(new { type = "subscribe", run_id = run, flow_id = run, user_id = "ann" });
            Assert.Equal("permission_missing", await socket.ProblemAsync());
        }

        Assert.DoesNotContain(await world.App.AuditAsync(), r => r.Action.EndsWith("content_read", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_the_grant_each_look_is_one_row_of_the_audit_log()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var before = await world.App.AsAsync("root", "admin");
        using var ann = await world.App.AsAsync("ann");
        var run = await AskAsync(ann);
        await world.App.ChangeUserAsync(before.Id, """{"grants":["content:read"]}""");
        using var root = await world.App.LogInAsync("root", TestUsers.Password);
        var looks = new[] { $"/api/v1/runs/{run}", $"/api/v1/runs/{run}/events", $"/api/v1/runs?user={ann.Id}", "/api/v1/runs?user=*" };
        foreach (var path in looks)
        {
            Assert.Contains(Canary, (await root.GetAsync(path)).GetRawText(), StringComparison.Ordinal);
        }

        Assert.Contains(Canary, await StreamAsync(root, run), StringComparison.Ordinal);
        Assert.Contains(Canary, (await root.GetAsync("/api/v1/chat/history?user_id=ann")).GetRawText(), StringComparison.Ordinal);
        using var socket = await TestSocket.ConnectAsync(world.App, root);
        await socket.SendAsync(new { type = "subscribe", run_id = run, user_id = "ann" });
        Assert.Contains(Canary, (await socket.UntilAsync("message.completed")).GetRawText(), StringComparison.Ordinal);
        using var drawing = await TestSocket.ConnectAsync(world.App, root, "/ws/visualization");
        await drawing.SendAsync(new { type = "subscribe", flow_id = run, user_id = "ann" });
        await drawing.UntilAsync("subscribed");
        var rows = await world.App.AuditAsync();
        Assert.Equal(looks.Length + 3, rows.Count(r => r.Action == "run.content_read" && r.Actor == "root" && r.Target == run));
        Assert.Single(rows, r => r.Action == "conversation.content_read" && r.Target == ann.Id);
        await root.GetAsync("/api/v1/runs");
        Assert.Equal(rows.Count, (await world.App.AuditAsync()).Count);
    }

    /// <summary>Decision 15: the answer is for whoever asked. What is remembered of that user, and what their run asks them and is told, is not.</summary>
    [Fact]
    public async Task An_administrator_who_speaks_for_somebody_gets_the_answer_and_nothing_else()
    {
        await using var world = await ChatWorld.StartAsync($$"""
            rules:
              - { match: { last_role: tool }, answer: { text: "Painted." } }
              - { match: { last_user: "paint" }, answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which colour for {{Canary}}?" } } ] } }
            default: { text: "Hello there." }
            """);
        using var root = await world.App.AsAsync("root", "admin");
        using var ann = await world.App.AsAsync("ann");
        await ann.PostAsync("/api/v1/memory", new { text = $"I like {Canary}" }, HttpStatusCode.Created);
        var told = await AskForAsync(root, new { message = "Hi", team = "solo", user_id = "ann" });
        Assert.True(told.Single(static e => e.Type == "memory.recalled").Data.GetProperty("redacted").GetBoolean());
        Assert.Equal("Hello there.", told.Single(static e => e.Type == "message.completed").Data.GetProperty("text").GetString());
        Assert.Equal("run.completed", told[^1].Type);

        using var socket = await TestSocket.ConnectAsync(world.App, root);
        await socket.SendAsync(new { type = "message", message = "Hi", team = "solo", user_id = "ann" });
        Assert.DoesNotContain(Canary, (await socket.UntilAsync("memory.recalled")).GetRawText(), StringComparison.Ordinal);
        Assert.Equal("Hello there.", (await socket.UntilAsync("message.completed")).GetProperty("text").GetString());

        var asked = await ann.PostAsync("/api/v1/chat", new { message = $"paint {Canary}", team = "solo" }, HttpStatusCode.Accepted);
        var answered = await AskForAsync(root, new { message = "Green", user_id = "ann", conversation_id = asked.GetProperty("conversation_id").GetString() });
        Assert.Equal("Painted.", answered.Single(static e => e.Type == "message.completed").Data.GetProperty("text").GetString());
        Assert.All(told.Concat(answered), static e => Assert.DoesNotContain("canary", e.Data.GetRawText(), StringComparison.Ordinal));

        var other = (await ann.PostAsync("/api/v1/chat", new { message = $"paint {Canary}", team = "solo" }, HttpStatusCode.Accepted)).GetProperty("run_id").GetString();
        Assert.DoesNotContain(Canary, (await root.PostAsync($"/api/v1/runs/{other}/input?user_id=ann", new { text = "Green" }, HttpStatusCode.Accepted)).GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain(Canary, (await root.PostAsync("/api/v1/chat", new { message = "paint", team = "solo", user_id = "ann" }, HttpStatusCode.Accepted)).GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain(await world.App.AuditAsync(), static r => r.Action.EndsWith("content_read", StringComparison.Ordinal));

        await world.App.ChangeUserAsync(root.Id, """{"grants":["content:read"]}""");
        using var granted = await world.App.LogInAsync("root", TestUsers.Password);
        var all = await AskForAsync(granted, new { message = "Hi", user_id = "ann", conversation_id = asked.GetProperty("conversation_id").GetString() });
        Assert.Contains(Canary, all.Single(static e => e.Type == "memory.recalled").Data.GetRawText(), StringComparison.Ordinal);
        Assert.Single(await world.App.AuditAsync(), r => r.Action == "run.content_read" && r.Target == all[0].Data.GetProperty("run_id").GetString());
    }

    /// <summary>What a model says beside its calls is no answer, and the words of a document that it cites are the user's.</summary>
    [Fact]
    public async Task An_administrator_who_speaks_for_somebody_gets_neither_what_was_said_on_the_way_nor_the_words_of_sources()
    {
        await using var world = await ChatWorld.StartAsync($$$"""
            rules:
              - match: { last_role: tool, last_message_regex: "\\[(k[0-9a-f]{8})\\]" }
                answer: { text: "Found: \"{{{Canary}}} is blue\" [{{group_1}}]." }
              - match: { last_role: user, last_user: "Which?" }
                answer: { text: "First {{{Canary}}} is looked for.", tool_calls: [ { name: knowledge_search, arguments: { query: "blue", count: 3 } } ] }
            default: { text: "Nothing." }
            """);
        using var root = await world.App.AsAsync("root", "admin");
        using var ann = await world.App.AsAsync("ann");
        await ann.UploadAsync("paint.md", $"# Paint\n\nEvery {Canary} is blue. It can be split.");
        var own = await AskForAsync(ann, new { message = "Which?", agent = "communicator" });
        Assert.Contains("is looked for", string.Concat(own.Where(static e => e.Type == "message.delta").Select(static e => e.Data.GetProperty("text").GetString())), StringComparison.Ordinal);
        Assert.Equal($"{Canary} is blue", Assert.Single(own.Single(static e => e.Type == "message.completed").Data.GetProperty("citations").EnumerateArray()).GetProperty("excerpt").GetString());

        var told = await AskForAsync(root, new { message = "Which?", agent = "communicator", user_id = "ann" });
        Assert.All(told, static e => Assert.DoesNotContain("is looked for", e.Data.GetRawText(), StringComparison.Ordinal));
        Assert.DoesNotContain(told, static e => e.Type is "message.delta" or "message.snapshot" or "reasoning.delta");
        var said = told.Single(static e => e.Type == "message.completed").Data;
        Assert.StartsWith("Found: ", said.GetProperty("text").GetString(), StringComparison.Ordinal);
        AssertHasNoWords(Assert.Single(said.GetProperty("citations").EnumerateArray()));

        var answer = await root.PostAsync("/api/v1/chat", new { message = "Which?", agent = "communicator", user_id = "ann" });
        Assert.StartsWith("Found: ", answer.GetProperty("response").GetString(), StringComparison.Ordinal);
        AssertHasNoWords(Assert.Single(answer.GetProperty("metadata").GetProperty("citations").EnumerateArray()));
        Assert.DoesNotContain(await world.App.AuditAsync(), static r => r.Action.EndsWith("content_read", StringComparison.Ordinal));

        static void AssertHasNoWords(JsonElement citation)
        {
            Assert.NotNull(citation.GetProperty("document_id").GetString());
            Assert.All((string[])["title", "excerpt"], name => Assert.True(!citation.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null));
        }
    }

    [Fact]
    public async Task An_administrator_who_decides_sees_the_exact_call_and_that_is_written_down()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var root = await world.App.AsAsync("root", "admin");
        using var ann = await world.App.AsAsync("ann");
        var asked = await ann.PostAsync("/api/v1/chat", new { message = "order", agent = "multi_tool" }, HttpStatusCode.Accepted);
        var waiting = (await root.GetAsync("/api/v1/approvals?view=badge")).GetProperty("items")[0];
        Assert.Equal(("http_request", "pending", ""), (waiting.GetProperty("tool").GetString(), waiting.GetProperty("status").GetString(), waiting.GetProperty("arguments_hash").GetString()));
        Assert.DoesNotContain(Canary, waiting.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain(await world.App.AuditAsync(), static r => r.Action == "approval.content_read");
        await root.GetAsync("/api/v1/approvals?view=all", HttpStatusCode.BadRequest);
        var approval = (await root.GetAsync("/api/v1/approvals")).GetProperty("items")[0];
        Assert.Equal(Canary, approval.GetProperty("arguments").GetProperty("json").GetProperty("note").GetString());
        var id = approval.GetProperty("id").GetString();
        Assert.Single(await world.App.AuditAsync(), r => r.Action == "approval.content_read" && r.Actor == "root" && r.Target == id);
        await ann.GetAsync("/api/v1/approvals");
        Assert.Single(await world.App.AuditAsync(), r => r.Action == "approval.content_read");
        await root.PostAsync($"/api/v1/approvals/{id}", new { decision = "deny", arguments_hash = approval.GetProperty("arguments_hash").GetString() });
        Assert.Equal("run.completed", (await world.EventsAsync(asked.GetProperty("run_id").GetString()!))[^1].Type);
    }

    [Fact]
    public async Task Agents_and_service_tokens_never_decide()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var ann = await world.App.AsAsync("ann");
        using var bot = await world.App.AsAsync("bot", "agent");
        await ann.PostAsync("/api/v1/chat", new { message = "order", agent = "multi_tool" }, HttpStatusCode.Accepted);
        var approval = (await ann.GetAsync("/api/v1/approvals")).GetProperty("items")[0];
        var path = $"/api/v1/approvals/{approval.GetProperty("id").GetString()}";
        var decision = new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() };
        var token = await world.App.PostJsonAsync("/api/v1/auth/token", new { user_id = "ann" });
        using var service = world.App.NewClient(token.GetProperty("access_token").GetString());
        Assert.Equal("people_only", (await TestUser.JsonAsync(await service.PostAsJsonAsync(path, decision), HttpStatusCode.Forbidden)).GetProperty("code").GetString());
        Assert.Equal(HttpStatusCode.Forbidden, (await bot.Client.PostAsJsonAsync(path, decision)).StatusCode);
        await ann.PostAsync(path, decision with { decision = "deny" });
    }

    /// <summary>What speaks for somebody watches what it began for them, and nobody else's.</summary>
    [Fact]
    public async Task A_bot_draws_the_flows_of_those_it_speaks_for()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var bot = await world.App.AsAsync("bot", "agent");
        var flow = (await bot.PostAsync("/api/v1/chat/message", new { message = "Hi", team = "solo", user_id = "alice" })).GetProperty("flow_id").GetString();
        Assert.Equal(0, (await bot.GetAsync("/api/v1/visualization/flows")).GetProperty("total").GetInt32());
        Assert.Equal(flow, (await bot.GetAsync("/api/v1/visualization/flows?user_id=alice")).GetProperty("flows")[0].GetProperty("flow_id").GetString());
        Assert.Equal(0, (await bot.GetAsync("/api/v1/visualization/flows?user_id=bob")).GetProperty("total").GetInt32());

        using var socket = await TestSocket.ConnectAsync(world.App, bot, "/ws/visualization");
        await socket.SendAsync(new { type = "subscribe", flow_id = flow });
        Assert.Equal("run_not_found", await socket.ProblemAsync());
        await socket.SendAsync(new { type = "subscribe", flow_id = flow, user_id = "bob" });
        Assert.Equal("run_not_found", await socket.ProblemAsync());
        await socket.SendAsync(new { type = "subscribe", flow_id = flow, user_id = "alice" });
        Assert.Equal(flow, (await socket.UntilAsync("subscribed")).GetProperty("flow_id").GetString());
    }

    private static async Task<string> AskAsync(TestUser user) =>
        (await user.PostAsync("/api/v1/chat", new { message = $"My word is {Canary}", team = "solo" })).GetProperty("run_id").GetString()!;

    private static async Task<List<SseEvent>> AskForAsync(TestUser user, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat/stream") { Content = JsonContent.Create(body) };
        using var answer = await user.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return await SseEvent.ReadAllAsync(answer);
    }

    private static async Task<string> StreamAsync(TestUser user, string run)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after=0");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var answer = await user.Client.SendAsync(request);
        return await answer.Content.ReadAsStringAsync();
    }
}
