using System.Collections.Frozen;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.IdentityModel.Tokens;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Tokens;

/// <summary>A key and until when it verifies; null: it is the one that signs.</summary>
public sealed record SigningKey(string Kid, DateTimeOffset CreatedAt, DateTimeOffset? VerifyUntil);

/// <summary>
/// The keys of access tokens. One signs; those before it verify until the tokens that they signed are over. Which is which stands in the database, the keys themselves in <see cref="SigningKeyStore"/>.
/// A key that settings give is the only one, with at most one before it.
/// </summary>
public sealed class SigningKeys(IdentityOptions options, SigningKeyStore store, IDatabase database, AuditLog audit, ChangeFeed changes, TimeProvider clock) : IDisposable
{
    private const string Listed = "select kid, created_at, verify_until from signing_keys order by verify_until is not null, created_at desc";

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromSeconds(1);

    /// <summary>One after the other: what an earlier one lists must not take the place of what a later one does.</summary>
    private readonly SemaphoreSlim _rotating = new(1, 1);
    private long? _lookedAt;
    private volatile Ring _ring = new(FrozenDictionary<string, Known>.Empty, null, []);

    /// <summary>Whether the key comes from settings, so that only they can change it.</summary>
    public bool AreGiven => options.SigningKey.Length > 0;

    /// <summary>The key that signs.</summary>
    public SymmetricSecurityKey Current => _ring.Current ?? throw new InvalidOperationException("Signing keys are loaded before the server listens.");

    /// <summary>Those of the installation that cannot be opened here: the master key was changed since this instance started.</summary>
    public IReadOnlyList<string> Closed => _ring.Closed;

    /// <summary>The key that signs is one of those, so no token can be made here.</summary>
    public bool CannotSign => _ring is { Current: null, Closed.Count: > 0 };

    /// <summary>The key that signs, for whoever makes a token.</summary>
    /// <exception cref="ProblemException">It cannot be opened here.</exception>
    public SymmetricSecurityKey ToSign() => CannotSign
        ? throw new ProblemException(Problems.Unavailable("master_key_changed", "The master key was changed since this instance started, and then the signing key, which it cannot open, so no token was made. Ask another instance; this one has to be started again with the new master key."))
        : Current;

    /// <summary>One of ours by its id, null for any other; nothing is looked up outside of memory.</summary>
    public SymmetricSecurityKey? Find(string? kid) =>
        kid is not null && _ring.Keys.TryGetValue(kid, out var known) && (known.VerifyUntil is not { } until || clock.GetUtcNow() < until) ? known.Key : null;

    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        if (AreGiven)
        {
            var current = KeyOf(KeyFile.Parse(options.SigningKey)!);
            var keys = new Dictionary<string, Known>(StringComparer.Ordinal) { [current.KeyId] = new(current, null) };
            if (KeyFile.Parse(options.PreviousSigningKey) is { } bytes && KeyOf(bytes) is var before)
            {
                keys.TryAdd(before.KeyId, new Known(before, null));
            }

            _ring = new Ring(keys.ToFrozenDictionary(StringComparer.Ordinal), current, []);
            return;
        }

        await InTurnAsync(
            async () =>
            {
                var listed = await ListAsync(cancellationToken);
                var signs = listed.FirstOrDefault(static k => k.VerifyUntil is null);
                if (signs is null || await OpenAsync(signs.Kid, cancellationToken) is { Key: null, IsClosed: false })
                {
                    // The first start, or somebody took the file away: what it signed is void, and everybody refreshes.
                    listed = await ReplaceAsync(keepOld: false, entry: null, insteadOf: signs?.Kid, cancellationToken);
                }

                await UseAsync(listed, cancellationToken);
                return Closed is [var kid, ..]
                    ? throw new StartupRefusedException(
                        $"The signing key {kid} cannot be opened: its row in shared_keys (signing-{kid}) was changed, or was sealed with another master key. Nothing was changed. Restore the database from a backup. " +
                        $"If the key is lost, start once with ROOTMAS__Keys__Replace__0=signing-{kid}: the tokens that it signed are void then, and everybody's are refreshed.")
                    : listed;
            },
            cancellationToken);
        await store.ShareFilesAsync([.. _ring.Keys.Select(static k => KeyValuePair.Create(k.Key, k.Value.Key.Key))], cancellationToken);
    }

    /// <summary>Another instance changed them.</summary>
    internal async Task ReloadAsync(CancellationToken cancellationToken)
    {
        if (!AreGiven)
        {
            await InTurnAsync(() => TakeAsync(cancellationToken), cancellationToken);
        }
    }

    /// <summary>For a token with a key that is not known here: another instance may have made it a moment ago. The database is asked once a second, whatever is sent to us. False: there is nothing that was not known before.</summary>
    internal async ValueTask<bool> LookAgainAsync(CancellationToken cancellationToken)
    {
        if (AreGiven || !changes.IsShared)
        {
            return false;
        }

        var before = _ring;
        await InTurnAsync(
            async () =>
            {
                if (_lookedAt is { } last && clock.GetElapsedTime(last) < BetweenLooks)
                {
                    return [];
                }

                _lookedAt = clock.GetTimestamp();
                return await TakeAsync(cancellationToken);
            },
            cancellationToken);
        return !ReferenceEquals(_ring, before);
    }

    /// <summary>From the database, the one that signs first. Keys given by settings are not in it.</summary>
    public Task<List<SigningKey>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(static session => new ValueTask<List<SigningKey>>(ReadAsync(session)), cancellationToken);

    /// <summary>A new key signs from now on. The old one verifies until its last token is over, unless it is to be void at once.</summary>
    public async Task<IReadOnlyList<SigningKey>> RotateAsync(bool keepOld, AuditEntry entry, CancellationToken cancellationToken)
    {
        return await InTurnAsync(
            async () =>
            {
                var listed = await ReplaceAsync(keepOld, entry, insteadOf: null, cancellationToken);
                await UseAsync(listed, cancellationToken);
                return listed;
            },
            cancellationToken);
    }

    public void Dispose() => _rotating.Dispose();

    private async Task<List<SigningKey>> InTurnAsync(Func<Task<List<SigningKey>>> work, CancellationToken cancellationToken)
    {
        await _rotating.WaitAsync(cancellationToken);
        try
        {
            return await work();
        }
        finally
        {
            _rotating.Release();
        }
    }

    private async Task<List<SigningKey>> TakeAsync(CancellationToken cancellationToken)
    {
        var listed = await ListAsync(cancellationToken);
        await UseAsync(listed, cancellationToken);
        return listed;
    }

    /// <param name="entry">Null: at a start, where a key other than <paramref name="insteadOf"/> means that another instance was faster.</param>
    private async Task<List<SigningKey>> ReplaceAsync(bool keepOld, AuditEntry? entry, string? insteadOf, CancellationToken cancellationToken)
    {
        // The file is there before the row that names it; a crash in between leaves a file that nothing uses.
        var bytes = RandomNumberGenerator.GetBytes(KeyFile.Bytes);
        var kid = KeyFile.IdOf(bytes);
        store.Prepare(kid, bytes);
        return await database.WriteAsync(
            async session =>
            {
                await store.PutAsync(session, kid, bytes);
                var before = await ReadAsync(session);
                if (entry is null && before.FirstOrDefault(static k => k.VerifyUntil is null) is { } other && other.Kid != insteadOf)
                {
                    await store.RemoveAsync(session, kid);
                    return before;
                }

                var until = keepOld ? await LastTokenAsync(session) : UnixTime.ToMicros(session.Now);
                await session.Prepared(keepOld ? "update signing_keys set verify_until = @until where verify_until is null" : "update signing_keys set verify_until = case when verify_until < @until then verify_until else @until end")
                    .Set("until", until).RunAsync();
                await session.Prepared("insert into signing_keys (kid, created_at) values (@kid, @now)").Set("kid", kid).Set("now", session.Now).RunAsync();
                foreach (var over in await session.Prepared("delete from signing_keys where verify_until <= @now returning kid").Set("now", session.Now).ListAsync(static row => row.GetString(0)))
                {
                    await store.RemoveAsync(session, over);
                }

                await changes.AddAsync(session, AccessFollower.Keys, kid);
                if (entry is not null)
                {
                    await audit.AppendAsync(session, entry with
                    {
                        TargetKind = "signing_key",
                        TargetId = kid,
                        Before = new JsonObject { ["kid"] = before.FirstOrDefault(static k => k.VerifyUntil is null)?.Kid },
                        After = new JsonObject { ["kid"] = kid, ["old_verifies_until"] = keepOld ? UnixTime.FromMicros(until).ToString("O") : null },
                    });
                }

                return await ReadAsync(session);
            },
            cancellationToken);
    }

    /// <summary>When the last token that could have been signed until now is over: service tokens live longer than those of logins.</summary>
    private async ValueTask<long> LastTokenAsync(DbSession session)
    {
        var login = UnixTime.ToMicros(session.Now + options.AccessTokenLifetime + AccessTokens.ClockSkew);
        var service = await session.Prepared("select max(expires_at) from sessions where kind = 'service' and revoked_at is null").Int64Async();
        return Math.Max(login, service ?? 0);
    }

    /// <summary>Whatever cannot be opened here, what is no longer listed is void from now on. Where the key that signs cannot be opened none does: what an older one signs may be void everywhere else.</summary>
    private async Task UseAsync(List<SigningKey> listed, CancellationToken cancellationToken)
    {
        var keys = new Dictionary<string, Known>(StringComparer.Ordinal);
        var closed = new List<string>();
        SymmetricSecurityKey? current = null;
        foreach (var (kid, _, until) in listed)
        {
            var (key, isClosed) = await OpenAsync(kid, cancellationToken);
            if (isClosed)
            {
                closed.Add(kid);
            }
            else if (key is not null)
            {
                keys[kid] = new Known(key, until);
                current ??= until is null ? key : null;
            }
        }

        var isSignerClosed = listed.Exists(k => k.VerifyUntil is null && closed.Contains(k.Kid, StringComparer.Ordinal));
        _ring = new Ring(keys.ToFrozenDictionary(StringComparer.Ordinal), isSignerClosed ? null : current ?? _ring.Current, closed);
        store.RemoveUnused(keys.Keys);
    }

    /// <summary>A key by its id, which follows from it: one that is known need not be opened again. Without a key and not closed: it is nowhere.</summary>
    private async ValueTask<(SymmetricSecurityKey? Key, bool IsClosed)> OpenAsync(string kid, CancellationToken cancellationToken)
    {
        if (_ring.Keys.TryGetValue(kid, out var known))
        {
            return (known.Key, false);
        }

        try
        {
            if (await store.FindAsync(kid, cancellationToken) is not { } bytes)
            {
                return (null, false);
            }

            var key = KeyOf(bytes);
            return key.KeyId == kid
                ? (key, false)
                : throw new StartupRefusedException($"The signing key {kid} in the data directory (keys/signing-{kid}) is not the one that the database knows by this name. Put it back from a backup, or remove it: then a new one is made, and everybody's tokens are refreshed.");
        }
        catch (CryptographicException)
        {
            return (null, true);
        }
    }

    private static async Task<List<SigningKey>> ReadAsync(DbSession session) =>
        await session.Prepared(Listed).ListAsync(static row => new SigningKey(row.GetString(0), row.Time(1), row.TimeOrNull(2)));

    private static SymmetricSecurityKey KeyOf(byte[] bytes) => new(bytes) { KeyId = KeyFile.IdOf(bytes) };

    private sealed record Known(SymmetricSecurityKey Key, DateTimeOffset? VerifyUntil);

    private sealed record Ring(FrozenDictionary<string, Known> Keys, SymmetricSecurityKey? Current, IReadOnlyList<string> Closed);
}
