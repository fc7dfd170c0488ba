using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>Routes by which an owner shows a run to everybody who is signed in, and by which that ends.</summary>
internal static class RunSharingApi
{
    public static void Map(RouteGroupBuilder runs)
    {
        Refuses404(runs.MapPost("/{id}/share", Share)).RequirePermission("chat:write").Audits("run.share").ShowsAgain().WithName("ShareRun")
            .Refuses(404, RunProblems.NoConversation, "Its conversation was deleted.").Refuses(409, "not_a_root_run", "It is a part of another run.")
            .WithSummary("Share a run").WithDescription("Only its owner. From then on everybody who is signed in (bots are not) and knows the id reads the run and those below it: question, answer, steps, events, cost, also what these quote of documents that others may not open. Facts remembered about the owner and summaries of earlier messages are redacted. It is in nobody's list, and nobody else decides, answers, stops or repeats anything. Other runs of the conversation stay as they were.");
        Refuses404(runs.MapDelete("/{id}/share", Stop)).RequirePermission("chat:write").Audits("run.unshare").WithName("UnshareRun")
            .WithSummary("Stop sharing a run").WithDescription("Its owner, or an administrator. It counts at once, for streams that are open as well: they get no further event. A run whose owner is disabled is not shown to others in any case.");
    }

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) => route.Refuses(404, "run_not_found", "There is no such run, or it is somebody else's.");

    private static async Task<Results<Ok<RunView>, Problem>> Share([Description("Id of the run.")] string id, IMessageProcessor runs, RunSharing sharing, HttpContext context)
    {
        var (owner, key) = (context.Caller().UserId, context.Idempotency());
        if (await runs.FindAsync(id, owner, context.RequestAborted) is not { } run)
        {
            return RunAccess.NotFound();
        }

        if (run.ParentRunId is not null)
        {
            return Problems.Conflict("not_a_root_run", $"This run is a part of another. Nothing was done. Share {run.RootRunId}: this one is read with it.");
        }

        if (key?.Made is null)
        {
            await sharing.ShareAsync(id, owner, Row(context, "run.share", id), key?.Making("run"), context.RequestAborted);
        }

        return await runs.FindAsync(id, owner, context.RequestAborted) is { } now ? TypedResults.Ok(await RunsApi.ViewAsync(runs, now, withContent: true, context.RequestAborted)) : RunAccess.NotFound();
    }

    private static async Task<Results<NoContent, Problem>> Stop([Description("Id of the run.")] string id, IMessageProcessor runs, RunSharing sharing, HttpContext context)
    {
        // Only an owner opens a run; whoever runs the server must be able to close it.
        var owner = context.Caller().IsAdmin ? null : context.Caller().UserId;
        if (await runs.FindAsync(id, owner, context.RequestAborted) is null)
        {
            return RunAccess.NotFound();
        }

        await sharing.StopAsync(id, owner, EndRow(context, id), context.RequestAborted);
        return TypedResults.NoContent();
    }

    /// <summary>The audit row of a run that is not shared any more.</summary>
    public static AuditWrite EndRow(HttpContext context, string id) => Row(context, "run.unshare", id);

    private static AuditWrite Row(HttpContext context, string action, string id) => context.AuditRow(context.Audit(action) with { TargetKind = "run", TargetId = id });
}
