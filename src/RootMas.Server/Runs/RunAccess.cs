using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>A run as one caller may see it.</summary>
/// <param name="WithContent">False: what happened and what it cost, but nothing of what was said.</param>
internal sealed record SeenRun(RunSummary Run, bool WithContent);

/// <summary>Finds runs for requests: one's own, those of a user one speaks for, and for administrators everybody's, without content unless they were granted it.</summary>
internal sealed class RunAccess(IMessageProcessor runs, Subjects subjects, ContentReads reads)
{
    public static Problem NotFound() => Problems.NotFound("run_not_found", "There is no such run.");

    /// <param name="userId">For whom the caller speaks; null: themselves.</param>
    /// <param name="show">Content is about to be shown: somebody else's is written down.</param>
    public async Task<(SeenRun? Seen, Problem? Refusal)> FindAsync(HttpContext context, string id, string? userId, bool show = true)
    {
        var caller = context.Caller();
        var owner = caller;
        if (userId is not null && !caller.IsAdmin)
        {
            var subject = await subjects.OfAsync(context, caller, userId, "chat:read", context.RequestAborted);
            if (subject.Caller is null)
            {
                return (null, subject.Refusal);
            }

            owner = subject.Caller;
        }

        if (await runs.FindAsync(id, caller.IsAdmin ? null : owner.UserId, context.RequestAborted) is not { } run)
        {
            return (null, NotFound());
        }

        var isOwn = run.OwnerId == owner.UserId;
        var mayRead = isOwn || caller.May(Permissions.ReadContent);
        if (show && mayRead && !isOwn)
        {
            await reads.RecordAsync(context, "run", [run.Id]);
        }

        return (new SeenRun(run, mayRead), null);
    }

    /// <summary>Whether a list shows what others said; if it does, that is written down for each of their runs.</summary>
    public async Task<bool> ShowsOthersAsync(HttpContext context, IReadOnlyList<RunSummary> found)
    {
        var caller = context.Caller();
        if (!caller.May(Permissions.ReadContent))
        {
            return false;
        }

        await reads.RecordAsync(context, "run", [.. found.Where(r => r.OwnerId != caller.UserId).Select(static r => r.Id)]);
        return true;
    }
}
