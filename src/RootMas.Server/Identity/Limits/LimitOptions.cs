using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace RootMas.Server.Identity.Limits;

/// <summary>How much one user and one address may ask for; a limit is <c>requests/time</c>, as in <c>100/1m</c>. Section <c>Limits</c>.</summary>
public sealed record LimitOptions : IValidatableObject
{
    /// <summary>false: nothing is counted. For measurements only.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Requests of one user to one route that changes something.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Requests { get; init; } = "100/1m";

    /// <summary>Requests of one user to all reading routes together.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Reads { get; init; } = "1200/1m";

    /// <summary>Requests without valid credentials from one address (IPv6: one /64). Requests of users do not count.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Address { get; init; } = "1000/1m";

    /// <summary>As how many requests a wrong credential counts against its address.</summary>
    [Range(1, 1_000)]
    public int FailureCost { get; init; } = 10;

    /// <summary>Requests for pages, scripts and the API description, from one address.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string StaticFiles { get; init; } = "6000/1m";

    /// <summary>Requests for the server's health, from one address.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Health { get; init; } = "6000/1m";

    /// <summary>Logins from one address.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Login { get; init; } = "60/1m";

    /// <summary>Logins with one user name, from wherever.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Username { get; init; } = "60/5m";

    /// <summary>Tries to set the server up, from one address.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Setup { get; init; } = "5/1m";

    /// <summary>Refreshes of tokens from one address.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Refresh { get; init; } = "120/1m";

    /// <summary>Tokens for others, from one address.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Token { get; init; } = "30/1m";

    /// <summary>Changes of passwords by one user.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Password { get; init; } = "10/1m";

    /// <summary>Searches through messages by one user, each of which reads thousands of them.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Search { get; init; } = "60/1m";

    /// <summary>Limits of single routes, instead of the general ones; for everybody, or for one role: Limits:Routes:POST /api/v1/chat = 20/1m, Limits:Routes:agent POST /api/v1/chat = 600/1m.</summary>
    public IReadOnlyDictionary<string, string> Routes { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>As how many requests one call of a route counts, where it is not 1: Limits:Costs:POST /api/v1/chat = 5.</summary>
    public IReadOnlyDictionary<string, string> Costs { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Requests per route for one role, instead of Requests: Limits:Roles:agent = 600/1m.</summary>
    public IReadOnlyDictionary<string, string> Roles { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Reads for one role, instead of Reads: Limits:RoleReads:agent = 6000/1m.</summary>
    public IReadOnlyDictionary<string, string> RoleReads { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Event streams of one user that are open at once: on all instances together with Redis, on each without.</summary>
    [Range(1, 1_000_000)]
    public int StreamsPerUser { get; init; } = 2_000;

    /// <summary>WebSockets of one user that are open at once, as StreamsPerUser.</summary>
    [Range(1, 1_000_000)]
    public int SocketsPerUser { get; init; } = 1_000;

    /// <summary>Frames that one user sends, over all sockets. A message counts against POST /api/v1/chat too.</summary>
    [RegularExpression(LimitRule.Pattern)]
    public string Frames { get; init; } = "600/1m";

    /// <summary>Frames over the limit, one after the other, after which the socket is closed (1008).</summary>
    [Range(1, 100_000)]
    public int FrameStrikes { get; init; } = 50;

    /// <summary>Users (per route), addresses and names that are counted apart, so many of each kind; further ones share a count. About 150 bytes each.</summary>
    [Range(100, 10_000_000)]
    public int MaxKeys { get; init; } = 200_000;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var (name, table) in new[] { (nameof(Routes), Routes), (nameof(Roles), Roles), (nameof(RoleReads), RoleReads) })
        {
            foreach (var (key, text) in table.Where(static pair => !LimitRule.TryParse(pair.Value, out _)))
            {
                yield return new ValidationResult($"'{text}' is not a limit; legal: requests/time, as in 100/1m", [$"{name}:{key}"]);
            }
        }

        foreach (var (key, text) in Costs.Where(static pair => !int.TryParse(pair.Value, NumberStyles.None, CultureInfo.InvariantCulture, out var cost) || cost is < 1 or > 1_000_000))
        {
            yield return new ValidationResult($"'{text}' is not a cost; legal: 1 to 1000000", [$"{nameof(Costs)}:{key}"]);
        }

        foreach (var (name, key) in Routes.Keys.Select(static k => (nameof(Routes), k)).Concat(Costs.Keys.Select(static k => (nameof(Costs), k))))
        {
            if (!key.Contains(" /", StringComparison.Ordinal))
            {
                yield return new ValidationResult("is not a route; legal: METHOD /path as in docs/api.md, for one role: ROLE METHOD /path", [$"{name}:{key}"]);
            }
        }
    }
}
