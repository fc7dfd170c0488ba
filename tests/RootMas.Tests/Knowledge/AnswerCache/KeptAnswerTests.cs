using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>What the cache gives again, to whom, and what it never gives again.</summary>
[Covers(typeof(AnswerStore))]
public abstract class KeptAnswerTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private static readonly AnswerCacheOptions Fast = new() { LearnPerSecond = 10_000, JudgePerMinute = 10_000 };

    private TestDatabase _database = null!;

    internal RedisPool? Redis { get; set; }

    public virtual async Task InitializeAsync()
    {
        _database = new TestDatabase();
        await _database.Database.OpenAsync();
    }

    public virtual async Task DisposeAsync() => await _database.DisposeAsync();

    private Task<CacheWorld> StartAsync(AnswerCacheOptions? options = null, TimeProvider? clock = null, IEmbedder? embedder = null) => CacheWorld.StartAsync(_database, options ?? Fast, clock, Redis, embedder);

    [DatabaseFact]
    public async Task An_equal_request_gets_the_kept_answer_free_of_charge_with_what_it_saved()
    {
        await using var world = await StartAsync();
        var (first, asked) = await world.AskAsync("How do I reset a password?");
        var (second, hit) = await world.AskAsync("How do I reset a password?");
        Assert.Equal(first, second);
        Assert.Equal(1, world.Model.Calls);
        Assert.Null(asked.CacheHit);
        Assert.Equal(("memory", 30, 20, 5), (hit.CacheHit!.Kind, hit.CacheHit.SavedUsd.MicroUsd, hit.CacheHit.SavedInputTokens, hit.CacheHit.SavedOutputTokens));
        Assert.Equal((0, "test", "m"), (hit.Cost.MicroUsd, hit.ModelUsed, hit.CacheHit.MessageId));
        Assert.Empty(hit.Ledger);
    }

    [DatabaseFact]
    public async Task Whatever_else_differs_the_model_is_asked()
    {
        await using var world = await StartAsync();
        await world.AskAsync("How do I reset a password?");
        await world.AskAsync("How do I reset a password?", owner: "bob");
        await world.AskAsync("How do I reset a password?", agent: "other");
        await world.AskAsync("How do I reset a password?", prompt: "v2");
        await world.AskAsync("How do I reset a password?", before: new ChatMessage(ChatRole.User, "Hello."));
        await world.AskAsync("How do I reset a password?", cache: "none");
        Assert.Equal(6, world.Model.Calls);
    }

    [DatabaseFact]
    public async Task A_public_agents_answer_is_for_everybody_and_nobody_elses_is()
    {
        await using var world = await StartAsync();
        await world.AskAsync("What is a noun?", cache: "public");
        Assert.NotNull((await world.AskAsync("What is a noun?", owner: "bob", cache: "public")).Call.CacheHit);
        Assert.Null((await world.AskAsync("What is a noun?", owner: "bob")).Call.CacheHit);
    }

    [DatabaseFact]
    public async Task An_answer_with_tool_calls_or_personal_data_a_cut_one_one_of_another_tier_and_a_failed_one_are_not_kept()
    {
        await using var world = await StartAsync();
        world.Model.Also = new FunctionCallContent("1", "calculator");
        await world.AskAsync("How much is it?");
        world.Model.Also = null;
        world.Model.Finish = ChatFinishReason.Length;
        await world.AskAsync("How much is it?");
        world.Model.Finish = ChatFinishReason.Stop;
        var plain = world.Model.Answer;
        world.Model.Answer = static _ => "Ask Ivan, ivan.petrov@example.org";
        await world.AskAsync("How much is it?");
        world.Model.Answer = plain;
        world.Model.Tier = "premium";
        await world.AskAsync("How much is it?");
        world.Model.Tier = "cheap";
        world.Model.Before = static _ => throw new ModelException("unreachable", "away");
        await Assert.ThrowsAsync<ModelException>(() => world.AskAsync("How much is it?"));
        world.Model.Before = static _ => Task.CompletedTask;
        await world.AskAsync("How much is it?");
        Assert.Equal(6, world.Model.Calls);
        Assert.NotNull((await world.AskAsync("How much is it?")).Call.CacheHit);
    }

    [DatabaseFact]
    public async Task Two_hundred_equal_requests_at_once_ask_the_model_once()
    {
        await using var world = await StartAsync();
        var gate = new TaskCompletionSource();
        world.Model.Before = _ => gate.Task;
        var all = Enumerable.Range(0, 200).Select(_ => Task.Run(() => world.StreamAsync(CacheWorld.Call("What is a verb?"), []))).ToList();
        await Wait.UntilAsync(() => world.Model.Calls == 1);
        gate.SetResult();
        var answers = await Task.WhenAll(all);
        Assert.Equal(1, world.Model.Calls);
        Assert.Single(answers.Select(static a => a.Text).Distinct());
        Assert.Equal(199, answers.Count(static a => a.Call.CacheHit is not null));
    }

    [DatabaseFact]
    public async Task When_the_first_of_equal_requests_leaves_another_one_asks()
    {
        await using var world = await StartAsync();
        var gate = new TaskCompletionSource();
        world.Model.Before = _ => gate.Task;
        using var leaves = new CancellationTokenSource();
        var first = world.StreamAsync(CacheWorld.Call("What is a verb?"), [], leaves.Token);
        await Wait.UntilAsync(() => world.Model.Calls == 1);
        var second = world.StreamAsync(CacheWorld.Call("What is a verb?"), []);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Wait.UntilAsync(() => world.Model.Calls == 2);
        gate.SetResult();
        Assert.Null((await second).Call.CacheHit);
    }

    [DatabaseFact]
    public async Task Kept_answers_outlive_a_restart()
    {
        await using (var before = await StartAsync())
        {
            await before.AskAsync("How do I reset a password?");
        }

        await using var after = await StartAsync();
        var (text, call) = await after.AskAsync("How do I reset a password?");
        Assert.Equal("The answer to: How do I reset a password? ", text);
        Assert.Equal(Redis is null ? "stored" : "redis", call.CacheHit!.Kind);
        Assert.Equal("memory", (await after.AskAsync("How do I reset a password?")).Call.CacheHit!.Kind);
        Assert.Equal(0, after.Model.Calls);
    }

    [DatabaseFact]
    public async Task An_answer_ends_with_its_time()
    {
        var clock = new SteppedClock();
        await using var world = await StartAsync(Fast with { TimeToLive = TimeSpan.FromHours(1) }, clock);
        await world.AskAsync("How do I reset a password?");
        clock.Advance(TimeSpan.FromMinutes(59));
        Assert.NotNull((await world.AskAsync("How do I reset a password?")).Call.CacheHit);
        clock.Advance(TimeSpan.FromMinutes(2));
        Assert.Null((await world.AskAsync("How do I reset a password?")).Call.CacheHit);
    }

    [DatabaseFact]
    public async Task A_caller_who_wants_a_fresh_answer_gets_one_and_the_next_gets_that()
    {
        await using var world = await StartAsync();
        await world.AskAsync("Tell me a joke.");
        world.Model.Answer = static _ => "another one";
        Assert.Equal("another one ", (await world.AskAsync("Tell me a joke.", fresh: true)).Text);
        var (text, call) = await world.AskAsync("Tell me a joke.");
        Assert.Equal(("another one ", "memory"), (text, call.CacheHit!.Kind));
    }

    [DatabaseFact]
    public async Task With_a_threshold_a_similar_question_gets_the_answer_unless_a_number_a_name_or_a_negation_differs()
    {
        await using var world = await StartAsync(Fast with { Mode = AnswerCacheMode.Threshold, Threshold = 0.7 });
        await world.AskAsync("How can I order 2 new cards for my account at the Moscow office?");
        async Task<bool> HitsAsync(string question) => (await world.AskAsync(question)).Call.CacheHit is { Kind: "semantic" };
        Assert.True(await HitsAsync("How can I order 2 new cards for the account at the Moscow office?"));
        Assert.False(await HitsAsync("How can I order 3 new cards for my account at the Moscow office?"));
        Assert.False(await HitsAsync("How can I order 2 new cards for my account at the Berlin office?"));
        Assert.False(await HitsAsync("How can I not order 2 new cards for my account at the Moscow office?"));
        Assert.False((await world.AskAsync("How can I order 2 new cards for the account at our Moscow office?", owner: "bob")).Call.CacheHit is not null);
    }

    [DatabaseFact]
    public async Task Verified_it_gives_nothing_similar_before_it_has_learned_and_then_little_that_is_wrong()
    {
        await using var world = await StartAsync(Fast with { Judge = AnswerJudgeKind.Rules, MaxWrong = 0.05 });
        world.Model.Answer = static call => "topic " + Topics.Of(call.Question!);
        var (hits, wrong, early) = (0, 0, 0);
        var questions = Topics.Questions(360);
        for (var i = 0; i < questions.Count; i++)
        {
            var (text, call) = await world.AskAsync(questions[i]);
            if (call.CacheHit is { Kind: "semantic" })
            {
                hits++;
                early += i < 50 ? 1 : 0;
                wrong += text.Trim() == "topic " + Topics.Of(questions[i]) ? 0 : 1;
            }
        }

        Assert.Equal(0, early);
        Assert.True(hits > 30, $"{hits} hits");
        Assert.True(wrong <= 0.05 * questions.Count, $"{wrong} wrong");
        Assert.InRange(world.Policy.Spent, 0, 0.05 * world.Policy.Lookups);
        await using var after = await StartAsync(Fast with { Judge = AnswerJudgeKind.Rules, MaxWrong = 0.05 });
        Assert.Equal(world.Policy.Observations, after.Policy.Observations);
    }

    [DatabaseFact]
    public async Task In_shadow_nothing_similar_is_given_and_what_would_have_been_is_measured()
    {
        await using var world = await StartAsync(Fast with { Mode = AnswerCacheMode.Shadow, Judge = AnswerJudgeKind.Rules, MaxWrong = 0.1 });
        world.Model.Answer = static call => "topic " + Topics.Of(call.Question!);
        foreach (var question in Topics.Questions(160))
        {
            Assert.NotEqual("semantic", (await world.AskAsync(question)).Call.CacheHit?.Kind);
        }

        Assert.True(world.Policy.Audits.Count > 5, $"{world.Policy.Audits}");
    }

    [DatabaseFact]
    public async Task A_model_compares_answers_where_rules_cannot_and_its_word_is_learned()
    {
        await using var world = await StartAsync();
        await world.AskAsync("How do I reset the password of my account?");
        await world.AskAsync("How do I reset the password of an account?");
        Assert.Equal(1, world.Judge.Calls);
        Assert.Equal(("judge", "cheap", "alice"), (world.Judge.Log[0].Call.Purpose, world.Judge.Log[0].Call.Tier, world.Judge.Log[0].Call.OwnerId));
        Assert.Equal(1, world.Policy.Observations);
    }

    [DatabaseTheory]
    [InlineData("all", "")]
    [InlineData("user", "alice")]
    [InlineData("agent", "helper")]
    [InlineData("prompt", "v1")]
    public async Task What_is_purged_is_never_given_again_and_the_rest_stays(string scope, string id)
    {
        await using var world = await StartAsync();
        await world.AskAsync("How do I reset a password?");
        await world.AskAsync("How do I reset a password?", owner: "bob", agent: "other", prompt: "v9");
        Assert.Equal(scope == "all" ? 2 : 1, await world.Purge.PurgeAsync(new PurgeScope(scope, id), default));
        Assert.Null((await world.AskAsync("How do I reset a password?")).Call.CacheHit);
        Assert.Equal(scope != "all", (await world.AskAsync("How do I reset a password?", owner: "bob", agent: "other", prompt: "v9")).Call.CacheHit is not null);
        await using var after = await StartAsync();
        Assert.Equal(2, after.Levels.Index.Count);
    }

    [DatabaseFact]
    public async Task An_answer_that_was_on_its_way_during_a_purge_is_not_kept()
    {
        await using var world = await StartAsync();
        var gate = new TaskCompletionSource();
        world.Model.Before = _ => gate.Task;
        var asking = world.StreamAsync(CacheWorld.Call("How do I reset a password?"), []);
        await Wait.UntilAsync(() => world.Model.Calls == 1);
        await world.Purge.PurgeAsync(new PurgeScope("all", ""), default);
        gate.SetResult();
        await asking;
        await Wait.UntilAsync(() => world.Learner.IsIdle);
        Assert.Equal((0, 0), (world.Levels.Memory.Count, world.Levels.Index.Count));
        Assert.Equal(0, await _database.ScalarAsync("SELECT count(*) FROM cached_answers"));
    }

    [DatabaseTheory]
    [InlineData("knowledge_search")]
    [InlineData("graph_query")]
    [InlineData("delegate")]
    [InlineData("handoff")]
    public async Task A_changed_document_ends_the_answers_of_agents_that_can_know_it(string tool)
    {
        await using var world = await StartAsync();
        async Task<bool> HitsAsync()
        {
            var call = CacheWorld.Call("What do the rules say?");
            var options = new ChatOptions { Tools = [AIFunctionFactory.CreateDeclaration(tool, "Finds it out.", default)], AdditionalProperties = new() { [ModelCall.Key] = call } };
            await foreach (var _ in world.Client.GetStreamingResponseAsync([new ChatMessage(ChatRole.User, call.Question)], options))
            {
                // To its end.
            }

            await Wait.UntilAsync(() => world.Learner.IsIdle);
            return call.CacheHit is not null;
        }

        Assert.False(await HitsAsync());
        Assert.True(await HitsAsync());
        world.Versions.Now = "2";
        Assert.False(await HitsAsync());
        Assert.True(await HitsAsync());
        world.Versions.Now = "1";
        Assert.True(await HitsAsync());
    }

    [DatabaseFact]
    public async Task Under_load_nobody_gets_what_somebody_else_was_told()
    {
        await using var world = await StartAsync(Fast with { Mode = AnswerCacheMode.Threshold, Threshold = 0.6 });
        world.Model.Answer = static call => $"canary-{call.OwnerId} for {call.Question}";
        var wrong = new System.Collections.Concurrent.ConcurrentBag<string>();
        await Parallel.ForEachAsync(Enumerable.Range(0, 600), new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (i, token) =>
        {
            var owner = "user" + (i % 7);
            var (text, _) = await world.StreamAsync(CacheWorld.Call($"How do I open the {(i % 5 == 0 ? "front" : "back")} door of this house please, variant {"abcdefghij"[i % 10]}?", owner), [], token);
            if (!text.Contains($"canary-{owner} ", StringComparison.Ordinal))
            {
                wrong.Add($"{owner}: {text}");
            }
        });
        Assert.Empty(wrong);
        Assert.True(world.Model.Calls < 600);
    }

    [DatabaseFact]
    public async Task Vectors_of_another_embedder_are_made_anew_and_questions_are_found_again()
    {
        var options = Fast with { Mode = AnswerCacheMode.Threshold, Threshold = 0.7 };
        await using (var before = await StartAsync(options, embedder: new OtherEmbedder()))
        {
            await before.AskAsync("How do I reset the password of my account?");
        }

        await using var after = await StartAsync(options);
        Assert.Equal("semantic", (await after.AskAsync("How do I reset the password of an account?")).Call.CacheHit?.Kind);
        Assert.Equal(0, await _database.ScalarAsync("SELECT count(*) FROM cached_questions WHERE embedder LIKE 'other%'"));
    }

    [DatabaseFact]
    public async Task The_oldest_answers_go_where_there_are_too_many_and_hits_are_written_down()
    {
        var clock = new ManualTimeProvider(TimeProvider.System.GetUtcNow());
        await using var world = await StartAsync(Fast with { MaxEntries = 3, MemoryEntries = 1 }, clock);
        foreach (var word in (string[])["Alpha", "Beta", "Gamma", "Delta", "Epsilon"])
        {
            clock.Advance(TimeSpan.FromMilliseconds(5));
            await world.AskAsync($"What does {word} mean?");
        }

        await world.AskAsync("What does Delta mean?");
        await world.Learner.FlushAsync(default);
        Assert.Equal(3, await _database.ScalarAsync("SELECT count(*) FROM cached_answers"));
        Assert.Equal(3, await _database.ScalarAsync("SELECT count(*) FROM cached_questions"));
        Assert.Equal(1, await _database.ScalarAsync("SELECT max(hits) FROM cached_answers"));
        Assert.Equal("What does Delta mean?", Assert.Single(await world.Levels.Store.TopAsync("alice", 10, default)).Question);
        Assert.Empty(await world.Levels.Store.TopAsync("bob", 10, default));
    }
}

public sealed class KeptAnswersOnSqliteTests() : KeptAnswerTests(DatabaseKind.Sqlite);

public sealed class KeptAnswersOnPostgresTests() : KeptAnswerTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>The same with texts in Redis.</summary>
public sealed class KeptAnswersOnRedisTests() : KeptAnswerTests(DatabaseKind.Sqlite), IOnRedis
{
    private RedisServer _server = null!;
    private string _prefix = "";

    public override async Task InitializeAsync()
    {
        await base.InitializeAsync();
        if (RedisServer.Missing is null)
        {
            _server = await RedisServer.SharedAsync();
            _prefix = RedisServer.NewPrefix();
            Redis = await _server.PoolAsync(_prefix);
        }
    }

    public override async Task DisposeAsync()
    {
        if (Redis is not null)
        {
            await Redis.DisposeAsync();
        }

        await base.DisposeAsync();
    }
}
