using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Identity.Tokens;

/// <summary>The keys that sign access tokens: which there are, and a new one.</summary>
public static class KeysApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/api/v1/auth/keys").WithTags("Authentication");
        keys.MapGet("", ListAsync).RequirePermission("keys:read").WithName("ListSigningKeys")
            .WithSummary("List signing keys").WithDescription("Ids and times of the keys of access tokens, the one that signs first. The keys themselves never leave the server. Empty when settings give the key.");
        keys.MapPost("/rotate", RotateAsync).RequirePermission("keys:write").Audits("keys.rotate").HandlesIdempotency().WithName("RotateSigningKey")
            .Refuses(409, "keys_given", "Settings give the signing key, so only they can change it.")
            .WithSummary("Change the signing key").WithDescription("A new key signs from now on; the old one verifies until the last token that it signed is over, or with void_old not at all: then everybody refreshes. No restart, no one is logged out.");
    }

    private static async Task<Results<Ok<Page<SigningKeyAnswer>>, Problem>> ListAsync([Description(Paging.ShortLimit)] int? limit, string? cursor, SigningKeys keys, HttpContext context)
    {
        var all = keys.AreGiven ? [] : await keys.ListAsync(context.RequestAborted);
        if (Paging.ReadShort(limit, cursor, all.Count, out var page) is { } invalid)
        {
            return invalid;
        }

        var (items, next) = Paging.PageOf(all, page, static k => k.Kid);
        return TypedResults.Ok(PageOf(items, next));
    }

    private static async Task<Results<Ok<Page<SigningKeyAnswer>>, Problem>> RotateAsync(
        [Description("Old keys are void at once: after somebody else may have seen one.")] bool? void_old, SigningKeys keys, CallerCache remembered, HttpContext context)
    {
        if (keys.AreGiven)
        {
            return Problems.Conflict("keys_given", "The signing key is given by settings. Put it into Identity:PreviousSigningKey and a new one into Identity:SigningKey, and start again. Nothing was done.");
        }

        var rotated = await keys.RotateAsync(keepOld: void_old is not true, context.Audit("keys.rotate"), context.RequestAborted);
        if (void_old is true)
        {
            remembered.Forget();
        }

        return TypedResults.Ok(PageOf(rotated, null));
    }

    private static Page<SigningKeyAnswer> PageOf(IReadOnlyList<SigningKey> keys, string? next) =>
        new([.. keys.Select(static k => new SigningKeyAnswer { Kid = k.Kid, CreatedAt = k.CreatedAt, VerifyUntil = k.VerifyUntil })], next);
}

/// <summary>A key of access tokens.</summary>
public sealed record SigningKeyAnswer
{
    /// <summary>Its id, as tokens name it; says nothing about the key.</summary>
    /// <example>5f1d7a84db2c</example>
    public required string Kid { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Until when it verifies; null: it is the one that signs.</summary>
    public DateTimeOffset? VerifyUntil { get; init; }
}
