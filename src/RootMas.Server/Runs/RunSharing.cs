using System.Runtime.CompilerServices;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>Runs that their owners show to everybody who is signed in: to read, by their id, and until it is taken back (decision 37).</summary>
internal sealed class RunSharing(IDatabase database, IEnumerable<IRunTransactionParticipant> participants)
{
    private const string Share = "UPDATE runs SET shared_at = @now WHERE id = @id AND owner_id = @owner AND parent_run_id IS NULL AND shared_at IS NULL RETURNING conversation_id";

    private const string Stop = "UPDATE runs SET shared_at = NULL WHERE id = @id AND (@owner IS NULL OR owner_id = @owner) AND shared_at IS NOT NULL";

    private static readonly SqlText SharedIn = SqlDialect.Held("SELECT id FROM runs WHERE conversation_id = @conversation AND owner_id = @owner AND shared_at IS NOT NULL ORDER BY id");

    private const string StopAll = "UPDATE runs SET shared_at = NULL WHERE conversation_id = @conversation AND owner_id = @owner AND shared_at IS NOT NULL RETURNING id";

    private const string IsShared = $"SELECT 1 FROM runs s WHERE s.id = @root AND {RunReader.IsOpen}";

    /// <summary>Of a root run. What stands already is left as it is, and written down once.</summary>
    /// <param name="also">Written in the same transaction, also where it stands already.</param>
    public Task ShareAsync(string runId, string ownerId, AuditWrite record, Made? also, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            await ShareAsync(session, runId, ownerId, record);
            if (also is not null)
            {
                await also(session, runId);
            }
        },
        cancellationToken);

    private async ValueTask ShareAsync(DbSession session, string runId, string ownerId, AuditWrite record)
    {
        if (await session.Prepared(Share).Set("id", runId).Set("owner", ownerId).Set("now", session.Now).ListAsync(static row => row.StringOrNull(0)) is not [var conversation])
        {
            return;
        }

        if (conversation is not null)
        {
            foreach (var participant in participants)
            {
                await participant.OnSharedAsync(session, conversation, ownerId);
            }
        }

        await record(session);
    }

    /// <param name="ownerId">Null: whoever owns it (administrators).</param>
    public Task StopAsync(string runId, string? ownerId, AuditWrite record, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await session.Prepared(Stop).Set("id", runId).Set("owner", ownerId).RunAsync() > 0)
            {
                await record(session);
            }
        },
        cancellationToken);

    /// <summary>Before a conversation is deleted with which <see cref="StopInAsync"/> goes: a run is held before its conversation, as whoever writes its answer does.</summary>
    public static async ValueTask HoldInAsync(DbSession session, string conversationId, string ownerId) =>
        _ = await session.Prepared(SharedIn).Set("conversation", conversationId).Set("owner", ownerId).ListAsync(static row => row.GetString(0));

    /// <summary>In the transaction that deletes a conversation: who deletes what was said there does not show it to others any more either.</summary>
    /// <param name="record">Writes down that one run is not shared any more.</param>
    public static async ValueTask StopInAsync(DbSession session, string conversationId, string ownerId, Func<string, AuditWrite> record)
    {
        foreach (var runId in await session.Prepared(StopAll).Set("conversation", conversationId).Set("owner", ownerId).ListAsync(static row => row.GetString(0)))
        {
            await record(runId)(session);
        }
    }

    /// <summary>A page of one log for those whom the run is shown to.</summary>
    public Task<IReadOnlyList<StoredEvent>> ShowAsync(IReadOnlyList<StoredEvent> page, CancellationToken cancellationToken) => database.ReadAsync<IReadOnlyList<StoredEvent>>(
        async session =>
        {
            var log = new SharedLog();
            List<StoredEvent> shown = [];
            foreach (var e in page)
            {
                shown.Add(e with { Json = await log.ShowAsync(session, e.Type, e.Json) });
            }

            return shown;
        },
        cancellationToken);

    /// <summary>A stream for those whom a run is shown to. It is asked before every event whether it still is, so that taking it back holds for whoever reads it now; live pieces, which come too fast for that, are left out.</summary>
    public async IAsyncEnumerable<StreamItem> WhileSharedAsync(IAsyncEnumerable<StreamItem> items, string rootRunId, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var log = new SharedLog();
        await foreach (var item in EventRedaction.WithoutPieces(items, cancellationToken))
        {
            if (await database.ReadAsync(session => ShownAsync(session, log, item, rootRunId), cancellationToken) is not { } shown)
            {
                yield break;
            }

            yield return shown;
        }
    }

    /// <summary>Null: it is not shared any more.</summary>
    private static async ValueTask<StreamItem?> ShownAsync(DbSession session, SharedLog log, StreamItem item, string rootRunId) =>
        await session.Prepared(IsShared).Set("root", rootRunId).AnyAsync() ? item with { Json = await log.ShowAsync(session, item.Type, item.Json) } : null;
}
