using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Conversations that were archived long ago go with their messages and runs, unless one of these has not ended.</summary>
internal static class ConversationRetention
{
    private const string Old = """
        from conversations c where c.archived = 1 and c.updated_at <= @oldest and not exists (
            select 1 from runs r where r.conversation_id = c.id and r.ended_at is null)
        """;

    private const string Roots = "select id from runs where conversation_id = @id and parent_run_id is null";

    /// <summary>Looked at again under the hold: a retry may have been accepted between the look and the hold, and holds its conversation, too.</summary>
    private const string AtWork = "select 1 from runs where conversation_id = @id and ended_at is null limit 1";

    private static readonly SqlText Held = SqlDialect.Held($"select c.id, c.owner_id {Old} order by c.updated_at limit @limit", of: "c");

    public static RetentionKind Archived(TimeSpan keep, IAnswerCache cache, AuditLog audit, Outbox outbox) =>
        new("archived_conversations", keep, CountAsync, (session, oldest, limit) => PruneAsync(session, oldest, limit, new Means(cache, audit, outbox)));

    private static async ValueTask<long> CountAsync(DbSession session, DateTimeOffset oldest) => await session.Prepared($"select count(*) {Old}").Set("oldest", oldest).Int64Async() ?? 0;

    private static async ValueTask<int> PruneAsync(DbSession session, DateTimeOffset oldest, int limit, Means means)
    {
        var gone = await session.Prepared(Held.For(session.Kind)).Set("oldest", oldest).Set("limit", (long)limit).ListAsync(static r => (Id: r.GetString(0), Owner: r.GetString(1)));
        var there = gone.Count;
        foreach (var conversation in gone.ToList())
        {
            if (await session.Prepared(AtWork).Set("id", conversation.Id).AnyAsync())
            {
                gone.Remove(conversation);
            }
        }

        List<string> unshared = [];
        foreach (var (id, ownerId) in gone)
        {
            await RunSharing.StopInAsync(session, id, ownerId, run => _ =>
            {
                unshared.Add(run);
                return ValueTask.CompletedTask;
            });

            // Retried runs belong to the conversation too, and no message names them: not yet, or not any more.
            var runs = await session.Prepared(Roots).Set("id", id).ListAsync(static r => r.GetString(0));
            await RunRetention.EraseTreesAsync(session, runs);
            await session.Prepared("delete from conversations where id = @id").Set("id", id).RunAsync();
        }

        await TellAsync(session, means, unshared, gone.Select(static g => g.Id));
        session.AfterCommit(() =>
        {
            foreach (var owner in gone.Select(static g => g.Owner).Distinct(StringComparer.Ordinal))
            {
                means.Cache.Raise(CacheScope.OfUser(owner)); // kept lists still name what is gone
            }

            means.Cache.Raise(CacheScope.Runs);
        });
        return there; // also of what stays: whoever calls asks again only where there may be more
    }

    /// <summary>At the end: who writes to the audit log or to the topic meanwhile waits for the commit.</summary>
    /// <param name="gone">Conversations: of these the answers that were kept go too.</param>
    private static async ValueTask TellAsync(DbSession session, Means means, List<string> unshared, IEnumerable<string> gone)
    {
        foreach (var run in unshared)
        {
            await means.Audit.AppendAsync(session, Unshared(run));
        }

        foreach (var id in gone)
        {
            await means.Outbox.AddAsync(session, DeletedConversations.Topic, id);
        }
    }

    /// <summary>Nobody asked for it: the server's retention did.</summary>
    private static AuditEntry Unshared(string runId) => new()
    {
        Action = "run.unshare",
        TargetKind = "run",
        TargetId = runId,
        After = new JsonObject { ["reason"] = "retention" },
    };

    private sealed record Means(IAnswerCache Cache, AuditLog Audit, Outbox Outbox);
}
