using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>Whose memory a request is about: the caller's own, or that of a user for whom an agent speaks. An administrator sees another's only with the grant for it, and each look is written down.</summary>
internal sealed class MemoryCallers(Subjects subjects, ContentReads reads)
{
    public async ValueTask<Subject> OfAsync(HttpContext context, string? userId, string permission)
    {
        var caller = context.Caller();
        var subject = await subjects.OfAsync(context, caller, userId, permission, context.RequestAborted);
        if (subject.Caller is not { } owner || !caller.IsAdmin || owner.UserId == caller.UserId)
        {
            return subject;
        }

        if (!caller.May(Permissions.ReadContent))
        {
            return new Subject(null, Problems.Forbidden("permission_missing", "What is remembered about others is theirs: seeing it needs the permission content:read, which no role has by itself. Nothing was done."));
        }

        await reads.RecordAsync(context, "memory", [owner.UserId]);
        return subject;
    }
}
