using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>What a client may change of a conversation; null members stay as they are.</summary>
public sealed record ConversationChange(string? Title, string? Team, bool? Archived, bool? Pinned, string? Folder);

/// <summary>Which conversations to list: newest activity first.</summary>
/// <param name="Filed">In a folder, or in none; null: both.</param>
/// <param name="Before">Where the last page ended; null: the first page.</param>
public sealed record ConversationQuery(bool? Archived, bool? Pinned, bool? Filed, int Limit, HistoryPosition? Before);

/// <summary>Conversations and messages of an owner. Ownership is part of every query.</summary>
public sealed class ConversationStore(IDatabase database, Outbox outbox)
{
    private const string Columns = "id, title, team, archived, pinned, current_leaf, created_at, updated_at, version, folder";

    private const string MessageColumns =
        "m.id, m.conversation_id, m.parent_id, m.branch_id, m.depth, m.role, m.content, m.agent, m.run_id, m.status, m.tainted, m.citations, m.metadata, m.created_at, m.attachments, f.score, f.reason, f.updated_at, m.cut_by";

    /// <summary>At most one row for a message: only its owner can rate it.</summary>
    private const string WithFeedback = "left join feedback f on f.message_id = m.id and f.owner_id = m.owner_id";

    public Task<Conversation?> FindAsync(string id, string ownerId, CancellationToken cancellationToken) =>
        database.LookAsync(session => FindAsync(session, id, ownerId), cancellationToken);

    /// <summary>A history that a client sent along, with the mark on what it has from this server that carries text from outside.</summary>
    public Task<IReadOnlyList<HistoryMessage>> WithTaintAsync(string ownerId, IReadOnlyList<HistoryMessage> history, CancellationToken cancellationToken) =>
        history.Any(static m => m is { Role: "assistant", Tainted: false }) ? TaintedAnswers.MarkAsync(database, ownerId, history, cancellationToken) : Task.FromResult(history);

    public Task<List<Conversation>> ListAsync(string ownerId, ConversationQuery query, CancellationToken cancellationToken)
    {
        var sql = $"select {Columns} from conversations where owner_id = @owner and kind = 'chat'"
            + (query.Archived is null ? "" : " and archived = @archived")
            + (query.Pinned is null ? "" : " and pinned = @pinned")
            + (query.Filed is not { } filed ? "" : filed ? " and folder is not null" : " and folder is null")
            + (query.Before is null ? "" : " and (updated_at, id) < (@time, @id)")
            + " order by updated_at desc, id desc limit @limit";
        return database.LookAsync(
            session =>
            {
                var command = session.Prepared(sql).Set("owner", ownerId).Set("limit", query.Limit);
                if (query.Archived is { } archived)
                {
                    command.Set("archived", archived);
                }

                if (query.Pinned is { } pinned)
                {
                    command.Set("pinned", pinned);
                }

                if (query.Before is { } before)
                {
                    command.Set("time", before.CreatedAt).Set("id", before.Id);
                }

                return command.ListAsync(ReadConversation);
            },
            cancellationToken);
    }

    public Task<Conversation> CreateAsync(string ownerId, string title, string? team, Made? also, CancellationToken cancellationToken)
    {
        var id = Guid.CreateVersion7().ToString();
        return database.WriteAsync(
            async session =>
            {
                await MessageWrites.NewConversationAsync(session, id, ownerId, title, team, "chat", leaf: null);
                await (also?.Invoke(session, id) ?? ValueTask.CompletedTask);
                await session.FlushAsync();
                return await FindAsync(session, id, ownerId) ?? throw new InvalidOperationException("A conversation that was just written cannot be read.");
            },
            cancellationToken);
    }

    /// <summary>The conversation that goes on where a caller names a user and none; made on first use.</summary>
    public async Task<string> DefaultAsync(string ownerId, CancellationToken cancellationToken)
    {
        const string find = "select id from conversations where owner_id = @owner and is_default = 1";
        if (await database.LookAsync(session => session.Prepared(find).Set("owner", ownerId).StringAsync(), cancellationToken) is { } known)
        {
            return known;
        }

        var id = Guid.CreateVersion7().ToString();
        return await database.WriteAsync(
            async session =>
            {
                await session.Prepared("""
                    insert into conversations (id, owner_id, title, is_default, created_at, updated_at) values (@id, @owner, '', 1, @now, @now)
                    on conflict (owner_id) where is_default = 1 do nothing
                    """).Set("id", id).Set("owner", ownerId).Set("now", session.Now).RunAsync();
                return (await session.Prepared(find).Set("owner", ownerId).StringAsync())!;
            },
            cancellationToken);
    }

    /// <summary>The changed conversation; null with <paramref name="version"/> current: no such conversation; else it was changed meanwhile and is given with its present version.</summary>
    public Task<(Conversation? Conversation, bool Changed)> ChangeAsync(
        string id, string ownerId, long version, ConversationChange change, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session =>
            {
                var changed = await session.Prepared("""
                    update conversations set title = coalesce(@title, title), team = case when @team is null then team when @team = '' then null else @team end,
                        archived = coalesce(@archived, archived), pinned = coalesce(@pinned, pinned),
                        folder = case when @folder is null then folder when @folder = '' then null else @folder end, version = version + 1, updated_at = @now
                    where id = @id and owner_id = @owner and version = @version
                    """)
                    .Set("title", change.Title).Set("team", change.Team).Set("folder", change.Folder)
                    .Set("archived", change.Archived is { } archived ? (archived ? 1L : 0L) : (long?)null)
                    .Set("pinned", change.Pinned is { } pinned ? (pinned ? 1L : 0L) : (long?)null)
                    .Set("now", session.Now).Set("id", id).Set("owner", ownerId).Set("version", version)
                    .RunAsync();
                return (await FindAsync(session, id, ownerId), changed == 1);
            },
            cancellationToken);

    /// <summary>False: not there in this version. Its runs are not shared any more, and go after it (<see cref="DeletedConversations"/>).</summary>
    /// <param name="unshared">The audit row of one of these runs.</param>
    public Task<bool> DeleteAsync(string id, string ownerId, long version, AuditWrite record, Func<string, AuditWrite> unshared, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session =>
            {
                await RunSharing.HoldInAsync(session, id, ownerId);
                var isGone = await session.Prepared("delete from conversations where id = @id and owner_id = @owner and version = @version")
                    .Set("id", id).Set("owner", ownerId).Set("version", version).RunAsync() == 1;
                if (isGone)
                {
                    await record(session);
                    await RunSharing.StopInAsync(session, id, ownerId, unshared);
                    await outbox.AddAsync(session, DeletedConversations.Topic, id);
                }

                return isGone;
            },
            cancellationToken);

    /// <summary>Where a message would go; null: no such conversation, or no living message <paramref name="parentId"/> in it.</summary>
    public Task<Placement?> PlaceAsync(string conversationId, string ownerId, string? parentId, CancellationToken cancellationToken) =>
        database.LookAsync(
            session => parentId switch
            {
                null => CurrentBranchAsync(session, conversationId, ownerId),
                SendMessage.Root => NewRootAsync(session, conversationId, ownerId),
                _ => BelowAsync(session, conversationId, ownerId, parentId),
            },
            cancellationToken);

    /// <summary>
    /// The tree, oldest first; with <paramref name="leaf"/> only the way to it, from the root. Null: no such conversation (or leaf).
    /// The position is the time of creation, on the way to a leaf the depth: a message that waited its turn is older than what stands above it.
    /// </summary>
    public Task<List<StoredMessage>?> MessagesAsync(string conversationId, string ownerId, string? leaf, int limit, HistoryPosition? after, CancellationToken cancellationToken) =>
        database.ReadAsync<List<StoredMessage>?>(
            async session =>
            {
                if (!await MessageWrites.ConversationExistsAsync(session, conversationId, ownerId))
                {
                    return null;
                }

                var order = leaf is null ? "created_at" : "depth";
                var sql = leaf is null
                    ? $"select {MessageColumns} from messages m {WithFeedback} where m.conversation_id = @conversation and m.dead = 0"
                    : $"""
                        with recursive path (id, parent_id) as (
                            select id, parent_id from messages where id = @leaf and conversation_id = @conversation and dead = 0
                            union all select p.id, p.parent_id from path join messages p on p.id = path.parent_id)
                        select {MessageColumns} from path join messages m on m.id = path.id {WithFeedback} where true
                        """;
                var command = session.Prepared($"{sql} and (m.{order}, m.id) > (@time, @id) order by m.{order}, m.id limit @limit")
                    .Set("conversation", conversationId).Set("time", after?.CreatedAt ?? 0).Set("id", after?.Id ?? "").Set("limit", limit);
                if (leaf is not null)
                {
                    command.Set("leaf", leaf);
                }

                var messages = await command.ListAsync(ReadMessage);
                return leaf is not null && after is null && messages.Count == 0 ? null : messages;
            },
            cancellationToken);

    /// <summary>What was said, oldest first, without what still waits or was rolled back.</summary>
    public Task<HistoryPage> HistoryAsync(string ownerId, HistoryQuery query, CancellationToken cancellationToken)
    {
        var of = query.ConversationId is null
            ? $"from messages m join conversations c on c.id = m.conversation_id {WithFeedback} where m.owner_id = @owner and c.kind = 'chat' and m.dead = 0 and m.depth > 0"
            : $"from messages m {WithFeedback} where m.owner_id = @owner and m.conversation_id = @conversation and m.dead = 0 and m.depth > 0";
        return database.ReadAsync(
            async session =>
            {
                if (query.ConversationId is { } id && !await MessageWrites.ConversationExistsAsync(session, id, ownerId))
                {
                    return new HistoryPage([], -1, null);
                }

                var total = await Of(session, $"select count(*) {of}", ownerId, query).Int64Async() ?? 0;
                var messages = await Of(session, $"select {MessageColumns} {of} and (m.created_at, m.id) > (@time, @id) order by m.created_at, m.id limit @limit offset @offset", ownerId, query)
                    .Set("time", query.After?.CreatedAt ?? 0).Set("id", query.After?.Id ?? "").Set("limit", query.Limit + 1).Set("offset", query.Offset)
                    .ListAsync(ReadMessage);
                return Page(messages, query.Limit, total);
            },
            cancellationToken);
    }

    /// <summary>Messages that users sent, all time and of all users: a count, never content.</summary>
    public Task<long> CountAsync(CancellationToken cancellationToken) =>
        database.LookAsync(async session => await session.Prepared("select count(*) from messages where role = 'user'").Int64Async() ?? 0, cancellationToken);

    /// <summary>Keeps what the user thinks of an answer; the last word counts. Null: no such answer of this user.</summary>
    public Task<DateTimeOffset?> RateAsync(string messageId, string ownerId, int score, string? reason, CancellationToken cancellationToken) =>
        database.WriteAsync<DateTimeOffset?>(
            async session => await session.Prepared("""
                insert into feedback (message_id, owner_id, score, reason, created_at, updated_at)
                select id, owner_id, @score, @reason, @now, @now from messages where id = @id and owner_id = @owner and role = 'assistant'
                on conflict (message_id, owner_id) do update set score = excluded.score, reason = excluded.reason, updated_at = excluded.updated_at
                """).Set("score", score).Set("reason", reason).Set("now", session.Now).Set("id", messageId).Set("owner", ownerId).RunAsync() == 1
                ? session.Now
                : null,
            cancellationToken);

    /// <summary>Forgets what the user thought of an answer. True as well if there was nothing to forget; false: no such answer of this user.</summary>
    public Task<bool> UnrateAsync(string messageId, string ownerId, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session => await session.Prepared("delete from feedback where message_id = @id and owner_id = @owner").Set("id", messageId).Set("owner", ownerId).RunAsync() == 1
                || await session.Prepared("select count(*) from messages where id = @id and owner_id = @owner and role = 'assistant'").Set("id", messageId).Set("owner", ownerId).Int64Async() == 1,
            cancellationToken);

    private static DbCommand Of(DbSession session, string sql, string ownerId, HistoryQuery query)
    {
        var command = session.Prepared(sql).Set("owner", ownerId);
        return query.ConversationId is { } id ? command.Set("conversation", id) : command;
    }

    private static HistoryPage Page(List<StoredMessage> messages, int limit, long total)
    {
        if (messages.Count <= limit)
        {
            return new HistoryPage(messages, total, null);
        }

        messages.RemoveAt(messages.Count - 1);
        return new HistoryPage(messages, total, new HistoryPosition(UnixTime.ToMicros(messages[^1].CreatedAt), messages[^1].Id));
    }

    private static ValueTask<Conversation?> FindAsync(DbSession session, string id, string ownerId) =>
        session.Prepared($"select {Columns} from conversations where id = @id and owner_id = @owner").Set("id", id).Set("owner", ownerId)
            .FirstOrDefaultAsync(ReadConversation);

    /// <summary>While the answer that the user looks at is made anew, what is said next goes on from the new one.</summary>
    internal const string CurrentBranch = """
        select c.team, case when c.title <> '' then 1 else 0 end, coalesce(
            (select r.branch_id from runs r where r.input_message_id = (select x.input_message_id from runs x where x.id = m.run_id) and r.retry_of is not null and r.ended_at is null and r.branch_id is not null order by r.id desc limit 1), m.branch_id, c.id)
        from conversations c left join messages m on m.id = c.current_leaf where c.id = @id and c.owner_id = @owner
        """;

    private static ValueTask<Placement?> CurrentBranchAsync(DbSession session, string conversationId, string ownerId) =>
        session.Prepared(CurrentBranch).Set("id", conversationId).Set("owner", ownerId)
            .FirstOrDefaultAsync(static row => new Placement(row.StringOrNull(0), row.Flag(1), row.GetString(2)));

    private static ValueTask<Placement?> NewRootAsync(DbSession session, string conversationId, string ownerId) =>
        session.Prepared("select team, case when title <> '' then 1 else 0 end from conversations where id = @id and owner_id = @owner").Set("id", conversationId).Set("owner", ownerId)
            .FirstOrDefaultAsync(static row => new Placement(row.StringOrNull(0), row.Flag(1), BranchId: null));

    /// <summary>The leaf of a branch goes on with it; any other message begins a new one.</summary>
    private static ValueTask<Placement?> BelowAsync(DbSession session, string conversationId, string ownerId, string parentId) =>
        session.Prepared("""
            select c.team, case when c.title <> '' then 1 else 0 end, m.branch_id, m.depth, case when exists (select 1 from messages d
                where d.conversation_id = m.conversation_id and d.branch_id = m.branch_id and d.depth > m.depth and d.dead = 0) then 1 else 0 end
            from messages m join conversations c on c.id = m.conversation_id
            where m.id = @parent and m.conversation_id = @id and m.owner_id = @owner and m.dead = 0 and m.depth > 0
            """).Set("parent", parentId).Set("id", conversationId).Set("owner", ownerId)
            .FirstOrDefaultAsync(row => row.GetInt64(4) == 0
                ? new Placement(row.StringOrNull(0), row.Flag(1), row.GetString(2))
                : new Placement(row.StringOrNull(0), row.Flag(1), BranchId: null, parentId, row.GetInt32(3)));

    private static Conversation ReadConversation(DbDataReader row) => new()
    {
        Id = row.GetString(0),
        Title = row.GetString(1),
        Team = row.StringOrNull(2),
        Archived = row.Flag(3),
        Pinned = row.Flag(4),
        CurrentLeaf = row.StringOrNull(5),
        CreatedAt = row.Time(6),
        UpdatedAt = row.Time(7),
        Version = row.GetInt64(8),
        Folder = row.StringOrNull(9),
    };

    private static StoredMessage ReadMessage(DbDataReader row) => new()
    {
        Id = row.GetString(0),
        ConversationId = row.GetString(1),
        ParentId = row.StringOrNull(2),
        BranchId = row.GetString(3),
        Depth = row.GetInt32(4),
        Role = row.GetString(5),
        Content = row.GetString(6),
        Agent = row.StringOrNull(7),
        RunId = row.StringOrNull(8),
        Status = row.GetString(9),
        Tainted = row.Flag(10),
        Citations = row.StringOrNull(11),
        Metadata = row.StringOrNull(12),
        CreatedAt = row.Time(13),
        Attachments = row.StringOrNull(14),
        CutBy = row.StringOrNull(18),
        Rating = row.IsDBNull(15) ? null : new Rating(row.GetInt32(15), row.StringOrNull(16), row.Time(17)),
    };
}
