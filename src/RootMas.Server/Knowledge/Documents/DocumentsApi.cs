using System.ComponentModel;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Knowledge.Documents.Extraction;
using RootMas.Server.Knowledge.Documents.Search;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>Routes of documents, and of search in them.</summary>
internal static class DocumentsApi
{
    private const string Read = "knowledge:read";
    private const string Write = "knowledge:write";
    private const string OwnWork = "own work: the document's row says who put it there and when; a change of what others put there, or of what lies in others' collections, is a row: document.replace, document.rename, document.delete";
    private const string NotThere = "There is no such document, or it is in nobody's collection that you can reach.";
    private const int DefaultSearch = 8;
    private const int LongestText = 200_000;

    public static void Map(IEndpointRouteBuilder routes)
    {
        var options = routes.ServiceProvider.GetRequiredService<DocumentsOptions>();
        var documents = routes.MapGroup("/api/v1/documents").WithTags("Documents");
        documents.MapGet("", List).RequirePermission(Read).WithName("ListDocuments").Produces<Page<DocumentView>>()
            .WithSummary("List documents").WithDescription("Documents of all collections that one can read, newest first.");
        documents.MapPost("", UploadAsync).RequirePermission(Write).AuditsNothing(OwnWork).ShowsAgain().AcceptsAnyBody().WithBodyLimit(options.MaxFileBytes + 65_536).WithBodyTime(options.UploadTimeout).WithBodyRoom(static c => c.RequestServices.GetRequiredService<UploadBudget>().Open(c.Caller().UserId)).WithCost(5).Reads("Prefer").WithName("UploadDocument")
            .AddOpenApiOperationTransformer(UploadDescription.AddAsync).Produces<DocumentView>(200).Produces<DocumentView>(201).Produces<DocumentView>(202)
            .Refuses(404, "collection_not_found", "There is no such collection, or it is not one to write to.")
            .Refuses(408, "body_too_slow", "The file did not come whole within Knowledge:Documents:UploadTimeout.")
            .Refuses(409, "too_many_documents", "The collection's owner has as many documents as one user may have.")
            .Refuses(413, "body_too_large", "The file is larger than Knowledge:Documents:MaxFileMegabytes.")
            .Refuses(422, "document_unreadable", "The file cannot be read: empty, damaged, protected, too large or of no kind that is read. `code` says which.")
            .Refuses(503, "uploads_busy", "Other uploads use all the memory that is set aside for them.")
            .WithSummary("Upload a document").WithDescription("multipart/form-data with a part `file` (and `name`, `collection`), or the bare bytes with ?name= and ?collection=. What it is says its content. "
                + "The same name replaces what was there, found as it was until the new is ready, unless ?replace=false; the same bytes are one document. Waits until it is indexed: 201, or 200 if it was there already; 202 with where to look after 120 s, or `Prefer: wait=N` seconds.");
        documents.MapGet("/limits", Limits).RequirePermission(Read).WithName("GetDocumentLimits")
            .WithSummary("Read the limits").WithDescription("What can be uploaded here: how large, which kinds, how many. For whoever wants to know before they send a file.");
        Refuses404(documents.MapGet("/{id}", Get)).RequirePermission(Read).WithName("GetDocument").WithSummary("Read about a document").WithDescription("What it is and how far its indexing is.");
        Refuses404(documents.MapDelete("/{id}", Delete)).RequirePermission(Write).AuditsNothing(OwnWork).WithName("DeleteDocument")
            .WithSummary("Delete a document").WithDescription("With its text, its chunks, their vectors, kept answers, and title and words of it in earlier answers' citations and in what runs show of their logs. What answers themselves say stays.");
        Refuses404(documents.MapGet("/{id}/text", Text)).RequirePermission(Read).WithName("GetDocumentText").Refuses(409, "document_not_ready", "It is still being read, or could not be.")
            .WithSummary("Read the text").WithDescription("A stretch of the text, by offsets as citations give them, at most 200,000 characters.");
        Refuses404(documents.MapGet("/{id}/events", Events)).RequirePermission(Read).AttachesStream(StreamKind.Events).WithName("FollowDocument").Produces(200, contentType: EventStreams.MediaType)
            .WithSummary("Watch the indexing").WithDescription("Server-sent events `document.progress`, each with the document as GET /documents/{id} gives it, whenever something changed; the last one, when it is ready or failed, ends the stream. Silence is bridged by comments. When the session ends, an `error` event with a problem is the last.");
        routes.MapPost("/api/v1/knowledge/search", SearchAsync).RequirePermission(Read).AuditsNothing("a read").HandlesIdempotency().WithTags("Documents").WithName("SearchKnowledge")
            .WithSummary("Search the documents").WithDescription("By words and by meaning at once. Passages come with the mark, page and offsets that citations have.");
    }

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) => route.Refuses(404, "document_not_found", NotThere);

    private static async Task<Results<Ok<Page<DocumentView>>, Problem>> List(
        [Description("Only of this collection.")] string? collection, [Description("Only queued, working, ready or failed ones.")] string? status, int? limit, string? cursor, DocumentStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } invalid)
        {
            return invalid;
        }

        if (status is not (null or "queued" or "working" or "ready" or "failed"))
        {
            return Problems.Invalid("status", "must be queued, working, ready or failed");
        }

        var before = page.After is [var time, var last] && long.TryParse(time, NumberStyles.None, CultureInfo.InvariantCulture, out var micros) ? (micros, last) : ((long, string)?)null;
        if (page.After is not null && before is null)
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        var found = await store.ListAsync(context.Caller().UserId, new DocumentQuery(collection, status, before, page.Limit + 1), context.RequestAborted);
        var next = found.Count > page.Limit ? Paging.CursorOf(Platform.Data.UnixTime.ToMicros(found[page.Limit - 1].CreatedAt).ToString(CultureInfo.InvariantCulture), found[page.Limit - 1].Id) : null;
        return TypedResults.Ok(new Page<DocumentView>([.. found.Take(page.Limit).Select(DocumentView.Of)], next));
    }

    private static Ok<DocumentLimits> Limits(DocumentsOptions options) => TypedResults.Ok(new DocumentLimits
    {
        MaxFileBytes = options.MaxFileBytes,
        MaxDocuments = options.MaxDocuments,
        Kinds = [.. FileKind.All.Where(kind => kind != "pdf" || PdfReader.Find(options.PdfProgram) is not null)],
    });

    private static async Task<IResult> UploadAsync(
        [Description("false: a document of the same name with other content stays as it is, and this one gets a number after its name. Default: it is replaced.")] bool? replace,
        DocumentStore store, DocumentWatch watch, UploadBudget budget, DocumentsOptions options, HttpContext context)
    {
        if (PreferWait.Read(context.Request, out var patience) is { } invalid)
        {
            return invalid;
        }

        var user = context.Caller().UserId;
        using var room = context.Features.Get<IBodyRoom>() ?? budget.Open(user);
        var (file, refusal) = await UploadReader.ReadAsync(context.Request, options.MaxFileBytes, room, context.RequestAborted);
        if (file is null || (refusal ??= Refusal(file)) is not null)
        {
            return refusal!;
        }

        var key = context.Idempotency();
        var kind = FileKind.OfBytes(file.Content)!;
        var name = file.Name.Length > 0 ? file.Name : "untitled";
        var result = key?.Made is { } earlier ? Again(key, earlier)
            : await store.AcceptAsync(new Upload(user, file.CollectionId, name, kind, file.Content, key?.Making("document"), replace ?? true) { Record = (action, found) => Row(context, action, found) }, context.RequestAborted);
        context.Request.Body = Stream.Null; // what was buffered of it goes while indexing is waited for
        room.Dispose();
        return result.Outcome switch
        {
            UploadOutcome.NoCollection => CollectionsApi.NotFound(),
            UploadOutcome.TooMany => Problems.Conflict("too_many_documents",
                string.Create(CultureInfo.InvariantCulture, $"The collection's owner has {options.MaxDocuments} documents, as many as one user may have. Nothing was kept. Delete some first.")),
            _ => Answer(await watch.SettledAsync(result.Id, user, patience, context.RequestAborted), result.Outcome),
        };
    }

    /// <summary>What an earlier request with this key put there, or found there.</summary>
    private static UploadResult Again(RequestIdempotency key, string id) => new(key.FirstStatus == StatusCodes.Status200OK ? UploadOutcome.Unchanged : UploadOutcome.Created, id);

    private static Problem? Refusal(ReceivedFile file)
    {
        if (file.Content.Length == 0)
        {
            return Problems.Unprocessable("document_empty", "The file is empty. Nothing was kept.");
        }

        return FileKind.OfBytes(file.Content) is null ? Problems.Unprocessable("document_type_unknown", TextExtractor.UnknownType().Message) : null;
    }

    private static IResult Answer(Document? document, UploadOutcome outcome) => document switch
    {
        null => NotFound(), // deleted while we waited
        { Status: "failed" } => Problems.Unprocessable(document.ErrorCode ?? "indexing_failed", $"{document.Error} It is kept as document {document.Id}, marked as failed, until you delete it or upload it again.")
            with { Extra = new Dictionary<string, string>(StringComparer.Ordinal) { ["document_id"] = document.Id } },
        { IsSettled: false } => TypedResults.Accepted($"/api/v1/documents/{document.Id}", DocumentView.Of(document)),
        _ when outcome == UploadOutcome.Unchanged => TypedResults.Ok(DocumentView.Of(document)),
        _ => TypedResults.Created($"/api/v1/documents/{document.Id}", DocumentView.Of(document)),
    };

    private static async Task<Results<Ok<DocumentView>, Problem>> Get([Description("The document.")] string id, DocumentStore store, HttpContext context) =>
        await store.FindAsync(id, context.Caller().UserId, context.RequestAborted) is { } found ? TypedResults.Ok(DocumentView.Of(found)) : NotFound();

    private static async Task<Results<NoContent, Problem>> Delete([Description("The document.")] string id, DocumentStore store, HttpContext context) =>
        await store.DeleteAsync(id, context.Caller().UserId, found => Row(context, "document.delete", found), context.RequestAborted) ? TypedResults.NoContent() : NotFound();

    private static AuditWrite Row(HttpContext context, string action, OthersDocument found) => context.AuditRow(context.Audit(action) with
    {
        TargetKind = "document",
        TargetId = found.Id,
        Before = new JsonObject { ["owner_id"] = found.OwnerId, ["collection_id"] = found.CollectionId, ["collection_owner_id"] = found.CollectionOwnerId },
    });

    private static async Task<Results<Ok<DocumentText>, Problem>> Text(
        [Description("The document.")] string id, [Description("First character; default 0.")] int? start, [Description("Character after the last one; default: the end.")] int? end, DocumentStore store, HttpContext context)
    {
        if (start is < 0 || end < (start ?? 0))
        {
            return Problems.Invalid(start is < 0 ? "start" : "end", "must be 0 or more, and end not before start");
        }

        var user = context.Caller().UserId;
        if (await store.TextAsync(id, user, context.RequestAborted) is not { } text)
        {
            return await store.FindAsync(id, user, context.RequestAborted) is null ? NotFound()
                : Problems.Conflict("document_not_ready", "The document is still being read, or could not be. GET /api/v1/documents/{id} says which.");
        }

        var from = Math.Min(start ?? 0, text.Length);
        var to = EndOf(text, from, Math.Min(end ?? text.Length, text.Length));
        return TypedResults.Ok(new DocumentText { DocumentId = id, Start = from, End = to, Characters = text.Length, Text = Whole(text, from, to) });
    }

    /// <summary>Where the limit is what ends it, no character is cut: whoever goes on there has the whole text.</summary>
    private static int EndOf(string text, int from, int wanted)
    {
        var most = from + LongestText;
        return wanted <= most ? wanted : char.IsSurrogatePair(text[most - 1], text[most]) ? most - 1 : most;
    }

    /// <summary>Half a character at either end becomes the replacement character, as JSON cannot carry it.</summary>
    private static string Whole(string text, int from, int to)
    {
        var part = text[from..to].ToCharArray();
        if (part.Length > 0 && char.IsLowSurrogate(part[0]))
        {
            part[0] = '\uFFFD';
        }

        if (part.Length > 0 && char.IsHighSurrogate(part[^1]))
        {
            part[^1] = '\uFFFD';
        }

        return new string(part);
    }

    private static async Task<IResult> Events([Description("The document.")] string id, DocumentStore store, DocumentWatch watch, HttpContext context)
    {
        var user = context.Caller().UserId;
        if (await store.FindAsync(id, user, context.RequestAborted) is null)
        {
            return NotFound();
        }

        // There is no other form: who asks for none gets the stream too, and has no place yet.
        return !EventStreams.AreWanted(context.Request) && await OpenStreams.AttachAsync(context) is { } full
            ? full
            : new DocumentEventStream(watch.ChangesAsync(id, user, context.RequestAborted));
    }

    private static async Task<Ok<KnowledgeSearchAnswer>> SearchAsync(KnowledgeSearchRequest request, KnowledgeSearch search, HttpContext context)
    {
        var query = new SearchQuery(context.Caller().UserId, request.Query)
        {
            Collections = request.Collections ?? [],
            Documents = request.Documents ?? [],
            Kinds = request.Kinds ?? [],
            Limit = request.Limit ?? DefaultSearch,
            Rerank = request.Rerank,
        };
        var found = await search.FindAsync(query, context.RequestAborted);
        return TypedResults.Ok(new KnowledgeSearchAnswer { Items = [.. found.Select(PassageView.Of)] });
    }

    private static Problem NotFound() => Problems.NotFound("document_not_found", "There is no such document, or it is in nobody's collection that you can reach. GET /api/v1/documents lists those that are.");
}
