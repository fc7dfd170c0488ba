using System.ComponentModel;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Backups;

/// <summary>Routes of backups. A restore is none of them: it needs a stopped server.</summary>
internal static class BackupsApi
{
    private const int CostOfOne = 10;

    public static void Map(IEndpointRouteBuilder routes)
    {
        var backups = routes.MapGroup("/api/v1/backups").WithTags("Backups");
        backups.MapGet("", ListAsync).RequirePermission("backups:read").WithName("ListBackups")
            .WithSummary("List backups").WithDescription("Archives of every place (folder, off-site folder, bucket), newest first, with what their last check found. A place that does not answer is a warning.");
        backups.MapGet("/{id}", GetAsync).RequirePermission("backups:read").WithName("GetBackup").Refuses(404, "backup_not_found", "There is no backup of this id in any place.")
            .WithSummary("Read about a backup").WithDescription("One backup with its places and its last check.");
        backups.MapPost("", CreateAsync).RequirePermission("backups:write").Audits("backup.create").WithCost(CostOfOne).WithName("CreateBackup")
            .Refuses(409, "backup_running", "Another one is being made or checked.").Refuses(503, "backup_failed", "It could not be made; earlier ones are as they were.")
            .WithSummary("Make a backup").WithDescription("Makes an archive beside all work, verifies it unless told otherwise, copies it to the other places, and clears up old ones. Answers when all that is done. It goes on when the client goes away.");
        backups.MapPost("/{id}/verify", VerifyAsync).RequirePermission("backups:write").Audits("backup.verify").WithCost(CostOfOne).WithName("VerifyBackup")
            .Refuses(404, "backup_not_found", "There is no backup of this id in any place.").Refuses(409, "backup_running", "Another one is being made or checked.").Refuses(503, "backup_failed", "It could not be fetched or looked at (rights, programs, another key): what its last check found stays.")
            .WithSummary("Verify a backup").WithDescription("Restores it into a scratch database and compares checksums, integrity, rows of each table and the audit chain. Damage is an answer (valid: false) with its reasons, not an error.");
    }

    private static async Task<Results<Ok<BackupList>, Problem>> ListAsync(int? limit, string? cursor, BackupDesk desk, CancellationToken cancellationToken)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } problem)
        {
            return problem;
        }

        var (stored, warnings) = await desk.ListAsync(cancellationToken);
        var all = BackupView.Of(stored);
        List<BackupView> rest = page.After?[0] is { } after ? [.. all.Where(b => string.CompareOrdinal(b.Id, after) < 0)] : [.. all];
        return TypedResults.Ok(new BackupList { Items = [.. rest.Take(page.Limit)], NextCursor = rest.Count > page.Limit ? Paging.CursorOf(rest[page.Limit - 1].Id) : null, Warnings = warnings });
    }

    private static async Task<Results<Ok<BackupView>, Problem>> GetAsync([Description("The backup's id.")] string id, BackupDesk desk, CancellationToken cancellationToken)
    {
        var (stored, _) = await desk.ListAsync(cancellationToken);
        return BackupView.Of(stored.Where(b => b.Id == id)) is [var found, ..] ? TypedResults.Ok(found) : NotFound();
    }

    private static async Task<Results<Created<BackupView>, Problem>> CreateAsync(NewBackup body, BackupService service, BackupDesk desk, HttpContext context)
    {
        if (context.Idempotency()?.Made is { } made && await FindAsync(desk, made) is { } before)
        {
            return TypedResults.Created($"/api/v1/backups/{made}", before);
        }

        try
        {
            var making = context.Idempotency()?.Making("backup");
            var outcome = await service.CreateAsync("manual", body.Verify, (session, id) => context.AuditRow(EntryOf(context, "backup.create", id)).And(making)!(session, id), CancellationToken.None);
            var view = await FindAsync(desk, outcome.Record.Id) ?? BackupView.Of(outcome.Record.Id, [], outcome.Record);
            return TypedResults.Created($"/api/v1/backups/{view.Id}", view with { Problems = [.. view.Problems.Union(outcome.Warnings, StringComparer.Ordinal)] });
        }
        catch (BackupException e)
        {
            return ProblemOf(e);
        }
    }

    private static async Task<Results<Ok<BackupView>, Problem>> VerifyAsync([Description("The backup's id.")] string id, BackupService service, BackupDesk desk, HttpContext context)
    {
        if (!BackupNames.IsId(id))
        {
            return NotFound(); // a path, say: only the operator's own command reads those
        }

        try
        {
            var (_, record, result) = await service.VerifyAsync(id, session => context.AuditRow(EntryOf(context, "backup.verify", id))(session), CancellationToken.None);
            var view = await FindAsync(desk, id) ?? BackupView.Of(id, [], record);
            return TypedResults.Ok(view with { Valid = result.Ok, VerifiedAt = result.At, Problems = result.Problems });
        }
        catch (BackupException e)
        {
            return ProblemOf(e);
        }
    }

    private static async Task<BackupView?> FindAsync(BackupDesk desk, string id) =>
        BackupView.Of((await desk.ListAsync(CancellationToken.None)).Backups.Where(b => b.Id == id)) is [var found, ..] ? found : null;

    private static AuditEntry EntryOf(HttpContext context, string action, string id) => context.Audit(action) with { TargetKind = "backup", TargetId = id, After = new JsonObject { ["id"] = id } };

    private static Problem ProblemOf(BackupException failure) => failure.Failure switch
    {
        BackupFailure.NotFound => NotFound(),
        BackupFailure.Busy => Problems.Conflict("backup_running", failure.Message),
        _ => Problems.Unavailable("backup_failed", failure.Message),
    };

    private static Problem NotFound() => Problems.NotFound("backup_not_found", "There is no backup of this id. GET /api/v1/backups lists them.");
}
