using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Limits;

/// <summary>
/// Decides whether a request may go on. Without valid credentials it counts against its address; with them against its user, and not against the address, so that strangers behind the same address lock nobody out.
/// </summary>
public sealed class RequestLimiter
{
    private readonly LimitOptions _options;
    private readonly LimitRules _rules;
    private readonly ILimitStore _store;

    public RequestLimiter(LimitOptions options, ILimitStore store)
    {
        (_options, _store) = (options, store);
        _rules = new LimitRules(options);
        LimitMetrics.Create();
    }

    /// <summary>How often a socket may be told that it sends too much before it is closed.</summary>
    public int FrameStrikes => _options.FrameStrikes;

    internal RouteLimit RouteOf(HttpContext context) => _rules.Of(context.GetEndpoint());

    /// <summary>Null: the request may go on. <paramref name="failed"/>: it brought credentials that are not good.</summary>
    internal ValueTask<Problem?> TakeAsync(HttpContext context, RouteLimit route, Caller? caller, bool failed)
    {
        if (!_options.Enabled)
        {
            return default;
        }

        if (caller is null || route.Apart is not null || route.Strict is not null)
        {
            return TakeFromAddressAsync(context, route, failed ? _options.FailureCost : route.Cost, isUser: caller is not null);
        }

        var (limit, bucket, rule) = route.For(caller, _rules);
        var key = LimitKey.OfUser(bucket, caller.UserId);
        if (route.StreamOf(context.Request) is not null)
        {
            // Attaching is not limited in rate; the answer still says where its user stands.
            return TakeAsync(context, route, limit, LimitKey.OfUser(LimitNames.Reads, caller.UserId), caller.OwnRate(LimitNames.Reads) ?? _rules.ReadsOf(caller.Role), 0);
        }

        return TakeAsync(context, route, limit, key, rule, route.Cost);
    }

    /// <summary>A request that is refused before its route is known.</summary>
    public ValueTask<Problem?> TakeEarlyAsync(HttpContext context) => !_options.Enabled ? default : TakeFromAddressAsync(context, _rules.Of(null), 1, isUser: false);

    /// <summary>A public route answered 401: somebody tries out passwords or tokens.</summary>
    internal ValueTask<Problem?> CountFailureAsync(HttpContext context, RouteLimit route) => !_options.Enabled || _options.FailureCost <= route.Cost
        ? default
        : TakeAsync(context, route, LimitNames.Address, AddressKey(LimitNames.Address, context), _rules.Address, _options.FailureCost - route.Cost);

    /// <summary>One try to log in with this name, from wherever. Before the password is looked at.</summary>
    public async ValueTask<Problem?> TakeLoginAsync(string username)
    {
        ArgumentNullException.ThrowIfNull(username);
        if (!_options.Enabled)
        {
            return null;
        }

        var result = await _store.TakeAsync(LimitKey.OfUsername(LimitNames.Username, username), _rules.Username, 1);
        return result.IsWithin ? null : Refuse(LimitNames.Username, "auth", _rules.Username, result);
    }

    /// <summary>One frame on a socket of this user.</summary>
    public async ValueTask<Problem?> TakeFrameAsync(Caller caller)
    {
        ArgumentNullException.ThrowIfNull(caller);
        return await TakeOnSocketAsync(LimitNames.Frames, LimitNames.Frames, caller, caller.OwnRate(LimitNames.Frames) ?? _rules.Frames, 1);
    }

    /// <summary>One message on a socket of this user: the same as one by HTTP.</summary>
    public async ValueTask<Problem?> TakeMessageAsync(Caller caller)
    {
        ArgumentNullException.ThrowIfNull(caller);
        var (limit, bucket, rule) = _rules.Message.For(caller, _rules);
        return await TakeOnSocketAsync(limit, bucket, caller, rule, _rules.Message.Cost);
    }

    private async ValueTask<Problem?> TakeOnSocketAsync(string limit, string bucket, Caller caller, LimitRule rule, int cost)
    {
        if (!_options.Enabled)
        {
            return null;
        }

        var result = await _store.TakeAsync(LimitKey.OfUser(bucket, caller.UserId), rule, cost);
        return result.IsWithin ? null : Refuse(limit, "socket", rule, result);
    }

    private async ValueTask<Problem?> TakeFromAddressAsync(HttpContext context, RouteLimit route, int cost, bool isUser)
    {
        if (route.Apart is { } apart)
        {
            return await TakeAsync(context, route, apart.Name, AddressKey(apart.Name, context), apart.Rule, route.Cost);
        }

        if (route.Strict is { } strict && await TakeAsync(context, route, strict.Name, AddressKey(strict.Name, context), strict.Rule, 1) is { } refused)
        {
            return refused;
        }

        return isUser ? null : await TakeAsync(context, route, LimitNames.Address, AddressKey(LimitNames.Address, context), _rules.Address, cost);
    }

    private ValueTask<Problem?> TakeAsync(HttpContext context, RouteLimit route, string limit, LimitKey key, LimitRule rule, int cost)
    {
        var taking = _store.TakeAsync(key, rule, cost);
        return taking.IsCompletedSuccessfully
            ? new ValueTask<Problem?>(Note(context, route, limit, rule, taking.Result))
            : AwaitAsync(context, route, limit, rule, taking);
    }

    private static async ValueTask<Problem?> AwaitAsync(HttpContext context, RouteLimit route, string limit, LimitRule rule, ValueTask<LimitResult> taking) =>
        Note(context, route, limit, rule, await taking);

    /// <summary>Where several limits count, the answer tells the one that is closest to its end.</summary>
    private static Problem? Note(HttpContext context, RouteLimit route, string limit, LimitRule rule, LimitResult result)
    {
        var edge = context.Features.Get<RequestEdge>()!;
        if (!result.IsWithin || edge.RateLimit is not { } other || result.Remaining < other.Remaining)
        {
            edge.RateLimit = new RateLimitState(rule.Limit, result.Remaining, SecondsOf(result.Reset));
        }

        return result.IsWithin ? null : Refuse(limit, route.Class, rule, result);
    }

    private static Problem Refuse(string limit, string routeClass, LimitRule rule, LimitResult result)
    {
        LimitMetrics.Rejected(limit, routeClass);
        return Problems.TooManyRequests(limit, result.RetryAfter).With("allowed", rule.ToString());
    }

    private static LimitKey AddressKey(string limit, HttpContext context) => LimitKey.OfAddress(limit, context.Features.Get<RequestEdge>()!.Client.Network);

    private static long SecondsOf(TimeSpan time) => (time.Ticks + TimeSpan.TicksPerSecond - 1) / TimeSpan.TicksPerSecond;
}
