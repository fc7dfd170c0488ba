using System.Globalization;
using System.Security.Cryptography;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>A file on its way in.</summary>
/// <param name="CollectionId">Null: the user's default one.</param>
/// <param name="Kind">By content, as far as it is known before it is read.</param>
/// <param name="Replaces">Whether a document of this name gets this content; if not, it stays, and this one is called <c>name (2)</c>.</param>
internal sealed record Upload(string UserId, string? CollectionId, string Name, string Kind, byte[] Content, Made? Made, bool Replaces = true)
{
    /// <summary>The row of a change of what is not the user's alone, by its action: <c>document.replace</c>, <c>document.rename</c>.</summary>
    public Func<string, OthersDocument, AuditWrite>? Record { get; init; }
}

/// <summary>A document that somebody else put there, or that lies in somebody else's collection.</summary>
/// <param name="OwnerId">Whose content it had.</param>
internal sealed record OthersDocument(string Id, string OwnerId, string CollectionId, string CollectionOwnerId)
{
    public bool IsAllOf(string userId) => OwnerId == userId && CollectionOwnerId == userId;
}

/// <summary>What became of an upload.</summary>
internal enum UploadOutcome
{
    Created,

    /// <summary>A document of that name has new content; what it said is found until the new is ready.</summary>
    Replaced,

    /// <summary>The collection has these very bytes.</summary>
    Unchanged,

    /// <summary>No such collection, or the user may not write to it.</summary>
    NoCollection,

    /// <summary>The collection's owner has as many documents as one user may have.</summary>
    TooMany,
}

/// <param name="Id">Of the document; empty: it was refused.</param>
internal readonly record struct UploadResult(UploadOutcome Outcome, string Id);

/// <summary>Documents as people see them: every query asks for the user.</summary>
internal sealed class DocumentStore(IDatabase database, DocumentErasure erasure, DocumentsOptions options, DocumentSignals signals)
{
    private const string Insert = """
        insert into documents (id, collection_id, owner_id, name, kind, bytes, hash, status, created_at, updated_at)
        values (@id, @collection, @owner, @name, @kind, @bytes, @hash, 'queued', @now, @now)
        """;

    private const string Replace = """
        update documents set owner_id = @owner, name = @name, kind = @kind, bytes = @bytes, hash = @hash, status = 'queued', stage = '', done = 0, total = 0, error_code = null, error = null,
            next = next + 1, attempts = 0, lease_until = null, updated_at = @now
        where id = @id
        """;

    private const string KeepContent = """
        insert into document_contents (document_id, content) values (@id, @content)
        on conflict (document_id) do update set content = excluded.content
        """;

    /// <summary>Parallel uploads so few below the limit come one after the other: a count is of what is committed.</summary>
    private const int Near = 100;

    private const string CountOfOwner = "select count(*) from documents d join collections c on c.id = d.collection_id where c.owner_id = (select owner_id from collections where id = @id)";

    private static readonly SqlText Turn = SqlDialect.Turn("documents", "(select owner_id from collections where id = @id)");

    /// <summary>When it completes, the file is on disk, and indexing it goes on by itself, also after a crash.</summary>
    public async Task<UploadResult> AcceptAsync(Upload upload, CancellationToken cancellationToken)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(upload.Content));
        var result = await database.WriteAsync(
            async session =>
            {
                await UserStore.RequireAsync(session, upload.UserId); // before collections, as erasing a user does it
                if (await CollectionStore.TargetAsync(session, upload.CollectionId, upload.UserId) is not { } collection)
                {
                    return new UploadResult(UploadOutcome.NoCollection, "");
                }

                if (await CountAsync(session, collection) >= options.MaxDocuments - Near)
                {
                    await session.HoldAsync(Turn, collection);
                }

                if (!await session.HoldAsync(DocumentRows.Hold, collection)) // two uploads of one name come one after the other
                {
                    return new UploadResult(UploadOutcome.NoCollection, ""); // deleted by another while this one waited
                }

                var written = await PlaceAsync(session, upload, collection, hash);
                if (written.Id.Length > 0 && upload.Made is { } made)
                {
                    await made(session, written.Id);
                }

                return written;
            },
            cancellationToken);
        signals.Wake();
        return result;
    }

    public Task<Document?> FindAsync(string id, string userId, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"select {Document.Columns} from documents d where d.id = @id and d.collection_id in {CollectionAccess.Readable}").Set("id", id).Set("user", userId)
            .FirstOrDefaultAsync(Document.Read),
        cancellationToken);

    /// <summary>Those of these documents that the user can read, in no order.</summary>
    public async Task<IReadOnlyList<Document>> FindAllAsync(IReadOnlyCollection<string> ids, string userId, CancellationToken cancellationToken)
    {
        var sql = SqlDialect.InList($"select {Document.Columns} from documents d where", "d.id", "ids", $"and d.collection_id in {CollectionAccess.Readable}");
        return await database.ReadAsync(session => session.Prepared(sql).Set("ids", System.Text.Json.JsonSerializer.Serialize(ids)).Set("user", userId).ListAsync(Document.Read), cancellationToken);
    }

    /// <summary>Newest first.</summary>
    public Task<List<Document>> ListAsync(string userId, DocumentQuery query, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"""
            select {Document.Columns} from documents d where d.collection_id in {CollectionAccess.Readable}
                and (@collection is null or d.collection_id = @collection) and (@status is null or d.status = @status)
                and (@before is null or d.created_at < @before or (d.created_at = @before and d.id < @beforeId))
            order by d.created_at desc, d.id desc limit @limit
            """).Set("user", userId).Set("collection", query.CollectionId).Set("status", query.Status).Set("before", query.Before?.CreatedAt).Set("beforeId", query.Before?.Id).Set("limit", (long)query.Limit)
            .ListAsync(Document.Read),
        cancellationToken);

    /// <summary>The whole text; null: there is no such document, or it has never been ready.</summary>
    public Task<string?> TextAsync(string id, string userId, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"select t.text from document_texts t join documents d on d.id = t.document_id where d.id = @id and d.collection_id in {CollectionAccess.Readable}")
            .Set("id", id).Set("user", userId).StringAsync(),
        cancellationToken);

    /// <summary>False: there is none that the user may delete.</summary>
    /// <param name="record">Written in the same transaction if the document is not the user's alone.</param>
    public async Task<bool> DeleteAsync(string id, string userId, Func<OthersDocument, AuditWrite> record, CancellationToken cancellationToken)
    {
        var found = await database.WriteAsync(
            async session =>
            {
                if (await OwnersAsync(session, id, userId) is not { } found)
                {
                    return false;
                }

                await session.HoldAsync(DocumentRows.Hold, found.CollectionId);
                if (await OwnersAsync(session, id, userId) is not { } there)
                {
                    return false; // deleted by another while this one waited
                }

                await erasure.EraseAsync(session, id);
                await DocumentRows.RaiseAsync(session, there.CollectionId);
                if (!there.IsAllOf(userId))
                {
                    await record(there)(session);
                }

                return true;
            },
            cancellationToken);
        signals.Changed();
        return found;
    }

    private async ValueTask<UploadResult> PlaceAsync(DbSession session, Upload upload, string collection, string hash)
    {
        var same = await session.Prepared("select id, hash, status from documents where collection_id = @collection and name = @name").Set("collection", collection).Set("name", upload.Name)
            .FirstOrDefaultAsync(static r => (Id: r.GetString(0), Hash: r.GetString(1), Status: r.GetString(2)));
        if (same.Id is not null && same.Hash == hash && same.Status != "failed")
        {
            return new UploadResult(UploadOutcome.Unchanged, same.Id);
        }

        if (same.Id is not null && (upload.Replaces || same.Hash == hash))
        {
            await RecordAsync(session, upload, "document.replace", same.Id);
            await WriteAsync(session, Replace, upload, collection, hash, same.Id);
            return new UploadResult(UploadOutcome.Replaced, same.Id);
        }

        // The same bytes under another name: it is the same document, which has this name now, unless what is there is to stay as it is.
        var twin = await session.Prepared("select id from documents where collection_id = @collection and hash = @hash and status <> 'failed'").Set("collection", collection).Set("hash", hash).StringAsync();
        if (twin is not null)
        {
            if (upload.Replaces)
            {
                await RecordAsync(session, upload, "document.rename", twin);
                await session.Prepared("update documents set name = @name, updated_at = @now where id = @id").Set("name", upload.Name).Set("now", session.Now).Set("id", twin).RunAsync();
                await ChunkWords.WriteAnewAsync(session, twin, upload.Name);
                await DocumentRows.RaiseAsync(session, collection);
            }

            return new UploadResult(UploadOutcome.Unchanged, twin);
        }

        if (await CountAsync(session, collection) >= options.MaxDocuments)
        {
            return new UploadResult(UploadOutcome.TooMany, "");
        }

        var id = Guid.CreateVersion7().ToString();
        var name = same.Id is null ? upload.Name : await FreeNameAsync(session, collection, upload.Name);
        await WriteAsync(session, Insert, upload with { Name = name }, collection, hash, id);
        return new UploadResult(UploadOutcome.Created, id);
    }

    /// <summary>Documents of the collection's owner, in all collections.</summary>
    private static ValueTask<long?> CountAsync(DbSession session, string collection) => session.Prepared(CountOfOwner).Set("id", collection).Int64Async();

    private static async ValueTask RecordAsync(DbSession session, Upload upload, string action, string id)
    {
        if (upload.Record is { } record && await OwnersAsync(session, id, upload.UserId) is { } found && !found.IsAllOf(upload.UserId))
        {
            await record(action, found)(session);
        }
    }

    private static ValueTask<OthersDocument?> OwnersAsync(DbSession session, string id, string userId) => session
        .Prepared($"select d.owner_id, d.collection_id, c.owner_id from documents d join collections c on c.id = d.collection_id where d.id = @id and d.collection_id in {CollectionAccess.Writable}")
        .Set("id", id).Set("user", userId).FirstOrDefaultAsync(r => new OthersDocument(id, r.GetString(0), r.GetString(1), r.GetString(2)));

    /// <summary>The name with the first number that no document of the collection has, as <c>report (2).pdf</c>.</summary>
    private static async ValueTask<string> FreeNameAsync(DbSession session, string collection, string name)
    {
        var taken = (await session.Prepared("select name from documents where collection_id = @collection").Set("collection", collection).ListAsync(static r => r.GetString(0))).ToHashSet(StringComparer.Ordinal);
        var ending = UploadReader.EndingOf(name);
        var stem = name[..^ending.Length];
        string candidate;
        var number = 2;
        do
        {
            candidate = UploadReader.Fitted(stem, string.Create(CultureInfo.InvariantCulture, $" ({number++}){ending}"));
        }
        while (taken.Contains(candidate));
        return candidate;
    }

    private static async ValueTask WriteAsync(DbSession session, string sql, Upload upload, string collection, string hash, string id)
    {
        var command = session.Prepared(sql).Set("id", id).Set("owner", upload.UserId).Set("name", upload.Name).Set("kind", upload.Kind).Set("bytes", (long)upload.Content.Length).Set("hash", hash).Set("now", session.Now);
        if (ReferenceEquals(sql, Insert))
        {
            command.Set("collection", collection);
        }

        await command.RunAsync();
        await session.Prepared(KeepContent).Set("id", id).Set("content", upload.Content).RunAsync();
    }
}

/// <param name="Before">Where the page before ended.</param>
internal sealed record DocumentQuery(string? CollectionId, string? Status, (long CreatedAt, string Id)? Before, int Limit);
