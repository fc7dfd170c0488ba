using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>A message of the user about to be written.</summary>
internal sealed record NewMessage(string Id, string ConversationId, string OwnerId, string BranchId, string? ParentId, int Depth, string Content, string RunId, string? Metadata, string? Attachments = null);

/// <summary>
/// The chat's part of a run's transactions. A message that waits behind its branch has depth 0 and no parent; when its run gets its turn it is placed below the branch's leaf of that moment.
/// Depth is unique among the living messages of a branch, so the leaf is the deepest one.
/// </summary>
internal static class MessageWrites
{
    private const string NewConversation = """
        insert into conversations (id, owner_id, title, team, kind, current_leaf, created_at, updated_at)
        values (@id, @owner, @title, @team, @kind, @leaf, @now, @now)
        """;

    private const string InsertUserMessage = """
        insert into messages (id, conversation_id, owner_id, parent_id, branch_id, depth, role, content, run_id, status, metadata, attachments, created_at)
        values (@id, @conversation, @owner, @parent, @branch, @depth, 'user', @content, @run, @status, @metadata, @attachments, @now)
        """;

    /// <summary>What was rolled back while it waited finds no place any more.</summary>
    private const string Waiting = "select case when depth = 0 and dead = 0 then 1 else 0 end from messages where id = @id";

    private const string EndWaiting = "update messages set status = 'cancelled' where id = @id and depth = 0 and status = 'queued'";

    private const string Leaf = """
        select id, depth from messages where conversation_id = @conversation and branch_id = @branch and dead = 0 and depth > 0
        order by depth desc limit 1
        """;

    /// <summary>A rolled-back first message of a branch leaves the place where the branch began.</summary>
    private const string BranchOrigin = """
        select p.id, p.depth from messages m join messages p on p.id = m.parent_id
        where m.conversation_id = @conversation and m.branch_id = @branch and m.depth > 0 and p.dead = 0 order by m.depth limit 1
        """;

    /// <summary>A retry that brought nothing leaves the answer that the user looks at, or none at all.</summary>
    private const string RetryOrigin = """
        select p.id, p.depth from runs r join messages i on i.id = r.input_message_id join conversations c on c.id = r.conversation_id
        join messages p on p.id = coalesce((select a.id from messages a join runs x on x.id = a.run_id where a.id = c.current_leaf and x.input_message_id = i.id and a.dead = 0), i.id)
        where r.conversation_id = @conversation and r.branch_id = @branch and r.retry_of is not null and i.branch_id <> r.branch_id and p.dead = 0 and p.depth > 0 order by r.id limit 1
        """;

    private const string Place = "update messages set parent_id = @parent, depth = @depth, status = 'complete' where id = @id";

    /// <summary>A client that looks at another branch keeps its view; one that looks at the end of what the message goes on from goes along.</summary>
    private const string FollowOnBranch = """
        update conversations set updated_at = @now, current_leaf = case
            when current_leaf is null or current_leaf = @parent or (select branch_id from messages where id = current_leaf) = @branch then @leaf else current_leaf end
        where id = @id
        """;

    /// <summary>What was rolled back meanwhile is gone on from no more.</summary>
    private const string Touch = """
        update conversations set updated_at = @now, current_leaf = @leaf
        where id = @id and owner_id = @owner and exists (select 1 from messages where id = @leaf and dead = 0)
        """;

    private const string Exists = "select 1 from conversations where id = @id and owner_id = @owner";

    private static readonly SqlText ExistsHeld = SqlDialect.Held(Exists);

    /// <summary>Whoever writes into a conversation holds it first: its messages are looked at and written by one at a time, and it is not deleted meanwhile.</summary>
    private static readonly SqlText Hold = SqlDialect.Held("select 1 from conversations where id = @id");

    /// <summary>
    /// Below the run's last message on its branch (its input, or the user's answer to its question). A retry beside an answer has a branch of its own, which begins with its first message.
    /// A conversation that was deleted meanwhile gets nothing.
    /// </summary>
    private const string InsertRunMessage = """
        insert into messages (id, conversation_id, owner_id, parent_id, branch_id, depth, role, content, agent, run_id, status, tainted, dead, citations, documents, attachments, metadata, cut_by, created_at)
        select @id, i.conversation_id, i.owner_id, p.id,
            case when exists (select 1 from messages s where s.conversation_id = i.conversation_id and s.branch_id = coalesce(@branch, i.branch_id) and s.depth = p.depth + 1 and s.dead = 0)
                then @id else coalesce(@branch, i.branch_id) end,
            p.depth + 1, @role, @content, @agent, @run, @status, @tainted, case when exists (select 1 from runs r where r.id = @run and r.rolled_back = 1) then 1 else i.dead end, @citations, @documents, @attachments, @metadata, @cut_by, @now
        from messages i
        join messages p on p.id = coalesce((select q.id from messages q where q.conversation_id = i.conversation_id and q.branch_id = coalesce(@branch, i.branch_id)
            and q.run_id = @run and q.depth > i.depth order by q.depth desc limit 1), i.id)
        where i.id = @input
        """;

    /// <summary>
    /// Where the run's next message would have hung (see <see cref="InsertRunMessage"/>): at its last one on its branch, else at its input, which is on another branch if this is a retry.
    /// Not where something hangs below that already: what stands above a message never changes.
    /// </summary>
    private const string NoteStop = """
        update messages set stopped = @note, stopped_tainted = @tainted
        where id = coalesce((select m.id from messages m where m.conversation_id = @conversation and m.branch_id = @branch and m.depth > 0 and m.run_id = @run order by m.depth desc limit 1), @input)
            and depth > 0 and not exists (select 1 from messages c where c.conversation_id = @conversation and c.parent_id = messages.id)
        """;

    /// <summary>The view moves on if it was on the message's parent, or on what another run said to the same message.</summary>
    private const string FollowAnswer = """
        update conversations set updated_at = @now, current_leaf = case
            when (select parent_id from messages where id = @leaf) in (current_leaf, (select parent_id from messages where id = current_leaf))
                or (select r.input_message_id from messages m join runs r on r.id = m.run_id where m.id = current_leaf) = @input then @leaf
            else current_leaf end
        where id = @id and exists (select 1 from messages where id = @leaf and dead = 0)
        """;

    /// <summary>Of the run, and of those that were to take its place and are rolled back with it. A retry beside an answer did not bring its question: that stays with the answer.</summary>
    private const string Bury = """
        with recursive taken (id, input_message_id, branch_id) as (
            select r.id, r.input_message_id, r.branch_id from runs r where r.id = @run
            union select w.id, w.input_message_id, w.branch_id from runs r join runs w on w.branch_id = r.branch_id and w.queue_position is not null and w.ended_at is null and w.rolled_back = 1 where r.id = @run),
        fallen (id) as (
            select m.id from taken r join messages m on m.conversation_id = @conversation and (m.id = r.input_message_id and m.branch_id = r.branch_id or m.run_id = r.id and m.id <> r.input_message_id)
            union select m.id from messages m join fallen f on m.parent_id = f.id where m.conversation_id = @conversation)
        update messages set dead = 1 where id in (select id from fallen)
        """;

    /// <summary>To what another run answered to the same message, if that still counts; else to where the message was.</summary>
    private const string LeaveFallen = """
        update conversations set current_leaf = (select coalesce(
                (select a.id from messages a join runs x on x.id = a.run_id where a.conversation_id = @id and a.dead = 0 and a.id <> i.id and x.input_message_id = i.id order by a.depth desc, a.id desc limit 1),
                case when i.dead = 0 then i.id else i.parent_id end)
            from runs r join messages i on i.id = r.input_message_id where r.id = @run)
        where id = @id and current_leaf in (select id from messages where conversation_id = @id and dead = 1)
        """;

    public static async ValueTask NewConversationAsync(DbSession session, string id, string ownerId, string title, string? team, string kind, string? leaf) =>
        await session.SendAsync(session.Prepared(NewConversation)
            .Set("id", id).Set("owner", ownerId).Set("title", title).Set("team", team).Set("kind", kind).Set("leaf", leaf).Set("now", session.Now));

    /// <summary>Depth 0: placed later, by <see cref="PlaceAsync"/>.</summary>
    public static async ValueTask InsertAsync(DbSession session, NewMessage message) =>
        await session.SendAsync(session.Prepared(InsertUserMessage)
            .Set("id", message.Id).Set("conversation", message.ConversationId).Set("owner", message.OwnerId).Set("parent", message.ParentId)
            .Set("branch", message.BranchId).Set("depth", message.Depth).Set("content", message.Content).Set("run", message.RunId)
            .Set("status", message.Depth == 0 ? "queued" : "complete").Set("metadata", message.Metadata).Set("attachments", message.Attachments).Set("now", session.Now));

    /// <summary>False: deleted meanwhile, or somebody else's.</summary>
    public static ValueTask<bool> ConversationExistsAsync(DbSession session, string id, string ownerId) =>
        session.Prepared(Exists).Set("id", id).Set("owner", ownerId).AnyAsync();

    /// <summary>As <see cref="ConversationExistsAsync"/>, and so it stays until the transaction ends.</summary>
    public static ValueTask<bool> HoldConversationAsync(DbSession session, string id, string ownerId) =>
        session.Prepared(ExistsHeld).Set("id", id).Set("owner", ownerId).AnyAsync();

    /// <summary>Makes a message the one that the conversation goes on from.</summary>
    public static async ValueTask SelectAsync(DbSession session, string conversationId, string ownerId, string messageId) =>
        await session.SendAsync(session.Prepared(Touch).Set("id", conversationId).Set("owner", ownerId).Set("leaf", messageId).Set("now", session.Now));

    /// <summary>Names a conversation that has no title yet.</summary>
    public static async ValueTask NameAsync(DbSession session, string conversationId, string title) =>
        await session.SendAsync(session.Prepared("update conversations set title = @title where id = @id and title = ''").Set("title", title).Set("id", conversationId));

    /// <summary>The message's run gets its turn: it takes the branch's leaf as its parent. Does nothing for a message that has its place.</summary>
    /// <returns>False: the conversation was deleted.</returns>
    public static async ValueTask<bool> PlaceAsync(DbSession session, string conversationId, string branchId, string messageId)
    {
        await session.FlushAsync(); // what is read now may have been sent before
        if (!await session.HoldAsync(Hold, conversationId))
        {
            return false;
        }

        if (await session.Prepared(Waiting).Set("id", messageId).Int64Async() is not 1 and var waits)
        {
            return waits is not null; // it is gone with its conversation
        }

        var parent = await ReadPlace(session, Leaf, conversationId, branchId) ?? await ReadPlace(session, RetryOrigin, conversationId, branchId) ?? await ReadPlace(session, BranchOrigin, conversationId, branchId);
        await session.SendAsync(session.Prepared(Place).Set("parent", parent?.Id).Set("depth", (parent?.Depth ?? 0) + 1).Set("id", messageId));
        await session.SendAsync(session.Prepared(FollowOnBranch).Set("now", session.Now).Set("parent", parent?.Id).Set("branch", branchId).Set("leaf", messageId).Set("id", conversationId));
        return true;
    }

    /// <summary>
    /// The message's run ended before its turn. Does nothing for a message that has its place. That run is held, as by whoever would place the message, so the conversation need not be:
    /// the run before it may hold that, and wait for this one.
    /// </summary>
    public static async ValueTask EndWaitingAsync(DbSession session, string messageId) => await session.SendAsync(session.Prepared(EndWaiting).Set("id", messageId));

    /// <summary>A message that a run wrote: its answer, a question to the user, or the user's answer to that.</summary>
    /// <param name="branchId">The run's; null: that of its input message.</param>
    public static async ValueTask InsertFromRunAsync(DbSession session, string inputMessageId, string conversationId, string? branchId, RunMessage message)
    {
        await session.SendHoldAsync(Hold, conversationId); // if it is gone, so is the input message, and nothing is inserted
        await session.SendAsync(session.Prepared(InsertRunMessage)
            .Set("id", message.Id).Set("role", message.Role).Set("content", message.Content).Set("agent", message.Agent).Set("run", message.RunId)
            .Set("status", message.Status).Set("tainted", message.Tainted).Set("now", session.Now).Set("input", inputMessageId).Set("branch", branchId)
            .Set("citations", message.Citations.Count == 0 ? null : JsonSerializer.Serialize(message.Citations, ChatJson.Stored.IReadOnlyListCitation))
            .Set("documents", message.Documents is { Count: > 0 } documents ? string.Join(' ', documents) : null)
            .Set("attachments", Stored(message.Attachments)).Set("metadata", message.Metadata).Set("cut_by", message.CutBy));
        await session.SendAsync(session.Prepared(FollowAnswer).Set("now", session.Now).Set("leaf", message.Id).Set("input", inputMessageId).Set("id", conversationId));
    }

    /// <summary>The run has ended without an answer: whoever answers what is said next is told of it.</summary>
    public static async ValueTask NoteStopAsync(DbSession session, string conversationId, string branchId, string runId, string inputMessageId, StopNote note)
    {
        await session.SendHoldAsync(Hold, conversationId);
        await session.SendAsync(session.Prepared(NoteStop).Set("note", note.Text).Set("tainted", note.Tainted).Set("conversation", conversationId).Set("branch", branchId).Set("input", inputMessageId).Set("run", runId));
    }

    /// <summary>Rolls what came with a run, what was to take its place and is marked, and everything below them, back: kept for the log, no part of any history.</summary>
    public static async ValueTask BuryAsync(DbSession session, string conversationId, string runId)
    {
        await session.HoldAsync(Hold, conversationId);
        await session.Prepared(Bury).Set("run", runId).Set("conversation", conversationId).RunAsync();
        await session.Prepared(LeaveFallen).Set("run", runId).Set("id", conversationId).RunAsync();
    }

    private static async ValueTask<PlaceInTree?> ReadPlace(DbSession session, string sql, string conversationId, string branchId) =>
        await session.Prepared(sql).Set("conversation", conversationId).Set("branch", branchId)
            .FirstOrDefaultAsync(static row => new PlaceInTree(row.GetString(0), row.GetInt32(1)));

    /// <summary>What a message brings along, as its row has it; null: nothing.</summary>
    public static string? Stored(IReadOnlyList<AttachedDocument>? attachments) =>
        attachments is { Count: > 0 } ? JsonSerializer.Serialize(attachments, ChatJson.Stored.IReadOnlyListAttachedDocument) : null;

    /// <summary>Ids of documents as a message's row has them.</summary>
    public static IReadOnlyList<string> DocumentsFrom(string? stored) => stored?.Split(' ') ?? [];

    private sealed record PlaceInTree(string Id, int Depth);
}

/// <summary>A message that comes out of a run's events.</summary>
internal sealed record RunMessage(string Id, string RunId, string Role, string Content, string? Agent, string Status, bool Tainted, IReadOnlyList<Citation> Citations)
{
    /// <inheritdoc cref="MessageCompleted.Documents"/>
    public IReadOnlyList<string>? Documents { get; init; }

    /// <inheritdoc cref="MessageCompleted.CutBy"/>
    public string? CutBy { get; init; }

    /// <inheritdoc cref="InputReceived.Attachments"/>
    public IReadOnlyList<AttachedDocument>? Attachments { get; init; }

    /// <summary>Raw JSON object, or null.</summary>
    public string? Metadata { get; init; }
}
