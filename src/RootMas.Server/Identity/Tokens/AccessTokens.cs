using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Tokens;

/// <summary>Whose token, of which session, until when. What the session may do stands in the database: a token only names it.</summary>
public sealed record TokenIdentity(string UserId, string SessionId, DateTimeOffset ExpiresAt);

/// <summary>Access tokens: JWTs by RFC 9068 (<c>typ: at+jwt</c>), signed with HMAC-SHA-256 by one of our own keys, and nothing else (decision 13).</summary>
public sealed class AccessTokens
{
    /// <summary>How far clocks of several servers may be apart.</summary>
    public static readonly TimeSpan ClockSkew = TimeSpan.FromSeconds(30);

    private const string Type = "at+jwt";
    private const string SessionClaim = "sid";

    /// <summary>Ours have some four hundred characters; anything much longer is not even decoded.</summary>
    private const int Longest = 2_048;

    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false, MaximumTokenSizeInBytes = Longest };
    private readonly IdentityOptions _options;
    private readonly SigningKeys _keys;
    private readonly TimeProvider _clock;
    private readonly TokenValidationParameters _rules;

    public AccessTokens(IdentityOptions options, SigningKeys keys, TimeProvider clock)
    {
        _options = options;
        _keys = keys;
        _clock = clock;
        _rules = new TokenValidationParameters
        {
            ValidIssuer = options.Issuer,
            ValidAudience = options.Audience,
            ValidTypes = [Type],
            ValidAlgorithms = [SecurityAlgorithms.HmacSha256],
            IssuerSigningKeyResolver = (_, _, kid, _) => keys.Find(kid) is { } key ? [key] : [],
            TryAllIssuerSigningKeys = false,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            LifetimeValidator = IsNow,
        };
    }

    /// <summary>How long a login's token is good for.</summary>
    public TimeSpan Lifetime => _options.AccessTokenLifetime;

    /// <summary>Before anything is spent for a token that could not be made.</summary>
    /// <exception cref="ProblemException">This instance cannot make tokens now.</exception>
    public void RequireKey() => _keys.ToSign();

    /// <param name="expiresAt">Null: after <see cref="Lifetime"/>.</param>
    /// <exception cref="ProblemException">This instance cannot make tokens now.</exception>
    public string Issue(string userId, string sessionId, DateTimeOffset? expiresAt = null)
    {
        var now = _clock.GetUtcNow();
        return _handler.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = Type,
            Issuer = _options.Issuer,
            Audience = _options.Audience,
            IssuedAt = now.UtcDateTime,
            NotBefore = now.UtcDateTime,
            Expires = (expiresAt ?? now + Lifetime).UtcDateTime,
            Claims = new Dictionary<string, object>(StringComparer.Ordinal)
            {
                [JwtRegisteredClaimNames.Sub] = userId,
                [SessionClaim] = sessionId,
                [JwtRegisteredClaimNames.Jti] = Guid.CreateVersion7().ToString("N"),
            },
            SigningCredentials = new SigningCredentials(_keys.ToSign(), SecurityAlgorithms.HmacSha256),
        });
    }

    /// <summary>Null: it is not one of ours, or not good now.</summary>
    public async ValueTask<TokenIdentity?> ReadAsync(string token, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(token);
        if (token.Length > Longest)
        {
            return null;
        }

        var result = await _handler.ValidateTokenAsync(token, _rules);
        if (result.Exception is SecurityTokenSignatureKeyNotFoundException && await _keys.LookAgainAsync(cancellationToken))
        {
            result = await _handler.ValidateTokenAsync(token, _rules);
        }

        return result is { IsValid: true, SecurityToken: JsonWebToken { Subject: { Length: > 0 } user } jwt } && jwt.TryGetPayloadValue<string>(SessionClaim, out var session)
            ? new TokenIdentity(user, session, new DateTimeOffset(jwt.ValidTo, TimeSpan.Zero))
            : null;
    }

    private bool IsNow(DateTime? notBefore, DateTime? expires, SecurityToken token, TokenValidationParameters parameters)
    {
        var now = _clock.GetUtcNow().UtcDateTime;
        return expires is { } end && now < end + ClockSkew && (notBefore is not { } start || start <= now + ClockSkew);
    }
}
