using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>The chat routes: a message in, an answer out.</summary>
public static class ChatApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var chat = routes.MapGroup("/api/v1/chat").WithTags("Chat");
        MapMessage(chat.MapPost("", AskTeamAsync).WithName("Chat").WithSummary("Ask and wait for the answer").WithDescription(Waits));
        MapMessage(chat.MapPost("/message", AskTeamAsync).WithName("ChatMessage").WithSummary("Ask and wait; the flow can be watched")
            .WithDescription("The same as POST /chat; `flow_id` can be watched on the visualisation socket. " + Waits));
        MapMessage(chat.MapPost("/simple", AskSimplyAsync).WithName("ChatSimple").WithSummary("Ask one agent")
            .WithDescription("The same as POST /chat, answered by one agent without delegation. " + Waits));
        Refusals(chat.MapPost("/stream", StreamAsync).RequirePermission("chat:write").AuditsNothing(OwnWork).HandlesIdempotency().WithName("ChatStream")
            .Produces(200, contentType: "text/event-stream").WithSummary("Ask and watch the run")
            .WithDescription("Server-sent events of the run, from its first to its final one. A client that goes away does not stop the run; come back at GET /runs/{id}/events. "
                + "An administrator who speaks for somebody else gets the answer, and of all else what happened and not what was said; the whole only with content:read, and that is audited."));
        chat.MapGet("/history", HistoryAsync).RequirePermission("chat:read").WithName("ChatHistory").Produces<ChatHistoryAnswer>()
            .Refuses(404, "conversation_not_found", "There is no such conversation, or it is somebody else's.")
            .Refuses(403, "user_not_allowed", "user_id names somebody for whom the caller may not speak.")
            .WithSummary("What was said").WithDescription("Messages of one conversation or of all, oldest first; one's own, or those of a user for whom one speaks.");
        routes.MapPost("/api/v1/messages/{id}/feedback", RateAsync).RequirePermission("chat:write").AuditsNothing(OwnWork).WithSecretMembers("reason").WithTags("Chat").WithName("RateMessage")
            .Refuses(404, "message_not_found", "There is no such answer, or it is somebody else's.")
            .WithSummary("Rate an answer").WithDescription("Kept for learning; the last word of a user about an answer counts.");
        routes.MapDelete("/api/v1/messages/{id}/feedback", UnrateAsync).RequirePermission("chat:write").AuditsNothing(OwnWork).WithTags("Chat").WithName("UnrateMessage")
            .Refuses(404, "message_not_found", "There is no such answer, or it is somebody else's.")
            .WithSummary("Take a rating back").WithDescription("The answer is as if its user had never rated it; the reason goes with the rating.");
    }

    private const string OwnWork = "own work: conversation and run records are its log";
    private const string Write = "chat:write";

    private const string Waits =
        "Waits for the run's end; 202 with the run and the reason as soon as it waits for a person, and after 120 s at the latest, or after `Prefer: wait=N` seconds.";

    private static void MapMessage(RouteHandlerBuilder route) => Refusals(route.RequirePermission("chat:write").AuditsNothing(OwnWork).HandlesIdempotency().Reads("Prefer")
        .Produces<ChatResponse>(200, "application/json").Produces<ChatResponse>(202, "application/json"));

    private static void Refusals(RouteHandlerBuilder route) => route
        .Refuses(400, "validation_failed", "The message or one of its members is not valid.")
        .Refuses(400, "team_not_found", "There is no team, or no agent, of that name.")
        .Refuses(400, "model_not_found", "There is no model, and no tier, of that name.")
        .Refuses(403, "user_not_allowed", "user_id names somebody for whom the caller may not speak.")
        .Refuses(404, "conversation_not_found", "There is no such conversation, or it is somebody else's.")
        .Refuses(404, "document_not_found", "attachments names a document that is not there, or not the caller's to read.")
        .Refuses(429, "concurrent_runs", "You have as many unfinished runs as one user may have.")
        .Refuses(409, "conversation_busy", "on_busy is reject and the branch still works on an earlier message.")
        .Refuses(409, "waiting_for_human", "The branch's run waits for an approval or a review.")
        .Refuses(409, "rollback_impossible", "on_busy is rollback and a tool that changes something already ran.")
        .Refuses(422, "idempotency_mismatch", "The Idempotency-Key was used with another body or query.");

    private static Task<IResult> AskTeamAsync(ChatMessage message, IChatService chat, Subjects subjects, TimeProvider clock, HttpContext context) =>
        AskAsync(message, simple: false, chat, subjects, clock, context);

    private static Task<IResult> AskSimplyAsync(ChatMessage message, IChatService chat, Subjects subjects, TimeProvider clock, HttpContext context) =>
        AskAsync(message, simple: true, chat, subjects, clock, context);

    private static async Task<IResult> AskAsync(ChatMessage message, bool simple, IChatService chat, Subjects subjects, TimeProvider clock, HttpContext context)
    {
        if (PreferWait.Read(context.Request, out var patience) is { } invalid)
        {
            return invalid;
        }

        var subject = await subjects.OfAsync(context, context.Caller(), message.UserId, Write, context.RequestAborted);
        if (subject.Caller is not { } caller)
        {
            return subject.Refusal!;
        }

        var sent = await chat.SendAsync(caller, ToSend(message, simple, context), context.RequestAborted);
        if (sent.Accepted is not { } accepted)
        {
            return sent.Refusal!;
        }

        using var open = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, caller.Ended);
        try
        {
            var run = await chat.WaitAsync(caller, accepted.RunId, patience, open.Token);
            return run is null ? ChatProblems.NoRun() : new ChatAnswer(await ShownAsync(run, caller, context), await chat.UsageAsync(run, open.Token), clock.GetUtcNow());
        }
        catch (OperationCanceledException) when (caller.Ended.IsCancellationRequested)
        {
            return SessionEnded.While($"run {accepted.RunId}");
        }
    }

    /// <summary>The answer is for whoever asked. What a run asks its owner meanwhile, and the words of what the answer rests on, are for those who see the run.</summary>
    private static async ValueTask<RunSummary> ShownAsync(RunSummary run, Caller owner, HttpContext context)
    {
        var asks = !run.Status.IsFinal() && run.Reason is not null;
        var cites = run.Answer is { Citations.Count: > 0 };
        if ((!asks && !cites) || await context.RequestServices.GetRequiredService<ContentReads>().ShowsRunAsync(context, context.Caller(), owner, run.Id))
        {
            return run;
        }

        return run with { Reason = asks ? null : run.Reason, Answer = run.Answer is { } said ? EventRedaction.AnswerOnly(said) : null };
    }

    private static async Task<IResult> StreamAsync(ChatMessage message, IChatService chat, Subjects subjects, ContentReads reads, HttpContext context)
    {
        var subject = await subjects.OfAsync(context, context.Caller(), message.UserId, Write, context.RequestAborted);
        if (subject.Caller is not { } caller)
        {
            return subject.Refusal!;
        }

        if (await OpenStreams.AttachAsync(context) is { } full)
        {
            return full;
        }

        var sent = await chat.SendAsync(caller, ToSend(message, simple: false, context) with { Watch = true }, context.RequestAborted);
        if (sent.Accepted is not { } accepted)
        {
            return sent.Refusal!;
        }

        if (accepted.Watch is { } watch)
        {
            context.Response.RegisterForDispose(watch);
        }

        var isShown = await reads.ShowsRunAsync(context, context.Caller(), caller, accepted.RunId);
        var items = chat.Stream(accepted, context.RequestAborted);
        return new SseResult(isShown ? items : EventRedaction.AnswerOnly(items, context.RequestAborted));
    }

    private static SendMessage ToSend(ChatMessage message, bool simple, HttpContext context) => new()
    {
        Text = message.Message,
        ConversationId = message.ConversationId,
        UseDefaultConversation = message.UserId is not null,
        Team = message.Team,
        Agent = message.Agent,
        Metadata = message.StoredMetadata(),
        Attachments = message.Attachments ?? [],
        OnBusy = message.OnBusy ?? OnBusy.Enqueue,
        Options = Options(message, simple, WantsFresh(context.Request)),
        Key = context.Idempotency()?.Request,
    };

    private static readonly RunRequestOptions Plain = new();

    private static readonly RunRequestOptions PlainSimple = new() { Simple = true };

    internal static RunRequestOptions Options(ChatInput message, bool simple, bool fresh) =>
        message is { Model: null, Priority: not ChatPriority.Background } && !fresh ? simple ? PlainSimple : Plain
            : new RunRequestOptions { Model = message.Model, Simple = simple, Background = message.Priority == ChatPriority.Background, NoCache = fresh };

    /// <summary><c>Cache-Control: no-cache</c> (RFC 9111 §5.2.1.4): the answer is not to come from what is kept.</summary>
    internal static bool WantsFresh(HttpRequest request)
    {
        foreach (var header in request.Headers.CacheControl)
        {
            if (header is not null && (header.Contains("no-cache", StringComparison.OrdinalIgnoreCase) || header.Contains("no-store", StringComparison.OrdinalIgnoreCase)))
            {
                return true;
            }
        }

        return false;
    }

    private static async Task<Results<Ok<ChatHistoryAnswer>, Problem>> HistoryAsync(
        [Description("Only this conversation; without it all own conversations.")] string? conversation_id,
        int? limit,
        string? cursor,
        [Description("Whose, by id or name: oneself, or for agents and administrators a user for whom they may speak. Administrators also need content:read, and it is audited.")] string? user_id,
        [Description("Messages to skip, instead of a cursor; default 0.")] int? offset,
        IChatService chat,
        Subjects subjects,
        ContentReads reads,
        HttpContext context)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } invalid)
        {
            return invalid;
        }

        if (offset is < 0 or > 10_000_000 || (offset is > 0 && !string.IsNullOrEmpty(cursor)))
        {
            return Problems.Invalid("offset", "must be 0 to 10,000,000, and not together with cursor");
        }

        if (!HistoryCursor.TryRead(page.After, out var after))
        {
            return Problems.Invalid("cursor", "is not a cursor of this list; leave it away to begin at the start");
        }

        var subject = await ReaderAsync(context, user_id, subjects, reads);
        if (subject.Caller is not { } caller)
        {
            return subject.Refusal!;
        }

        var history = await chat.HistoryAsync(caller, new HistoryQuery(conversation_id, page.Limit, offset ?? 0, after), context.RequestAborted);
        if (history.Total < 0)
        {
            return ChatProblems.NoConversation();
        }

        return TypedResults.Ok(new ChatHistoryAnswer
        {
            History = [.. history.Messages.Select(m => new ChatHistoryEntry
            {
                Id = m.Id,
                Role = m.Role,
                Content = m.Content,
                Timestamp = m.CreatedAt,
                Agent = m.Agent,
                RunId = m.RunId,
                ConversationId = m.ConversationId,
            })],
            Total = history.Total,
            UserId = caller.UserId,
            Limit = page.Limit,
            Offset = offset ?? 0,
            NextCursor = HistoryCursor.Write(history.Next),
        });
    }

    /// <summary>An agent reads what it said with those it speaks for; an administrator reads somebody else's words only with the grant for it.</summary>
    private static async ValueTask<Subject> ReaderAsync(HttpContext context, string? userId, Subjects subjects, ContentReads reads)
    {
        var caller = context.Caller();
        var subject = await subjects.OfAsync(context, caller, userId, "chat:read", context.RequestAborted);
        if (subject.Caller is not { } reader || !caller.IsAdmin || reader.UserId == caller.UserId)
        {
            return subject;
        }

        if (!caller.May(Permissions.ReadContent))
        {
            return new Subject(null, Problems.Forbidden("permission_missing", "Reading what others said needs the permission content:read, which no role has by itself: an administrator can grant it to a user."));
        }

        await reads.RecordAsync(context, "conversation", [reader.UserId]);
        return subject;
    }

    private static async Task<Results<Ok<FeedbackAnswer>, Problem>> RateAsync([Description("The answer.")] string id, FeedbackRequest feedback, ConversationStore store, HttpContext context)
    {
        var kept = await store.RateAsync(id, context.Caller().UserId, feedback.Score, feedback.Reason, context.RequestAborted);
        return kept is { } at
            ? TypedResults.Ok(new FeedbackAnswer { MessageId = id, Score = feedback.Score, Reason = feedback.Reason, UpdatedAt = at })
            : ChatProblems.NoMessage();
    }

    private static async Task<Results<NoContent, Problem>> UnrateAsync([Description("The answer.")] string id, ConversationStore store, HttpContext context) =>
        await store.UnrateAsync(id, context.Caller().UserId, context.RequestAborted) ? TypedResults.NoContent() : ChatProblems.NoMessage();
}

/// <summary>What was said.</summary>
public sealed record ChatHistoryAnswer
{
    /// <summary>Messages, oldest first.</summary>
    public required IReadOnlyList<ChatHistoryEntry> History { get; init; }

    /// <summary>Messages that match, on all pages.</summary>
    /// <example>2</example>
    public required long Total { get; init; }

    /// <summary>Whose messages these are.</summary>
    public required string UserId { get; init; }

    /// <summary>Most messages of a page, as asked.</summary>
    /// <example>50</example>
    public required int Limit { get; init; }

    /// <summary>Messages that were skipped, as asked.</summary>
    /// <example>0</example>
    public required int Offset { get; init; }

    /// <summary>Send it as <c>cursor</c> to get the next page; null: this is the last one.</summary>
    public string? NextCursor { get; init; }
}

/// <summary>One message of the history.</summary>
public sealed record ChatHistoryEntry
{
    /// <summary>The message.</summary>
    public required string Id { get; init; }

    /// <summary>user or assistant.</summary>
    /// <example>assistant</example>
    public required string Role { get; init; }

    /// <summary>The text.</summary>
    /// <example>The last train leaves at 23:10.</example>
    public required string Content { get; init; }

    /// <summary>When it was said.</summary>
    public required DateTimeOffset Timestamp { get; init; }

    /// <summary>The agent that said it; null: the user.</summary>
    /// <example>communicator</example>
    public string? Agent { get; init; }

    /// <summary>The run that worked on it or wrote it.</summary>
    public string? RunId { get; init; }

    /// <summary>The conversation it belongs to.</summary>
    public required string ConversationId { get; init; }
}

/// <summary>What a user thinks of an answer.</summary>
public sealed record FeedbackRequest
{
    /// <summary>1: good, -1: bad.</summary>
    /// <example>1</example>
    [AllowedValues(-1, 1)]
    public required int Score { get; init; }

    /// <summary>Why, in the user's words; up to 2,000 characters.</summary>
    /// <example>Named its sources.</example>
    [Characters(0, 2000)]
    public string? Reason { get; init; }
}

/// <summary>The feedback as it was kept.</summary>
public sealed record FeedbackAnswer
{
    /// <summary>The answer that was rated.</summary>
    public required string MessageId { get; init; }

    /// <summary>1: good, -1: bad.</summary>
    /// <example>1</example>
    public required int Score { get; init; }

    /// <summary>Why, in the user's words.</summary>
    public string? Reason { get; init; }

    /// <summary>When it was kept.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    internal static FeedbackAnswer Of(string messageId, Rating rating) => new() { MessageId = messageId, Score = rating.Score, Reason = rating.Reason, UpdatedAt = rating.UpdatedAt };
}
