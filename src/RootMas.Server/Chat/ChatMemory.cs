using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Chat's part of memory: offers exchanges to be read when their run has ended, and gives back what was said.</summary>
internal sealed class ChatMemory(IDatabase database, MemoryQueue queue) : IRunTransactionParticipant, IMemorySources
{
    private const string WordsOf = "select content from messages where id = @id and owner_id = @owner and dead = 0";

    private const string Said = """
        select m.id, m.content, m.dead, m.created_at, (select max(a.tainted) from messages a where a.conversation_id = m.conversation_id and a.run_id = @run), c.options
        from messages m left join run_contexts c on c.run_id = @run
        where m.conversation_id = @conversation and m.run_id = @run and m.owner_id = @owner and m.role = 'user' order by m.created_at, m.id limit 1
        """;

    private const string Dead = "select 1 from messages where conversation_id = @conversation and run_id = @run and owner_id = @owner and role = 'user' and dead = 1";

    public ValueTask OnCreatedAsync(DbSession session, RunIdentity run, bool takesTurn) => ValueTask.CompletedTask;

    public ValueTask OnActivatedAsync(DbSession session, RunIdentity run) => ValueTask.CompletedTask;

    /// <summary>Only runs of branches: calls of the OpenAI-compatible API bring their history themselves, and it is not theirs alone.</summary>
    public async ValueTask OnAppendedAsync(DbSession session, RunIdentity run, IReadOnlyList<EventRecord> events, RunStatus status)
    {
        if (!queue.IsOn || status != RunStatus.Completed || run is not { ConversationId: { } conversation, InputMessageId: { } input, BranchId: not null } || !events.Any(static e => e.Event is RunCompleted))
        {
            return;
        }

        if ((run.Input ?? await session.Prepared(WordsOf).Set("id", input).Set("owner", run.OwnerId).StringAsync()) is { } words && queue.Wants(words))
        {
            await queue.OfferAsync(session, run.RunId, run.OwnerId, conversation, input);
        }
    }

    public async ValueTask<SourceMessage?> FindAsync(string conversationId, string rootRunId, string ownerId, CancellationToken cancellationToken) => await database.LookAsync(
        session => session.Prepared(Said).Set("run", rootRunId).Set("conversation", conversationId).Set("owner", ownerId).FirstOrDefaultAsync(r => new SourceMessage(
            conversationId, r.GetString(0), rootRunId, r.GetString(1), Dead: r.Flag(2), Tainted: r.Int64OrNull(4) == 1, r.Time(3), MayRemember(r.StringOrNull(5)))),
        cancellationToken);

    /// <summary>Who rolls back, or deletes, holds the conversation too: so it was done before, or comes after the transaction.</summary>
    public async ValueTask<bool> HoldAsync(DbSession session, string conversationId, string rootRunId, string ownerId) =>
        await MessageWrites.HoldConversationAsync(session, conversationId, ownerId)
        && !await session.Prepared(Dead).Set("conversation", conversationId).Set("run", rootRunId).Set("owner", ownerId).AnyAsync();

    /// <summary>A credential that was cut down to less than writing memory leaves nothing there either.</summary>
    private static bool MayRemember(string? options) =>
        options is null || JsonSerializer.Deserialize(options, RunsJson.Default.RunRequestOptions)?.Permissions is not { } permissions || permissions.Contains("memory:write", StringComparer.Ordinal) || permissions.Contains("*", StringComparer.Ordinal);
}
