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
}
