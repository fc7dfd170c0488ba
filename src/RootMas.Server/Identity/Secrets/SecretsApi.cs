using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Secrets;

/// <summary>A secret without its value, which is never shown again.</summary>
public sealed record SecretView
{
    /// <summary>Its name, by which settings and tools refer to it.</summary>
    /// <example>openai</example>
    public required string Name { get; init; }

    /// <summary>When it was first entered.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When its value was last replaced.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    /// <summary>Id of the user who entered the value.</summary>
    /// <example>0198f2c4-0000-7000-8000-000000000001</example>
    public required string UpdatedBy { get; init; }

    /// <summary>What uses it now.</summary>
    /// <example>["models.yaml: provider openai"]</example>
    public required IReadOnlyList<string> UsedBy { get; init; }
}

/// <summary>A secret's new value.</summary>
public sealed record SecretValue
{
    /// <summary>The value: a provider's key, or for http_request a URL prefix, a space, and a header: https://api.example.org/v1 Authorization: Bearer …</summary>
    /// <example>https://api.example.org/v1 Authorization: Bearer abc</example>
    [StringLength(16_000, MinimumLength = 1)]
    public required string Value { get; init; }
}

/// <summary>Routes of secrets.</summary>
internal static partial class SecretsApi
{
    private const string NotThere = "There is no secret of this name.";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var secrets = routes.MapGroup("/api/v1/secrets").WithTags("Secrets");
        secrets.MapGet("", List).RequirePermission("secrets:read").WithName("ListSecrets")
            .WithSummary("List secrets").WithDescription("Names, who entered them, when, and what uses them. Values are never shown.");
        secrets.MapGet("/{name}", Get).RequirePermission("secrets:read").WithName("GetSecret").Refuses(404, "secret_not_found", NotThere)
            .WithSummary("Read about a secret").WithDescription("One secret with its ETag, without its value.");
        secrets.MapPut("/{name}", Put).RequirePermission("secrets:write").Audits("secret.set").Changes(CacheScope.Models).WithName("SetSecret").Refuses(404, "secret_not_found", "It was stored, and somebody removed it at the same moment.")
            .Refuses(400, "validation_failed", "The name is not one.").Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "It exists, and If-Match is missing.")
            .WithSummary("Enter a secret").WithDescription("Stores the value encrypted; it is used at once and never shown. Replacing one needs If-Match with the ETag that was read.");
        secrets.MapDelete("/{name}", Delete).RequirePermission("secrets:write").Audits("secret.delete").Changes(CacheScope.Models).WithName("DeleteSecret").Refuses(404, "secret_not_found", NotThere)
            .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.")
            .WithSummary("Remove a secret").WithDescription("Needs If-Match. What used it goes on without it at once.");
    }

    private static async Task<Results<Ok<Page<SecretView>>, Problem>> List(int? limit, string? cursor, SecretStore store, IEnumerable<SecretUses> uses, CancellationToken cancellationToken)
    {
        if (Paging.Read(limit, cursor, 1, out var page) is { } problem)
        {
            return problem;
        }

        var found = await store.ListAsync(page.After?[0], page.Limit + 1, cancellationToken);
        return TypedResults.Ok(new Page<SecretView>([.. found.Take(page.Limit).Select(s => View(s, uses))], found.Count > page.Limit ? Paging.CursorOf(found[page.Limit - 1].Name) : null));
    }

    private static async Task<Results<Ok<SecretView>, Problem>> Get([Description("The secret's name.")] string name, SecretStore store, IEnumerable<SecretUses> uses, HttpContext context)
    {
        if (await store.FindAsync(name, context.RequestAborted) is not { } found)
        {
            return NotFound();
        }

        context.Response.SetETag(ETagOf(found));
        return TypedResults.Ok(View(found, uses));
    }

    private static async Task<Results<Ok<SecretView>, Created<SecretView>, Problem>> Put(
        [Description("The secret's name.")] string name, SecretValue body, SecretStore store, SecretVault vault, IEnumerable<SecretUses> uses, HttpContext context)
    {
        if (!Name().IsMatch(name))
        {
            return Problems.Invalid("name", "must begin with a letter and have at most 64 letters, digits, '_', '.' or '-'");
        }

        var old = await store.FindAsync(name, context.RequestAborted);
        if ((old is null ? Preconditions.NothingThere(context.Request) : Preconditions.IfMatch(context.Request, ETagOf(old))) is { } refusal)
        {
            return refusal;
        }

        if (await ChangeAsync(context, store, vault, name, body.Value, old) is { } conflict)
        {
            return conflict;
        }

        if (await store.FindAsync(name, CancellationToken.None) is not { } now)
        {
            return NotFound();
        }

        context.Response.SetETag(ETagOf(now));
        return old is null ? TypedResults.Created($"/api/v1/secrets/{name}", View(now, uses)) : TypedResults.Ok(View(now, uses));
    }

    private static async Task<Results<NoContent, Problem>> Delete([Description("The secret's name.")] string name, SecretStore store, SecretVault vault, HttpContext context)
    {
        if (await store.FindAsync(name, context.RequestAborted) is not { } old)
        {
            return NotFound();
        }

        if (Preconditions.IfMatch(context.Request, ETagOf(old)) is { } refusal)
        {
            return refusal;
        }

        return await ChangeAsync(context, store, vault, name, null, old) is { } conflict ? conflict : TypedResults.NoContent();
    }

    private static async Task<Problem?> ChangeAsync(HttpContext context, SecretStore store, SecretVault vault, string name, string? value, SecretInfo? old)
    {
        var entry = context.Audit(value is null ? "secret.delete" : "secret.set") with
        {
            TargetKind = "secret",
            TargetId = name,
            Before = old is null ? null : new JsonObject { ["revision"] = old.Revision },
            After = value is null ? null : new JsonObject { ["revision"] = (old?.Revision ?? 0) + 1 },
        };
        if (!await store.ChangeAsync(new SecretChange(name, value, old, context.Caller().UserId, context.AuditRow(entry)), context.RequestAborted))
        {
            return Problems.Conflict("secret_changed", "The secret was changed by somebody else at the same moment. Nothing was done. Read it again.");
        }

        await vault.ReloadAsync(CancellationToken.None);
        foreach (var changed in context.RequestServices.GetServices<SecretsChanged>())
        {
            await changed(CancellationToken.None);
        }

        return null;
    }

    private static Problem NotFound() => Problems.NotFound("secret_not_found", "There is no secret of this name. GET /api/v1/secrets lists them.");

    private static string ETagOf(SecretInfo secret) => string.Create(CultureInfo.InvariantCulture, $"{UnixTime.ToMicros(secret.CreatedAt)}-{secret.Revision}");

    private static SecretView View(SecretInfo secret, IEnumerable<SecretUses> uses) => new()
    {
        Name = secret.Name,
        CreatedAt = secret.CreatedAt,
        UpdatedAt = secret.UpdatedAt,
        UpdatedBy = secret.UpdatedBy,
        UsedBy = [.. uses.SelectMany(u => u(secret.Name))],
    };

    [GeneratedRegex("^[A-Za-z][A-Za-z0-9_.-]{0,63}$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
