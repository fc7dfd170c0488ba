using System.Data.Common;
using RootMas.Server.Knowledge.Documents.Extraction;
using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;

namespace RootMas.Server.Knowledge.Documents.Indexing;

/// <summary>A document that this process works on.</summary>
/// <param name="Generation">What its chunks are made for; another upload of it in the meantime makes them worthless.</param>
/// <param name="Attempt">Rises with every claim: whoever holds an earlier one has lost the document.</param>
internal sealed record IndexJob(string DocumentId, string OwnerId, string CollectionId, string Name, long Generation, int Attempt, byte[] Content);

/// <summary>A chunk as it is stored.</summary>
internal sealed record StoredChunk(Guid Uid, Chunk Chunk);

/// <summary>The queue of documents, and what indexing writes. A document belongs to whoever claimed it last; whoever writes for one that was deleted, replaced or claimed by somebody else meanwhile is told so, and nothing is written.</summary>
internal sealed class IndexStore(IDatabase database, DocumentErasure erasure, GraphQueue graph, Outbox outbox, DocumentSignals signals)
{
    /// <summary>Two processes that choose at the same moment choose the same document; the later one chooses again.</summary>
    private const int Tries = 8;

    /// <summary>
    /// The next document: the oldest of whoever has the fewest in work, of several the one whose turn was longest ago. One step of an index for each owner that waits, however many documents each of them has.
    /// </summary>
    internal const string Claim = """
        update documents set status = 'working', stage = 'extracting', done = 0, total = 0, attempts = attempts + 1, lease_until = @until, updated_at = @now
        where id = (
            with recursive owners (owner_id) as (
                select (select min(owner_id) from documents where status in ('queued', 'working'))
                union all
                select (select min(d.owner_id) from documents d where d.status in ('queued', 'working') and d.owner_id > o.owner_id) from owners o where o.owner_id is not null
            )
            select w.id from (
                select (select d.id from documents d where d.owner_id = o.owner_id and d.status in ('queued', 'working') and (d.lease_until is null or d.lease_until <= @now) order by d.created_at, d.id limit 1) id,
                    (select count(*) from documents d where d.owner_id = o.owner_id and d.status = 'working' and d.lease_until > @now) busy,
                    coalesce((select t.served from document_turns t where t.owner_id = o.owner_id), 0) served
                from owners o where o.owner_id is not null
            ) w where w.id is not null order by w.busy, w.served, (select n.created_at from documents n where n.id = w.id), w.id limit 1
        ) and (lease_until is null or lease_until <= @now) and status in ('queued', 'working')
        returning id, owner_id, collection_id, name, next, attempts
        """;

    /// <summary>A number and not the time: clocks are set back.</summary>
    private const string Serve = """
        insert into document_turns (owner_id, served) values (@owner, (select coalesce(max(served), 0) + 1 from document_turns))
        on conflict (owner_id) do update set served = excluded.served
        """;

    private const string IsWaiting = "select 1 from documents where status in ('queued', 'working') and (lease_until is null or lease_until <= @now) limit 1";

    private const string InsertChunk = """
        insert into chunks (uid, document_id, generation, ordinal, heading, page, start_at, end_at, text)
        values (@uid, @document, @generation, @ordinal, @heading, @page, @start, @end, @text) returning id
        """;

    private const string Publish = """
        update documents set status = 'ready', stage = '', done = 0, total = 0, generation = @generation, kind = @kind, pages = @pages, chunks = @chunks, characters = @characters,
            attempts = 0, lease_until = null, error_code = null, error = null, updated_at = @now
        where id = @id and next = @generation and status = 'working' and attempts = @attempt
        """;

    private static readonly SqlText Hold = SqlDialect.Held("select generation from documents where id = @id and next = @generation and status = 'working' and attempts = @attempt");

    /// <summary>The next document that nobody works on; null: there is none.</summary>
    public async Task<IndexJob?> ClaimAsync(TimeSpan lease, CancellationToken cancellationToken) => await database.WriteAsync(
        async session =>
        {
            for (var tries = 0; tries < Tries && await session.Prepared(IsWaiting).Set("now", session.Now).AnyAsync(); tries++)
            {
                if (await session.Prepared(Claim).Set("until", session.Now + lease).Set("now", session.Now).FirstOrDefaultAsync(ReadJob) is { } job)
                {
                    await session.Prepared(Serve).Set("owner", job.OwnerId).RunAsync();
                    var content = await session.Prepared("select content from document_contents where document_id = @id").Set("id", job.DocumentId).FirstOrDefaultAsync(static r => r.Bytes(0));
                    return job with { Content = content ?? [] };
                }
            }

            return null;
        },
        cancellationToken);

    /// <summary>The embedded database has one process: whoever held a document before it began is dead.</summary>
    public Task ReleaseAllAsync(CancellationToken cancellationToken) => database.Kind == DatabaseKind.Postgres ? Task.CompletedTask : database.WriteAsync(
        static session => session.Prepared("update documents set lease_until = null where status = 'working'").RunAsync(), cancellationToken);

    /// <summary>Shows how far it is, and keeps the lease. False: the document is no longer this process's.</summary>
    public async Task<bool> ProgressAsync(IndexJob job, string stage, int done, int total, TimeSpan lease, CancellationToken cancellationToken)
    {
        var still = await database.WriteAsync(
            session => session.Prepared("update documents set stage = @stage, done = @done, total = @total, lease_until = @until, updated_at = @now where id = @id and next = @generation and status = 'working' and attempts = @attempt")
                .Set("stage", stage).Set("done", (long)done).Set("total", (long)total).Set("until", session.Now + lease).Set("now", session.Now).Set("id", job.DocumentId).Set("generation", job.Generation).Set("attempt", (long)job.Attempt).RunAsync(),
            cancellationToken);
        signals.Changed();
        return still == 1;
    }

    /// <summary>Removes what an attempt that broke off has left. False: the document is no longer this process's.</summary>
    public Task<bool> ClearAsync(IndexJob job, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await HoldAsync(session, job) is not { } live)
            {
                return false;
            }

            await erasure.RemoveChunksAsync(session, job.DocumentId, live);
            return true;
        },
        cancellationToken);

    /// <summary>Chunks that are not found yet. False: the document is no longer this process's.</summary>
    public Task<bool> AddAsync(IndexJob job, IReadOnlyList<StoredChunk> chunks, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await HoldAsync(session, job) is null)
            {
                return false;
            }

            foreach (var (uid, chunk) in chunks)
            {
                var id = await session.Prepared(InsertChunk).Set("uid", uid.ToString()).Set("document", job.DocumentId).Set("generation", job.Generation).Set("ordinal", (long)chunk.Ordinal)
                    .Set("heading", chunk.Heading).Set("page", chunk.Page).Set("start", (long)chunk.Start).Set("end", (long)chunk.End).Set("text", chunk.Text).Int64Async();
                await ChunkWords.AddAsync(session, id!.Value, job.Name, chunk.Heading, chunk.Text);
            }

            return true;
        },
        cancellationToken);

    /// <summary>From now on this is what the document says. False: it is no longer this process's.</summary>
    public async Task<bool> PublishAsync(IndexJob job, ExtractedText text, int chunks, CancellationToken cancellationToken)
    {
        var published = await database.WriteAsync(
            async session =>
            {
                await session.HoldAsync(DocumentRows.Hold, job.CollectionId); // as whoever deletes or erases does it
                var written = await session.Prepared(Publish).Set("generation", job.Generation).Set("kind", text.Kind).Set("pages", text.Pages.Count == 0 ? (long?)null : text.Pages.Count)
                    .Set("chunks", (long)chunks).Set("characters", (long)text.Text.Length).Set("now", session.Now).Set("id", job.DocumentId)
                    .Set("attempt", (long)job.Attempt).RunAsync();
                if (written == 0)
                {
                    return false;
                }

                await session.Prepared("insert into document_texts (document_id, text) values (@id, @text) on conflict (document_id) do update set text = excluded.text").Set("id", job.DocumentId).Set("text", text.Text).RunAsync();
                await session.Prepared("delete from document_contents where document_id = @id").Set("id", job.DocumentId).RunAsync();
                await erasure.RemoveChunksAsync(session, job.DocumentId, job.Generation);
                await RenameAsync(session, job);
                await graph.OfferAsync(session, job.DocumentId, job.Generation);
                await DocumentRows.RaiseAsync(session, job.CollectionId);
                await outbox.AddAsync(session, DocumentEvents.Changed, job.DocumentId);
                return true;
            },
            cancellationToken);
        signals.Changed();
        return published;
    }

    /// <summary>It cannot be read; what it said before is found still. The file is not kept.</summary>
    public async Task FailAsync(IndexJob job, string code, string message, CancellationToken cancellationToken)
    {
        await database.WriteAsync(
            async session =>
            {
                var written = await session.Prepared("""
                    update documents set status = 'failed', stage = '', error_code = @code, error = @error, lease_until = null, updated_at = @now
                    where id = @id and next = @generation and status = 'working' and attempts = @attempt
                    """).Set("code", code).Set("error", message).Set("now", session.Now).Set("id", job.DocumentId).Set("generation", job.Generation).Set("attempt", (long)job.Attempt).RunAsync();
                if (written == 1)
                {
                    await session.Prepared("delete from document_contents where document_id = @id").Set("id", job.DocumentId).RunAsync();
                    await erasure.RemoveChunksAsync(session, job.DocumentId, await session.Prepared("select generation from documents where id = @id").Set("id", job.DocumentId).Int64Async());
                }
            },
            cancellationToken);
        signals.Changed();
    }

    /// <summary>Somebody goes on with it after a while.</summary>
    /// <param name="counts">It was the document's fault, perhaps: one of its few attempts is used up.</param>
    public Task PostponeAsync(IndexJob job, TimeSpan pause, bool counts, CancellationToken cancellationToken) => database.WriteAsync(
        session => session.Prepared("update documents set status = 'queued', stage = '', attempts = attempts - @back, lease_until = @until, updated_at = @now where id = @id and next = @generation and status = 'working' and attempts = @attempt")
            .Set("back", counts ? 0L : 1L).Set("until", session.Now + pause).Set("now", session.Now).Set("id", job.DocumentId).Set("generation", job.Generation).Set("attempt", (long)job.Attempt).RunAsync(),
        cancellationToken);

    /// <summary>The generation that is found at present; null: the document is no longer this process's. Nobody claims it before the transaction is over.</summary>
    private static ValueTask<long?> HoldAsync(DbSession session, IndexJob job) =>
        session.Prepared(Hold).Set("id", job.DocumentId).Set("generation", job.Generation).Set("attempt", (long)job.Attempt).Int64Async();

    /// <summary>Held: one that is deleted meanwhile would leave its words behind.</summary>
    private static readonly SqlText WithoutWords = SqlDialect.Held(
        "select c.id, c.heading, c.text, d.name from chunks c join documents d on d.id = c.document_id where c.id not in (select rowid from fts_chunks) order by c.id limit @most", of: "c");

    /// <summary>Words of chunks that have none: after a copy to another kind of database. Returns how many it made; 0: all are there.</summary>
    public Task<int> RestoreWordsAsync(int most, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            var missing = await session.Prepared(WithoutWords).Set("most", (long)most).ListAsync(static r => (Id: r.GetInt64(0), Heading: r.GetString(1), Text: r.GetString(2), Name: r.GetString(3)));
            foreach (var chunk in missing)
            {
                await ChunkWords.AddAsync(session, chunk.Id, chunk.Name, chunk.Heading, chunk.Text);
            }

            return missing.Count;
        },
        cancellationToken);

    private static IndexJob ReadJob(DbDataReader row) => new(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), row.GetInt64(4), row.GetInt32(5), []);

    /// <summary>The document was given another name while it was worked on: its chunks were written with the old one.</summary>
    private static async ValueTask RenameAsync(DbSession session, IndexJob job)
    {
        if (await session.Prepared("select name from documents where id = @id").Set("id", job.DocumentId).StringAsync() is { } name && name != job.Name)
        {
            await ChunkWords.WriteAnewAsync(session, job.DocumentId, name);
        }
    }
}
