using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Conversations: trees of messages between a user and a team.</summary>
public static class ConversationsApi
{
    private const int LongestSearch = 200;

    private const int AnyVersionTries = 5;

    private const string OwnWork = "own work: conversation and run records are its log";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var conversations = routes.MapGroup("/api/v1/conversations").WithTags("Conversations");
        conversations.MapGet("", ListAsync).RequirePermission("chat:read").Cached(new CachedRoute([])).WithName("ListConversations")
            .WithSummary("List conversations").WithDescription("Own conversations, newest activity first; with search those whose title has every word of it. One request looks through 10,000 titles at most; next_cursor goes on with older ones, also where none of these had the words. Calls of the OpenAI-compatible API are not listed.");
        conversations.MapPost("", CreateAsync).RequirePermission("chat:write").AuditsNothing(OwnWork).ShowsAgain().WithName("CreateConversation")
            .Refuses(400, "team_not_found", "There is no team of that name.")
            .WithSummary("Begin a conversation").WithDescription("An empty conversation. A message to POST /chat without conversation_id begins one by itself.");
        Refuses404(conversations.MapGet("/{id}", GetAsync)).RequirePermission("chat:read").WithName("GetConversation")
            .WithSummary("Read a conversation").WithDescription("The conversation with its ETag.");
        RefusesChange(conversations.MapPatch("/{id}", ChangeAsync)).RequirePermission("chat:write").AuditsNothing(OwnWork).WithName("ChangeConversation")
            .Refuses(400, "team_not_found", "There is no team of that name.")
            .WithSummary("Change a conversation").WithDescription("Title, team, archived, pinned, folder; absent members stay as they are. Needs If-Match with the ETag that was read.");
        RefusesChange(conversations.MapDelete("/{id}", DeleteAsync)).RequirePermission("chat:write").Audits("conversation.delete").WithName("DeleteConversation")
            .WithSummary("Delete a conversation").WithDescription("With its messages. Its unfinished runs are cancelled, and those that were shared are not shared any more; its runs and their logs go with it within seconds, what they cost stays in the ledger. Needs If-Match with the ETag that was read.");
        Refuses404(conversations.MapGet("/{id}/messages", MessagesAsync)).RequirePermission("chat:read").WithName("ListMessages")
            .WithSummary("Read the messages").WithDescription("The tree: every message has a parent_id. Oldest first. With ?leaf= only the way from the root to that message, in that order. The ETag says how the page is: see …/messages/pages.");
        Refuses404(conversations.MapPost("/{id}/runs", RunAsync)).RequirePermission("chat:write").AuditsNothing(OwnWork).HandlesIdempotency().WithName("StartRun")
            .Refuses(404, "document_not_found", "attachments names a document that is not there, or not the caller's to read.")
            .Produces<AcceptedRun>(202, "application/json")
            .Refuses(400, "team_not_found", "There is no team, or no agent, of that name.")
            .Refuses(400, "model_not_found", "There is no model, and no tier, of that name.")
            .Refuses(429, "concurrent_runs", "You have as many unfinished runs as one user may have.")
            .Refuses(409, "conversation_busy", "on_busy is reject and the branch still works on an earlier message.")
            .Refuses(409, "waiting_for_human", "The branch's run waits for an approval or a review.")
            .Refuses(409, "rollback_impossible", "on_busy is rollback and a tool that changes something already ran.")
            .Refuses(422, "parent_not_found", "parent_id names no message of this conversation that can be answered.")
            .Refuses(422, "idempotency_mismatch", "The Idempotency-Key was used with another body or query.")
            .WithSummary("Send a message").WithDescription("Starts a run and does not wait for it. A parent_id that is not the end of a branch starts a new branch: that is how a message is edited.");
    }

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) =>
        route.Refuses(404, "conversation_not_found", "There is no such conversation, or it is somebody else's.");

    private static RouteHandlerBuilder RefusesChange(RouteHandlerBuilder route) => Refuses404(route)
        .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.");

    private static async Task<Results<Ok<Page<ConversationAnswer>>, Problem>> ListAsync(
        int? limit,
        string? cursor,
        [Description("Only conversations that are, or are not, put away.")] bool? archived,
        [Description("Only conversations that do, or do not, stand at the top.")] bool? pinned,
        [Description("Only conversations that do, or do not, lie in a folder.")] bool? filed,
        [Description("Words, at most 200 characters: the title must have all of them, in any order and case, also as parts of words.")] string? search,
        ConversationStore store,
        ConversationSearch titles,
        HttpContext context)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } invalid)
        {
            return invalid;
        }

        if (!HistoryCursor.TryRead(page.After, out var before))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        var (owner, query) = (context.Caller().UserId, new ConversationQuery(archived, pinned, filed, page.Limit + 1, before));
        if (search?.Trim() is { Length: > 0 } wanted)
        {
            return wanted.Length > LongestSearch
                ? Problems.Invalid("search", $"must have 1 to {LongestSearch} characters")
                : await SearchAsync(titles, owner, wanted, query with { Limit = page.Limit }, context);
        }

        var found = await store.ListAsync(owner, query, context.RequestAborted);
        var next = found.Count > page.Limit ? HistoryCursor.Write(HistoryCursor.At(found[page.Limit - 1].UpdatedAt, found[page.Limit - 1].Id)) : null;
        return TypedResults.Ok(new Page<ConversationAnswer>([.. found.Take(page.Limit).Select(ConversationAnswer.Of)], next));
    }

    private static async Task<Ok<Page<ConversationAnswer>>> SearchAsync(ConversationSearch titles, string owner, string search, ConversationQuery query, HttpContext context)
    {
        var (found, next) = await titles.FindAsync(owner, search.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries), query, context.RequestAborted);
        return TypedResults.Ok(new Page<ConversationAnswer>([.. found.Select(ConversationAnswer.Of)], HistoryCursor.Write(next)));
    }

    private static async Task<Results<Created<ConversationAnswer>, Problem>> CreateAsync(
        NewConversationRequest request, ConversationStore store, AgentCatalog catalog, HttpContext context)
    {
        var (owner, key) = (context.Caller().UserId, context.Idempotency());
        if (key?.Made is null && await RefuseTeamAsync(catalog, request.Team, context) is { } refusal)
        {
            return refusal;
        }

        var made = key?.Made is { } earlier
            ? await store.FindAsync(earlier, owner, context.RequestAborted)
            : await store.CreateAsync(owner, request.Title ?? "", request.Team, key?.Making("conversation"), context.RequestAborted);
        if (made is null)
        {
            return ChatProblems.NoConversation();
        }

        context.Response.SetETag(VersionOf(made));
        return TypedResults.Created($"/api/v1/conversations/{made.Id}", ConversationAnswer.Of(made));
    }

    private static async Task<Results<Ok<ConversationAnswer>, Problem>> GetAsync([Description("The conversation.")] string id, ConversationStore store, HttpContext context)
    {
        if (await store.FindAsync(id, context.Caller().UserId, context.RequestAborted) is not { } found)
        {
            return ChatProblems.NoConversation();
        }

        context.Response.SetETag(VersionOf(found));
        return TypedResults.Ok(ConversationAnswer.Of(found));
    }

    private static async Task<Results<Ok<ConversationAnswer>, Problem>> ChangeAsync(
        [Description("The conversation.")] string id, ConversationChangeRequest request, ConversationStore store, AgentCatalog catalog, HttpContext context)
    {
        var owner = context.Caller().UserId;
        if (await store.FindAsync(id, owner, context.RequestAborted) is not { } found)
        {
            return ChatProblems.NoConversation();
        }

        if ((Preconditions.IfMatch(context.Request, VersionOf(found)) ?? await RefuseTeamAsync(catalog, request.Team, context)) is { } refusal)
        {
            return refusal;
        }

        var change = new ConversationChange(request.Title, request.Team, request.Archived, request.Pinned, request.Folder?.Trim());
        var (now, changed) = await store.ChangeAsync(id, owner, found.Version, change, context.RequestAborted);
        for (var tries = 0; now is { Version: var newer } && !changed && tries < AnyVersionTries && Preconditions.MatchesAny(context.Request); tries++)
        {
            (now, changed) = await store.ChangeAsync(id, owner, newer, change, context.RequestAborted);
        }

        if (now is null || !changed)
        {
            return now is null ? ChatProblems.NoConversation() : Problems.PreconditionFailed($"\"{VersionOf(now)}\"");
        }

        context.Response.SetETag(VersionOf(now));
        return TypedResults.Ok(ConversationAnswer.Of(now));
    }

    private static async Task<Results<NoContent, Problem>> DeleteAsync([Description("The conversation.")] string id, ConversationStore store, IChatService chat, HttpContext context)
    {
        var caller = context.Caller();
        var record = context.AuditRow(context.Audit("conversation.delete") with { TargetKind = "conversation", TargetId = id });
        for (var tries = 0; ; tries++)
        {
            if (await store.FindAsync(id, caller.UserId, context.RequestAborted) is not { } found)
            {
                return ChatProblems.NoConversation();
            }

            // Changed since the look: the next one says so. With If-Match: * whatever is there is meant.
            var refusal = tries > AnyVersionTries ? Problems.PreconditionFailed($"\"{VersionOf(found)}\"") : Preconditions.IfMatch(context.Request, VersionOf(found));
            if (refusal is not null)
            {
                return refusal;
            }

            if (await chat.DeleteConversationAsync(caller, id, found.Version, record, run => RunSharingApi.EndRow(context, run), context.RequestAborted))
            {
                return TypedResults.NoContent();
            }
        }
    }

    private static async Task<Results<Ok<Page<MessageAnswer>>, Problem>> MessagesAsync(
        [Description("The conversation.")] string id, [Description("Only the way from the root to this message.")] string? leaf, int? limit, string? cursor, ConversationStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } invalid)
        {
            return invalid;
        }

        if (!HistoryCursor.TryRead(page.After, out var after))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        var owner = context.Caller().UserId;
        if (await store.MessagesAsync(id, owner, leaf, page.Limit + 1, after, context.RequestAborted) is not { } found)
        {
            return await store.FindAsync(id, owner, context.RequestAborted) is null
                ? ChatProblems.NoConversation()
                : Problems.NotFound("message_not_found", "leaf names no message of this conversation.");
        }

        var next = found.Count > page.Limit ? HistoryCursor.Write(PositionOf(found[page.Limit - 1], onPath: leaf is not null)) : null;
        context.Response.SetETag(PageTag.Of(found.Take(page.Limit).Select(MessageState.Of)));
        return TypedResults.Ok(new Page<MessageAnswer>([.. found.Take(page.Limit).Select(MessageAnswer.Of)], next));
    }

    private static async Task<IResult> RunAsync([Description("The conversation.")] string id, ConversationMessage message, IChatService chat, HttpContext context)
    {
        var sent = await chat.SendAsync(
            context.Caller(),
            new SendMessage
            {
                Text = message.Message,
                ConversationId = id,
                ParentId = message.ParentId,
                Team = message.Team,
                Agent = message.Agent,
                Metadata = message.StoredMetadata(),
                Attachments = message.Attachments ?? [],
                OnBusy = message.OnBusy ?? OnBusy.Enqueue,
                Options = ChatApi.Options(message, simple: false, ChatApi.WantsFresh(context.Request)),
                Key = context.Idempotency()?.Request,
            },
            context.RequestAborted);
        if (sent.Accepted is not { } accepted)
        {
            return sent.Refusal!;
        }

        var location = $"/api/v1/runs/{accepted.RunId}";
        return TypedResults.Accepted(location, new AcceptedRun { RunId = accepted.RunId, ConversationId = id, Status = accepted.Status.ToName(), Location = location });
    }

    private static HistoryPosition PositionOf(StoredMessage message, bool onPath) =>
        onPath ? new HistoryPosition(message.Depth, message.Id) : HistoryCursor.At(message.CreatedAt, message.Id);

    private static async ValueTask<Problem?> RefuseTeamAsync(AgentCatalog catalog, string? team, HttpContext context) =>
        team is { Length: > 0 } && await catalog.FindSnapshotAsync(team, agent: null, context.RequestAborted) is { Snapshot: null } missing ? ChatProblems.NotAccepted(missing.Code, missing.Detail) : null;

    private static string VersionOf(Conversation conversation) => conversation.Version.ToString(CultureInfo.InvariantCulture);
}
