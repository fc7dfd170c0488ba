using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Conversations that were archived long ago go with their messages and runs, unless one of these has not ended.</summary>
internal static class ConversationRetention
{
    private const string Old = """
        from conversations c where c.archived = 1 and c.updated_at <= @oldest and not exists (
            select 1 from messages m join runs r on r.id = m.run_id where m.conversation_id = c.id and r.ended_at is null)
        """;

    private static readonly SqlText Held = SqlDialect.Held($"select c.id {Old} order by c.updated_at limit @limit", of: "c");

    public static RetentionKind Archived(TimeSpan keep) => new("archived_conversations", keep, CountAsync, PruneAsync);

    private static async ValueTask<long> CountAsync(DbSession session, DateTimeOffset oldest) => await session.Prepared($"select count(*) {Old}").Set("oldest", oldest).Int64Async() ?? 0;

    private static async ValueTask<int> PruneAsync(DbSession session, DateTimeOffset oldest, int limit)
    {
        var ids = await session.Prepared(Held.For(session.Kind)).Set("oldest", oldest).Set("limit", (long)limit).ListAsync(static r => r.GetString(0));
        foreach (var id in ids)
        {
            // Retried runs belong to the conversation too, and no message names them any more.
            var runs = await session.Prepared("""
                select distinct r.root_run_id from messages m join runs r on r.id = m.run_id where m.conversation_id = @id
                """).Set("id", id).ListAsync(static r => r.GetString(0));
            await RunRetention.EraseTreesAsync(session, runs);
            await session.Prepared("delete from conversations where id = @id").Set("id", id).RunAsync();
        }

        return ids.Count;
    }
}
