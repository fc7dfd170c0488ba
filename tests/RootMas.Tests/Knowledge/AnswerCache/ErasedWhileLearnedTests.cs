using Microsoft.Extensions.AI;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>Whoever is erased, and whatever is deleted, while the cache learns from their answer is not written down afterwards: neither question, nor answer, nor observation.</summary>
public abstract class ErasedWhileLearnedTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private static readonly string[] Tables = ["cached_answers", "cached_questions", "cache_observations"];

    protected TestDatabase Database { get; } = new();

    public async Task InitializeAsync()
    {
        await Database.Database.OpenAsync();
        await Database.Database.WriteAsync(async session => _ = await session.ExecuteAsync("insert into users (id, username, role, created_at) values ('alice', 'alice', 'user', 1)"), default);
    }

    public async Task DisposeAsync() => await Database.DisposeAsync();

    /// <summary>The judge holds the lesson between the look at the index and the writing.</summary>
    [DatabaseTheory]
    [InlineData("user", "0")]
    [InlineData("user", "1")]
    [InlineData("document", "0")]
    [InlineData("document", "1")]
    public async Task A_lesson_that_is_being_compared_is_not_written(string what, string verdict)
    {
        await using var world = await CacheWorld.StartAsync(Database);
        var (reached, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        world.Judge = new ScriptedChatClient(_ => [ScriptedChatClient.Say(verdict)])
        {
            Before = async (_, _) =>
            {
                reached.TrySetResult();
                await gate.Task;
            },
        };
        await AskAsync(world, "How do I reset the password of my account?");
        await Wait.UntilAsync(() => world.Learner.IsIdle);
        Assert.Equal(1, await Database.ScalarAsync("SELECT count(*) FROM cached_answers"));
        await AskAsync(world, "How do I reset the password of an account?");
        await reached.Task;
        if (what == "user")
        {
            await Database.Database.WriteAsync(session => EraseAsync(session, world.Purge), default);
        }
        else
        {
            await world.Purge.PurgeAsync(new PurgeScope("document", "d1"), default);
        }

        gate.SetResult();
        await Wait.UntilAsync(() => world.Learner.IsIdle);
        await NothingIsThereAsync(world.Levels);
    }

    [DatabaseFact]
    public async Task A_lesson_that_waits_for_its_transaction_while_its_user_is_erased_is_not_written()
    {
        var (reached, gate) = (new TaskCompletionSource(), new TaskCompletionSource());
        var levels = new AnswerLevels(new ExactAnswers(10), new AnswerIndex(), null, new AnswerStore(new HeldWrites(Database.Database, reached, gate.Task)));
        using var changes = TestChanges.Of(Database.Database);
        var storing = StoreAsync(levels, new AnswerKeeper(levels, new LearnerTools(null, changes, new AnswerCacheOptions(), TimeProvider.System)));
        await reached.Task;
        await Database.Database.WriteAsync(session => EraseAsync(session, new AnswerPurge(levels, changes)), default);
        gate.SetResult();
        await storing;
        await NothingIsThereAsync(levels);
    }

    [DatabaseFact]
    public async Task Whoever_was_to_be_erased_and_was_not_is_learned_from_as_before()
    {
        var levels = new AnswerLevels(new ExactAnswers(10), new AnswerIndex(), null, new AnswerStore(Database.Database));
        using var changes = TestChanges.Of(Database.Database);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Database.Database.WriteAsync(
            async session =>
            {
                await EraseAsync(session, new AnswerPurge(levels, changes));
                throw new InvalidOperationException("rolled back");
            },
            default));
        await StoreAsync(levels, new AnswerKeeper(levels, new LearnerTools(null, changes, new AnswerCacheOptions(), TimeProvider.System)));
        Assert.Equal(1, await Database.ScalarAsync("SELECT count(*) FROM cached_answers"));
    }

    /// <summary>What was asked just now, with an observation beside it.</summary>
    private protected static Task StoreAsync(AnswerLevels levels, AnswerKeeper keeper)
    {
        var call = CacheWorld.Call("What is a noun?");
        var request = AnswerRequest.Of([new ChatMessage(ChatRole.User, call.Question)], new ChatOptions(), call, "1");
        var fresh = new CachedAnswer
        {
            Id = Guid.CreateVersion7(),
            OwnerId = "alice",
            Agent = "helper",
            PromptVersion = "v1",
            Text = "A word.",
            Model = "test",
            Provider = "test",
            Tier = "cheap",
            InputTokens = 1,
            OutputTokens = 1,
            MicroUsd = 1,
            CreatedAt = DateTimeOffset.UnixEpoch,
            ExpiresAt = DateTimeOffset.MaxValue,
        };
        var known = new KnownQuestion(Guid.CreateVersion7(), request.Partition, request.Key, KnownAnswer.Of(fresh), MeaningMarks.Of(request.Question), null) { Asker = "alice" };
        return keeper.StoreAsync(
            new Lesson(request, fresh, null, levels.Epoch), new StoredQuestion(known, request.Question, ""), isNew: true, new StoredObservation(fresh.Id, new Nearness(0.9, 0.1), true, "local"), default);
    }

    /// <summary>As an erasure does.</summary>
    private protected static async ValueTask EraseAsync(DbSession session, AnswerPurge purge)
    {
        await UserStore.HoldAsync(session, "alice");
        await purge.EraseAsync(session, "alice");
        await session.ExecuteAsync("delete from users where id = 'alice'");
    }

    private protected async Task NothingIsThereAsync(AnswerLevels levels)
    {
        foreach (var table in Tables)
        {
            Assert.Equal(0, await Database.ScalarAsync($"SELECT count(*) FROM {table}"));
        }

        Assert.Equal((0, 0, 0), (levels.Index.Count, levels.Index.QuestionCount, levels.Memory.Count));
    }

    private static async Task AskAsync(CacheWorld world, string question) => await world.StreamAsync(CacheWorld.Call(question, documents: ["d1"]), []);

    /// <summary>Every write waits in front of its transaction.</summary>
    private sealed class HeldWrites(IDatabase inner, TaskCompletionSource reached, Task gate) : IDatabase
    {
        public DatabaseKind Kind => inner.Kind;

        public Task OpenAsync() => inner.OpenAsync();

        public async Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            reached.TrySetResult();
            await gate;
            return await inner.WriteAsync(work, cancellationToken);
        }

        public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.ReadAsync(work, cancellationToken);
    }
}

public sealed class ErasedWhileLearnedOnSqliteTests() : ErasedWhileLearnedTests(DatabaseKind.Sqlite);

public sealed class ErasedWhileLearnedOnPostgresTests() : ErasedWhileLearnedTests(DatabaseKind.Postgres), IOnPostgres;
