using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What is remembered about oneself: see, search, correct, export, delete, and why it is known.</summary>
public static class MemoryApi
{
    private const string Read = "memory:read";
    private const string Write = "memory:write";
    private const string OwnWork = "own memory: every fact keeps its author, source and history";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var memory = routes.MapGroup("/api/v1/memory").WithTags("Memory");
        ForOthers(memory.MapGet("", ListAsync)).RequirePermission(Read).WithName("ListMemory")
            .WithSummary("What is remembered").WithDescription("Facts about oneself, newest first, active and proposed ones. With q those that fit the words or their meaning, the best first, without a cursor.");
        ForOthers(memory.MapPost("", AddAsync)).RequirePermission(Write).AuditsNothing(OwnWork).ShowsAgain().WithName("Remember")
            .Refuses(422, "looks_like_secret", "Passwords, keys and card numbers are not kept.").Refuses(409, "memory_full", "There are as many facts as one user may have.")
            .WithSummary("Remember a fact").WithDescription("Replaces an active fact with the same attribute, which stays in the history. A fact that is known already is not kept twice; a valid_until of null takes its end off.");
        ForOthers(memory.MapGet("/export", ExportAsync)).RequirePermission(Read).WithName("ExportMemory")
            .WithSummary("Export everything").WithDescription("Every version of every fact with its source, and one's own part of the knowledge graph as JSON-LD.");
        ForOthers(memory.MapDelete("", ForgetAllAsync)).RequirePermission(Write).Audits("memory.forget_all").WithName("ForgetEverything")
            .WithSummary("Forget everything").WithDescription("Removes every fact about oneself with its history, and what the graph knew from them. Conversations are not touched.");
        Refuses404(ForOthers(memory.MapGet("/{id}", GetAsync))).RequirePermission(Read).WithName("GetFact")
            .WithSummary("Read a fact").WithDescription("The fact with its ETag.");
        Refuses404(ForOthers(memory.MapGet("/{id}/why", WhyAsync))).RequirePermission(Read).WithName("WhyFact")
            .WithSummary("Why is it known").WithDescription("Who wrote the fact, when, from which words of which message, and every earlier version of it.");
        RefusesChange(ForOthers(memory.MapPatch("/{id}", CorrectAsync))).RequirePermission(Write).AuditsNothing(OwnWork).WithName("CorrectFact")
            .Refuses(422, "looks_like_secret", "Passwords, keys and card numbers are not kept.")
            .WithSummary("Correct a fact").WithDescription("Another text becomes a new version with an id of its own, written by the user. A valid_until of null takes the end off. Needs If-Match with the ETag that was read.");
        Refuses404(ForOthers(memory.MapPost("/{id}/decision", DecideAsync))).RequirePermission(Write).AuditsNothing(OwnWork).ShowsAgain().WithName("DecideFact")
            .Refuses(409, "nothing_to_decide", "It is no proposal, or no longer one.")
            .WithSummary("Keep or discard a proposal").WithDescription("What a run learned after it had read text from outside is only proposed: it is told to nobody until its user decides.");
        RefusesChange(ForOthers(memory.MapDelete("/{id}", ForgetAsync))).RequirePermission(Write).Audits("memory.forget").WithName("ForgetFact")
            .WithSummary("Forget a fact").WithDescription("Removes it with its history, its vector, and what the graph knew from it. Needs If-Match with the ETag that was read.");
        MapTeam(routes.MapGroup("/api/v1/memory/team").WithTags("Memory"));
    }

    private static void MapTeam(RouteGroupBuilder team)
    {
        team.MapGet("", TeamAsync).RequirePermission(Read).WithName("ListTeamNotes")
            .WithSummary("Notes of the team").WithDescription("What every run of every user is told, newest first.");
        team.MapPost("", AddNoteAsync).RequirePermission("memory:admin").Audits("memory.note_add").ShowsAgain().WithName("AddTeamNote")
            .Refuses(422, "looks_like_secret", "Passwords, keys and card numbers are not kept.").Refuses(409, "memory_full", "There are as many notes as may be kept.")
            .WithSummary("Add a note").WithDescription("Changes what everybody gets, so it is an administrator's.");
        Refuses404(team.MapDelete("/notes/{id}", RemoveNoteAsync)).RequirePermission("memory:admin").Audits("memory.note_remove").WithName("RemoveTeamNote")
            .WithSummary("Remove a note").WithDescription("With its history.");
    }

    private static RouteHandlerBuilder ForOthers(RouteHandlerBuilder route) => route
        .Refuses(403, "user_not_allowed", "user_id names somebody for whom the caller may not speak.");

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) =>
        route.Refuses(404, "fact_not_found", "There is no such fact, or it is somebody else's.");

    private static RouteHandlerBuilder RefusesChange(RouteHandlerBuilder route) => Refuses404(route)
        .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.");

    private static async Task<Results<Ok<Page<FactAnswer>>, Problem>> ListAsync(
        [Description("Words to look for; without them all are listed.")] string? q,
        [Description("active, proposed or superseded; without it active and proposed ones.")] string? status,
        [Description("For an agent: the user for whom it speaks.")] string? user_id,
        int? limit,
        string? cursor,
        MemoryCallers callers,
        MemoryStore store,
        MemoryRecall recall,
        HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } invalid)
        {
            return invalid;
        }

        if (status is not (null or FactWords.Active or FactWords.Proposed or FactWords.Superseded))
        {
            return Problems.Invalid("status", "must be active, proposed or superseded");
        }

        if (q?.Length > 500)
        {
            return Problems.Invalid("q", "must be at most 500 characters");
        }

        var subject = await callers.OfAsync(context, user_id, Read);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        if (!string.IsNullOrWhiteSpace(q))
        {
            var best = await recall.SearchAmongAsync(owner.UserId, status, q, page.Limit, context.RequestAborted);
            return TypedResults.Ok(new Page<FactAnswer>([.. best.Select(FactAnswer.Of)], null));
        }

        var found = await store.ListAsync(owner.UserId, new FactQuery(status, page.After?[0], page.Limit + 1), context.RequestAborted);
        return TypedResults.Ok(PageOf(found, page.Limit));
    }

    private static async Task<Results<Created<FactAnswer>, Problem>> AddAsync(
        NewFactRequest request, [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Write);
        return subject.Caller is { } owner
            ? await KeepAsync(context, store, owner.UserId, request, context.Idempotency()?.Making("fact"), "/api/v1/memory/")
            : subject.Refusal!;
    }

    private static async Task<Results<Created<FactAnswer>, Problem>> KeepAsync(HttpContext context, MemoryStore store, string ownerId, NewFactRequest request, Made? also, string path)
    {
        if (context.Idempotency()?.Made is { } earlier)
        {
            return await store.FindAsync(ownerId, earlier, context.RequestAborted) is { } there ? Answered(context, there, path) : NotFound();
        }

        var kept = await store.KeepAsync(ownerId, Entered(context.Caller(), request.Text, request.Attribute, request.Sensitive, request.ValidUntil) with { SetsUntil = request.SaysUntil }, also, context.RequestAborted);
        return kept.Fact is { } fact ? Answered(context, fact, path) : Refused(kept.Outcome);
    }

    private static Created<FactAnswer> Answered(HttpContext context, Fact fact, string path)
    {
        context.Response.SetETag(VersionOf(fact));
        return TypedResults.Created(path + fact.Id, FactAnswer.Of(fact));
    }

    private static async Task<Results<Ok<FactAnswer>, Problem>> GetAsync(
        [Description("The fact.")] string id, [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Read);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        if (await store.FindAsync(owner.UserId, id, context.RequestAborted) is not { } fact)
        {
            return NotFound();
        }

        context.Response.SetETag(VersionOf(fact));
        return TypedResults.Ok(FactAnswer.Of(fact));
    }

    private static async Task<Results<Ok<FactProvenance>, Problem>> WhyAsync(
        [Description("The fact.")] string id, [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Read);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        // What the team was told may be asked about by everybody who is told.
        var fact = await store.FindAsync(owner.UserId, id, context.RequestAborted) ?? await store.FindAsync(FactWords.Team, id, context.RequestAborted);
        if (fact is null)
        {
            return NotFound();
        }

        var history = await store.HistoryAsync(fact.OwnerId, fact.ThreadId, context.RequestAborted);
        return TypedResults.Ok(new FactProvenance { Fact = FactAnswer.Of(fact), Because = FactWhy.Long(fact), History = [.. history.Select(FactAnswer.Of)] });
    }

    private static async Task<Results<Ok<FactAnswer>, Problem>> CorrectAsync(
        [Description("The fact.")] string id, FactCorrection request, [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Write);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        if (await store.FindAsync(owner.UserId, id, context.RequestAborted) is not { Status: not FactWords.Superseded } read)
        {
            return NotFound();
        }

        if (Preconditions.IfMatch(context.Request, VersionOf(read)) is { } refusal)
        {
            return refusal;
        }

        var sensitive = request.Sensitive ?? (read.IsSensitive || (request.Text is { } text && FactText.IsSensitive(text)));
        var wanted = Entered(context.Caller(), request.Text ?? read.Text, read.Attribute, sensitive, request.SaysUntil ? request.ValidUntil : read.ValidUntil) with { SetsSensitivity = request.Sensitive is not null, SetsUntil = request.SaysUntil };
        if (await store.CorrectAsync(owner.UserId, read, wanted, context.RequestAborted) is not { } kept)
        {
            return await store.FindAsync(owner.UserId, id, context.RequestAborted) is { } now ? Problems.PreconditionFailed($"\"{VersionOf(now)}\"") : NotFound();
        }

        if (kept.Fact is not { } fact)
        {
            return Refused(kept.Outcome);
        }

        context.Response.SetETag(VersionOf(fact));
        return TypedResults.Ok(FactAnswer.Of(fact));
    }

    private static async Task<Results<Ok<FactAnswer>, Problem>> DecideAsync(
        [Description("The proposal.")] string id, FactDecision request, [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Write);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        if (context.Idempotency()?.Made is { } earlier)
        {
            return await store.FindAsync(owner.UserId, earlier, context.RequestAborted) is { } there ? TypedResults.Ok(FactAnswer.Of(there)) : NotFound();
        }

        var isKept = request.Decision == "keep";
        return await store.DecideAsync(owner.UserId, id, isKept, context.RequestAborted, DecisionRepeats.Of(context, isKept)) is not { } decided
            ? await store.FindAsync(owner.UserId, id, context.RequestAborted) is null ? NotFound() : Problems.Conflict("nothing_to_decide", "This is no proposal, or no longer one. Nothing was done. Correct or forget the fact instead.")
            : decided.Fact is { } fact ? TypedResults.Ok(FactAnswer.Of(fact))
            : Refused(decided.Outcome);
    }

    private static async Task<Results<NoContent, Problem>> ForgetAsync(
        [Description("The fact.")] string id, [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Write);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        return await store.FindAsync(owner.UserId, id, context.RequestAborted) is not { } fact ? NotFound()
            : Preconditions.IfMatch(context.Request, VersionOf(fact)) is { } refusal ? refusal
            : await RemoveAsync(context, store, fact, "memory.forget");
    }

    private static async Task<Results<Ok<Forgotten>, Problem>> ForgetAllAsync(
        [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Write);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        var record = context.AuditRow(context.Audit("memory.forget_all") with { TargetKind = "user", TargetId = owner.UserId });
        return TypedResults.Ok(new Forgotten { Facts = await store.ForgetAsync(owner.UserId, null, record, context.RequestAborted) });
    }

    private static async Task<Results<Ok<MemoryExport>, Problem>> ExportAsync(
        [Description("For an agent: the user for whom it speaks.")] string? user_id, MemoryCallers callers, MemoryStore store, GraphExport graph, TimeProvider clock, HttpContext context)
    {
        var subject = await callers.OfAsync(context, user_id, Read);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        var facts = await store.EverythingAsync(owner.UserId, context.RequestAborted);
        return TypedResults.Ok(new MemoryExport
        {
            UserId = owner.UserId,
            ExportedAt = clock.GetUtcNow(),
            Facts = [.. facts.Select(FactAnswer.Of)],
            Graph = JsonSerializer.SerializeToElement(await graph.WriteAsync([owner.UserId], context.RequestAborted)),
        });
    }

    private static async Task<Results<Ok<Page<FactAnswer>>, Problem>> TeamAsync(int? limit, string? cursor, MemoryStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } invalid)
        {
            return invalid;
        }

        return TypedResults.Ok(PageOf(await store.ListAsync(FactWords.Team, new FactQuery(FactWords.Active, page.After?[0], page.Limit + 1), context.RequestAborted), page.Limit));
    }

    private static Task<Results<Created<FactAnswer>, Problem>> AddNoteAsync(NewFactRequest request, MemoryStore store, HttpContext context)
    {
        Made audit = async (session, id) => await context.AuditRow(context.Audit("memory.note_add") with { TargetKind = "memory", TargetId = id })(session);
        return KeepAsync(context, store, FactWords.Team, request, context.Idempotency()?.Making("fact") is { } making ? Both(making, audit) : audit, "/api/v1/memory/team/");
    }

    private static async Task<Results<NoContent, Problem>> RemoveNoteAsync([Description("The note.")] string id, MemoryStore store, HttpContext context) =>
        await store.FindAsync(FactWords.Team, id, context.RequestAborted) is { } note ? await RemoveAsync(context, store, note, "memory.note_remove") : NotFound();

    private static async Task<Results<NoContent, Problem>> RemoveAsync(HttpContext context, MemoryStore store, Fact fact, string action)
    {
        var record = context.AuditRow(context.Audit(action) with { TargetKind = "memory", TargetId = fact.Id });
        return await store.ForgetAsync(fact.OwnerId, [fact.ThreadId], record, context.RequestAborted) > 0 ? TypedResults.NoContent() : NotFound();
    }

    private static Made Both(Made one, Made other) => async (session, id) =>
    {
        await one(session, id);
        await other(session, id);
    };

    private static NewFact Entered(Caller caller, string text, string? attribute, bool? sensitive, DateTimeOffset? validUntil) => new()
    {
        Text = text.Trim(),
        Attribute = FactText.AttributeOf(text, attribute),
        AuthorKind = FactWords.ByUser,
        Author = caller.UserId,
        SetsSensitivity = sensitive is not null,
        Sensitivity = sensitive ?? FactText.IsSensitive(text) ? FactWords.Sensitive : FactWords.Normal,
        ValidUntil = validUntil,
    };

    private static Page<FactAnswer> PageOf(List<Fact> found, int limit) =>
        new([.. found.Take(limit).Select(FactAnswer.Of)], found.Count > limit ? Paging.CursorOf(found[limit - 1].Id) : null);

    private static Problem NotFound() => Problems.NotFound("fact_not_found", "There is no such fact. Nothing was done.");

    private static Problem Refused(Kept outcome) => outcome == Kept.Secret
        ? Problems.Unprocessable("looks_like_secret", "This looks like a password, a key or a card number, and such things are not remembered. Nothing was done. Use a password manager, or `rootmas secrets` for what tools need.")
        : Problems.Conflict("memory_full", "There are as many facts as may be kept. Nothing was done. Forget some first.");

    private static string VersionOf(Fact fact) => fact.UpdatedAt.UtcTicks.ToString(CultureInfo.InvariantCulture);
}
