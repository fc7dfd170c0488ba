using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Access;

/// <summary>Writes down that somebody is about to see what others said. The row is there before the first byte leaves.</summary>
public sealed class ContentReads(IDatabase database, AuditLog audit)
{
    /// <param name="kind">run, conversation, approval.</param>
    /// <param name="ids">What is shown; nothing is written for none.</param>
    public Task RecordAsync(HttpContext context, string kind, IReadOnlyCollection<string> ids)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (ids.Count == 0)
        {
            return Task.CompletedTask;
        }

        var entry = context.Audit($"{kind}.content_read") with
        {
            TargetKind = kind,
            TargetId = ids.First(),
            After = ids.Count == 1 ? null : new JsonArray([.. ids.Select(static id => (JsonNode?)id)]),
        };
        return database.WriteAsync(session => audit.AppendAsync(session, entry), CancellationToken.None);
    }

    /// <summary>
    /// Whether somebody sees more of a user's run than its answer, because they speak for that user: a bot does; an administrator only with the grant for it, and then it is written down.
    /// </summary>
    /// <param name="owner">For whom <paramref name="caller"/> speaks.</param>
    public async ValueTask<bool> ShowsRunAsync(HttpContext context, Caller caller, Caller owner, string runId)
    {
        ArgumentNullException.ThrowIfNull(caller);
        ArgumentNullException.ThrowIfNull(owner);
        if (!caller.IsAdmin || caller.UserId == owner.UserId)
        {
            return true;
        }

        if (!caller.May(Permissions.ReadContent))
        {
            return false;
        }

        await RecordAsync(context, "run", [runId]);
        return true;
    }
}
