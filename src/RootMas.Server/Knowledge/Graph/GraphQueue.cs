using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Graph;

/// <summary>A part of a document that is to be read for the graph.</summary>
/// <param name="Realm">Where what it says belongs: the user's id, or <c>collection:ID</c>.</param>
/// <param name="OwnerId">On whose account a model reads it.</param>
internal sealed record GraphJob(string ChunkId, string Realm, string OwnerId, string DocumentId, bool Tainted, string Text, int Attempts = 0);

/// <summary>
/// Parts of documents that wait to be read. Whoever stores a chunk offers it in the same transaction; it is read later, once, and its row goes with what came of it.
/// Removing a document: <see cref="GraphRemoval.RemoveDocumentAsync"/>, in its transaction.
/// </summary>
internal sealed class GraphQueue(IDatabase database, MemoryOptions options, MemorySignals signals)
{
    public const int MostAtOnce = 8;

    /// <summary>Instances that choose at the same moment choose the same parts; the later one chooses again.</summary>
    private const int Tries = 8;

    private const string Insert = """
        insert into graph_jobs (source_kind, source_id, realm, owner_id, document_id, tainted, text, created_at)
        values ('document', @id, @realm, @owner, @document, @tainted, @text, @now)
        on conflict (source_kind, source_id) do update set text = excluded.text, realm = excluded.realm, claim = null, claimed_until = null, attempts = 0
        """;

    /// <summary>Documents are text from outside, always.</summary>
    private const string InsertParts = """
        insert into graph_jobs (source_kind, source_id, realm, owner_id, document_id, tainted, text, created_at)
        select 'document', c.uid, 'collection:' || d.collection_id, d.owner_id, d.id, 1, c.text, @now from chunks c join documents d on d.id = c.document_id
        where c.document_id = @id and c.generation = @generation
        on conflict (source_kind, source_id) do nothing
        """;

    /// <summary>
    /// Whose parts are next: of all who have some that nobody reads, the one whose turn was longest ago (decision 57). One step of an index for each owner that waits, however many parts each of them has.
    /// </summary>
    internal const string Next = """
        with recursive owners (owner_id) as (
            select (select min(owner_id) from graph_jobs)
            union all
            select (select min(j.owner_id) from graph_jobs j where j.owner_id > o.owner_id) from owners o where o.owner_id is not null
        )
        select w.owner_id from (
            select o.owner_id,
                (select j.source_id from graph_jobs j where j.owner_id = o.owner_id and (j.claimed_until is null or j.claimed_until < @now) order by j.source_id limit 1) oldest,
                coalesce((select t.served from graph_turns t where t.owner_id = o.owner_id), 0) served
            from owners o where o.owner_id is not null
        ) w where w.oldest is not null order by w.served, w.oldest limit 1
        """;

    /// <summary>Ids of chunks rise with time.</summary>
    internal const string Waiting = """
        select source_id, realm, owner_id, coalesce(document_id, ''), tainted, text, attempts + 1 from graph_jobs
        where owner_id = @owner and (claimed_until is null or claimed_until < @now) order by source_id limit @limit
        """;

    /// <summary>The owner once more: it may have been erased since it was chosen, and then has no turn.</summary>
    private const string Take = """
        update graph_jobs set claim = @claim, claimed_until = @until, attempts = attempts + 1
        where source_kind = 'document' and source_id = @id and owner_id = @owner and (claimed_until is null or claimed_until < @now)
        """;

    /// <summary>A number and not the time: clocks are set back.</summary>
    private const string Serve = """
        insert into graph_turns (owner_id, served) values (@owner, (select coalesce(max(served), 0) + 1 from graph_turns))
        on conflict (owner_id) do update set served = excluded.served
        """;

    private const string Renew = "update graph_jobs set claimed_until = @until where source_kind = 'document' and source_id = @id and claim = @claim";

    private const string GiveBack = "update graph_jobs set claimed_until = @until, attempts = attempts - @uncounted where source_kind = 'document' and source_id = @id and claim = @claim";

    private const string Remove = "delete from graph_jobs where source_kind = 'document' and source_id = @id and claim = @claim";

    /// <summary>How long a part is somebody's without being renewed.</summary>
    public static TimeSpan Lease { get; } = TimeSpan.FromMinutes(3);

    /// <summary>In the transaction that publishes a document: what it said before is taken back, and its parts are read anew. Nothing is read while the settings say so.</summary>
    public async ValueTask OfferAsync(DbSession session, string documentId, long generation)
    {
        await GraphRemoval.RemoveDocumentAsync(session, documentId);
        if (options.GraphDocuments == GraphReading.Off)
        {
            return;
        }

        await session.Prepared(InsertParts).Set("id", documentId).Set("generation", generation).Set("now", session.Now).RunAsync();
        session.AfterCommit(signals.ChunkAdded);
    }

    /// <summary>One part, in the transaction that stores it.</summary>
    public async ValueTask OfferAsync(DbSession session, GraphJob job)
    {
        if (options.GraphDocuments == GraphReading.Off)
        {
            return;
        }

        await session.Prepared(Insert).Set("id", job.ChunkId).Set("realm", job.Realm).Set("owner", job.OwnerId).Set("document", job.DocumentId)
            .Set("tainted", job.Tainted).Set("text", job.Text).Set("now", session.Now).RunAsync();
        session.AfterCommit(signals.ChunkAdded);
    }

    /// <summary>This process owns the data, so whoever held claims is dead.</summary>
    public Task VoidClaimsAsync(CancellationToken cancellationToken) => database.Kind == DatabaseKind.Sqlite
        ? database.WriteAsync(static async session => _ = await session.Prepared("update graph_jobs set claimed_until = 0 where claim is not null").RunAsync(), cancellationToken)
        : Task.CompletedTask;

    /// <summary>The oldest parts of whoever's turn it is.</summary>
    /// <param name="claim">Of whoever takes them.</param>
    public Task<List<GraphJob>> TakeAsync(string claim, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            for (var tries = 0; tries < Tries && await session.Prepared(Next).Set("now", session.Now).StringAsync() is { } owner; tries++)
            {
                if (await TakeOfAsync(session, owner, claim) is { Count: > 0 } taken)
                {
                    await session.Prepared(Serve).Set("owner", owner).RunAsync();
                    return taken;
                }
            }

            return [];
        },
        cancellationToken);

    private static async ValueTask<List<GraphJob>> TakeOfAsync(DbSession session, string owner, string claim)
    {
        var taken = new List<GraphJob>();
        var waiting = await session.Prepared(Waiting).Set("owner", owner).Set("now", session.Now).Set("limit", (long)MostAtOnce)
            .ListAsync(static r => new GraphJob(r.GetString(0), r.GetString(1), r.GetString(2), r.GetString(3), r.Flag(4), r.GetString(5), r.GetInt32(6)));
        foreach (var job in waiting)
        {
            if (await session.Prepared(Take).Set("claim", claim).Set("until", session.Now + Lease).Set("id", job.ChunkId).Set("owner", owner).Set("now", session.Now).RunAsync() == 1)
            {
                taken.Add(job);
            }
        }

        return taken;
    }

    /// <summary>As if it were taken now. False: it is not this claim's any more.</summary>
    public Task<bool> RenewAsync(GraphJob job, string claim, CancellationToken cancellationToken) => database.WriteAsync(
        async session => await session.Prepared(Renew).Set("until", session.Now + Lease).Set("id", job.ChunkId).Set("claim", claim).RunAsync() == 1, cancellationToken);

    /// <summary>False: somebody else has it now, or its document is gone.</summary>
    public static async ValueTask<bool> FinishAsync(DbSession session, GraphJob job, string claim) =>
        await session.Prepared(Remove).Set("id", job.ChunkId).Set("claim", claim).RunAsync() == 1;

    /// <summary>It cannot be read; search finds it all the same.</summary>
    public Task LeaveOutAsync(GraphJob job, string claim, CancellationToken cancellationToken) =>
        database.WriteAsync(async session => _ = await FinishAsync(session, job, claim), cancellationToken);

    /// <param name="counts">Whether it was one of the attempts that it has.</param>
    public Task GiveBackAsync(GraphJob job, string claim, TimeSpan after, bool counts, CancellationToken cancellationToken) => database.WriteAsync(
        async session => _ = await session.Prepared(GiveBack).Set("until", session.Now + after).Set("uncounted", counts ? 0L : 1L).Set("id", job.ChunkId).Set("claim", claim).RunAsync(), cancellationToken);
}
