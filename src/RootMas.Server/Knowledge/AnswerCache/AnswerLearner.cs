using System.Threading.Channels;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>A fresh answer to learn from.</summary>
/// <param name="Fresh">Null: it is nothing that a kept answer could be as good as (a call of a tool, personal data, half an answer), so any that would have been given was wrong.</param>
/// <param name="Epoch">Of the levels when the model was asked.</param>
internal sealed record Lesson(AnswerRequest Request, CachedAnswer? Fresh, Considered? Considered, long Epoch)
{
    /// <summary>False: only what it says of others is kept.</summary>
    public required bool IsKept { get; init; }
}

/// <summary>
/// Off the user's path: puts fresh answers into the database, compares them with those that could have been given, and lets the policy learn from it. Bounded: what comes faster than the settings allow is not learned from.
/// </summary>
internal sealed partial class AnswerLearner(AnswerLevels levels, AnswerLookup lookup, AnswerJudge judge, VerifiedPolicy policy, LearnerTools tools, ILogger<AnswerLearner> logger) : SupervisedService
{
    private const int Parallel = 4;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Upkeep = TimeSpan.FromSeconds(10);

    private readonly Channel<Lesson> _lessons = Channel.CreateBounded<Lesson>(new BoundedChannelOptions(1_000) { FullMode = BoundedChannelFullMode.Wait });
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly AnswerKeeper _keeper = new(levels, tools);
    private readonly Lock _lock = new();
    private long _second;
    private int _taken;
    private int _open;

    /// <summary>What the database has is known.</summary>
    public Task Loaded => _loaded.Task;

    /// <summary>Nothing waits to be learned from.</summary>
    public bool IsIdle => Volatile.Read(ref _open) == 0;

    /// <summary>Returns at once.</summary>
    public void Offer(Lesson lesson)
    {
        if (!MayTake())
        {
            AnswerCacheMetrics.NotStored("rate");
            return;
        }

        Interlocked.Increment(ref _open);
        if (!_lessons.Writer.TryWrite(lesson))
        {
            Interlocked.Decrement(ref _open);
            AnswerCacheMetrics.NotStored("busy");
        }
    }

    /// <summary>Changes of others may have been missed, and purges among them: whatever is in memory or on its way may be one that was purged.</summary>
    public Task LoadMissedAsync(CancellationToken cancellationToken)
    {
        levels.NextEpoch(); // before it is cleared: what comes after that with the old epoch takes itself out again
        levels.Memory.Remove(static _ => true);
        return LoadAsync(cancellationToken);
    }

    /// <summary>Reads everything anew: at the start, and when changes of others may have been missed, and when another embedder makes the vectors.</summary>
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var embedder = lookup.EmbedderName;
        StoredAnswers stored;
        await levels.Writing.WaitAsync(cancellationToken);
        try
        {
            var known = levels.Index.Answers.Select(static answer => answer.Id).ToHashSet();
            long epoch;
            do
            {
                epoch = levels.Epoch;
                stored = await levels.Store.LoadAsync(embedder, tools.Options.MaxQuestions, cancellationToken);
                levels.Index.Clear(embedder);
                foreach (var question in stored.Questions)
                {
                    levels.Index.Add(_keeper.Comparable(question));
                }
            }
            while (epoch != levels.Epoch); // somebody was erased after it was read

            if (levels.Redis is { } redis)
            {
                known.ExceptWith(stored.Questions.Select(static q => q.Known.Answer.Id)); // a purge that was missed did not reach what this process had put there
                await redis.RemoveAsync(known);
            }

            // How near right answers are is another thing with each embedder; and each answer here is a new one, which has its own observations again.
            policy.Relearn([.. stored.Observations.Select(o => (o.At, levels.Index.Find(o.AnswerId)?.Evidence, o.Same, o.Predicted))]);
        }
        finally
        {
            levels.Writing.Release();
        }

        await EmbedAgainAsync(stored.Questions.Where(q => q.Known.Vector is not null && q.Embedder != embedder).ToList(), embedder, cancellationToken);
        _loaded.TrySetResult();
    }

    /// <summary>Another process put a question there.</summary>
    public async Task TakeQuestionAsync(Guid id, CancellationToken cancellationToken)
    {
        await levels.Writing.WaitAsync(cancellationToken);
        try
        {
            var epoch = levels.Epoch;
            if (await levels.Store.FindQuestionAsync(id, cancellationToken) is { } question)
            {
                var known = _keeper.Comparable(question);
                levels.Index.Add(known);
                levels.Memory.RemoveOthers(known.Key, known.Answer.Id); // made anew there, because somebody did not want the old one
                await _keeper.TakeBackAsync(epoch, known.Answer.Id);
            }
        }
        finally
        {
            levels.Writing.Release();
        }
    }

    /// <summary>Another process compared answers. What an older version counted shows answers to be right more often than they are.</summary>
    public void TakeObservation(StoredObservation observation)
    {
        if (observation.Embedder == StoredObservation.With(levels.Index.Embedder))
        {
            policy.Recall(observation.At, levels.Index.Find(observation.AnswerId)?.Evidence, observation.Same, observation.Predicted);
        }
    }

    /// <summary>Another process let these go because there were too many.</summary>
    public void Forget(IReadOnlyCollection<Guid> gone) => _keeper.Forget(gone);

    protected override (TimeProvider Clock, ILogger Logger) Means => (tools.Clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        try
        {
            await LoadedAsync(stoppingToken);
            await KeepAllAsync(stoppingToken, ConsumeAsync, UpkeepAsync);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server stops; what was not learned from is only not kept.
        }
    }

    private Task ConsumeAsync(CancellationToken cancellationToken) => System.Threading.Tasks.Parallel.ForEachAsync(
        _lessons.Reader.ReadAllAsync(cancellationToken),
        new ParallelOptions { MaxDegreeOfParallelism = Parallel, CancellationToken = cancellationToken },
        async (lesson, token) =>
        {
            try
            {
                await LearnAsync(lesson, token);
            }
#pragma warning disable CA1031 // whatever is wrong with one answer must not end the learning from all, and with it the server
            catch (Exception e) when (!token.IsCancellationRequested)
#pragma warning restore CA1031
            {
                LogNotLearned(e);
            }
            finally
            {
                Interlocked.Decrement(ref _open);
            }
        });

    private async Task LoadedAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await LoadAsync(cancellationToken);
                return;
            }
            catch (StorageUnavailableException e)
            {
                LogNotLoaded(e);
                await Task.Delay(RetryAfter, tools.Clock, cancellationToken);
            }
        }
    }

    private async Task LearnAsync(Lesson lesson, CancellationToken cancellationToken)
    {
        var embedder = lookup.EmbedderName;
        var considered = lesson.Considered is { } before && before.Embedder == embedder ? before : null;
        var vector = considered?.Vector ?? await lookup.EmbedAsync(lesson.Request, isAwaited: false, cancellationToken);
        vector = embedder == lookup.EmbedderName ? vector : null; // it changed in between
        var marks = considered?.Marks ?? MeaningMarks.Of(lesson.Request.Question);
        var near = vector is null ? null : considered?.Near ?? levels.Index.Nearest(lesson.Request.Partition, marks, vector, embedder, tools.Clock.GetUtcNow());
        var (same, observation) = near is null ? (null, null) : await CompareAsync(lesson, near, embedder, cancellationToken);
        if (observation is not null && embedder == levels.Index.Embedder)
        {
            observation = observation with { Predicted = policy.Observe(observation.At, near!.Best.Evidence, considered?.Verdict ?? Verdict.None, observation.Same) };
        }

        if (lesson is not { IsKept: true, Fresh: { } fresh })
        {
            await (observation is null ? Task.CompletedTask : _keeper.StoreAsync(lesson, observation, cancellationToken));
            return;
        }

        var known = new KnownQuestion(Guid.CreateVersion7(tools.Clock.GetUtcNow()), lesson.Request.Partition, lesson.Request.Key, same ?? KnownAnswer.Of(fresh), marks, vector) { Asker = lesson.Request.Call.OwnerId, ConversationId = lesson.Request.Call.ConversationId };
        await _keeper.StoreAsync(lesson, new StoredQuestion(known, lesson.Request.Question, vector is null ? "" : embedder), isNew: same is null, observation, cancellationToken);
    }

    /// <summary>Which kept answer means the same as the fresh one, and what that says about the nearest.</summary>
    private async Task<(KnownAnswer? Same, StoredObservation? Observation)> CompareAsync(Lesson lesson, Neighbours near, string embedder, CancellationToken cancellationToken)
    {
        var kept = new List<(KnownAnswer Known, CachedAnswer Answer)>();
        foreach (var known in (IEnumerable<KnownAnswer>)[near.Best, .. near.Others])
        {
            if ((await levels.ReadAsync(known, cancellationToken)).Answer is { } answer)
            {
                kept.Add((known, answer));
            }
        }

        if (kept.Count == 0 || kept[0].Known != near.Best)
        {
            return (null, null);
        }

        var owner = lesson.Request.Call.OwnerId;
        var isOwn = levels.Index.Question(lesson.Request.Key) is not null;
        var isAudited = lesson.Considered?.Verdict.Audited == true;
        var (nearest, at) = await judge.CompareAsync(lesson.Request.Question, lesson.Fresh, [.. kept.Select(static k => k.Answer)], owner, isAudited, cancellationToken);
        AnswerCacheMetrics.Compared(nearest);

        // A question that is there already was asked anew on purpose: no look meets it as a similar one, so it says nothing about those.
        var isLearned = nearest != Sameness.Unknown && !isOwn;
        return (at is { } found ? kept[found].Known : null, isLearned ? new StoredObservation(near.Best.Id, near.At, nearest == Sameness.Same, StoredObservation.With(embedder)) : null);
    }

    private async Task UpkeepAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Upkeep, tools.Clock);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            try
            {
                await FlushAsync(cancellationToken);
                if (lookup.EmbedderName != levels.Index.Embedder)
                {
                    await LoadAsync(cancellationToken);
                }
            }
            catch (StorageUnavailableException e)
            {
                LogNotLearned(e);
            }
        }
    }

    /// <summary>See <see cref="AnswerKeeper.FlushAsync"/>.</summary>
    public Task FlushAsync(CancellationToken cancellationToken) => _keeper.FlushAsync(cancellationToken);

    private async Task EmbedAgainAsync(IReadOnlyList<StoredQuestion> questions, string embedder, CancellationToken cancellationToken)
    {
        foreach (var chunk in tools.Embedder is null ? [] : questions.Chunk(64))
        {
            try
            {
                var vectors = await tools.Embedder!.EmbedAsync([.. chunk.Select(static q => q.Text)], EmbedPurpose.Query, "system", cancellationToken);
                if (lookup.EmbedderName != embedder)
                {
                    return; // another change: everything is read anew soon
                }

                await levels.Store.Database.WriteAsync(
                    async session =>
                    {
                        for (var i = 0; i < chunk.Length; i++)
                        {
                            await AnswerStore.ReplaceVectorAsync(session, chunk[i].Known.Id, vectors[i], embedder);
                        }
                    },
                    cancellationToken);
                for (var i = 0; i < chunk.Length; i++)
                {
                    levels.Index.Replace(chunk[i].Known with { Vector = vectors[i] }, embedder);
                }
            }
            catch (Runtime.Agents.ModelException e)
            {
                LogNotEmbedded(e.ErrorClass);
                return;
            }
        }
    }

    private bool MayTake()
    {
        var second = tools.Clock.GetUtcNow().Ticks / TimeSpan.TicksPerSecond;
        lock (_lock)
        {
            (_second, _taken) = second == _second ? (second, _taken) : (second, 0);
            return _taken++ < tools.Options.LearnPerSecond;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Kept answers cannot be read at the moment; every question is answered anew until they can")]
    private partial void LogNotLoaded(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "An answer could not be put into the cache; it was given all the same")]
    private partial void LogNotLearned(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Kept questions could not be embedded anew ({Reason}); until the next start they are only found by equal ones")]
    private partial void LogNotEmbedded(string reason);
}

/// <summary>What the learner works with besides.</summary>
/// <param name="Embedder">Null: there is none.</param>
internal sealed record LearnerTools(IEmbedder? Embedder, ChangeFeed Changes, AnswerCacheOptions Options, TimeProvider Clock)
{
    public ValueTask Tell(DbSession session, string what, string subject) => Changes.AddAsync(session, AnswerChanges.Topic, $"{what}:{subject}");
}
