using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Limits;

/// <summary>What counts for one route: worked out once, so that a request only looks it up.</summary>
internal sealed class RouteLimit
{
    /// <summary>For metrics: api, auth, openai, socket, static, health, other.</summary>
    public required string Class { get; init; }

    /// <summary>As the API's table names it: <c>POST /api/v1/chat</c>. Also the name of what a user's requests to it are counted under.</summary>
    public required string Name { get; init; }

    public required bool IsRead { get; init; }

    public required int Cost { get; init; }

    /// <summary>Pages and health: counted by address, whoever asks, and apart from everything else.</summary>
    public (string Name, LimitRule Rule)? Apart { get; init; }

    /// <summary>A public route that is guarded more strictly, by address.</summary>
    public (string Name, LimitRule Rule)? Strict { get; init; }

    /// <summary>This route's own rule; null: the general ones.</summary>
    public LimitRule? Own { get; init; }

    public IReadOnlyDictionary<string, LimitRule>? OwnOfRole { get; init; }

    public StreamKind? Stream { get; init; }

    /// <summary>The stream that this request asks for; null: none, it is a request like others.</summary>
    public StreamKind? StreamOf(HttpRequest request) => Stream switch
    {
        StreamKind.Events when EventStreams.AreWanted(request) => Stream,
        StreamKind.Socket when request.Headers.Upgrade.Count > 0 || HttpMethods.IsConnect(request.Method) => Stream,
        _ => null,
    };

    /// <summary>What a user's request to this route is counted under, and how many of them there may be.</summary>
    public (string Limit, string Bucket, LimitRule Rule) For(Caller caller, LimitRules rules)
    {
        if (OwnOfRole?.TryGetValue(caller.Role, out var ofRole) == true)
        {
            return (LimitNames.Route, Name, ofRole);
        }

        if (Own is { } own)
        {
            return (LimitNames.Route, Name, own);
        }

        return IsRead
            ? (LimitNames.Reads, LimitNames.Reads, caller.OwnRate(LimitNames.Reads) ?? rules.ReadsOf(caller.Role))
            : (LimitNames.Route, Name, caller.OwnRate(LimitNames.Route) ?? rules.RequestsOf(caller.Role));
    }
}

/// <summary>The names of limits, as a refusal and the metrics say them.</summary>
public static class LimitNames
{
    public const string Address = "requests_per_address";
    public const string Route = "requests_per_user_and_route";
    public const string Reads = "reads_per_user";
    public const string Static = "static_files_per_address";
    public const string Health = "health_per_address";
    public const string Login = "login_per_address";
    public const string Username = "login_per_username";
    public const string Setup = "setup_per_address";
    public const string Refresh = "refresh_per_address";
    public const string Token = "token_per_address";
    public const string Streams = "open_streams_per_user";
    public const string Sockets = "open_sockets_per_user";
    public const string AllSockets = "open_sockets";
    public const string Frames = "frames_per_user";
    public const string Runs = "concurrent_runs";

    /// <summary>Micro-dollars that models may cost in a day.</summary>
    public const string Spend = "spend_per_day";
}
