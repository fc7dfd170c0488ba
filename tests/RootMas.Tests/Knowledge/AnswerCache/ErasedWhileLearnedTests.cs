using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>Whoever is erased, and whatever is deleted, while the cache learns from their answer is not written down afterwards: neither question, nor answer, nor observation.</summary>
public abstract class ErasedWhileLearnedTests(DatabaseKind kind) : OnDatabase(kind), IAsyncLifetime
{
    private static readonly string[] Tables = ["cached_answers", "cached_questions", "cache_observations"];

    private protected TestDatabase Database { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = new TestDatabase();
        await Database.Database.OpenAsync();
        await CacheWorld.AddUsersAsync(Database);
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
            await Database.Database.WriteAsync(session => Lessons.EraseAsync(session, world.Purge), default);
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
        using var process = new Lessons(new WatchedWrites(
            Database.Database,
            async () =>
            {
                reached.TrySetResult();
                await gate.Task;
            },
            static () => { }));
        var storing = process.StoreAsync();
        await reached.Task;
        await Database.Database.WriteAsync(session => Lessons.EraseAsync(session, process.Purge), default);
        gate.SetResult();
        await storing;
        await NothingIsThereAsync(process.Levels);
    }

    /// <summary>Their request was let in before, and its model asked after: no purge comes between that and the lesson.</summary>
    [DatabaseFact]
    public async Task Whoever_is_erased_between_being_let_in_and_being_answered_is_not_learned_from()
    {
        using var process = new Lessons(Database.Database);
        await process.EraseAsync();
        await process.StoreAsync();
        await process.StoreAsync("alice/guest");
        await NothingIsThereAsync(process.Levels);
    }

    /// <summary>The other instance has not heard of it, and may end before it does.</summary>
    [DatabaseFact]
    public async Task Whoever_was_erased_through_another_instance_is_not_learned_from()
    {
        using var here = new Lessons(Database.Database);
        using var there = new Lessons(Database.Database);
        await here.EraseAsync();
        await there.StoreAsync();
        await NothingIsThereAsync(there.Levels);
    }

    [DatabaseFact]
    public async Task Whoever_was_to_be_erased_and_was_not_is_learned_from_as_before()
    {
        using var process = new Lessons(Database.Database);
        await Assert.ThrowsAsync<InvalidOperationException>(() => Database.Database.WriteAsync(
            async session =>
            {
                await Lessons.EraseAsync(session, process.Purge);
                throw new InvalidOperationException("rolled back");
            },
            default));
        await process.StoreAsync();
        Assert.Equal(1, await Database.ScalarAsync("SELECT count(*) FROM cached_answers"));
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
}

public sealed class ErasedWhileLearnedOnSqliteTests() : ErasedWhileLearnedTests(DatabaseKind.Sqlite);

public sealed class ErasedWhileLearnedOnPostgresTests() : ErasedWhileLearnedTests(DatabaseKind.Postgres), IOnPostgres
{
    /// <summary>The erasure holds the row and has not ended: the lesson waits for it, and not the other way round.</summary>
    [PostgresFact]
    public async Task A_lesson_waits_for_an_erasure_that_another_instance_has_begun()
    {
        using var there = new Lessons(Database.Database);
        await using var connection = new Npgsql.NpgsqlConnection(PostgresServer.OfUrl(Database.Options.ConnectionString));
        await connection.OpenAsync();
        await using var erasing = await connection.BeginTransactionAsync();
        await ExecuteAsync(connection, "select 1 from users where id = 'alice' for no key update"); // as an erasure begins
        var storing = there.StoreAsync();
        await Wait.UntilAsync(
            static async d => await d.ScalarAsync("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") > 0, Database, "The lesson did not wait");
        await ExecuteAsync(connection, "delete from users where id = 'alice'");
        await erasing.CommitAsync();
        await storing;
        await NothingIsThereAsync(there.Levels);
    }

    private static async Task ExecuteAsync(Npgsql.NpgsqlConnection connection, string sql)
    {
        await using var command = new Npgsql.NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary>What is left of an erased user in Redis, whichever instance put it there.</summary>
public sealed class ErasedInRedisTests() : OnDatabase(DatabaseKind.Sqlite), IOnRedis, IAsyncLifetime
{
    private TestDatabase _database = null!;
    private RedisPool? _redis;

    public async Task InitializeAsync()
    {
        _database = new TestDatabase();
        await _database.Database.OpenAsync();
        await CacheWorld.AddUsersAsync(_database);
        if (RedisServer.Missing is null)
        {
            _redis = await (await RedisServer.SharedAsync()).PoolAsync(RedisServer.NewPrefix());
        }
    }

    public async Task DisposeAsync()
    {
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        await _database.DisposeAsync();
    }

    [DatabaseFact]
    public async Task An_answer_that_only_another_instance_knows_goes_from_redis_with_its_user()
    {
        var redis = new RedisAnswers(_redis!, TimeProvider.System);
        using var here = new Lessons(_database.Database, redis);
        using var there = new Lessons(_database.Database, redis);
        var answer = await there.StoreAsync();
        Assert.NotNull(await redis.FindAsync(answer, default));
        await here.EraseAsync();
        await Wait.UntilAsync(async r => await r.FindAsync(answer, default) is null, redis, "It did not go");
    }

    [DatabaseFact]
    public async Task An_answer_that_was_read_while_its_user_was_erased_does_not_stay_in_redis()
    {
        var redis = new RedisAnswers(_redis!, TimeProvider.System);
        Lessons process = null!;
        using (process = new Lessons(new AfterReads(_database.Database, () => process.Levels.NextEpoch()), redis))
        {
            var answer = await process.StoreAsync();
            await redis.RemoveAsync([answer]);
            Assert.NotNull((await process.Levels.ReadAsync(process.Levels.Index.Find(answer)!, default)).Answer);
            Assert.Null(await redis.FindAsync(answer, default));
        }
    }

    /// <summary>Somebody is erased as soon as something was read.</summary>
    private sealed class AfterReads(IDatabase inner, Action happens) : IDatabase
    {
        public DatabaseKind Kind => inner.Kind;

        public Task OpenAsync() => inner.OpenAsync();

        public Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.WriteAsync(work, cancellationToken);

        public async Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            var result = await inner.ReadAsync(work, cancellationToken);
            happens();
            return result;
        }
    }
}
