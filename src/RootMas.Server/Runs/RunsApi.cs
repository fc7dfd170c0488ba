using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>Routes of runs.</summary>
internal static class RunsApi
{
    private const string Read = "chat:read";
    private const string Write = "chat:write";
    private const string RunId = "Id of the run.";
    private const string OwnLog = "the run's own log records it";
    private const string ForUser = "For whom an agent speaks: see POST /chat.";
    private const int EventPage = 200;

    public static void Map(RouteGroupBuilder runs)
    {
        runs.MapGet("", List).RequirePermission(Read).WithName("ListRuns").Refuses(404, "user_not_found", "There is no such user.")
            .WithSummary("List runs").WithDescription("One's own root runs, newest first. Administrators may name another user, or * for everybody; what others said is shown only with content:read, and that is audited. With shared=true those of one's own that one shows to everybody.");
        MayNameUser(runs.MapGet("/{id}", Get)).RequirePermission(Read).WithName("GetRun").Refuses(404, "run_not_found", "There is no such run, or it is somebody else's.")
            .WithSummary("Read a run").WithDescription("State, cost and answer of a run. With tree=1 its descendants are nested below it. Administrators see others' runs without what was said, unless they hold content:read. What its owner shares is read by everybody who is signed in, but for bots.");
        MayNameUser(runs.MapGet("/{id}/events", Events)).RequirePermission(Read).AttachesStream(StreamKind.Events).Reads("Last-Event-ID").WithName("RunEvents")
            .Produces<RunEventPage>().Produces(200, contentType: EventStreams.MediaType).Produces(204)
            .Refuses(404, "run_not_found", "There is no such run, or it is somebody else's.").Refuses(400, "validation_failed", "The position is nonsense.")
            .WithSummary("Read or follow a run's log")
            .WithDescription("A page of stored events after ?after= (or ?cursor=, which is the same). With Accept: text/event-stream the events from there on and then the live ones until the run's end; Last-Event-ID resumes, after the final event the answer is 204. With tree=1 events of descendants are added live, without id. "
                + "Administrators without content:read get others' events redacted: null in place of what was said, and no live pieces. Of a shared run others get stored events only, until it is no longer shared, and what retells more than the run itself (remembered facts, summaries of earlier messages) is redacted.");
        MapVerbs(runs);
        RunSharingApi.Map(runs);
    }

    private static RouteHandlerBuilder MayNameUser(RouteHandlerBuilder route) => route.Refuses(403, "user_not_allowed", "user_id names somebody for whom the caller may not speak.");

    private static void MapVerbs(RouteGroupBuilder runs)
    {
        const string missing = "There is no such run, or it is somebody else's.";
        MayNameUser(runs.MapPost("/{id}/cancel", Cancel)).RequirePermission(Write).AuditsNothing(OwnLog).ShowsAgain().WithName("CancelRun").Refuses(404, "run_not_found", missing)
            .WithSummary("Cancel a run").WithDescription("The run and its descendants stop within a second, also at the model's provider; the text so far is kept. A run that has ended is left as it is.");
        MayNameUser(runs.MapPost("/{id}/retry", Retry)).RequirePermission(Write).AuditsNothing(OwnLog).ShowsAgain().WithName("RetryRun").Refuses(404, "run_not_found", missing)
            .Refuses(404, RunProblems.NoConversation, "Its conversation was deleted.").Refuses(409, "run_not_final", "The run has not ended.").Refuses(409, "not_a_root_run", "It is a part of another run.").Refuses(409, "branch_busy", "Its branch has an unfinished run, or another retry of the same message works.")
            .Refuses(400, "validation_failed", "from_seq is beyond the log.").Refuses(409, "message_rolled_back", "A later message took its message back.").Refuses(409, "log_pruned", "Its log was removed by the server's retention.")
            .Refuses(429, "concurrent_runs", "You have as many unfinished runs as one user may have.")
            .WithSummary("Repeat a run").WithDescription("Makes a new run with the same input, team and agents. Completed steps before from_seq are copied and not executed again.");
        MayNameUser(runs.MapPost("/{id}/input", Answer)).RequirePermission(Write).AuditsNothing(OwnLog).ShowsAgain().WithName("AnswerRun").Refuses(404, "run_not_found", missing)
            .Refuses(409, "no_open_question", "The run waits for no such answer.").Refuses(409, "run_is_final", "The run has ended.")
            .WithSummary("Answer a question of a run").WithDescription("For a run in waiting_input: the agent gets the text and goes on.");
        MayNameUser(runs.MapPost("/{id}/resolve", Resolve)).RequirePermission(Write).Audits("run.resolve").ShowsAgain().WithName("ResolveRun").Refuses(404, "run_not_found", missing)
            .Refuses(409, "no_open_review", "No such call waits for a review.").Refuses(409, "repeat_too_early", "The call may still be on its way.").Refuses(409, "run_is_final", "The run has ended.")
            .WithSummary("Decide a call in doubt").WithDescription("For a run in needs_review: a call with an effect was interrupted and nobody knows whether it acted. Look, then say. Administrators decide in the runs of a bot's end users too.");
    }

    private static async Task<Results<Ok<RunList>, Problem>> List(
        [Description("Only runs in this state.")] string? status, [Description("Only runs that this agent entered.")] string? agent,
        [Description("Only runs of the conversation with this id.")] string? conversation, [Description("Another user, by id or name, or * for everybody; administrators only.")] string? user,
        [Description("Only runs that one does, or does not, share; of one's own only.")] bool? shared,
        int? limit, string? cursor, IMessageProcessor runs, RunAccess access, HttpContext context)
    {
        var caller = context.Caller();
        if (Paging.Read(limit, cursor, 1, out var page) is { } problem)
        {
            return problem;
        }

        if (!TryStatus(status, out var wanted))
        {
            return Problems.Invalid("status", "must be queued, running, waiting_approval, waiting_input, waiting_children, waiting_timer, needs_review, completed, failed or cancelled");
        }

        var (owner, refusal) = await access.ListedAsync(context, user, shared);
        if (refusal is not null)
        {
            return refusal;
        }

        var filter = new RunFilter { OwnerId = owner, Status = wanted, Agent = agent, ConversationId = conversation, Shared = shared, BeforeId = page.After?[0], Limit = page.Limit + 1 };
        var found = await runs.ListAsync(filter, context.RequestAborted);
        var shown = found.Take(page.Limit).ToList();
        var showsOthers = await access.ShowsOthersAsync(context, shown);
        var seen = shown.Where(r => showsOthers || r.OwnerId == caller.UserId).Select(static r => r.Id).ToHashSet(StringComparer.Ordinal);
        var inputs = seen.Count == 0 ? [] : await runs.InputsAsync(seen, context.RequestAborted);
        return TypedResults.Ok(new RunList
        {
            Items = [.. shown.Select(r => RunView.Of(r, seen.Contains(r.Id), inputs.GetValueOrDefault(r.Id)))],
            NextCursor = found.Count > page.Limit ? Paging.CursorOf(found[page.Limit - 1].Id) : null,
        });
    }

    private static async Task<Results<Ok<RunView>, Problem>> Get(
        [Description(RunId)] string id, [Description("1: with its descendants, nested.")] int? tree, [Description(ForUser)] string? user_id, IMessageProcessor runs, RunAccess access, HttpContext context)
    {
        if (RefuseTree(tree) is { } nonsense)
        {
            return nonsense;
        }

        var (seen, refusal) = await access.FindAsync(context, id, user_id);
        if (seen is not { Run: var run, WithContent: var withContent })
        {
            return refusal!;
        }

        var input = withContent ? (await runs.InputsAsync([id], context.RequestAborted)).GetValueOrDefault(id) : null;
        if (tree is not 1)
        {
            return TypedResults.Ok(RunView.Of(run, withContent, input));
        }

        var all = await runs.TreeAsync(id, run.OwnerId, context.RequestAborted);
        var byParent = all.Where(r => r.ParentRunId is not null).ToLookup(r => r.ParentRunId!, StringComparer.Ordinal);
        return TypedResults.Ok(Nest(all.FirstOrDefault(r => r.Id == id) ?? run, byParent, withContent, input));
    }

    private static async Task<IResult> Events(
        [Description(RunId)] string id, [Description("Read on after this event: its id.")] string? after,
        [Description("The same, as in other lists: `next_cursor` of the page before.")] string? cursor, [Description("Events per page, 1 to 200; default 200.")] int? limit,
        [Description("1: with live events of descendants.")] int? tree, [Description(ForUser)] string? user_id, IMessageProcessor runs, RunAccess access, HttpContext context)
    {
        var isStream = EventStreams.AreWanted(context.Request);
        if (!isStream && limit is < 1 or > EventPage)
        {
            return Problems.Invalid("limit", $"must be between 1 and {EventPage}");
        }

        var (position, field, nonsense) = PositionOf(context.Request, after, cursor);
        if ((RefuseTree(tree) ?? nonsense) is { } wrong)
        {
            return wrong;
        }

        var (seen, refusal) = await access.FindAsync(context, id, user_id);
        if (seen is not { Run: var run })
        {
            return refusal!;
        }

        if (StreamPositions.Beyond(position, run.LastSeq) is { } beyond)
        {
            return Problems.Invalid(field, beyond);
        }

        if (isStream)
        {
            if (run.Status.IsFinal() && position.Seq >= run.LastSeq)
            {
                return TypedResults.NoContent();
            }

            return new SseResult(Shown(seen, runs.StreamAsync(id, position, tree is 1, context.RequestAborted), context));
        }

        var page = await runs.EventsAsync(id, position.Seq, limit ?? EventPage, context.RequestAborted);
        long? next = page.Count == (limit ?? EventPage) ? page[^1].Seq : null;
        return TypedResults.Ok(new RunEventPage
        {
            Items = await ShownAsync(seen, page, context),
            NextAfter = next,
            NextCursor = next?.ToString(CultureInfo.InvariantCulture),
            Status = run.Status.ToName(),
        });
    }

    /// <summary>A stream as this caller may see it.</summary>
    private static IAsyncEnumerable<StreamItem> Shown(SeenRun seen, IAsyncEnumerable<StreamItem> items, HttpContext context) =>
        seen.IsShared ? context.RequestServices.GetRequiredService<RunSharing>().WhileSharedAsync(items, seen.Run.RootRunId, context.RequestAborted)
        : seen.WithContent ? items
        : EventRedaction.Redact(items, context.RequestAborted);

    /// <summary>A page as this caller may see it.</summary>
    private static async Task<IReadOnlyList<JsonElement>> ShownAsync(SeenRun seen, IReadOnlyList<StoredEvent> page, HttpContext context)
    {
        var shown = seen.IsShared ? await context.RequestServices.GetRequiredService<RunSharing>().ShowAsync(page, context.RequestAborted) : page;
        return [.. shown.Select(e => JsonElement.Parse(seen.WithContent ? e.Json.Span : EventRedaction.Redact(e.Json.Span)))];
    }

    private static async Task<Results<Accepted<RunView>, Problem>> Cancel(
        [Description(RunId)] string id, [Description(ForUser)] string? user_id, CancelRun? body, IMessageProcessor runs, RunAccess access, HttpContext context)
    {
        var (seen, refusal) = await access.FindAsync(context, id, user_id, show: false);
        if (seen is not { Run: var run })
        {
            return refusal!;
        }

        if (context.Idempotency()?.Made is null)
        {
            await runs.CancelAsync(id, run.OwnerId, body?.Reason ?? "Cancelled by the user.", keepText: true, context.RequestAborted);
            await context.NameAfterwardsAsync("run", id); // a run is cancelled in several transactions, and nothing changes if it is told twice
        }

        var now = await runs.FindAsync(id, run.OwnerId, context.RequestAborted) ?? run;
        return TypedResults.Accepted($"/api/v1/runs/{id}", await ViewAsync(runs, now, withContent: context.Caller().UserId == run.OwnerId, context.RequestAborted));
    }

    private static async Task<Results<Accepted<RunView>, Problem>> Retry(
        [Description(RunId)] string id, [Description(ForUser)] string? user_id, RetryRun? body, IMessageProcessor runs, Subjects subjects, HttpContext context)
    {
        var subject = await subjects.OfAsync(context, context.Caller(), user_id, Write, context.RequestAborted);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        return await MadeAsync(runs, context, owner)
            ?? await AnsweredAsync(runs, context, await runs.RetryAsync(id, owner.UserId, body?.FromSeq, new(owner.Restriction(), owner.OwnNumber(LimitNames.Runs)), context.Idempotency()?.Making("run"), context.RequestAborted));
    }

    private static async Task<Results<Accepted<RunView>, Problem>> Answer(
        [Description(RunId)] string id, [Description(ForUser)] string? user_id, AnswerRun body, IMessageProcessor runs, Subjects subjects, HttpContext context)
    {
        var subject = await subjects.OfAsync(context, context.Caller(), user_id, Write, context.RequestAborted);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        return await MadeAsync(runs, context, owner)
            ?? await AnsweredAsync(runs, context, await runs.AnswerAsync(id, owner.UserId, body.CallId is null ? null : CallOf(body.CallId), body.Text, context.Idempotency()?.Making("run"), context.RequestAborted));
    }

    private static async Task<Results<Accepted<RunView>, Problem>> Resolve(
        [Description(RunId)] string id, [Description(ForUser)] string? user_id, ResolveRun body, IMessageProcessor runs, RunAccess access, HttpContext context)
    {
        var subject = await access.DecidesForAsync(context, id, user_id);
        if (subject.Caller is not { } owner)
        {
            return subject.Refusal!;
        }

        var caller = context.Caller();
        var isOthers = IsOthers(caller, owner.UserId);
        var record = context.AuditRow(context.Audit("run.resolve") with
        {
            TargetKind = "run",
            TargetId = id,
            After = new System.Text.Json.Nodes.JsonObject { ["call_id"] = body.CallId, ["outcome"] = body.Outcome, ["owner_id"] = owner.UserId },
        });
        return await MadeAsync(runs, context, owner)
            ?? await AnsweredAsync(
                runs, context, await runs.ResolveAsync(id, owner.UserId, CallOf(body.CallId), body.Outcome, body.Result, record.And(context.Idempotency()?.Making("run")), context.RequestAborted, by: isOthers ? caller.UserId : null));
    }

    /// <summary>Of what was said in a run an administrator who speaks for somebody else sees nothing here: they read it at the run itself, with the grant for it and a row about it.</summary>
    private static bool IsOthers(Caller caller, string ownerId) => caller.IsAdmin && caller.UserId != ownerId;

    /// <summary>The answer to a repeat whose first request had its effect and no answer; null: this is no such repeat.</summary>
    private static async Task<Results<Accepted<RunView>, Problem>?> MadeAsync(IMessageProcessor runs, HttpContext context, Caller owner) =>
        context.Idempotency()?.Made is { } made
            ? await AnsweredAsync(runs, context, await runs.FindAsync(made, owner.UserId, context.RequestAborted) is { } run ? new RunVerdict(run) : RunVerdict.NotFound)
            : null;

    private static async Task<Results<Accepted<RunView>, Problem>> AnsweredAsync(IMessageProcessor runs, HttpContext context, RunVerdict verdict)
    {
        if (verdict is { Ok: true, Run: { } run })
        {
            return TypedResults.Accepted($"/api/v1/runs/{run.Id}", await ViewAsync(runs, run, withContent: !IsOthers(context.Caller(), run.OwnerId), context.RequestAborted));
        }

        if (verdict.Code == OpenRuns.Limit)
        {
            return RunProblems.TooManyRuns(verdict.Detail ?? "");
        }

        if (verdict.Code == RunProblems.NoConversation)
        {
            return RunProblems.ConversationDeleted();
        }

        if (verdict.Code == RunProblems.BeyondLog)
        {
            return Problems.Invalid("from_seq", verdict.Detail ?? "");
        }

        return verdict.Code is null or "run_not_found" ? RunAccess.NotFound() : Problems.Conflict(verdict.Code, verdict.Detail ?? "Not possible in the current state.") with
        {
            Extra = verdict.Run is { } state ? new Dictionary<string, string>(StringComparer.Ordinal) { ["run_id"] = state.Id, ["run_status"] = state.Status.ToName() } : null,
        };
    }

    /// <summary>A run as <see cref="Get"/> shows it, with its title.</summary>
    internal static async Task<RunView> ViewAsync(IMessageProcessor runs, RunSummary run, bool withContent, CancellationToken cancellationToken) =>
        RunView.Of(run, withContent, withContent ? (await runs.InputsAsync([run.Id], cancellationToken)).GetValueOrDefault(run.Id) : null);

    private static Problem? RefuseTree(int? tree) => tree is null or 0 or 1 ? null : Problems.Invalid("tree", "must be one of 0, 1");

    /// <summary>Where to begin, and what said so; whether the log reaches so far is not known here.</summary>
    private static (StreamPosition At, string Field, Problem? Refusal) PositionOf(HttpRequest request, string? after, string? cursor)
    {
        var header = request.Headers["Last-Event-ID"];
        if (header.Count > 0)
        {
            return PositionOf("Last-Event-ID", header.ToString());
        }

        var page = PositionOf("cursor", cursor is "" ? null : cursor); // empty: from the beginning, as in other lists
        var named = PositionOf("after", after);
        if (named.Refusal is not null || string.IsNullOrEmpty(cursor))
        {
            return named;
        }

        return page.Refusal is null && after is not null && named.At != page.At
            ? (default, "cursor", Problems.Invalid("cursor", "names another event than after; leave one of them away"))
            : page;
    }

    private static (StreamPosition At, string Field, Problem? Refusal) PositionOf(string field, string? text) =>
        text is null ? (default, field, null)
        : StreamPositions.TryParse(text, out var position) ? (position, field, null)
        : (default, field, Problems.Invalid(field, "must be the id of an event: a number, or number:number"));

    private static RunView Nest(RunSummary run, ILookup<string, RunSummary> byParent, bool withContent, string? input = null) =>
        RunView.Of(run, withContent, input) with { Children = [.. byParent[run.Id].Select(child => Nest(child, byParent, withContent))] };

    private static bool TryStatus(string? name, out RunStatus? status)
    {
        status = null;
        foreach (var known in Enum.GetValues<RunStatus>())
        {
            status = known.ToName() == name ? known : status;
        }

        return name is null || status is not null;
    }

    private static int CallOf(string callId) => int.Parse(callId.AsSpan("call_".Length), CultureInfo.InvariantCulture);
}
