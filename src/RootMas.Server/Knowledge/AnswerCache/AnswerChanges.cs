using System.Globalization;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Follows what other processes of the installation keep, learn and forget.</summary>
internal sealed class AnswerChanges
{
    public const string Topic = "answers";

    private readonly AnswerLearner _learner;
    private readonly AnswerPurge _purge;

    public AnswerChanges(ChangeFeed changes, AnswerLearner learner, AnswerPurge purge)
    {
        (_learner, _purge) = (learner, purge);
        changes.Subscribe(Topic, HeardAsync, () => learner.LoadMissedAsync(CancellationToken.None));
    }

    public static string Write(StoredObservation o) => string.Create(CultureInfo.InvariantCulture, $"{o.AnswerId}|{o.At.Similarity:R}|{o.At.Margin:R}|{(o.Same ? 1 : 0)}|{o.Predicted:R}|{o.Embedder}");

    private Task HeardAsync(string subject) => subject.Split(':', 2) switch
    {
        ["question", var id] when Guid.TryParse(id, out var question) => _learner.TakeQuestionAsync(question, CancellationToken.None),
        ["observed", var text] when Read(text, predicts: true) is { } observation => Take(observation),
        ["observation", var text] when Read(text, predicts: false) is { } observation => Take(observation), // as versions before 0062 of the database say it
        ["gone", var ids] => Forget(ids),
        ["purge" or "asked", var scope] when scope.Split(':', 2) is [var kind, var id] => _purge.FollowAsync(new PurgeScope(kind, id)),
        _ => Task.CompletedTask,
    };

    private Task Take(StoredObservation observation)
    {
        _learner.TakeObservation(observation);
        return Task.CompletedTask;
    }

    private Task Forget(string ids)
    {
        _learner.Forget([.. ids.Split(',').Where(static id => Guid.TryParse(id, out _)).Select(Guid.Parse)]);
        return Task.CompletedTask;
    }

    /// <param name="text">Names of embedders stand at the end, for they may have any sign in them. Versions before 0040 of the database end before it.</param>
    /// <param name="predicts">What was expected stands before it.</param>
    internal static StoredObservation? Read(string text, bool predicts)
    {
        if (text.Split('|', predicts ? 6 : 5) is not [var id, var similarity, var margin, var same, .. var rest] || !Guid.TryParse(id, out var answer)
            || !double.TryParse(similarity, CultureInfo.InvariantCulture, out var s) || !double.TryParse(margin, CultureInfo.InvariantCulture, out var m))
        {
            return null;
        }

        return new StoredObservation(answer, new Nearness(s, m), same == "1", rest.ElementAtOrDefault(predicts ? 1 : 0))
        {
            Predicted = predicts && double.TryParse(rest.ElementAtOrDefault(0), CultureInfo.InvariantCulture, out var expected) ? expected : null,
        };
    }
}

/// <summary>
/// Forgets kept answers. When the task completes no request of this process gets one of them, and none that was on its way is kept; other processes follow within about a second. Where
/// there is no Redis they read the answer's row before they give it by similarity or from the database, so those end with the commit; where there is one, with the removal of its copy right after.
/// </summary>
internal sealed class AnswerPurge(AnswerLevels levels, ChangeFeed changes) : IAnswerCachePurge
{
    public ValueTask<int> PurgeAsync(PurgeScope scope, CancellationToken cancellationToken) => PurgeAsync(scope, null, cancellationToken);

    /// <param name="beside">Written in the same transaction: a row of the audit log.</param>
    public async ValueTask<int> PurgeAsync(PurgeScope scope, Func<DbSession, ValueTask>? beside, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(scope);
        await levels.Writing.WaitAsync(cancellationToken);
        try
        {
            levels.NextEpoch();
            var removed = await levels.Store.Database.WriteAsync(
                async session =>
                {
                    var gone = await AnswerStore.RemoveAsync(session, scope);
                    await TellAsync(session, scope, gone);
                    if (beside is not null)
                    {
                        await beside(session);
                    }

                    return gone;
                },
                cancellationToken);
            await ForgetAsync(scope, removed);
            return removed.Count;
        }
        finally
        {
            levels.Writing.Release();
        }
    }

    /// <summary>Versions before 0084 of the database know no conversations here and would forget everything: to them it is said by its answers.</summary>
    private async ValueTask TellAsync(DbSession session, PurgeScope scope, IReadOnlyList<Guid> gone)
    {
        var isOfConversation = scope.Kind == "conversation";
        await changes.AddAsync(session, AnswerChanges.Topic, $"{(isOfConversation ? "asked" : "purge")}:{scope.Kind}:{scope.Id}");
        foreach (var ids in isOfConversation ? gone.Chunk(50) : [])
        {
            await changes.AddAsync(session, AnswerChanges.Topic, $"gone:{string.Join(',', ids)}");
        }
    }

    /// <summary>Another process did. What came into the database from a request that was on its way here goes too.</summary>
    public async Task FollowAsync(PurgeScope scope)
    {
        await levels.Writing.WaitAsync();
        try
        {
            levels.NextEpoch();
            await ForgetAsync(scope, await levels.Store.Database.WriteAsync(session => AnswerStore.RemoveAsync(session, scope), CancellationToken.None));
        }
        finally
        {
            levels.Writing.Release();
        }
    }

    /// <summary>With a user's erasure, in its transaction.</summary>
    public async ValueTask EraseAsync(DbSession session, string userId)
    {
        var scope = new PurgeScope("user", userId);
        levels.NextEpoch(); // what was asked before is not kept, whatever becomes of this transaction
        var removed = await AnswerStore.RemoveAsync(session, scope);
        await changes.AddAsync(session, AnswerChanges.Topic, $"purge:{scope.Kind}:{scope.Id}");
        session.AfterCommit(() =>
        {
            levels.NextEpoch();
            _ = ForgetAsync(scope, removed).AsTask(); // at once but for Redis, whose copies nobody finds any more
        });
    }

    /// <summary>In memory, index and Redis.</summary>
    /// <param name="removed">From the database: this index need not know of an answer that another instance put into Redis.</param>
    private async ValueTask ForgetAsync(PurgeScope scope, IReadOnlyCollection<Guid> removed)
    {
        var gone = levels.Index.Answers.Where(answer => answer.IsOf(scope)).Select(static answer => answer.Id).ToHashSet();
        gone.UnionWith(removed);
        levels.Index.Remove(answer => gone.Contains(answer.Id));
        if (QuestionsOf(scope) is { } asked)
        {
            gone.UnionWith(levels.Index.RemoveQuestions(asked));
        }

        levels.Memory.Remove(answer => gone.Contains(answer.Id) || KnownAnswer.Of(answer).IsOf(scope) || IsAskedFor(answer, scope));
        if (levels.Redis is { } redis)
        {
            await redis.RemoveAsync(gone);
        }
    }

    /// <summary>Questions that go whoever has the answers; null: answers are what goes.</summary>
    private static Predicate<KnownQuestion>? QuestionsOf(PurgeScope scope) => scope.Kind switch
    {
        "user" => question => question.IsAskedBy(scope.Id),
        "conversation" => question => question.ConversationId == scope.Id,
        _ => null,
    };

    /// <summary>Of everybody's answers the memory does not know who asked: all of them are read again when they are asked for.</summary>
    private static bool IsAskedFor(CachedAnswer answer, PurgeScope scope) => scope.Kind switch
    {
        "user" => answer.OwnerId == AnswerRequest.Public,
        "conversation" => answer.ConversationId == scope.Id,
        _ => false,
    };
}
