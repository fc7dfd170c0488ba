using System.Collections.Concurrent;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Machines;

/// <summary>
/// What an API key is worth. Only the SHA-256 of its 256 random bits is stored: a slow hash protects what people make up, and would cost every request a quarter of a second here.
/// Keys that were seen are remembered for a moment, and forgotten at once when they or their user's rights end.
/// </summary>
public sealed partial class ApiKeys(ApiKeyStore store, LiveSessions live, TimeProvider clock, ILogger<ApiKeys> logger)
{
    public const string Prefix = "rmk_";

    /// <summary>Another process on the same database may have ended it: no answer is older than this.</summary>
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan TouchEvery = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, Known> _known = new(StringComparer.Ordinal);

    public async ValueTask<Authentication> AuthenticateAsync(string secret, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(secret);
        if (secret.Length > OpaqueSecret.Longest)
        {
            return Invalid();
        }

        var hash = OpaqueSecret.Hash(secret);
        var name = Convert.ToBase64String(hash);
        if (_known.TryGetValue(name, out var known) && IsGood(known))
        {
            return known.Caller;
        }

        if (await ReadAsync(hash, cancellationToken) is not { } read)
        {
            _known.TryRemove(name, out _);
            return Invalid();
        }

        // Equal requests share one caller while nothing changed, so that what hangs on it stays.
        _known[name] = known is not null && IsSame(known.Caller, read.Caller) ? read with { Caller = known.Caller } : read;
        return _known[name].Caller;
    }

    private async Task<Known?> ReadAsync(byte[] hash, CancellationToken cancellationToken)
    {
        while (true)
        {
            var ends = live.Ends;
            var readAt = clock.GetTimestamp();
            if (await store.FindAsync(hash, clock.GetUtcNow(), cancellationToken) is not { } key)
            {
                return null;
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
                Ended = live.Token(key.User.Id, key.Id),
            };
            if (live.Ends != ends)
            {
                continue; // something ended between reading and listening: perhaps this
            }

            if (key.LastUsedAt is not { } last || clock.GetUtcNow() - last >= TouchEvery)
            {
                _ = TouchAsync(key.Id);
            }

            return new Known(caller, key.ExpiresAt, readAt);
        }
    }

    private bool IsGood(Known known) => !known.Caller.Ended.IsCancellationRequested && clock.GetElapsedTime(known.ReadAt) < Fresh && (known.ExpiresAt is not { } end || clock.GetUtcNow() < end);

    private static bool IsSame(Caller one, Caller other) =>
        !one.Ended.IsCancellationRequested && one.Role == other.Role && one.Username == other.Username && one.Permissions.SetEquals(other.Permissions);

    /// <summary>Beside the request: when a key was last used is worth no waiting.</summary>
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

    private static Problem Invalid() => Problems.Unauthorized("invalid_api_key", "The API key is not valid: it is unknown, revoked or expired, or its user may no longer sign in. Nothing was done.");

    private sealed record Known(Caller Caller, DateTimeOffset? ExpiresAt, long ReadAt);

    [LoggerMessage(Level = LogLevel.Warning, Message = "That API key {KeyId} was used could not be written down: {Reason}")]
    private partial void LogNotTouched(string keyId, string reason);
}
