using System.Collections.Concurrent;
using System.Globalization;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Limits;

/// <summary>The settings as rules, and what of them counts for each route.</summary>
internal sealed class LimitRules
{
    private readonly LimitOptions _options;
    private readonly LimitRule _requests;
    private readonly LimitRule _reads;
    private readonly Dictionary<string, LimitRule> _requestsOfRole;
    private readonly Dictionary<string, LimitRule> _readsOfRole;
    private readonly Dictionary<string, LimitRule> _routes;
    private readonly Dictionary<string, int> _costs;
    private readonly ConcurrentDictionary<Endpoint, RouteLimit> _known = new(ReferenceEqualityComparer.Instance);
    private readonly RouteLimit _unknown;

    public LimitRules(LimitOptions options)
    {
        _options = options;
        _requests = LimitRule.Parse(options.Requests);
        _reads = LimitRule.Parse(options.Reads);
        _requestsOfRole = RulesOf(options.Roles, static role => role);
        _readsOfRole = RulesOf(options.RoleReads, static role => role);
        _routes = RulesOf(options.Routes, PlainName);
        _costs = options.Costs.ToDictionary(static p => PlainName(p.Key), static p => int.Parse(p.Value, CultureInfo.InvariantCulture), StringComparer.OrdinalIgnoreCase);
        _unknown = new RouteLimit { Class = "other", Name = "other", IsRead = true, Cost = 1 };
        Address = LimitRule.Parse(options.Address);
        Username = LimitRule.Parse(options.Username);
        Frames = LimitRule.Parse(options.Frames);
        Message = new RouteLimit { Class = "socket", Name = "POST /api/v1/chat", IsRead = false, Cost = CostOf("POST /api/v1/chat", null), Own = OwnRule("POST /api/v1/chat"), OwnOfRole = OwnOfRole("POST /api/v1/chat") };
    }

    public LimitRule Address { get; }

    public LimitRule Username { get; }

    public LimitRule Frames { get; }

    /// <summary>A message on a socket counts with those that come by <c>POST /api/v1/chat</c>.</summary>
    public RouteLimit Message { get; }

    public LimitRule RequestsOf(string role) => _requestsOfRole.TryGetValue(role, out var rule) ? rule : _requests;

    public LimitRule ReadsOf(string role) => _readsOfRole.TryGetValue(role, out var rule) ? rule : _reads;

    /// <summary>405 and 415 answers are endpoints too; they count as what is not there.</summary>
    public RouteLimit Of(Endpoint? endpoint)
    {
        if (endpoint is not RouteEndpoint route)
        {
            return _unknown;
        }

        return _known.TryGetValue(endpoint, out var known) ? known : _known.GetOrAdd(endpoint, Describe(route));
    }

    private RouteLimit Describe(RouteEndpoint endpoint)
    {
        var path = "/" + (endpoint.RoutePattern.RawText ?? "").Trim('/');
        var methods = endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["ANY"];
        var name = $"{methods[0]} {path}";
        var isPublic = endpoint.Metadata.GetMetadata<RoutePermission>() is { Name: null };
        var isRead = methods.All(static m => HttpMethods.IsGet(m) || HttpMethods.IsHead(m) || HttpMethods.IsConnect(m)); // a socket is counted with reads, however it is asked for
        var stream = endpoint.Metadata.GetMetadata<StreamAttach>()?.Kind;
        var own = OwnRule(name);
        var strict = StrictOf(name);
        return new RouteLimit
        {
            Class = ClassOf(path, stream, isPublic && isRead),
            Name = name,
            IsRead = isRead,
            Cost = CostOf(name, endpoint.Metadata.GetMetadata<RouteCost>()),
            Apart = !isPublic || !isRead ? null : ClassOf(path, stream, true) switch
            {
                "health" => (LimitNames.Health, own ?? LimitRule.Parse(_options.Health)),
                "static" => (LimitNames.Static, own ?? LimitRule.Parse(_options.StaticFiles)),
                _ => null,
            },
            Strict = isPublic && strict is { } guarded ? (guarded.Name, own ?? guarded.Rule) : null,
            Own = own ?? (isPublic ? null : strict?.Rule),
            OwnOfRole = OwnOfRole(name),
            Stream = stream,
        };
    }

    private static string ClassOf(string path, StreamKind? stream, bool isPublicRead) => path switch
    {
        _ when stream == StreamKind.Socket => "socket",
        _ when path.StartsWith("/api/v1/auth", StringComparison.OrdinalIgnoreCase) => "auth",
        _ when path.StartsWith("/api/", StringComparison.OrdinalIgnoreCase) => "api",
        _ when path.StartsWith("/v1/", StringComparison.OrdinalIgnoreCase) => "openai",
        _ when path.StartsWith("/health", StringComparison.OrdinalIgnoreCase) => "health",
        _ => isPublicRead ? "static" : "api",
    };

    /// <summary>Where somebody without an account can try things out, where a password is asked, and where one request reads very much.</summary>
    private (string Name, LimitRule Rule)? StrictOf(string name) => name.ToUpperInvariant() switch
    {
        "POST /API/V1/AUTH/LOGIN" => (LimitNames.Login, LimitRule.Parse(_options.Login)),
        "POST /API/V1/AUTH/SETUP" => (LimitNames.Setup, LimitRule.Parse(_options.Setup)),
        "POST /API/V1/AUTH/REFRESH" => (LimitNames.Refresh, LimitRule.Parse(_options.Refresh)),
        "POST /API/V1/AUTH/TOKEN" => (LimitNames.Token, LimitRule.Parse(_options.Token)),
        "GET /API/V1/MESSAGES" => (LimitNames.Route, LimitRule.Parse(_options.Search)),
        var other when other.EndsWith("/PASSWORD", StringComparison.Ordinal) => (LimitNames.Route, LimitRule.Parse(_options.Password)),
        _ => null,
    };

    private LimitRule? OwnRule(string name) => _routes.TryGetValue(PlainName(name), out var rule) ? rule : null;

    private Dictionary<string, LimitRule>? OwnOfRole(string name)
    {
        var ofRole = _routes.Where(p => p.Key.EndsWith(" " + PlainName(name), StringComparison.OrdinalIgnoreCase))
            .ToDictionary(p => p.Key[..p.Key.IndexOf(' ', StringComparison.Ordinal)], static p => p.Value, StringComparer.OrdinalIgnoreCase);
        return ofRole.Count == 0 ? null : ofRole;
    }

    private int CostOf(string name, RouteCost? declared) => _costs.TryGetValue(PlainName(name), out var cost) ? cost : declared?.Units ?? 1;

    private static Dictionary<string, LimitRule> RulesOf(IReadOnlyDictionary<string, string> table, Func<string, string> name) =>
        table.ToDictionary(p => name(p.Key), static p => LimitRule.Parse(p.Value), StringComparer.OrdinalIgnoreCase);

    /// <summary>Settings files lose underscores in keys, and a group's own route ends in a slash: neither counts.</summary>
    private static string PlainName(string name) => name.Replace("_", "", StringComparison.Ordinal).TrimEnd('/');
}
