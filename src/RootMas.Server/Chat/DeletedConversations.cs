using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>What was said in a conversation stands in its runs too: when it is deleted they go after it, with their logs and those below them, and the answers that were kept of it. What still works there is told to end first.</summary>
/// <remarks>Ledger and audit keep ids. A run that has just ended is left for a moment: somebody may be reading its last events.</remarks>
internal sealed class DeletedConversations(IDatabase database, RunStore store, Outbox outbox, IAnswerCache cache, IAnswerCachePurge kept, TimeProvider clock) : IOutboxHandler
{
    /// <summary>The payload is the conversation's id.</summary>
    public const string Topic = "conversation.deleted";

    public const string Reason = "Its conversation was deleted.";

    private const int AtOnce = 50;

    private const string Unended = "SELECT id FROM runs WHERE conversation_id = @conversation AND ended_at IS NULL AND id > @after ORDER BY id LIMIT 500";

    private const string Ended = """
        SELECT id, owner_id FROM runs WHERE conversation_id = @conversation AND parent_run_id IS NULL AND ended_at <= @before
            AND NOT EXISTS (SELECT 1 FROM runs AS below WHERE below.parent_run_id IS NOT NULL AND below.root_run_id = runs.id AND (below.ended_at IS NULL OR below.ended_at > @before))
        ORDER BY id LIMIT @limit
        """;

    private const string Left = "SELECT 1 FROM runs WHERE conversation_id = @conversation AND parent_run_id IS NULL LIMIT 1";

    private static readonly TimeSpan ReadMeanwhile = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    /// <summary>Then others have their turn, and this one comes again.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    public async Task HandleAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        var conversation = message.Payload;
        var scope = new PurgeScope("conversation", conversation);
        HashSet<string> told = new(StringComparer.Ordinal);
        await CancelAsync(conversation, told, cancellationToken);
        await kept.PurgeAsync(scope, cancellationToken);
        var began = clock.GetTimestamp();
        while (await EraseAsync(conversation, cancellationToken))
        {
            if (clock.GetElapsedTime(began) > Patience)
            {
                await database.WriteAsync(
                    async session =>
                    {
                        await outbox.AddAsync(session, Topic, conversation);
                        return true;
                    },
                    cancellationToken);
                return;
            }

            await Task.Delay(Look, clock, cancellationToken);
            await CancelAsync(conversation, told, cancellationToken); // what began nevertheless, as on an instance of an earlier version
        }

        if (told.Count > 0)
        {
            await kept.PurgeAsync(scope, cancellationToken); // what was answered before it heard that it is to end
        }
    }

    /// <param name="told">Those that know it already; whoever is told now is added.</param>
    private async Task CancelAsync(string conversation, HashSet<string> told, CancellationToken cancellationToken)
    {
        for (var after = ""; ;)
        {
            var page = await database.LookAsync(
                session => session.Prepared(Unended).Set("conversation", conversation).Set("after", after).ListAsync(static r => r.GetString(0)), cancellationToken);
            foreach (var run in page.Where(told.Add))
            {
                await store.InsertInboxAsync(run, ownerId: null, "cancel", new CancelRequested(Reason, By: null, KeepText: false), cancellationToken);
            }

            if (page.Count == 0)
            {
                return;
            }

            after = page[^1];
        }
    }

    /// <summary>Some trees for each transaction, so that others write in between. True: some are left that have not ended, or only just.</summary>
    private async Task<bool> EraseAsync(string conversation, CancellationToken cancellationToken)
    {
        while (true)
        {
            var erased = await database.WriteAsync(
                async session =>
                {
                    var runs = await session.Prepared(Ended).Set("conversation", conversation).Set("before", session.Now - ReadMeanwhile).Set("limit", (long)AtOnce)
                        .ListAsync(static r => (Id: r.GetString(0), Owner: r.GetString(1)));
                    await RunRetention.EraseTreesAsync(session, [.. runs.Select(static r => r.Id)]);
                    session.AfterCommit(() =>
                    {
                        foreach (var owner in runs.Select(static r => r.Owner).Distinct(StringComparer.Ordinal))
                        {
                            cache.Raise(CacheScope.OfUser(owner)); // kept lists still name what is gone
                        }
                    });
                    return runs.Count;
                },
                cancellationToken);
            if (erased < AtOnce)
            {
                return await database.LookAsync(session => session.Prepared(Left).Set("conversation", conversation).AnyAsync(), cancellationToken);
            }
        }
    }
}
