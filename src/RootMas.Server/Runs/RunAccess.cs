using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Runs;

/// <summary>A run as one caller may see it.</summary>
/// <param name="WithContent">False: what happened and what it cost, but nothing of what was said.</param>
/// <param name="IsShared">Seen because its owner shows it to everybody.</param>
internal sealed record SeenRun(RunSummary Run, bool WithContent, bool IsShared = false);

/// <summary>Finds runs for requests: one's own, those of a user one speaks for, those that their owners show to everybody, and for administrators everybody's, without content unless they were granted it.</summary>
internal sealed class RunAccess(IMessageProcessor runs, RunReader reader, Subjects subjects, UserRights users, ContentReads reads)
{
    private const string Everybody = "*";

    public static Problem NotFound() => Problems.NotFound("run_not_found", "There is no such run.");

    /// <param name="userId">For whom the caller speaks; null: themselves.</param>
    /// <param name="show">Content is about to be shown: somebody else's is written down. False: the run is about to be changed, for which it is not enough that it is shown to others.</param>
    public async Task<(SeenRun? Seen, Problem? Refusal)> FindAsync(HttpContext context, string id, string? userId, bool show = true)
    {
        var caller = context.Caller();
        var (owner, refusal) = await OwnerAsync(context, caller, userId);
        if (owner is null)
        {
            return (null, refusal);
        }

        var run = await runs.FindAsync(id, caller.IsAdmin ? null : owner.UserId, context.RequestAborted);
        // Whoever may read everybody's content reads it whole, also where its owner shows it with facts about themselves left out; that is written down as ever.
        var readsAll = caller.IsAdmin && caller.May(Permissions.ReadContent);
        if (show && userId is null && !readsAll && run?.OwnerId != owner.UserId && await SharedAsync(id, caller, context.RequestAborted) is { } shared)
        {
            return (shared, null);
        }

        return run is null ? (null, NotFound()) : (await SeenAsync(context, run, isOwn: run.OwnerId == owner.UserId, show), null);
    }

    /// <summary>Whose runs a list is of; without an owner and without a refusal: everybody's.</summary>
    /// <param name="user">Id or name, <c>*</c>, or for a bot's end user those of the bot, a slash and its own; null: the caller.</param>
    public async Task<(string? OwnerId, Problem? Refusal)> ListedAsync(HttpContext context, string? user, bool? shared)
    {
        var caller = context.Caller();
        if (user is null || user == caller.UserId || user.Equals(caller.Username, StringComparison.OrdinalIgnoreCase))
        {
            return (caller.UserId, null);
        }

        if (!caller.IsAdmin)
        {
            return (null, Problems.Forbidden("foreign_user", "Only administrators may list others' runs."));
        }

        if (shared is not null)
        {
            return (null, Problems.Invalid("shared", "tells one's own runs apart; leave user away, or leave this away"));
        }

        if (user is Everybody)
        {
            return (null, null);
        }

        var (named, _) = Subjects.UserOf(user);
        return await users.FindByNameAsync(named, context.RequestAborted) is { } found
            ? (found.Id + user[named.Length..], null)
            : (null, Problems.NotFound("user_not_found", "There is no such user."));
    }

    /// <summary>
    /// In whose run a call in doubt is decided: one's own, that of somebody one speaks for, and for administrators that of an end user of a bot, who cannot come and look; as with their approvals.
    /// </summary>
    public async Task<Subject> DecidesForAsync(HttpContext context, string id, string? userId)
    {
        var caller = context.Caller();
        return caller is { IsAdmin: true, Credential: not CredentialKind.ServiceToken } && caller.May(Permissions.DecideApprovals) && userId is null && await runs.FindAsync(id, ownerId: null, context.RequestAborted) is { } run && Subjects.UserOf(run.OwnerId).IsExternal
            ? new Subject(caller with { UserId = run.OwnerId }, null)
            : await subjects.OfAsync(context, caller, userId, "chat:write", context.RequestAborted);
    }

    private async Task<(Caller? Owner, Problem? Refusal)> OwnerAsync(HttpContext context, Caller caller, string? userId)
    {
        if (userId is null || caller.IsAdmin)
        {
            return (caller, null);
        }

        var subject = await subjects.OfAsync(context, caller, userId, "chat:read", context.RequestAborted);
        return (subject.Caller, subject.Refusal);
    }

    private async Task<SeenRun> SeenAsync(HttpContext context, RunSummary run, bool isOwn, bool show)
    {
        var mayRead = isOwn || context.Caller().May(Permissions.ReadContent);
        if (show && mayRead && !isOwn)
        {
            await reads.RecordAsync(context, "run", [run.Id]);
        }

        return new SeenRun(run, mayRead);
    }

    /// <summary>Null: it is not shown to this caller. Bots speak for people outside, to whom nothing was shown.</summary>
    private async Task<SeenRun?> SharedAsync(string id, Caller caller, CancellationToken cancellationToken) =>
        caller.Role is not "agent" && await reader.FindSharedAsync(id, cancellationToken) is { } run ? new SeenRun(run, WithContent: true, IsShared: true) : null;

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
