using Microsoft.AspNetCore.Http.Metadata;

namespace RootMas.Server.Platform.Http;

/// <summary>The permission a route needs, <c>area:action</c>; null: anybody may call it.</summary>
public sealed record RoutePermission(string? Name);

/// <summary>A refusal that a route may answer with, beyond those every route has; for the API description.</summary>
public sealed record RouteError(int Status, string Code, string When);

/// <summary>What a route leaves in the audit log.</summary>
/// <param name="Action">The action of its row, <c>area.verb</c>; null: none, and <paramref name="Why"/> says why.</param>
/// <param name="OnAccess">The row is written before the handler runs (reads); otherwise the handler writes it in the transaction of its change.</param>
public sealed record RouteAudit(string? Action, bool OnAccess = false, string? Why = null);

/// <summary>Accepts bodies that are not JSON (uploads).</summary>
public sealed record AnyBody;

/// <summary>A larger body than the server's default.</summary>
public sealed record BodyLimit(long MaxRequestBodySize) : IRequestSizeLimitMetadata
{
    long? IRequestSizeLimitMetadata.MaxRequestBodySize => MaxRequestBodySize;
}

/// <summary>What a route declares beside its handler.</summary>
public static class RouteConventions
{
    /// <summary>Every route has this or <see cref="AllowPublic"/>; a test and the start-up check see to it.</summary>
    public static TBuilder RequirePermission<TBuilder>(this TBuilder route, string permission)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RoutePermission(permission));

    /// <summary>Anybody may call this route.</summary>
    public static TBuilder AllowPublic<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RoutePermission(null));

    /// <summary>Documents a refusal: <c>.Refuses(404, "run_not_found", "No such run, or it is somebody else's.")</c>.</summary>
    public static TBuilder Refuses<TBuilder>(this TBuilder route, int status, string code, string when)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteError(status, code, when));

    /// <summary>The handler writes a row with this action in the transaction of its change. A test compares every route that changes something with what it really writes.</summary>
    public static TBuilder Audits<TBuilder>(this TBuilder route, string action)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAudit(action));

    /// <summary>Each call is written down before it is answered.</summary>
    public static TBuilder AuditsAccess<TBuilder>(this TBuilder route, string action)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAudit(action, OnAccess: true));

    /// <summary>Changes something, and is no matter of the audit log.</summary>
    public static TBuilder AuditsNothing<TBuilder>(this TBuilder route, string why)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAudit(null, Why: why));

    /// <summary>Another body limit than 1 MiB.</summary>
    public static TBuilder WithBodyLimit<TBuilder>(this TBuilder route, long bytes)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new BodyLimit(bytes));

    /// <summary>The body need not be JSON.</summary>
    public static TBuilder AcceptsAnyBody<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new AnyBody());
}
