using Microsoft.Extensions.AI;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>One process's kept answers without the rest of it: it writes lessons of alice, erases her, and hears of nothing.</summary>
internal sealed class Lessons : IDisposable
{
    private readonly ChangeFeed _changes;
    private readonly AnswerKeeper _keeper;

    public Lessons(IDatabase database, RedisAnswers? redis = null)
    {
        Levels = new AnswerLevels(new ExactAnswers(10), new AnswerIndex(), redis, new AnswerStore(database));
        _changes = TestChanges.Of(database);
        _keeper = new AnswerKeeper(Levels, new LearnerTools(null, _changes, new AnswerCacheOptions(), TimeProvider.System));
        Purge = new AnswerPurge(Levels, _changes);
    }

    public AnswerLevels Levels { get; }

    public AnswerPurge Purge { get; }

    /// <summary>What was asked just now, with an observation beside it. The answer's id.</summary>
    public async Task<Guid> StoreAsync(string asker = "alice")
    {
        var call = CacheWorld.Call("What is a noun?", asker);
        var request = AnswerRequest.Of([new ChatMessage(ChatRole.User, call.Question)], new ChatOptions(), call, "1", AskedModels.None);
        var fresh = new CachedAnswer
        {
            Id = Guid.CreateVersion7(),
            OwnerId = asker,
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
            ExpiresAt = DateTimeOffset.UtcNow.AddHours(1),
        };
        var known = new KnownQuestion(Guid.CreateVersion7(), request.Partition, request.Key, KnownAnswer.Of(fresh), MeaningMarks.Of(request.Question), null) { Asker = asker };
        await _keeper.StoreAsync(
            new Lesson(request, fresh, null, Levels.Epoch) { IsKept = true }, new StoredQuestion(known, request.Question, ""), isNew: true, new StoredObservation(fresh.Id, new Nearness(0.9, 0.1), true, "local"), default);
        return fresh.Id;
    }

    public Task EraseAsync() => Levels.Store.Database.WriteAsync(session => EraseAsync(session, Purge), default);

    /// <summary>As an erasure does.</summary>
    public static async ValueTask EraseAsync(DbSession session, AnswerPurge purge)
    {
        await UserStore.HoldAsync(session, "alice");
        await purge.EraseAsync(session, "alice");
        await UserStore.RemoveAsync(session, "alice");
    }

    public void Dispose() => _changes.Dispose();
}

/// <summary>A database where something happens around each write.</summary>
internal sealed class WatchedWrites(IDatabase inner, Func<Task> before, Action after) : IDatabase
{
    public WatchedWrites(IDatabase inner, Action after)
        : this(inner, static () => Task.CompletedTask, after)
    {
    }

    public DatabaseKind Kind => inner.Kind;

    public Task OpenAsync() => inner.OpenAsync();

    public async Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
    {
        await before();
        var result = await inner.WriteAsync(work, cancellationToken);
        after();
        return result;
    }

    public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.ReadAsync(work, cancellationToken);
}
