using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Writes down what was learned, in the database and then in the index, and keeps both within their bounds.</summary>
internal sealed class AnswerKeeper(AnswerLevels levels, LearnerTools tools)
{
    /// <summary>Ids in one message to other processes.</summary>
    private const int IdsAtOnce = 100;

    /// <param name="isNew">The fresh answer is kept; else the question was put to one that was there.</param>
    public async Task StoreAsync(Lesson lesson, StoredQuestion question, bool isNew, StoredObservation? observation, CancellationToken cancellationToken)
    {
        await levels.Writing.WaitAsync(cancellationToken);
        try
        {
            if (lesson.Epoch != levels.Epoch)
            {
                return;
            }

            var writing = new Writing(lesson, question, isNew, observation, levels.Index.Question(question.Known.Key));
            if (!await levels.Store.Database.WriteAsync(session => WriteAsync(session, writing), cancellationToken))
            {
                return;
            }

            levels.Index.Add(Comparable(question));
            if (levels.Redis is { } redis)
            {
                if (isNew)
                {
                    await redis.KeepAsync(lesson.Fresh!);
                }

                if (writing.Replaced is { Answer.Id: var old } && levels.Index.Find(old) is null)
                {
                    await redis.RemoveAsync([old]);
                }
            }

            await TakeBackAsync(lesson.Epoch, question.Known.Answer.Id);
        }
        finally
        {
            levels.Writing.Release();
        }
    }

    /// <summary>Of an answer that is not kept itself: what it says about one that is.</summary>
    public async Task StoreAsync(Lesson lesson, StoredObservation observation, CancellationToken cancellationToken)
    {
        await levels.Writing.WaitAsync(cancellationToken);
        try
        {
            await levels.Store.Database.WriteAsync(
                async session =>
                {
                    if (await IsWantedAsync(session, lesson))
                    {
                        await InsertAsync(session, observation);
                    }

                    return true;
                },
                cancellationToken);
        }
        finally
        {
            levels.Writing.Release();
        }
    }

    /// <summary>Who erases a user does not wait for <see cref="AnswerLevels.Writing"/>: an answer that came into index and Redis after they had looked there goes again. If its row stays it is only missed.</summary>
    /// <param name="epoch">Of before it was written or read.</param>
    public async ValueTask TakeBackAsync(long epoch, Guid answer)
    {
        if (epoch == levels.Epoch)
        {
            return;
        }

        Forget([answer]);
        if (levels.Redis is { } redis)
        {
            await redis.RemoveAsync([answer]);
        }
    }

    /// <summary>Writes down how often answers were given, and lets the longest unused go where there is too much.</summary>
    public async Task FlushAsync(CancellationToken cancellationToken)
    {
        var now = tools.Clock.GetUtcNow();
        levels.Index.Remove(answer => answer.ExpiresAt <= now);
        var hits = levels.Index.Answers.Select(static a => (a.Id, Hits: a.TakeHits())).Where(static h => h.Hits > 0).ToList();
        var isOver = levels.Index.Count > tools.Options.MaxEntries || levels.Index.QuestionCount > tools.Options.MaxQuestions;
        if (hits.Count == 0 && !isOver)
        {
            return;
        }

        await levels.Writing.WaitAsync(cancellationToken);
        try
        {
            var gone = await levels.Store.Database.WriteAsync(
                async session =>
                {
                    foreach (var (id, count) in hits)
                    {
                        await AnswerStore.AddHitsAsync(session, id, count);
                    }

                    await session.FlushAsync(); // what was just used is not the longest unused
                    return isOver ? await TrimAsync(session) : [];
                },
                cancellationToken);
            Forget(gone);
            if (levels.Redis is { } redis)
            {
                await redis.RemoveAsync(gone);
            }
        }
        finally
        {
            levels.Writing.Release();
        }
    }

    /// <summary>Answers that are no longer in the database.</summary>
    public void Forget(IReadOnlyCollection<Guid> gone)
    {
        var ids = gone.ToHashSet();
        levels.Index.Remove(answer => ids.Contains(answer.Id));
    }

    /// <summary>Vectors of another embedder cannot be compared: until they are made anew the question is only found by an equal one.</summary>
    public KnownQuestion Comparable(StoredQuestion question) => question.Embedder == levels.Index.Embedder ? question.Known : question.Known with { Vector = null };

    private async ValueTask<IReadOnlyList<Guid>> TrimAsync(DbSession session)
    {
        var gone = await AnswerStore.TrimAsync(session, tools.Options.MaxEntries, tools.Options.MaxQuestions);
        foreach (var part in gone.Chunk(IdsAtOnce))
        {
            await tools.Tell(session, "gone", string.Join(',', part));
        }

        return gone;
    }

    /// <returns>False: nothing is to be put into the index. The answer that the question was to be put to is gone, or what it belongs to was purged meanwhile, or it is there already.</returns>
    private async ValueTask<bool> WriteAsync(DbSession session, Writing writing)
    {
        var (lesson, question, isNew, observation, replaced) = writing;

        if (!await IsWantedAsync(session, lesson))
        {
            return false;
        }

        if (observation is not null)
        {
            await InsertAsync(session, observation);
        }

        if (!isNew && (IsThere(question, replaced) || !await AnswerStore.ExistsAsync(session, question.Known.Answer.Id)))
        {
            return false;
        }

        if (isNew)
        {
            await AnswerStore.InsertAsync(session, lesson.Fresh!);
        }

        await AnswerStore.InsertAsync(session, question);
        if (replaced is not null || !isNew)
        {
            await session.FlushAsync(); // it counts in what goes now
        }

        if (replaced is not null)
        {
            await AnswerStore.RemoveAsync(session, replaced);
        }

        if (!isNew)
        {
            await AnswerStore.RemoveOlderAsync(session, question.Known.Answer.Id, AnswerIndex.MostQuestions);
        }

        await tools.Tell(session, "question", question.Known.Id.ToString());
        return true;
    }

    /// <summary>The epoch tells of purges that this process made or has heard of. Who was erased through another one, or in a transaction that is not over yet, their row tells: this waits for it.</summary>
    private async ValueTask<bool> IsWantedAsync(DbSession session, Lesson lesson) => await UserStore.StaysAsync(session, lesson.Request.Call.OwnerId) && lesson.Epoch == levels.Epoch;

    private async ValueTask InsertAsync(DbSession session, StoredObservation observation)
    {
        await AnswerStore.InsertAsync(session, observation);
        await tools.Tell(session, "observed", AnswerChanges.Write(observation));
    }

    /// <summary>The same question with the same answer, that can be compared as well as this one.</summary>
    private bool IsThere(StoredQuestion question, KnownQuestion? known) =>
        known is not null && known.Answer.Id == question.Known.Answer.Id && (known.Vector is not null || Comparable(question).Vector is null);

    /// <param name="Replaced">What an equal request found until now.</param>
    private sealed record Writing(Lesson Lesson, StoredQuestion Question, bool IsNew, StoredObservation? Observation, KnownQuestion? Replaced);
}
