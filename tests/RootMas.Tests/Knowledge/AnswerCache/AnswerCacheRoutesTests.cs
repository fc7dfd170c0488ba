using System.Globalization;
using System.Net;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>The cache on every route that asks an agent, and what its statistics say of it.</summary>
public abstract class AnswerCacheRoutesTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Question = "How do I repair the radio of my car?";
    private const string Similar = "How do I repair the radio of our car?";

    private static readonly string Long = string.Join(' ', Enumerable.Range(0, 150).Select(static i => string.Create(CultureInfo.InvariantCulture, $"word{i}")));

    [DatabaseTheory]
    [InlineData("/api/v1/chat/stream")]
    [InlineData("/api/v1/conversations/{id}/runs")]
    [InlineData("/v1/chat/completions")]
    public async Task No_cache_has_the_answer_made_anew_on_the_other_routes_too(string route)
    {
        await using var world = await StartAsync();
        await AskAsync(world, route);
        Assert.Equal((0, 0), await CountsAsync(world));
        await AskAsync(world, route);
        Assert.Equal((1, 0), await CountsAsync(world));
        await AskAsync(world, route, ("Cache-Control", "no-cache"));
        Assert.Equal((1, 1), await CountsAsync(world));
        Assert.Equal(2, world.Sim.Stats.Chat);
    }

    [DatabaseFact]
    public async Task An_answer_to_a_similar_question_is_a_stream_in_pieces_with_the_event_of_the_hit()
    {
        await using var world = await StartAsync();
        await world.AskAsync(new { message = Question, agent = "helper" });
        await LearnedAsync(world);
        using var response = await world.App.SendAsync(HttpMethod.Post, "/api/v1/chat/stream", JsonSerializer.Serialize(new { message = Similar, agent = "helper" }));
        var events = await SseEvent.ReadAllAsync(response);
        Assert.Equal("semantic", Assert.Single(events, static e => e.Type == "cache.hit").Data.GetProperty("kind").GetString());
        Assert.Equal(Long, string.Concat(events.Where(static e => e.Type == "message.delta").Select(static e => e.Data.GetProperty("text").GetString())));
        Assert.Equal("run.completed", events[^1].Type);
        Assert.Equal(1, world.Sim.Stats.Chat);
    }

    [DatabaseFact]
    public async Task Hits_are_counted_by_kind_with_the_tokens_that_they_saved()
    {
        await using var world = await StartAsync();
        var hold = world.Sim.Hold(new HoldSpec { Call = 1 });
        var first = world.AskAsync(new { message = Question, agent = "helper" });
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        var second = world.AskAsync(new { message = Question, agent = "helper" });
        var levels = world.App.Get<AnswerLevels>();
        await Wait.UntilAsync(async w => (await w.App.GetJsonAsync("/api/v1/runs?status=running")).GetProperty("items").GetArrayLength() == 2, world, "the second question is not on its way");
        hold.Release();
        await Task.WhenAll(first, second);
        await LearnedAsync(world);
        await world.AskAsync(new { message = Question, agent = "helper" });
        levels.Memory.Remove(static _ => true);
        await world.AskAsync(new { message = Question, agent = "helper" });
        await world.AskAsync(new { message = Similar, agent = "helper" });
        var stats = await world.App.GetJsonAsync("/api/v1/cache/stats");
        var hits = stats.GetProperty("hits");
        Assert.Equal((2, 1, 1), (hits.GetProperty("memory").GetInt32() + hits.GetProperty("flight").GetInt32(), hits.GetProperty("stored").GetInt32(), hits.GetProperty("semantic").GetInt32()));
        Assert.Equal((0, 4 * 110, 1), (hits.GetProperty("redis").GetInt32(), stats.GetProperty("saved_tokens").GetInt32(), stats.GetProperty("misses").GetInt32()));
    }

    [DatabaseFact]
    public async Task Of_an_agent_whose_answers_are_everybodys_nobody_sees_a_question_in_the_statistics()
    {
        await using var world = await StartAsync("public");
        using var alice = await world.App.AsAsync("alice");
        using var bob = await world.App.AsAsync("bob");
        await alice.PostAsync("/api/v1/chat", new { message = Question, agent = "helper" });
        await LearnedAsync(world);
        Assert.True((await bob.PostAsync("/api/v1/chat", new { message = Question, agent = "helper" })).GetProperty("metadata").GetProperty("cached").GetBoolean());
        await world.App.Get<AnswerLearner>().FlushAsync(default);
        foreach (var user in (TestUser[])[alice, bob])
        {
            Assert.DoesNotContain("radio", (await user.GetAsync("/api/v1/cache/stats")).GetRawText(), StringComparison.Ordinal);
        }

        var top = Assert.Single((await world.App.GetJsonAsync("/api/v1/cache/stats")).GetProperty("top_queries").EnumerateArray());
        Assert.Equal((1, JsonValueKind.Null), (top.GetProperty("hits").GetInt32(), top.GetProperty("text").ValueKind));
    }

    private static async Task<ChatWorld> StartAsync(string? cache = null)
    {
        var world = await ChatWorld.StartAsync($$"""default: { text: "{{Long}}", usage: { input: 100, output: 10 } }""", configure: static o =>
        {
            o.Settings["Knowledge:AnswerCache:Mode"] = "threshold"; // similar questions count from the first on
            o.Settings["Knowledge:AnswerCache:Threshold"] = "0.8";
            o.Settings["Knowledge:AnswerCache:Judge"] = "rules";
            o.Settings["Knowledge:Memory:Extract"] = "Never";
        });
        world.App.Get<AnswerLookup>().Patience = TimeSpan.FromMinutes(1);
        await world.App.PostJsonAsync("/api/v1/agents", new { name = "helper", role = "Helper", description = "Helps.", instructions = "Help.", tier = "cheap", cache }, HttpStatusCode.Created);
        return world;
    }

    private static async Task AskAsync(ChatWorld world, string route, params (string, string)[] headers)
    {
        var path = route.Contains("{id}", StringComparison.Ordinal) ? route.Replace("{id}", await world.NewConversationAsync(), StringComparison.Ordinal) : route;
        object body = route.StartsWith("/v1", StringComparison.Ordinal)
            ? new { model = "solo", messages = new[] { new { role = "user", content = Question } } }
            : route.EndsWith("stream", StringComparison.Ordinal) ? new { message = Question, team = "solo" } : new { message = Question };
        using var response = await world.App.SendAsync(HttpMethod.Post, path, JsonSerializer.Serialize(body), headers);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        if (path.EndsWith("/runs", StringComparison.Ordinal))
        {
            await world.EventsAsync(JsonElement.Parse(text).GetProperty("run_id").GetString()!);
        }
    }

    private static async Task LearnedAsync(ChatWorld world)
    {
        var learner = world.App.Get<AnswerLearner>();
        await Wait.UntilAsync(() => learner.IsIdle);
    }

    private static async Task<(long Hits, long Bypasses)> CountsAsync(ChatWorld world)
    {
        var stats = await world.App.GetJsonAsync("/api/v1/cache/stats");
        return (stats.GetProperty("hits").EnumerateObject().Sum(static h => h.Value.GetInt64()), stats.GetProperty("not_for_cache").TryGetProperty("bypass", out var bypass) ? bypass.GetInt64() : 0);
    }
}

public sealed class AnswerCacheRoutesOnSqliteTests() : AnswerCacheRoutesTests(DatabaseKind.Sqlite);

public sealed class AnswerCacheRoutesOnPostgresTests() : AnswerCacheRoutesTests(DatabaseKind.Postgres), IOnPostgres;
