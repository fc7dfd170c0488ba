using System.Net;
using System.Text.Json;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>The cache as users and administrators meet it.</summary>
public abstract class AnswerCacheHttpTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        default: { text: "Turn it off and on again.", usage: { input: 100, output: 10 } }
        rules:
          - match: { last_user: "clock" }
            answer: { text: "Wind it up.", usage: { input: 100, output: 10 } }
        """;

    private const string Agent = """{"name":"helper","role":"Helper","description":"Helps.","instructions":"PROMPT","tier":"cheap","cache":null}""";
    private static readonly object Question = new { message = "How do I repair a radio?", agent = "helper" };

    [DatabaseFact]
    public async Task A_second_equal_question_is_answered_from_the_cache_and_says_so()
    {
        await using var world = await StartAsync();
        var first = (await world.AskAsync(Question)).GetProperty("metadata");
        Assert.False(first.GetProperty("cached").GetBoolean());
        var answer = await world.AskAsync(Question);
        var metadata = answer.GetProperty("metadata");
        Assert.Equal("Turn it off and on again.", answer.GetProperty("response").GetString());
        Assert.True(metadata.GetProperty("cached").GetBoolean());
        Assert.Equal(("0", 0), (metadata.GetProperty("cost_usd").GetString()!.TrimEnd('0', '.').PadLeft(1, '0'), metadata.GetProperty("usage").GetProperty("output_tokens").GetInt64()));
        var events = await world.EventsAsync(answer.GetProperty("run_id").GetString()!);
        var hit = Assert.Single(events, static e => e.Type == "cache.hit").Data;
        Assert.Equal("memory", hit.GetProperty("kind").GetString());
        var saved = first.GetProperty("cost_usd").GetString();
        Assert.Equal((saved, saved), (hit.GetProperty("saved_usd").GetString(), metadata.GetProperty("saved_usd").GetString()));
        var run = await world.App.GetJsonAsync("/api/v1/runs/" + answer.GetProperty("run_id").GetString());
        Assert.Equal(saved, run.GetProperty("answer").GetProperty("saved_usd").GetString());
        Assert.True(hit.GetProperty("saved_output_tokens").GetInt64() > 0);
        var totals = await world.App.GetJsonAsync($"/api/v1/conversations/{answer.GetProperty("conversation_id").GetString()}/totals");
        Assert.Equal((1, saved), (totals.GetProperty("kept_answers").GetInt32(), totals.GetProperty("saved_usd").GetString()));
        Assert.Equal(1, (await world.App.GetJsonAsync("/api/v1/cache/stats")).GetProperty("hits").GetProperty("memory").GetInt64());
    }

    [DatabaseFact]
    public async Task No_cache_in_the_request_and_none_at_the_agent_bypass_it()
    {
        await using var world = await StartAsync();
        async Task<bool> CachedAsync(params (string, string)[] headers)
        {
            var (status, body) = await world.TryAskAsync(Question, "/api/v1/chat", headers);
            Assert.Equal(HttpStatusCode.OK, status);
            return body.GetProperty("metadata").GetProperty("cached").GetBoolean();
        }

        Assert.False(await CachedAsync());
        Assert.False(await CachedAsync(("Cache-Control", "no-cache")));
        Assert.True(await CachedAsync());
        await ChangeAgentAsync(world, Agent.Replace("\"cache\":null", "\"cache\":\"none\"", StringComparison.Ordinal));
        Assert.False(await CachedAsync());
        Assert.False(await CachedAsync());
    }

    [DatabaseFact]
    public async Task A_changed_prompt_ends_its_answers_at_once()
    {
        await using var world = await StartAsync();
        await world.AskAsync(Question);
        await ChangeAgentAsync(world, Agent.Replace("PROMPT", "Another one.", StringComparison.Ordinal));
        Assert.False((await world.AskAsync(Question)).GetProperty("metadata").GetProperty("cached").GetBoolean());
        Assert.True((await world.AskAsync(Question)).GetProperty("metadata").GetProperty("cached").GetBoolean());
    }

    [DatabaseFact]
    public async Task Clearing_is_for_administrators_and_texts_are_shown_to_their_own()
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        using var bob = await world.App.AsAsync("bob");
        foreach (var text in (string[])["How do I repair a radio?", "How do I repair a clock?"])
        {
            await alice.PostAsync("/api/v1/chat", new { message = text, agent = "helper" });
        }

        var learner = world.App.Get<AnswerLearner>();
        await Wait.UntilAsync(() => learner.IsIdle);
        var again = await alice.PostAsync("/api/v1/chat", new { message = "How do I repair a radio?", agent = "helper" });
        Assert.True(again.GetProperty("metadata").GetProperty("cached").GetBoolean());
        await learner.FlushAsync(default);
        var own = Assert.Single((await alice.GetAsync("/api/v1/cache/stats")).GetProperty("top_queries").EnumerateArray());
        Assert.Equal(("How do I repair a radio?", 1), (own.GetProperty("text").GetString(), own.GetProperty("hits").GetInt64()));
        Assert.Empty((await bob.GetAsync("/api/v1/cache/stats")).GetProperty("top_queries").EnumerateArray());
        var admins = Assert.Single((await world.App.GetJsonAsync("/api/v1/cache/stats")).GetProperty("top_queries").EnumerateArray());
        Assert.Equal(JsonValueKind.Null, admins.GetProperty("text").ValueKind);
        await alice.PostAsync("/api/v1/cache/clear", new { }, HttpStatusCode.Forbidden);
        using (var wrong = await world.App.SendAsync(HttpMethod.Post, "/api/v1/cache/clear?partial=everything"))
        {
            Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        }

        using var cleared = await world.App.SendAsync(HttpMethod.Post, $"/api/v1/cache/clear?partial=user:{alice.Id}");
        Assert.Contains("2 answers", await cleared.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var fresh = await alice.PostAsync("/api/v1/chat", new { message = "How do I repair a radio?", agent = "helper" });
        Assert.False(fresh.GetProperty("metadata").GetProperty("cached").GetBoolean());
    }

    /// <summary>From the database and from memory, of nothing else, and said how many.</summary>
    [DatabaseTheory]
    [InlineData("agent")]
    [InlineData("prompt")]
    public async Task Clearing_by_an_agent_or_a_version_of_its_prompt_takes_the_answers_of_that_one_alone(string kind)
    {
        await using var world = await StartAsync();
        await world.App.PostJsonAsync("/api/v1/agents", JsonSerializer.Deserialize<JsonElement>(Agent.Replace("helper", "other", StringComparison.Ordinal).Replace("PROMPT", "Helps otherwise.", StringComparison.Ordinal)), HttpStatusCode.Created);
        object[] questions = [Question, new { message = "How do I repair a radio?", agent = "other" }];
        var answers = new List<JsonElement>();
        foreach (var question in questions)
        {
            answers.Add(await world.AskAsync(question));
        }

        var learner = world.App.Get<AnswerLearner>();
        await Wait.UntilAsync(() => learner.IsIdle);
        var requested = (await world.EventsAsync(answers[0].GetProperty("run_id").GetString()!)).First(static e => e.Type == "model.requested").Data;
        var id = kind == "agent" ? "helper" : requested.GetProperty("prompt_version").GetString()!;
        async Task<int> ClearAsync(string name)
        {
            using var cleared = await world.App.SendAsync(HttpMethod.Post, $"/api/v1/cache/clear?partial={kind}:{Uri.EscapeDataString(name)}");
            return (await TestUser.JsonAsync(cleared, HttpStatusCode.OK)).GetProperty("removed").GetInt32();
        }

        Assert.Equal(0, await ClearAsync("nothing-of-that-name"));
        Assert.Equal((true, true), (await CachedAsync(questions[0]), await CachedAsync(questions[1])));
        Assert.Equal((1, 0), (await ClearAsync(id), await ClearAsync(id)));
        Assert.Equal((false, true), (await CachedAsync(questions[0]), await CachedAsync(questions[1])));

        async Task<bool> CachedAsync(object question) => (await world.AskAsync(question)).GetProperty("metadata").GetProperty("cached").GetBoolean();
    }

    [DatabaseTheory]
    [InlineData("threshold", false)]
    [InlineData("verified", true)]
    public async Task Where_a_fixed_threshold_decides_no_bound_on_wrong_answers_is_claimed(string mode, bool isBounded)
    {
        await using var world = await StartAsync(o => o.Settings["Knowledge:AnswerCache:Mode"] = mode);
        await world.AskAsync(Question);
        var error = (await world.App.GetJsonAsync("/api/v1/cache/stats")).GetProperty("error");
        Assert.Equal(isBounded ? JsonValueKind.Number : JsonValueKind.Null, error.GetProperty("bound").ValueKind);
        var metrics = await world.App.Client.GetStringAsync("/metrics");
        Assert.Contains("\nrootmas_cache_answers_entries", metrics, StringComparison.Ordinal);
        Assert.Equal(isBounded, metrics.Contains("\nrootmas_cache_answers_error_bound", StringComparison.Ordinal));
    }

    [DatabaseFact]
    public async Task Erasing_a_user_erases_their_kept_answers()
    {
        await using var world = await StartAsync();
        using var alice = await world.App.AsAsync("alice");
        await alice.PostAsync("/api/v1/chat", new { message = "How do I repair a radio?", agent = "helper" });
        var levels = world.App.Get<AnswerLevels>();
        await Wait.UntilAsync(() => levels.Index.Count == 1);
        using var answer = await world.App.SendAsync(HttpMethod.Get, $"/api/v1/users/{alice.Id}");
        using var erased = await world.App.SendAsync(HttpMethod.Delete, $"/api/v1/users/{alice.Id}", null, ("If-Match", answer.Headers.ETag!.ToString()));
        Assert.True(erased.IsSuccessStatusCode, await erased.Content.ReadAsStringAsync());
        await Wait.UntilAsync(() => levels is { Index.Count: 0, Memory.Count: 0 });
        Assert.Equal(0, await world.App.Get<IDatabase>().ReadAsync(static s => s.Prepared("SELECT (SELECT count(*) FROM cached_answers) + (SELECT count(*) FROM cached_questions)").Int64Async(), default));
    }

    [DatabaseFact]
    public async Task With_a_deleted_conversation_go_its_questions_and_the_answers_that_nobody_else_asked_for()
    {
        await using var world = await StartAsync();
        object other = new { message = "How do I repair a clock?", agent = "helper" };
        var conversation = (await world.AskAsync(Question)).GetProperty("conversation_id").GetString();
        await world.AskAsync(other);
        var (learner, database) = (world.App.Get<AnswerLearner>(), world.App.Get<IDatabase>());
        await Wait.UntilAsync(() => learner.IsIdle);
        Task<long?> CountAsync(string sql) => database.ReadAsync(session => session.Prepared(sql).Int64Async(), default);
        Assert.Equal(2, await CountAsync("SELECT count(*) FROM cached_answers"));

        Assert.Equal(HttpStatusCode.NoContent, (await world.App.SendAsync(HttpMethod.Delete, $"/api/v1/conversations/{conversation}", null, ("If-Match", "*"))).StatusCode);
        await Wait.UntilAsync(async count => await count("SELECT count(*) FROM cached_answers") == 1, CountAsync, "the kept answer is still there");
        Assert.Equal(0, await CountAsync("SELECT count(*) FROM cached_questions WHERE question LIKE '%radio%'"));
        await Wait.UntilAsync(() => world.App.Get<AnswerLevels>() is { Memory.Count: 1, Index.QuestionCount: 1 });
        Assert.False((await world.AskAsync(Question)).GetProperty("metadata").GetProperty("cached").GetBoolean());
        Assert.True((await world.AskAsync(other)).GetProperty("metadata").GetProperty("cached").GetBoolean());
    }

    private static async Task<ChatWorld> StartAsync(Action<TestAppOptions>? configure = null)
    {
        var world = await ChatWorld.StartAsync(Script, configure: o =>
        {
            o.Settings["Knowledge:AnswerCache:Mode"] = "verified";
            configure?.Invoke(o);
        });
        await world.App.PostJsonAsync("/api/v1/agents", JsonElement.Parse(Agent), HttpStatusCode.Created);
        return world;
    }

    private static async Task ChangeAgentAsync(ChatWorld world, string agent)
    {
        using var now = await world.App.Client.GetAsync("/api/v1/agents/helper");
        using var answer = await world.App.SendAsync(HttpMethod.Put, "/api/v1/agents/helper", agent, ("If-Match", now.Headers.ETag!.ToString()));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }
}

public sealed class AnswerCacheHttpOnSqliteTests() : AnswerCacheHttpTests(DatabaseKind.Sqlite);

public sealed class AnswerCacheHttpOnPostgresTests() : AnswerCacheHttpTests(DatabaseKind.Postgres), IOnPostgres;
