using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Machines;

/// <summary>
/// What an API key is worth. Only the SHA-256 of its 256 random bits is stored: a slow hash protects what people make up, and would cost every request a quarter of a second here.
/// </summary>
public sealed partial class ApiKeys(ApiKeyStore store, LiveSessions live, ScrapeKeys scrapes, TimeProvider clock, ILogger<ApiKeys> logger)
{
    public const string Prefix = "rmk_";

    private static readonly TimeSpan TouchEvery = TimeSpan.FromMinutes(1);

    /// <summary>Those that read metrics.</summary>
    public ScrapeKeys Scrapes => scrapes;

    public async ValueTask<SessionCaller> OfSecretAsync(string secret, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(secret);
        if (secret.Length > OpaqueSecret.Longest || await store.FindAsync(OpaqueSecret.Hash(secret), clock.GetUtcNow(), cancellationToken) is not { } key)
        {
            return new SessionCaller(null, default, SessionCallers.NotGood());
        }

        if (key.LastUsedAt is not { } last || clock.GetUtcNow() - last >= TouchEvery)
        {
            _ = TouchAsync(key.Id);
        }

        var caller = new Caller
        {
            UserId = key.User.Id,
            Username = key.User.Username,
            Role = key.User.Role,
            Permissions = Permissions.Of(key.User.Role, key.Scopes, key.User.Grants),
            Credential = CredentialKind.ApiKey,
            SessionId = key.Id,
            Limits = key.User.Limits,
            Ended = live.Token(key.User.Id, key.Id, key.ExpiresAt),
        };
        return new SessionCaller(caller, key.ExpiresAt ?? DateTimeOffset.MaxValue, null);
    }

    /// <summary>Beside the request: when a key was last used is worth no waiting. Callers are remembered for a minute, so that is how often it is written at most.</summary>
    private async Task TouchAsync(string keyId)
    {
        try
        {
            await store.TouchAsync(keyId);
        }
        catch (StorageUnavailableException e)
        {
            LogNotTouched(keyId, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "That API key {KeyId} was used could not be written down: {Reason}")]
    private partial void LogNotTouched(string keyId, string reason);
}
