using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Chat;
using RootMas.Tests.Identity.Machines;
using RootMas.Tests.Support;

namespace RootMas.Tests.Identity.Access;

/// <summary><c>user_id</c>: for whom one speaks.</summary>
public sealed class SubjectsTests
{
    [Fact]
    public async Task A_user_names_nobody_but_themselves()
    {
        await using var world = await ChatWorld.StartAsync();
        using var ann = await world.App.AsAsync("ann");
        await world.App.AddUserAsync("bob");
        foreach (var oneself in new[] { "ann", "ANN", ann.Id })
        {
            Assert.Equal("completed", (await AskAsync(ann, oneself)).GetProperty("metadata").GetProperty("status").GetString());
        }

        foreach (var path in (string[])["/api/v1/chat", "/api/v1/chat/simple", "/api/v1/chat/message", "/api/v1/chat/stream"])
        {
            await RefusedAsync(await ann.Client.PostAsJsonAsync(path, new { message = "Hi", team = "solo", user_id = "bob" }));
            await RefusedAsync(await ann.Client.PostAsJsonAsync(path, new { message = "Hi", team = "solo", user_id = "web_user_7" }));
        }

        await RefusedAsync(await ann.Client.GetAsync("/api/v1/chat/history?user_id=bob"));
        using var socket = await TestSocket.ConnectAsync(world.App, ann);
        await socket.SendAsync(new { type = "message", message = "Hi", user_id = "bob" });
        Assert.Equal("user_not_allowed", await socket.ProblemAsync());
        Assert.Equal(HttpStatusCode.BadRequest, (await ann.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", user_id = "a/b" })).StatusCode);
    }

    [Fact]
    public async Task An_administrator_speaks_for_any_user_but_another_administrator_and_it_is_written_down()
    {
        await using var world = await ChatWorld.StartAsync();
        using var root = await world.App.AsAsync("root", "admin");
        using var bob = await world.App.AsAsync("bob");
        await world.App.AddUserAsync("chief", "admin");
        await world.App.AddUserAsync("rex", "readonly");
        var answer = await AskAsync(root, "bob");
        Assert.Equal(bob.Id, (await bob.GetAsync($"/api/v1/runs/{answer.GetProperty("run_id").GetString()}")).GetProperty("owner_id").GetString());
        await RefusedAsync(await root.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", user_id = "chief" }));
        await RefusedAsync(await root.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", user_id = "nobody" }));
        await RefusedAsync(await root.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", user_id = "rex" }), "permission_missing");
        Assert.Contains(await world.App.AuditAsync(), r => r.Action == "user.act_for" && r.Actor == "root" && r.Target == bob.Id);
    }

    [Fact]
    public async Task A_bot_speaks_for_the_users_on_its_list_and_for_end_users_of_its_own()
    {
        await using var world = await ChatWorld.StartAsync();
        using var bot = await world.App.AsAsync("bot", "agent");
        using var ann = await world.App.AsAsync("ann");
        await world.App.ChangeUserAsync(bot.Id, """{"acts_for":["ann"]}""");
        var forAnn = await AskAsync(bot, "ann");
        Assert.Equal(ann.Id, (await ann.GetAsync($"/api/v1/runs/{Run(forAnn)}")).GetProperty("owner_id").GetString());

        var first = await AskAsync(bot, "guest-1");
        var second = await AskAsync(bot, "guest-1");
        Assert.Equal(first.GetProperty("conversation_id").GetString(), second.GetProperty("conversation_id").GetString());
        Assert.NotEqual(first.GetProperty("conversation_id").GetString(), (await AskAsync(bot, "guest-2")).GetProperty("conversation_id").GetString());
        Assert.Equal($"{bot.Id}/guest-1", (await bot.GetAsync($"/api/v1/runs/{Run(first)}?user_id=guest-1")).GetProperty("owner_id").GetString());
        Assert.Equal(4, (await bot.GetAsync("/api/v1/chat/history?user_id=guest-1")).GetProperty("total").GetInt32());
    }

    [Fact]
    public async Task An_end_user_of_a_bot_is_kept_apart_from_everybody()
    {
        await using var world = await ChatWorld.StartAsync();
        using var bot = await world.App.AsAsync("bot", "agent");
        using var other = await world.App.AsAsync("other-bot", "agent");
        using var ann = await world.App.AsAsync("ann");
        await AskAsync(ann, null);

        // Not on its list: the name is one of the bot's own, whoever else is called so.
        var guest = await AskAsync(bot, "ann");
        Assert.Equal($"{bot.Id}/ann", (await bot.GetAsync($"/api/v1/runs/{Run(guest)}?user_id=ann")).GetProperty("owner_id").GetString());
        Assert.Equal(2, (await ann.GetAsync("/api/v1/chat/history")).GetProperty("total").GetInt32());
        await ann.GetAsync($"/api/v1/runs/{Run(guest)}", HttpStatusCode.NotFound);
        await bot.GetAsync($"/api/v1/runs/{Run(guest)}", HttpStatusCode.NotFound);
        await bot.GetAsync($"/api/v1/runs/{Run(guest)}?user_id=somebody", HttpStatusCode.NotFound);
        await other.GetAsync($"/api/v1/runs/{Run(guest)}?user_id=ann", HttpStatusCode.NotFound);
        await other.PostAsync("/api/v1/chat", new { message = "Hi", team = "solo", user_id = "ann", conversation_id = guest.GetProperty("conversation_id").GetString() }, HttpStatusCode.NotFound);
        await ann.PostAsync("/api/v1/chat", new { message = "Hi", team = "solo", conversation_id = guest.GetProperty("conversation_id").GetString() }, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_user_of_the_list_who_was_disabled_does_not_become_an_end_user()
    {
        await using var world = await ChatWorld.StartAsync();
        using var bot = await world.App.AsAsync("bot", "agent");
        using var ann = await world.App.AsAsync("ann");
        await world.App.ChangeUserAsync(bot.Id, """{"acts_for":["ann"]}""");
        await world.App.ChangeUserAsync(ann.Id, """{"disabled":true}""");
        await RefusedAsync(await bot.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", user_id = "ann" }));
        await RefusedAsync(await bot.Client.PostAsJsonAsync("/api/v1/chat", new { message = "Hi", user_id = ann.Id }));
    }

    [Fact]
    public async Task Over_a_socket_a_bot_speaks_for_its_end_users_too()
    {
        await using var world = await ChatWorld.StartAsync();
        using var bot = await world.App.AsAsync("bot", "agent");
        using var socket = await TestSocket.ConnectAsync(world.App, bot);
        await socket.SendAsync(new { type = "message", message = "Hi", team = "solo", user_id = "guest-1" });
        var run = (await socket.UntilAsync("run.completed")).GetProperty("run_id").GetString();
        Assert.Equal($"{bot.Id}/guest-1", (await bot.GetAsync($"/api/v1/runs/{run}?user_id=guest-1")).GetProperty("owner_id").GetString());
        await socket.SendAsync(new { type = "subscribe", run_id = run });
        Assert.Equal("run_not_found", await socket.ProblemAsync());
        await socket.SendAsync(new { type = "subscribe", run_id = run, user_id = "guest-1" });
        await socket.UntilAsync("run.completed");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_call_in_doubt_of_a_bots_end_user_is_decided_by_the_bot_or_an_administrator_and_by_nobody_else(bool byBot)
    {
        await using var sim = await Simulator.StartAsync("""
            tools: { pay: { cut: after } }
            rules:
              - match: { last_role: tool }
                answer: { text: "Understood." }
              - match: { last_user: "pay" }
                answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "{{base_url}}/_tool/pay", body: "five" } } ] }
            default: { text: "Hello." }
            """);
        await using var world = await ChatWorld.StartAsync(sim: sim, configure: o => o.Settings["Outbound:Allow:0"] = new Uri(sim.BaseUrl).Authority);
        using var root = await world.App.AsAsync("root", "admin");
        using var bot = await world.App.AsAsync("bot", "agent");
        using var other = await world.App.AsAsync("other-bot", "agent");
        using var ann = await world.App.AsAsync("ann");
        var run = Run(await bot.PostAsync("/api/v1/chat", new { message = "pay", agent = "multi_tool", user_id = "alice" }, HttpStatusCode.Accepted));
        var approval = (await root.GetAsync($"/api/v1/approvals?run={run}")).GetProperty("items")[0];
        await root.PostAsync($"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() });
        await StatusAsync(bot, run, "needs_review");

        var path = $"/api/v1/runs/{run}/resolve";
        var done = new { call_id = "call_1", outcome = "done", result = "Paid." };
        await bot.PostAsync(path, done, HttpStatusCode.NotFound);
        await other.PostAsync($"{path}?user_id=alice", done, HttpStatusCode.NotFound);
        await ann.PostAsync(path, done, HttpStatusCode.NotFound);
        await RefusedAsync(await ann.Client.PostAsJsonAsync($"{path}?user_id=alice", done));
        using var key = world.App.NewClient((await ApiKeysTests.CreateAsync(root, """{"name":"talks","scopes":["chat:read","chat:write"]}""")).GetProperty("secret").GetString());
        Assert.Equal(HttpStatusCode.NotFound, (await key.PostAsJsonAsync(path, done)).StatusCode); // it decides nobody's approvals either
        var told = byBot ? await bot.PostAsync($"{path}?user_id=alice", done, HttpStatusCode.Accepted) : await root.PostAsync(path, done, HttpStatusCode.Accepted);
        Assert.Equal($"{bot.Id}/alice", told.GetProperty("owner_id").GetString());
        Assert.True(byBot || !told.TryGetProperty("reason", out var reason) || reason.ValueKind == JsonValueKind.Null);
        await StatusAsync(bot, run, "completed");
        var resolved = (await bot.GetAsync($"/api/v1/runs/{run}/events?user_id=alice")).GetProperty("items").EnumerateArray().Single(static e => e.GetProperty("type").GetString() == "review.resolved");
        Assert.Equal(byBot ? $"{bot.Id}/alice" : root.Id, resolved.GetProperty("by").GetString());
        Assert.Single(await world.App.AuditAsync(), r => r.Action == "run.resolve" && r.Actor == (byBot ? "bot" : "root") && r.Target == run && r.After!.Contains($"{bot.Id}/alice", StringComparison.Ordinal));
        Assert.Equal("completed", (await AskAsync(bot, "alice")).GetProperty("metadata").GetProperty("status").GetString()); // the conversation goes on
    }

    [Fact]
    public async Task A_bot_retries_a_run_of_its_end_user()
    {
        await using var world = await ChatWorld.StartAsync();
        using var bot = await world.App.AsAsync("bot", "agent");
        using var ann = await world.App.AsAsync("ann");
        var run = Run(await AskAsync(bot, "alice"));
        await bot.PostAsync($"/api/v1/runs/{run}/retry", new { }, HttpStatusCode.NotFound);
        await RefusedAsync(await ann.Client.PostAsJsonAsync($"/api/v1/runs/{run}/retry?user_id=alice", new { }));
        var again = await bot.PostAsync($"/api/v1/runs/{run}/retry?user_id=alice", new { }, HttpStatusCode.Accepted);
        Assert.Equal((run, $"{bot.Id}/alice"), (again.GetProperty("retry_of").GetString(), again.GetProperty("owner_id").GetString()));
    }

    private static Task StatusAsync(TestUser bot, string run, string status) => Wait.UntilAsync(
        static async s => (await s.Bot.GetAsync($"/api/v1/runs/{s.Run}?user_id=alice")).GetProperty("status").GetString() == s.Status, (Bot: bot, Run: run, Status: status), $"the run is not {status}");

    private static string Run(JsonElement answer) => answer.GetProperty("run_id").GetString()!;

    private static Task<JsonElement> AskAsync(TestUser user, string? userId) => user.PostAsync("/api/v1/chat", new { message = "Hi", team = "solo", user_id = userId });

    private static async Task RefusedAsync(HttpResponseMessage answer, string code = "user_not_allowed") =>
        Assert.Equal(code, (await TestUser.JsonAsync(answer, HttpStatusCode.Forbidden)).GetProperty("code").GetString());
}
