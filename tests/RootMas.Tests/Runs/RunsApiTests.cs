using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>The routes of runs and approvals over HTTP, with the real engine and the simulator's models.</summary>
[Covers(typeof(ApprovalStore))]
public abstract class RunsApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        default: { text: "Hello there, friend." }
        rules:
          - match: { last_role: user, last_user: "ask me" }
            answer: { tool_calls: [ { name: ask_user, arguments: { question: "Which one?" } } ] }
          - match: { last_role: user, last_user: "order" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "http://127.0.0.1:9/x", json: { n: 1 } } } ] }
          - match: { last_role: tool }
            answer: { text: "Understood." }
        """;

    [DatabaseFact]
    public async Task Runs_are_listed_newest_first_in_pages_and_by_filter()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        List<string> ids = [];
        for (var i = 0; i < 5; i++)
        {
            ids.Insert(0, (await world.AskAsync(new { message = $"hi {i}", team = "solo" })).GetProperty("run_id").GetString()!);
        }

        List<string> listed = [];
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await world.App.GetJsonAsync($"/api/v1/runs?limit=2{(cursor.Length > 0 ? $"&cursor={cursor}" : "")}");
            listed.AddRange(page.GetProperty("items").EnumerateArray().Select(static r => r.GetProperty("id").GetString()!));
            cursor = page.GetProperty("next_cursor").GetString();
        }

        Assert.Equal(ids, listed);
        Assert.Equal(0, (await world.App.GetJsonAsync("/api/v1/runs?status=failed")).GetProperty("items").GetArrayLength());
        Assert.Equal(5, (await world.App.GetJsonAsync("/api/v1/runs?agent=communicator&status=completed")).GetProperty("items").GetArrayLength());
        Assert.Equal(5, (await world.App.GetJsonAsync("/api/v1/runs?limit=&cursor=")).GetProperty("items").GetArrayLength());
        Assert.Equal(ids, (await world.App.GetJsonAsync("/api/v1/runs?user=*")).GetProperty("items").EnumerateArray().Select(static r => r.GetProperty("id").GetString()));
        Assert.Equal(["hi 4", "hi 3", "hi 2", "hi 1", "hi 0"], (await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items").EnumerateArray().Select(static r => r.GetProperty("title").GetString()));
        Assert.Equal("hi 4", (await world.App.GetJsonAsync($"/api/v1/runs/{ids[0]}?tree=1")).GetProperty("title").GetString());
        await world.App.GetJsonAsync($"/api/v1/runs/{ids[0]}?tree=0");
        foreach (var wrong in (string[])["?status=nonsense", "?limit=0", "?limit=201", "?cursor=%21", $"/{ids[0]}?tree=2", $"/{ids[0]}?tree=true", $"/{ids[0]}/events?tree=-1"])
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await world.App.SendAsync(HttpMethod.Get, $"/api/v1/runs{wrong}")).StatusCode);
        }
    }

    [DatabaseFact]
    public async Task An_administrator_lists_the_runs_of_a_user_by_id_or_name()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        using var bob = await world.App.AsAsync("bob");
        using var bot = await world.App.AsAsync("bot", "agent");
        var own = (await bob.PostAsync("/api/v1/chat", new { message = "hi", team = "solo" })).GetProperty("run_id").GetString();
        var guests = (await bot.PostAsync("/api/v1/chat", new { message = "hi", team = "solo", user_id = "guest-1" })).GetProperty("run_id").GetString();
        foreach (var (user, run) in ((string, string?)[])[("bob", own), (bob.Id, own), ("bot/guest-1", guests), ($"{bot.Id}/guest-1", guests)])
        {
            Assert.Equal(run, Assert.Single((await world.App.GetJsonAsync($"/api/v1/runs?user={user}")).GetProperty("items").EnumerateArray()).GetProperty("id").GetString());
        }

        Assert.Equal(1, (await bob.GetAsync("/api/v1/runs?user=bob&shared=false")).GetProperty("items").GetArrayLength());
        Assert.Equal("foreign_user", (await bob.GetAsync("/api/v1/runs?user=bot", HttpStatusCode.Forbidden)).GetProperty("code").GetString());
        foreach (var nobody in (string[])["somebody-else", "somebody-else/guest-1", "/"])
        {
            using var refused = await world.App.SendAsync(HttpMethod.Get, $"/api/v1/runs?user={nobody}");
            await ProblemAssert.IsProblemAsync(refused, 404, "user_not_found");
        }
    }

    [DatabaseFact]
    public async Task A_log_is_paged_and_streamed_with_the_same_bytes_and_nonsense_is_refused()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var id = (await world.AskAsync(new { message = "hi", team = "solo" })).GetProperty("run_id").GetString()!;
        var whole = await world.App.GetJsonAsync($"/api/v1/runs/{id}/events");
        var last = whole.GetProperty("items").GetArrayLength();
        Assert.Equal("completed", whole.GetProperty("status").GetString());
        var page = await world.App.GetJsonAsync($"/api/v1/runs/{id}/events?after=2&limit=2");
        Assert.Equal([3, 4], page.GetProperty("items").EnumerateArray().Select(static e => e.GetProperty("seq").GetInt32()));
        Assert.Equal(4, page.GetProperty("next_after").GetInt64());

        using var stream = await world.App.SendAsync(HttpMethod.Get, $"/api/v1/runs/{id}/events", null, ("Accept", "text/event-stream"), ("Last-Event-ID", "3"));
        Assert.Equal(("text/event-stream", "no-store"), (stream.Content.Headers.ContentType!.MediaType, stream.Headers.CacheControl!.ToString()));
        Assert.Equal("no", Assert.Single(stream.Headers.GetValues("X-Accel-Buffering")));
        var data = (await stream.Content.ReadAsStringAsync()).Split('\n').Where(static l => l.StartsWith("data: ", StringComparison.Ordinal)).Select(static l => l[6..]);
        Assert.Equal(whole.GetProperty("items").EnumerateArray().Skip(3).Select(static e => e.GetRawText()), data);

        using var after = await world.App.SendAsync(HttpMethod.Get, $"/api/v1/runs/{id}/events", null, ("Accept", "text/event-stream"), ("Last-Event-ID", $"{last}"));
        Assert.Equal(HttpStatusCode.NoContent, after.StatusCode);
        foreach (var wrong in (string[])["-1", "abc", "1:", "99999", "9223372036854775808", "1:2:3"])
        {
            using var refused = await world.App.SendAsync(HttpMethod.Get, $"/api/v1/runs/{id}/events", null, ("Accept", "text/event-stream"), ("Last-Event-ID", wrong));
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        Assert.Equal(HttpStatusCode.NotFound, (await world.App.SendAsync(HttpMethod.Get, $"/api/v1/runs/{Guid.NewGuid()}/events")).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await world.App.SendAsync(HttpMethod.Get, $"/api/v1/runs/{id}/events?limit=0")).StatusCode);
    }

    [DatabaseFact]
    public async Task A_log_is_read_in_pages_as_other_lists_are()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var id = (await world.AskAsync(new { message = "hi", team = "solo" })).GetProperty("run_id").GetString()!;
        var path = $"/api/v1/runs/{id}/events";
        List<int> read = [];
        for (string? cursor = ""; cursor is not null;)
        {
            var page = await world.App.GetJsonAsync($"{path}?limit=2&cursor={cursor}");
            read.AddRange(page.GetProperty("items").EnumerateArray().Select(static e => e.GetProperty("seq").GetInt32()));
            cursor = page.GetProperty("next_cursor").GetString();
            Assert.Equal(cursor ?? "null", page.GetProperty("next_after").GetRawText());
        }

        Assert.True(read.Count > 3);
        Assert.Equal(Enumerable.Range(1, read.Count), read);
        Assert.Equal(read.Skip(2), (await world.App.GetJsonAsync($"{path}?after=2&cursor=2")).GetProperty("items").EnumerateArray().Select(static e => e.GetProperty("seq").GetInt32()));
        foreach (var (query, field) in ((string, string)[])[("cursor=zzz", "cursor"), ("cursor=99999", "cursor"), ("after=2&cursor=3", "cursor"), ("after=2&cursor=zzz", "cursor"), ("after=zzz&cursor=2", "after")])
        {
            using var refused = await world.App.SendAsync(HttpMethod.Get, $"{path}?{query}");
            ProblemAssert.Names(await ProblemAssert.IsProblemAsync(refused, 400, "validation_failed"), field);
        }
    }

    [DatabaseFact]
    public async Task What_changes_a_run_answers_with_its_title_as_reading_it_does()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var (_, asked) = await world.TryAskAsync(new { message = "ask me", team = "solo" });
        var path = $"/api/v1/runs/{asked.GetProperty("run_id").GetString()}";
        var answered = await world.App.PostJsonAsync($"{path}/input", new { text = "this" }, HttpStatusCode.Accepted);
        await AnswerAsync(world, asked.GetProperty("run_id").GetString()!);
        var shared = await world.App.PostJsonAsync($"{path}/share", new { });
        var again = await world.App.PostJsonAsync($"{path}/retry", new { }, HttpStatusCode.Accepted);
        var cancelled = await world.App.PostJsonAsync($"/api/v1/runs/{again.GetProperty("id").GetString()}/cancel", new { }, HttpStatusCode.Accepted);
        JsonElement[] answers = [answered, shared, again, cancelled, await world.App.GetJsonAsync(path)];
        Assert.All(answers, static a => Assert.Equal("ask me", a.GetProperty("title").GetString()));
    }

    [DatabaseFact]
    public async Task A_retry_from_an_event_that_there_is_not_begins_nothing()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var id = (await world.AskAsync(new { message = "hi", team = "solo" })).GetProperty("run_id").GetString()!;
        var last = (await world.App.GetJsonAsync($"/api/v1/runs/{id}")).GetProperty("last_seq").GetInt64();
        using var refused = await world.App.PostAsync($"/api/v1/runs/{id}/retry", $$"""{"from_seq":{{last + 1}}}""");
        var problem = await ProblemAssert.IsProblemAsync(refused, 400, "validation_failed");
        Assert.Equal($"is beyond the log, whose newest event is {last}", problem.GetProperty("errors").GetProperty("from_seq")[0].GetString());
        Assert.Single((await world.App.GetJsonAsync("/api/v1/runs")).GetProperty("items").EnumerateArray());
        await world.App.PostJsonAsync($"/api/v1/runs/{id}/retry", new { from_seq = last }, HttpStatusCode.Accepted);
    }

    [DatabaseFact]
    public async Task A_question_is_answered_over_the_api()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var (status, asked) = await world.TryAskAsync(new { message = "ask me", team = "solo" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        var id = asked.GetProperty("run_id").GetString()!;
        var run = await world.App.GetJsonAsync($"/api/v1/runs/{id}");
        Assert.Equal(("waiting_input", "Which one?"), (run.GetProperty("status").GetString(), run.GetProperty("reason").GetString()));
        await RefusedAsync(world, $"/api/v1/runs/{id}/input", new { call_id = "call_7", text = "this" }, HttpStatusCode.Conflict, "no_open_question");
        await RefusedAsync(world, $"/api/v1/runs/{id}/input", new { call_id = "7", text = "this" }, HttpStatusCode.BadRequest, "validation_failed");
        await RefusedAsync(world, $"/api/v1/runs/{id}/retry", new { }, HttpStatusCode.Conflict, "run_not_final");
        await RefusedAsync(world, $"/api/v1/runs/{id}/resolve", new { call_id = "call_1", outcome = "done" }, HttpStatusCode.Conflict, "no_open_review");
        await RefusedAsync(world, $"/api/v1/runs/{id}/resolve", new { call_id = "call_1", outcome = "perhaps" }, HttpStatusCode.BadRequest, "validation_failed");
        await world.App.PostJsonAsync($"/api/v1/runs/{id}/input", new { call_id = "call_1", text = "this" }, HttpStatusCode.Accepted);
        Assert.Equal("Understood.", await AnswerAsync(world, id));
        await RefusedAsync(world, $"/api/v1/runs/{id}/input", new { text = "this" }, HttpStatusCode.Conflict, "run_is_final");

        var again = await world.App.PostJsonAsync($"/api/v1/runs/{id}/retry", new { }, HttpStatusCode.Accepted);
        Assert.Equal(id, again.GetProperty("retry_of").GetString());
        await RefusedAsync(world, $"/api/v1/runs/{Guid.NewGuid()}/retry", new { }, HttpStatusCode.NotFound, "run_not_found");
    }

    [DatabaseFact]
    public async Task An_approval_is_listed_with_its_exact_call_and_decided_once()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var (_, asked) = await world.TryAskAsync(new { message = "order", agent = "multi_tool" });
        var id = asked.GetProperty("run_id").GetString()!;
        var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        Assert.Equal((id, "http_request", "call_1", "pending"),
            (approval.GetProperty("run_id").GetString(), approval.GetProperty("tool").GetString(), approval.GetProperty("call_id").GetString(), approval.GetProperty("status").GetString()));
        Assert.Equal(1, approval.GetProperty("arguments").GetProperty("json").GetProperty("n").GetInt32());
        var path = $"/api/v1/approvals/{approval.GetProperty("id").GetString()}";
        var hash = approval.GetProperty("arguments_hash").GetString();
        await RefusedAsync(world, path, new { decision = "approve", arguments_hash = new string('0', 64) }, HttpStatusCode.Conflict, "arguments_changed");
        await RefusedAsync(world, path, new { decision = "maybe", arguments_hash = hash }, HttpStatusCode.BadRequest, "validation_failed");
        Assert.Equal(1, await CountAsync(world, $"?id={approval.GetProperty("id").GetString()}"));
        Assert.Equal(0, await CountAsync(world, $"?id={Guid.NewGuid()}"));
        await RefusedAsync(world, $"/api/v1/approvals/{Guid.NewGuid()}", new { decision = "deny", arguments_hash = hash }, HttpStatusCode.NotFound, "approval_not_found");
        await world.App.PostJsonAsync(path, new { decision = "deny", reason = "not today", arguments_hash = hash });
        await RefusedAsync(world, path, new { decision = "approve", arguments_hash = hash }, HttpStatusCode.Conflict, "approval_decided");
        Assert.Equal("Understood.", await AnswerAsync(world, id));
        Assert.Equal(0, (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items").GetArrayLength());
        Assert.Equal("not today", (await world.App.GetJsonAsync($"/api/v1/approvals?status=all&run={id}")).GetProperty("items")[0].GetProperty("decision_reason").GetString());
        Assert.Equal(HttpStatusCode.BadRequest, (await world.App.SendAsync(HttpMethod.Get, "/api/v1/approvals?status=x")).StatusCode);
        Assert.Equal((0, 1), (await CountAsync(world, $"?id={approval.GetProperty("id").GetString()}"), await CountAsync(world, $"?status=all&id={approval.GetProperty("id").GetString()}")));
    }

    [DatabaseFact]
    public async Task An_approval_of_a_run_that_ended_waits_no_more_and_is_listed_as_expired()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var (_, asked) = await world.TryAskAsync(new { message = "order", agent = "multi_tool" });
        var id = asked.GetProperty("run_id").GetString()!;
        var approval = (await world.App.GetJsonAsync("/api/v1/approvals")).GetProperty("items")[0];
        await world.App.PostJsonAsync($"/api/v1/runs/{id}/cancel", new { }, HttpStatusCode.Accepted);
        await WaitAsync(world, id, "cancelled");
        foreach (var (query, count) in ((string, int)[])[("", 0), ("?status=approved", 0), ("?status=denied", 0), ("?status=expired", 1), ("?status=decided", 1), ("?status=all", 1)])
        {
            Assert.Equal((query, count), (query, await CountAsync(world, query)));
        }

        var found = (await world.App.GetJsonAsync($"/api/v1/approvals?status=all&id={approval.GetProperty("id").GetString()}")).GetProperty("items")[0];
        Assert.Equal(("expired", JsonValueKind.String, JsonValueKind.Null), (found.GetProperty("status").GetString(), found.GetProperty("decided_at").ValueKind, found.GetProperty("decided_by").ValueKind));
        await RefusedAsync(world, $"/api/v1/approvals/{approval.GetProperty("id").GetString()}", new { decision = "approve", arguments_hash = approval.GetProperty("arguments_hash").GetString() }, HttpStatusCode.Conflict, "run_is_final");
    }

    [DatabaseFact]
    public async Task Cancel_reaches_the_provider_and_the_activity_of_agents_is_counted()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        await world.AskAsync(new { message = "hi", team = "solo" });
        var hold = world.Sim.Hold(new HoldSpec { At = HoldPoint.Middle });
        var (_, asked) = await world.TryAskAsync(new { message = "slow", team = "solo" }, headers: ("Prefer", "wait=0"));
        var id = asked.GetProperty("run_id").GetString()!;
        await hold.Reached.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Equal("active", Of(await world.App.GetJsonAsync("/api/v1/agents/status"), "communicator").GetProperty("status").GetString());
        await world.App.PostJsonAsync($"/api/v1/runs/{id}/cancel", new { reason = "enough" }, HttpStatusCode.Accepted);
        await WaitAsync(world, id, "cancelled");
        Assert.Contains(world.Sim.Calls, static c => c.Aborted || c.Outcome is "aborted" or "running");
        var communicator = Of(await world.App.GetJsonAsync("/api/v1/agents/status"), "communicator");
        Assert.Equal(1.0, communicator.GetProperty("success_rate").GetDouble());
        Assert.True(communicator.GetProperty("message_count").GetInt64() >= 1);
        Assert.Equal(HttpStatusCode.NotFound, (await world.App.PostAsync($"/api/v1/runs/{Guid.NewGuid()}/cancel", "{}")).StatusCode);
    }

    private static JsonElement Of(JsonElement list, string agent) => list.GetProperty("agents").EnumerateArray().Single(a => a.GetProperty("name").GetString() == agent);

    private static async Task<int> CountAsync(ChatWorld world, string query) => (await world.App.GetJsonAsync("/api/v1/approvals" + query)).GetProperty("items").GetArrayLength();

    private static async Task RefusedAsync(ChatWorld world, string path, object body, HttpStatusCode status, string code)
    {
        var answer = await world.App.PostJsonAsync(path, body, status);
        Assert.Equal(code, answer.GetProperty("code").GetString());
    }

    private static async Task<string?> AnswerAsync(ChatWorld world, string id) => (await WaitAsync(world, id, "completed")).GetProperty("answer").GetProperty("text").GetString();

    private static async Task<JsonElement> WaitAsync(ChatWorld world, string id, string status)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (true)
        {
            var run = await world.App.GetJsonAsync($"/api/v1/runs/{id}");
            if (run.GetProperty("status").GetString() == status)
            {
                return run;
            }

            await Task.Delay(10, limit.Token);
        }
    }
}

public sealed class RunsApiOnSqliteTests() : RunsApiTests(DatabaseKind.Sqlite);

public sealed class RunsApiOnPostgresTests() : RunsApiTests(DatabaseKind.Postgres), IOnPostgres;
