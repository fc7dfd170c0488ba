using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>What the cache forgets with what others purged and with who asked.</summary>
public abstract class ForgottenAnswersTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private TestDatabase _database = null!;

    public async Task InitializeAsync()
    {
        _database = new TestDatabase();
        await _database.Database.OpenAsync();
    }

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [DatabaseFact]
    public async Task When_purges_of_others_may_have_been_missed_nothing_in_memory_or_on_its_way_outlives_them()
    {
        await using var world = await CacheWorld.StartAsync(_database);
        await world.AskAsync("How do I reset a password?");
        var gate = new TaskCompletionSource();
        world.Model.Before = _ => gate.Task;
        var asking = world.StreamAsync(CacheWorld.Call("How do I open an account?"), []);
        await Wait.UntilAsync(() => world.Model.Calls == 2);
        await _database.Database.WriteAsync(static session => AnswerStore.RemoveAsync(session, new PurgeScope("all", "")), default); // as another instance does
        await world.Learner.LoadMissedAsync(default);
        Assert.Equal((0, 0), (world.Levels.Memory.Count, world.Levels.Index.Count));
        gate.SetResult();
        await asking;
        await Wait.UntilAsync(() => world.Learner.IsIdle);
        Assert.Equal((0, 0), (world.Levels.Memory.Count, world.Levels.Index.Count));
        Assert.Null((await world.AskAsync("How do I reset a password?")).Call.CacheHit);
    }

    [DatabaseFact]
    public async Task An_erased_users_questions_to_agents_that_answer_everybody_go_and_those_of_others_stay()
    {
        await using var world = await CacheWorld.StartAsync(_database);
        await world.AskAsync("What is a noun?", cache: "public");
        await world.AskAsync("Where do adverbs stand?", owner: "alice/guest", cache: "public");
        await world.AskAsync("How are verbs formed?", owner: "bob", cache: "public");
        await world.AskAsync("How are plurals formed?", owner: "alice2", cache: "public");
        await _database.Database.WriteAsync(session => world.Purge.EraseAsync(session, "alice"), default);
        foreach (var table in (string[])["cached_questions", "cached_answers"])
        {
            Assert.Equal(2, await _database.ScalarAsync($"SELECT count(*) FROM {table}"));
        }

        Assert.Equal(0, await _database.ScalarAsync("SELECT count(*) FROM cached_questions WHERE question LIKE '%noun%' OR question LIKE '%adverb%'"));
        Assert.Equal((2, 0), (world.Levels.Index.Count, world.Levels.Memory.Count));
        Assert.NotNull((await world.AskAsync("How are verbs formed?", owner: "carol", cache: "public")).Call.CacheHit);
        Assert.Null((await world.AskAsync("What is a noun?", owner: "bob", cache: "public")).Call.CacheHit);
        await using var after = await CacheWorld.StartAsync(_database);
        Assert.Equal(3, after.Levels.Index.Count);
    }

    [DatabaseFact]
    public async Task An_answer_of_somebody_who_is_erased_right_after_its_commit_does_not_stay_in_the_index()
    {
        Lessons process = null!;
        await CacheWorld.AddUsersAsync(_database);
        using (process = new Lessons(new WatchedWrites(_database.Database, () => process.Levels.NextEpoch())))
        {
            await process.StoreAsync();
        }

        Assert.Equal(1, await _database.ScalarAsync("SELECT count(*) FROM cached_answers")); // which the erasure takes
        Assert.Equal((0, 0), (process.Levels.Index.Count, process.Levels.Index.QuestionCount));
    }
}

public sealed class ForgottenAnswersOnSqliteTests() : ForgottenAnswersTests(DatabaseKind.Sqlite);

public sealed class ForgottenAnswersOnPostgresTests() : ForgottenAnswersTests(DatabaseKind.Postgres), IOnPostgres;
