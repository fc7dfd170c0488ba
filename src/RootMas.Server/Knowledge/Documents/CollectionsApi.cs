using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>A collection of documents.</summary>
public sealed record CollectionView
{
    /// <summary>The collection.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0b02</example>
    public required string Id { get; init; }

    /// <summary>Its name, unique among its owner's.</summary>
    /// <example>Handbooks</example>
    public required string Name { get; init; }

    /// <summary>What it is for.</summary>
    /// <example>What applies to everybody.</example>
    public required string Description { get; init; }

    /// <summary>Whose it is.</summary>
    public required string OwnerId { get; init; }

    /// <summary>Documents go here that name no collection.</summary>
    public required bool IsDefault { get; init; }

    /// <summary>Whether one may put documents in and take them out.</summary>
    public required bool MayWrite { get; init; }

    /// <summary>How many documents are in it.</summary>
    /// <example>12</example>
    public required long Documents { get; init; }

    /// <summary>Who else reaches it; only its owner sees this, for others it is empty.</summary>
    public required IReadOnlyList<CollectionMemberView> Members { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>When it, or what it holds, last changed.</summary>
    public required DateTimeOffset UpdatedAt { get; init; }

    internal static CollectionView Of(Collection c, IEnumerable<CollectionMember> members) => new()
    {
        Id = c.Id,
        Name = c.Name,
        Description = c.Description,
        OwnerId = c.OwnerId,
        IsDefault = c.IsDefault,
        MayWrite = c.MayWrite,
        Documents = c.Documents,
        Members = [.. members.Select(static m => new CollectionMemberView { UserId = m.SubjectId, Username = m.Username, MayWrite = m.MayWrite, CreatedAt = m.CreatedAt })],
        CreatedAt = c.CreatedAt,
        UpdatedAt = c.UpdatedAt,
    };
}

/// <summary>Somebody who reaches a collection.</summary>
public sealed record CollectionMemberView
{
    /// <summary>The user; <c>*</c>: everybody who may read knowledge.</summary>
    /// <example>0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a01</example>
    public required string UserId { get; init; }

    /// <summary>The user's name; null for everybody.</summary>
    /// <example>ann</example>
    public string? Username { get; init; }

    /// <summary>Whether they may put documents in and take them out.</summary>
    public required bool MayWrite { get; init; }

    /// <summary>Since when.</summary>
    public required DateTimeOffset CreatedAt { get; init; }
}

/// <summary>A new collection.</summary>
public sealed record NewCollection
{
    /// <summary>Its name: 1 to 100 characters.</summary>
    /// <example>Handbooks</example>
    [TrimmedLength(1, 100)]
    public required string Name { get; init; }

    /// <summary>What it is for: up to 1,000 characters.</summary>
    /// <example>What applies to everybody.</example>
    [StringLength(1_000)]
    public string? Description { get; init; }
}

/// <summary>A change of a collection; what is absent stays.</summary>
public sealed record CollectionPatch
{
    /// <summary>A new name: 1 to 100 characters.</summary>
    /// <example>Handbooks</example>
    [TrimmedLength(1, 100)]
    public string? Name { get; init; }

    /// <summary>A new description: up to 1,000 characters.</summary>
    /// <example>What applies to everybody.</example>
    [StringLength(1_000)]
    public string? Description { get; init; }
}

/// <summary>What somebody may do in a collection.</summary>
public sealed record CollectionShare
{
    /// <summary>Whether they may put documents in and take them out; default: they read.</summary>
    /// <example>false</example>
    public bool MayWrite { get; init; }
}

/// <summary>Routes of collections.</summary>
internal static class CollectionsApi
{
    private const string Read = "knowledge:read";
    private const string Write = "knowledge:write";
    private const string OwnWork = "own work: nobody else gets or loses anything by it";

    public static void Map(IEndpointRouteBuilder routes)
    {
        var collections = routes.MapGroup("/api/v1/collections").WithTags("Documents");
        collections.MapGet("", List).RequirePermission(Read).WithName("ListCollections")
            .WithSummary("List collections").WithDescription("Those that one can read, by name: one's own, those one was let into, and those that are for everybody.");
        collections.MapPost("", Create).RequirePermission(Write).AuditsNothing(OwnWork).ShowsAgain().WithName("CreateCollection").Refuses(409, "name_taken", "You have a collection of this name.")
            .WithSummary("Make a collection").WithDescription("For oneself, until others are let in.");
        Refuses404(collections.MapGet("/{id}", Get)).RequirePermission(Read).WithName("GetCollection").WithSummary("Read about a collection").WithDescription("The collection with its ETag; its owner also sees who else reaches it.");
        RefusesChange(collections.MapPatch("/{id}", Change)).RequirePermission(Write).AuditsNothing(OwnWork).WithName("ChangeCollection").Refuses(409, "name_taken", "You have another collection of this name.")
            .WithSummary("Change a collection").WithDescription("Name and description; only its owner. Needs If-Match with the ETag that was read.");
        RefusesChange(collections.MapDelete("/{id}", Delete)).RequirePermission(Write).Audits("collection.delete").WithName("DeleteCollection")
            .WithSummary("Delete a collection").WithDescription("With all its documents; only its owner. Needs If-Match with the ETag that was read.");
        Refuses404(collections.MapPut("/{id}/members/{user_id}", Share)).RequirePermission(Write).Audits("collection.share").WithName("ShareCollection")
            .Refuses(400, "validation_failed", "There is no such user, by this id or name.").Refuses(403, "admin_only", "Only an administrator may open a collection to everybody.")
            .WithSummary("Let somebody in").WithDescription("Only its owner. user_id `*` is everybody who may read knowledge: what everybody gets, an administrator decides. With by_name=true user_id is the user's name.");
        Refuses404(collections.MapDelete("/{id}/members/{user_id}", Unshare)).RequirePermission(Write).Audits("collection.unshare").WithName("UnshareCollection")
            .WithSummary("Put somebody out").WithDescription("Only its owner. It counts at once, for runs under way too.");
    }

    internal static Problem NotFound() => Problems.NotFound("collection_not_found", "There is no such collection, or it is not yours to reach or to change. GET /api/v1/collections lists those that you can read.");

    private static RouteHandlerBuilder Refuses404(RouteHandlerBuilder route) => route.Refuses(404, "collection_not_found", "There is no such collection, or it is somebody else's.");

    private static RouteHandlerBuilder RefusesChange(RouteHandlerBuilder route) => Refuses404(route)
        .Refuses(412, "etag_mismatch", "It was changed meanwhile.").Refuses(428, "if_match_required", "If-Match is missing.");

    private static async Task<Results<Ok<Page<CollectionView>>, Problem>> List(int? limit, string? cursor, CollectionStore store, HttpContext context)
    {
        if (Paging.Read(limit, cursor, 2, out var page) is { } invalid)
        {
            return invalid;
        }

        var found = await store.ListAsync(context.Caller().UserId, page.After is [var name, var id] ? (name, id) : null, page.Limit + 1, context.RequestAborted);
        return TypedResults.Ok(new Page<CollectionView>(
            [.. found.Take(page.Limit).Select(static c => CollectionView.Of(c, []))], found.Count > page.Limit ? Paging.CursorOf(found[page.Limit - 1].Name, found[page.Limit - 1].Id) : null));
    }

    private static async Task<Results<Created<CollectionView>, Problem>> Create(NewCollection body, CollectionStore store, HttpContext context)
    {
        var (user, key) = (context.Caller().UserId, context.Idempotency());
        var id = key?.Made ?? await store.CreateAsync(user, body.Name, body.Description ?? "", key?.Making("collection"), context.RequestAborted);
        if (id is null)
        {
            return NameTaken();
        }

        if (await store.FindAsync(id, user, CancellationToken.None) is not { } made)
        {
            return NotFound();
        }

        context.Response.SetETag(ETagOf(made));
        return TypedResults.Created($"/api/v1/collections/{id}", CollectionView.Of(made, []));
    }

    private static async Task<Results<Ok<CollectionView>, Problem>> Get([Description("The collection.")] string id, CollectionStore store, HttpContext context)
    {
        if (await store.FindAsync(id, context.Caller().UserId, context.RequestAborted) is not { } found)
        {
            return NotFound();
        }

        context.Response.SetETag(ETagOf(found));
        return TypedResults.Ok(CollectionView.Of(found, found.IsOwn ? await store.MembersAsync(id, context.RequestAborted) : []));
    }

    private static async Task<Results<Ok<CollectionView>, Problem>> Change([Description("The collection.")] string id, CollectionPatch body, CollectionStore store, HttpContext context)
    {
        var user = context.Caller().UserId;
        if (await store.FindAsync(id, user, context.RequestAborted) is not { IsOwn: true } found)
        {
            return NotFound();
        }

        if (Preconditions.IfMatch(context.Request, ETagOf(found)) is { } refusal)
        {
            return refusal;
        }

        return await store.ChangeAsync(id, user, found.Version, body.Name, body.Description, context.RequestAborted) switch
        {
            CollectionChange.NameTaken => NameTaken(),
            CollectionChange.NotFound => NotFound(),
            CollectionChange.Stale => Problems.PreconditionFailed("another one"),
            _ => await Get(id, store, context),
        };
    }

    private static async Task<Results<NoContent, Problem>> Delete([Description("The collection.")] string id, CollectionStore store, HttpContext context)
    {
        var user = context.Caller().UserId;
        if (await store.FindAsync(id, user, context.RequestAborted) is not { IsOwn: true } found)
        {
            return NotFound();
        }

        if (Preconditions.IfMatch(context.Request, ETagOf(found)) is { } refusal)
        {
            return refusal;
        }

        var entry = context.Audit("collection.delete") with { TargetKind = "collection", TargetId = id, Before = new JsonObject { ["documents"] = found.Documents } };
        return await store.DeleteAsync(id, user, found.Version, context.AuditRow(entry), context.RequestAborted) switch
        {
            CollectionChange.NotFound => NotFound(),
            CollectionChange.Stale => Problems.PreconditionFailed("another one"),
            _ => TypedResults.NoContent(),
        };
    }

    private static async Task<Results<NoContent, Problem>> Share(
        [Description("The collection.")] string id, [Description("Id of the user, or * for everybody who may read knowledge.")] string user_id,
        [Description("true: user_id is the user's name.")] bool? by_name, CollectionShare body, CollectionStore store, HttpContext context)
    {
        if (await store.FindAsync(id, context.Caller().UserId, context.RequestAborted) is not { IsOwn: true })
        {
            return NotFound();
        }

        if (by_name is true)
        {
            return await context.RequestServices.GetRequiredService<UserStore>().FindIdAsync(user_id, context.RequestAborted) is { } named
                ? await ShareAsync(id, named, body.MayWrite, store, context)
                : NoUser();
        }

        if (user_id == CollectionMember.Everybody && !context.Caller().IsAdmin)
        {
            return Problems.Forbidden("admin_only", "Only an administrator may open a collection to everybody. Nothing was done. Let single users in, or ask one.");
        }

        return await ShareAsync(id, user_id, body.MayWrite, store, context);
    }

    private static Task<Results<NoContent, Problem>> Unshare(
        [Description("The collection.")] string id, [Description("Id of the user, or * for everybody who may read knowledge.")] string user_id, CollectionStore store, HttpContext context) => ShareAsync(id, user_id, null, store, context);

    private static async Task<Results<NoContent, Problem>> ShareAsync(string id, string subject, bool? mayWrite, CollectionStore store, HttpContext context)
    {
        var entry = context.Audit(mayWrite is null ? "collection.unshare" : "collection.share") with
        {
            TargetKind = "collection",
            TargetId = id,
            After = new JsonObject { ["user_id"] = subject, ["may_write"] = mayWrite },
        };
        return await store.ShareAsync(id, context.Caller().UserId, subject, mayWrite, context.AuditRow(entry), context.RequestAborted) switch
        {
            CollectionChange.NotFound => NotFound(),
            CollectionChange.NoUser => NoUser(),
            _ => TypedResults.NoContent(),
        };
    }

    /// <summary>The same for an id and a name.</summary>
    private static Problem NoUser() => Problems.Invalid("user_id", "is no user; GET /api/v1/users lists them for administrators");

    private static Problem NameTaken() => Problems.Conflict("name_taken", "You have a collection of this name. Nothing was done. Choose another name.");

    private static string ETagOf(Collection collection) => collection.Version.ToString(CultureInfo.InvariantCulture);
}
