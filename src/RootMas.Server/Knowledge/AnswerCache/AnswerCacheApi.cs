using System.ComponentModel;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Routes of the cache of answers.</summary>
internal static class AnswerCacheApi
{
    private const int LongestId = 200;
    private static readonly string[] Kinds = ["document", "agent", "prompt", "user"];

    public static void Map(IEndpointRouteBuilder routes)
    {
        var cache = routes.MapGroup("/api/v1/cache").WithTags("Operations");
        cache.MapGet("/stats", Stats).RequirePermission("metrics:read").WithName("GetCacheStats").WithSummary("What the cache of answers did")
            .WithDescription("Hits by kind, what they saved, how often answers to similar questions are wrong, and the answers that were given most often. Counts are those of the instance that answers, since its start. Texts are shown of one's own questions only.");
        cache.MapPost("/clear", Clear).RequirePermission("cache:write").Audits("cache.clear").WithName("ClearCache")
            .Refuses(400, "validation_failed", "partial names nothing that can be cleared.")
            .WithSummary("Forget kept answers").WithDescription("All of them, or with `partial` those of a document, an agent, a version of a prompt, or a user. From then on nobody gets one of them, other instances within about a second. What was learned about similarity stays.");
    }

    private static async Task<Ok<AnswerCacheView>> Stats(AnswerCacheStats stats, HttpContext context)
    {
        var caller = context.Caller();
        return TypedResults.Ok(await stats.ReadAsync(caller.UserId, Permissions.Allows(caller.Permissions, "cache:read"), context.RequestAborted));
    }

    private static async Task<Results<Ok<CacheCleared>, Problem>> Clear(
        AnswerPurge purge, HttpContext context,
        [Description("document:ID, agent:NAME, prompt:VERSION or user:ID; without it everything.")] string? partial = null)
    {
        if (Read(partial) is not { } scope)
        {
            return Problems.Invalid("partial", "must be document:ID, agent:NAME, prompt:VERSION or user:ID, or be left out");
        }

        var row = context.AuditRow(context.Audit("cache.clear") with { TargetKind = "cache", TargetId = scope.Kind, After = new JsonObject { ["kind"] = scope.Kind, ["id"] = scope.Id } });
        var removed = await purge.PurgeAsync(scope, session => row(session), context.RequestAborted);
        return TypedResults.Ok(new CacheCleared { Status = "success", Message = $"{removed} answers were removed.", Removed = removed });
    }

    private static PurgeScope? Read(string? partial) => partial is null ? new PurgeScope("all", "")
        : partial.Split(':', 2) is [var kind, { Length: > 0 and <= LongestId } id] && Kinds.Contains(kind, StringComparer.Ordinal) && !id.Any(char.IsControl) ? new PurgeScope(kind, id) : null;
}
