using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Runs;
using RootMas.Server.Runs.Elsewhere;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Caching;

/// <summary>What every cache of answers must hold; each derives a class of its own.</summary>
public abstract class AnswerCacheTests
{
    protected static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);
    protected static readonly CacheScope Ann = CacheScope.OfUser("ann");

    protected abstract IAnswerCache Cache { get; }

    [DatabaseFact]
    public async Task An_answer_is_given_again_until_one_of_its_scopes_is_raised()
    {
        foreach (var raised in (CacheScope[])[CacheScope.Runs, Ann])
        {
            await KeepAsync(Cache, "question", "answer", CacheScope.Runs, Ann);
            Assert.Equal("answer", await FindAsync(Cache, "question", CacheScope.Runs, Ann));
            Assert.True(await StaysBesideOthersAsync(), "Whatever is raised, the answer is gone");
            Cache.Raise(raised);
            await Cache.SettledAsync();
            Assert.Null(await FindAsync(Cache, "question", CacheScope.Runs, Ann));
        }
    }

    /// <summary>Two scopes may share a counter, by chance once in some thousand processes: not with everybody.</summary>
    private async Task<bool> StaysBesideOthersAsync()
    {
        foreach (var other in (string[])["somebody else", "another one", "a third one"])
        {
            Cache.Raise(CacheScope.OfUser(other));
            await Cache.SettledAsync();
            if (await FindAsync(Cache, "question", CacheScope.Runs, Ann) == "answer")
            {
                return true;
            }

            await KeepAsync(Cache, "question", "answer", CacheScope.Runs, Ann);
        }

        return false;
    }

    [DatabaseFact]
    public async Task An_answer_that_was_made_before_a_change_and_kept_after_it_is_never_given()
    {
        var early = await LookAsync(Cache, "late", Ann);
        Cache.Raise(Ann);
        await Cache.SettledAsync();
        await Cache.KeepAsync("late", early, "old"u8.ToArray());
        Assert.Null(await FindAsync(Cache, "late", Ann));
        await KeepAsync(Cache, "late", "new", Ann);
        Assert.Equal("new", await FindAsync(Cache, "late", Ann));
    }

    [DatabaseFact]
    public async Task Questions_are_kept_apart_and_end_by_themselves()
    {
        await KeepAsync(Cache, "a", "of a", Ann);
        Assert.Null(await FindAsync(Cache, "b", Ann));
        var look = await Cache.LookAsync("short", [Ann], TimeSpan.FromMilliseconds(1));
        await Cache.KeepAsync("short", look, "x"u8.ToArray());
        while (await FindAsync(Cache, "short", Ann) is not null)
        {
            // It ends within a millisecond.
        }

        Assert.Equal("of a", await FindAsync(Cache, "a", Ann));
    }

    /// <summary>I: after a change is settled no answer from before it is given, whoever reads and keeps meanwhile.</summary>
    [DatabaseFact]
    public async Task Readers_that_make_and_keep_answers_beside_a_writer_never_give_one_from_before_a_settled_change()
    {
        var truth = 0;
        var settled = 0;
        var hits = 0;
        var writer = Task.Run(async () =>
        {
            // Long enough for a reader to meet a kept answer, however late the readers get their turn.
            for (var i = 1; i <= 300 || Volatile.Read(ref hits) == 0; i++)
            {
                await Task.Yield();
                Volatile.Write(ref truth, i);
                Cache.Raise(Ann);
                await Cache.SettledAsync();
                Volatile.Write(ref settled, i);
            }
        });
        var readers = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!writer.IsCompleted)
            {
                var least = Volatile.Read(ref settled);
                var look = await Cache.LookAsync("race", [Ann], Longest);
                if (look.Answer is { } answer)
                {
                    Interlocked.Increment(ref hits);
                    Assert.True(BitConverter.ToInt32(answer) >= least, $"{BitConverter.ToInt32(answer)} after {least}");
                }
                else if (look.Version is not null)
                {
                    await Cache.KeepAsync("race", look, BitConverter.GetBytes(Volatile.Read(ref truth)));
                }
            }
        })).ToList();
        await Task.WhenAll([writer, .. readers]);
        Assert.NotEqual(0, hits);
    }

    protected static async Task KeepAsync(IAnswerCache cache, string key, string answer, params CacheScope[] scopes)
    {
        var look = await LookAsync(cache, key, scopes);
        await cache.KeepAsync(key, look, Encoding.UTF8.GetBytes(answer));
    }

    /// <summary>A cache that was not sure of its fence for a moment (nobody looked at it for 1.5 s) says nothing until it is.</summary>
    protected static async Task<CacheLook> LookAsync(IAnswerCache cache, string key, params CacheScope[] scopes)
    {
        CacheLook look = default;
        await Wait.UntilAsync(async c => (look = await c.LookAsync(key, scopes, Longest)).Version is not null, cache, "The cache was not sure of its fence");
        return look;
    }

    protected static async Task<string?> FindAsync(IAnswerCache cache, string key, params CacheScope[] scopes)
    {
        var look = await LookAsync(cache, key, scopes);
        return look.Answer is { } answer ? Encoding.UTF8.GetString(answer) : null;
    }
}

public sealed class MemoryAnswerCacheTests : AnswerCacheTests, IDisposable
{
    private readonly MemoryAnswerCache _cache = new(new CacheOptions { MemoryMegabytes = 1 });

    protected override IAnswerCache Cache => _cache;

    public void Dispose() => _cache.Dispose();

    [Fact]
    public async Task Many_answers_take_no_more_memory_than_there_is()
    {
        for (var i = 0; i < 10_000; i++)
        {
            await KeepAsync(_cache, $"question {i}", new string('x', 10_000), Ann);
        }

        var found = 0;
        for (var i = 0; i < 10_000; i++)
        {
            found += await FindAsync(_cache, $"question {i}", Ann) is null ? 0 : 1;
        }

        Assert.InRange(found, 0, 105);
    }
}

public sealed class RedisAnswerCacheTests : AnswerCacheTests, IOnRedis, IAsyncLifetime
{
    private readonly string _prefix = RedisServer.NewPrefix();
    private readonly List<IAsyncDisposable> _parts = [];
    private readonly TestDatabase _database = new();
    private RedisAnswerCache _cache = null!;

    protected override IAnswerCache Cache => _cache;

    public async Task InitializeAsync() => _cache = await StartAsync(await RedisServer.SharedAsync());

    public async Task DisposeAsync()
    {
        foreach (var part in Enumerable.Reverse(_parts))
        {
            await part.DisposeAsync();
        }

        await _database.DisposeAsync();
    }

    [RedisFact]
    public async Task What_one_instance_keeps_another_gives_and_what_one_changes_the_other_does_not_give_any_more()
    {
        var other = await StartAsync(await RedisServer.SharedAsync());
        await KeepAsync(_cache, "shared", "answer", Ann);
        Assert.Equal("answer", await FindAsync(other, "shared", Ann));
        other.Raise(Ann);
        await other.SettledAsync();
        Assert.Null(await FindAsync(_cache, "shared", Ann));
    }

    [RedisFact]
    public async Task A_Redis_that_starts_again_from_an_old_copy_gives_nothing_that_it_had()
    {
        await using var server = await RedisServer.StartAsync();
        var cache = await StartAsync(server);
        await KeepAsync(cache, "old", "answer", Ann);
        await server.CommandAsync("SAVE");
        cache.Raise(Ann);
        await cache.SettledAsync();
        await server.KillAsync();
        await server.StartAgainAsync();
        Assert.NotEmpty(await server.KeysAsync(_prefix)); // the answer from before the change, and the version it was kept under
        Assert.Null(await FindAsync(cache, "old", Ann));
    }

    [RedisFact]
    public async Task Who_cannot_tell_Redis_of_a_change_keeps_the_others_from_giving_what_it_ended()
    {
        var server = await RedisServer.SharedAsync();
        await using var gate = new ClosingGate(server.Port);
        var cut = await StartAsync(server, $"redis://127.0.0.1:{gate.Port}");
        await KeepAsync(cut, "fenced", "answer", Ann);
        Assert.Equal("answer", await FindAsync(_cache, "fenced", Ann));
        gate.Close();
        cut.Raise(Ann);
        await cut.SettledAsync();
        for (var i = 0; i < 10; i++)
        {
            Assert.Null((await _cache.LookAsync("fenced", [Ann], Longest)).Version);
            cut.Raise(Ann);
            await cut.SettledAsync(); // the fence stands: nobody waits again
        }

        Assert.Equal(1, await _database.ScalarAsync("SELECT count(*) FROM cache_fence"));
    }

    [RedisFact]
    public async Task Who_sees_that_a_run_ended_is_given_nothing_from_before_it_by_any_instance()
    {
        var held = new HeldCache(_cache);
        var other = await StartAsync(await RedisServer.SharedAsync());
        await using var runs = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped), answers: held);
        var run = await runs.OwnedAsync();
        var owner = CacheScope.OfUser("alice");
        await KeepAsync(other, "conversations", "old", owner);
        await using var stream = runs.Streams.ReadAsync(run.Id, new StreamPosition(run.Seq), tree: false, default).GetAsyncEnumerator();
        var answer = stream.MoveNextAsync().AsTask();
        await run.EndAsync();
        Assert.True(await answer);
        var end = stream.MoveNextAsync().AsTask();
        Assert.Equal("old", await FindAsync(other, "conversations", owner));
        Assert.False(end.IsCompleted, "the end was shown before the kept answers had ended");

        held.Go();
        Assert.True(await end.WaitAsync(TimeSpan.FromSeconds(60)));
        Assert.True(stream.Current.IsFinal);
        Assert.Null(await FindAsync(other, "conversations", owner));
    }

    [RedisFact]
    public async Task Other_instances_hear_of_the_end_of_a_run_when_the_kept_answers_have_ended()
    {
        var held = new HeldCache(_cache);
        await using var bus = new MemoryBus();
        var heard = new System.Collections.Concurrent.ConcurrentQueue<NoteKind>();
        var (at, there) = (bus.Join(), bus.Join());
        var interests = new Interests(TimeProvider.System);
        var signals = new RunSignals();
        var relay = new RunRelay(at, signals, interests, held, NullLogger<RunRelay>.Instance);
        interests.Note(WishKey.Run("r"), "there");
        using var hearing = there.Subscribe(RunRelay.TopicOf("there"), payload => heard.Enqueue(RunNote.Parse(payload).Note.Kind), static () => { });
        var run = new RunIdentity("r", "alice", "r", null, null, null, null, "team", "solo");
        relay.Appended(run, RunClosing.Record("r", "solo", 1, [new RunCompleted(TokenUsage.None, Money.Zero, Money.Zero, 1)], default));
        relay.Appended(run, RunClosing.Record("r", "solo", 0, [new RunStarted(1, "test")], default));
        await Wait.UntilAsync(() => !heard.IsEmpty);
        Assert.Single(heard); // the one that nobody asks for answers after
        held.Go();
        await Wait.UntilAsync(() => heard.Count == 2);
    }

    /// <summary>A way to Redis that takes as long as the test wants.</summary>
    private sealed class HeldCache(IAnswerCache inner) : IAnswerCache
    {
        private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly System.Collections.Concurrent.ConcurrentBag<CacheScope> _raised = [];

        public bool IsShared => true;

        public void Go() => _go.SetResult();

        public ValueTask<CacheLook> LookAsync(string key, IReadOnlyList<CacheScope> scopes, TimeSpan longest) => inner.LookAsync(key, scopes, longest);

        public ValueTask KeepAsync(string key, CacheLook look, byte[] answer) => inner.KeepAsync(key, look, answer);

        public void Raise(CacheScope scope) => _raised.Add(scope);

        public async Task SettledAsync()
        {
            await _go.Task;
            foreach (var scope in _raised)
            {
                inner.Raise(scope);
            }

            await inner.SettledAsync();
        }
    }

    private async Task<RedisAnswerCache> StartAsync(RedisServer server, string? url = null)
    {
        var fence = new CacheFence(_database.Database, new CacheOptions { Longest = Longest }, TimeProvider.System, NullLogger<CacheFence>.Instance);
        await fence.StartAsync(default);
        var pool = await server.PoolAsync(_prefix, url: url);
        var cache = new RedisAnswerCache(pool, fence, TimeProvider.System, NullLogger<RedisAnswerCache>.Instance);
        _parts.AddRange([new Stopping(fence), pool, cache]);
        return cache;
    }

    private sealed class Stopping(CacheFence fence) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await fence.StopAsync(default);
            fence.Dispose();
        }
    }
}
