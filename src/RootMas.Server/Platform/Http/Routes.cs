using Microsoft.AspNetCore.Http.Metadata;

namespace RootMas.Server.Platform.Http;

/// <summary>The permission a route needs, <c>area:action</c>; null: anybody may call it.</summary>
public sealed record RoutePermission(string? Name);

/// <summary>A refusal that a route may answer with, beyond those every route has; for the API description.</summary>
public sealed record RouteError(int Status, string Code, string When);

/// <summary>A request header that the handler reads by itself; for the API description.</summary>
public sealed record ReadHeader(string Name);

/// <summary>What a route leaves in the audit log.</summary>
/// <param name="Action">The action of its row, <c>area.verb</c>; null: none, and <paramref name="Why"/> says why.</param>
/// <param name="OnAccess">The row is written before the handler runs (reads); otherwise the handler writes it in the transaction of its change.</param>
public sealed record RouteAudit(string? Action, bool OnAccess = false, string? Why = null);

/// <summary>A request without credentials gets as far as the handler, which finds out who calls before it does anything else; one with bad credentials does not.</summary>
public sealed record LateAuthentication;

/// <summary>Nobody looks at credentials: the answer is the same whoever calls, and must not wait for the database that knows them.</summary>
public sealed record IgnoredCredentials;

/// <summary>The answer needs no database, and is needed most while that is away: an API key that was verified here lately goes on being good for it then.</summary>
public sealed record OutlivesStorage;

/// <summary>Accepts bodies that are not JSON (uploads).</summary>
public sealed record AnyBody;

/// <summary>A larger body than the server's default.</summary>
public sealed record BodyLimit(long MaxRequestBodySize) : IRequestSizeLimitMetadata
{
    long? IRequestSizeLimitMetadata.MaxRequestBodySize => MaxRequestBodySize;
}

/// <summary>How long a body may take to arrive; where nothing is said, only the server's least rate counts.</summary>
public sealed record BodyTime(TimeSpan Most);

/// <summary>The memory that a route sets aside for bodies on their way in.</summary>
/// <param name="Open">What one request has of it; nothing yet.</param>
public sealed record BodyRooms(Func<HttpContext, IBodyRoom> Open);

/// <summary>What one request has of it. Whoever buffers the body before the route does takes it here, and leaves it to the route as a feature of the request.</summary>
public interface IBodyRoom : IDisposable
{
    /// <summary>What is said when it is used up.</summary>
    Problem Refusal { get; }

    /// <summary>Takes what is missing. False: it is used up.</summary>
    bool Holds(long bytes);
}

/// <summary>How many requests one call of this route counts as; 1 where nothing is said.</summary>
public sealed record RouteCost(int Units);

/// <summary>How a route attaches to a stream. Attaches are limited in how many are open at once, not in how often: a 429 ends a browser's EventSource for good.</summary>
public enum StreamKind
{
    /// <summary>A stream if the client wants one (<see cref="EventStreams"/>), else an ordinary read.</summary>
    Events,

    /// <summary>A WebSocket.</summary>
    Socket,
}

/// <summary>The route attaches to a stream that stays open.</summary>
public sealed record StreamAttach(StreamKind Kind);

/// <summary>What a route declares beside its handler.</summary>
public static class RouteConventions
{
    /// <summary>Every route has this or <see cref="AllowPublic"/>; a test and the start-up check see to it.</summary>
    public static TBuilder RequirePermission<TBuilder>(this TBuilder route, string permission)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RoutePermission(permission));

    /// <summary>Anybody may call this route.</summary>
    public static TBuilder AllowPublic<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RoutePermission(null));

    /// <summary>The answer is the same for everybody; credentials are not even looked at.</summary>
    public static TBuilder IgnoresCredentials<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new IgnoredCredentials());

    /// <summary>API keys that were verified here lately are good for this route also while the database is away.</summary>
    public static TBuilder OutlivesTheStorage<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new OutlivesStorage());

    /// <summary>The client may say who it is in its first frame; the permission is checked then.</summary>
    public static TBuilder AuthenticatesByFrame<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new LateAuthentication());

    /// <summary>Documents a refusal: <c>.Refuses(404, "run_not_found", "No such run, or it is somebody else's.")</c>.</summary>
    public static TBuilder Refuses<TBuilder>(this TBuilder route, int status, string code, string when)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteError(status, code, when));

    /// <summary>Documents a request header.</summary>
    public static TBuilder Reads<TBuilder>(this TBuilder route, string header)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new ReadHeader(header));

    /// <summary>The handler writes a row with this action in the transaction of its change. A test compares every route that changes something with what it really writes.</summary>
    public static TBuilder Audits<TBuilder>(this TBuilder route, string action)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAudit(action));

    /// <summary>Each call is written down before it is answered.</summary>
    public static TBuilder AuditsAccess<TBuilder>(this TBuilder route, string action)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAudit(action, OnAccess: true));

    /// <summary>Changes something, and is no matter of the audit log.</summary>
    public static TBuilder AuditsNothing<TBuilder>(this TBuilder route, string why)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteAudit(null, Why: why));

    /// <summary>Bodies take of the memory that is set aside for them, also where they are buffered before the route sees them.</summary>
    public static TBuilder WithBodyRoom<TBuilder>(this TBuilder route, Func<HttpContext, IBodyRoom> open)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new BodyRooms(open));

    /// <summary>Another body limit than 1 MiB.</summary>
    public static TBuilder WithBodyLimit<TBuilder>(this TBuilder route, long bytes)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new BodyLimit(bytes));

    /// <summary>A body that has not come whole by then is given up: at the server's least rate a large one takes a day.</summary>
    public static TBuilder WithBodyTime<TBuilder>(this TBuilder route, TimeSpan most)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new BodyTime(most));

    /// <summary>One call counts as several requests: it makes the server work as hard as they would.</summary>
    public static TBuilder WithCost<TBuilder>(this TBuilder route, int units)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new RouteCost(units));

    /// <summary>The route opens a stream that stays open: see <see cref="StreamKind"/>.</summary>
    public static TBuilder AttachesStream<TBuilder>(this TBuilder route, StreamKind kind)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new StreamAttach(kind));

    /// <summary>The body need not be JSON.</summary>
    public static TBuilder AcceptsAnyBody<TBuilder>(this TBuilder route)
        where TBuilder : IEndpointConventionBuilder => route.WithMetadata(new AnyBody());
}
