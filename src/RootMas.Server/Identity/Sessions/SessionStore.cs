using System.Data.Common;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Sessions;

/// <summary>What a session was made for.</summary>
public enum SessionKind
{
    /// <summary>A login with tokens.</summary>
    Login,

    /// <summary>A browser.</summary>
    Cookie,

    /// <summary>Tokens that were made for somebody else.</summary>
    Service,
}

/// <summary>A session to make.</summary>
public sealed record NewSession
{
    public required string UserId { get; init; }

    public required SessionKind Kind { get; init; }

    public required DateTimeOffset ExpiresAt { get; init; }

    /// <summary>SHA-256 of a cookie.</summary>
    public byte[]? SecretHash { get; init; }

    /// <summary>The most that it may be; null: what its user is.</summary>
    public string? RoleCap { get; init; }

    public IReadOnlyCollection<string>? Scopes { get; init; }

    /// <summary>The API key that made it, and with which it ends; null: none did.</summary>
    public string? MadeBy { get; init; }

    /// <summary>The administrator who made it, and with whose rights it ends; null: the operator did, or one of their programs.</summary>
    public string? MadeByUser { get; init; }

    public string? Label { get; init; }

    public string? Address { get; init; }
}

/// <summary>A session that is not over, with its user as they are now.</summary>
public sealed record LiveSession(string Id, SessionKind Kind, string? RoleCap, IReadOnlyList<string>? Scopes, DateTimeOffset ExpiresAt, UserState User);

/// <summary>A session as its owner sees it.</summary>
public sealed record ListedSession(string Id, SessionKind Kind, string? Label, string? Address, DateTimeOffset CreatedAt, DateTimeOffset LastUsedAt, DateTimeOffset ExpiresAt);

/// <summary>The table of sessions. Whatever ends one tells <see cref="LiveSessions"/> after the commit.</summary>
public sealed class SessionStore(IDatabase database, LiveSessions live, TimeProvider clock)
{
    private const string Live =
        $"select {UserState.Columns}, s.id, s.kind, s.role, s.scopes, s.expires_at from sessions s join users u on u.id = s.user_id where s.revoked_at is null and s.expires_at > @now and u.disabled_at is null";

    private const string EndMadeByUser = "update sessions set revoked_at = @now where made_by_user = @user and revoked_at is null returning id";

    /// <summary>Also what a key made at an instance that notes no users.</summary>
    private const string EndMadeByKeys = "update sessions set revoked_at = @now where made_by in (select id from api_keys where user_id = @user) and revoked_at is null returning id";

    private const string ListedColumns = "id, kind, label, address, created_at, last_used_at, expires_at";

    /// <summary>How long rows of sessions that are over stay, for those who ask what happened.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    public async ValueTask<LiveSession?> FindLiveAsync(string id, string userId, CancellationToken cancellationToken) =>
        await database.LookAsync(session => session.Prepared(Live + " and s.id = @id and s.user_id = @user").Set("now", clock.GetUtcNow()).Set("id", id).Set("user", userId).FirstOrDefaultAsync(ReadLive), cancellationToken);

    public async ValueTask<LiveSession?> FindLiveByCookieAsync(byte[] hash, CancellationToken cancellationToken) =>
        await database.LookAsync(session => session.Prepared(Live + " and s.secret_hash = @hash and s.kind = 'cookie'").Set("now", clock.GetUtcNow()).Set("hash", hash).FirstOrDefaultAsync(ReadLive), cancellationToken);

    /// <summary>The id of the new session.</summary>
    public static async ValueTask<string> AddAsync(DbSession session, NewSession made)
    {
        ArgumentNullException.ThrowIfNull(made);
        var id = Guid.CreateVersion7().ToString();
        await session.Prepared(
            """
            insert into sessions (id, user_id, kind, secret_hash, role, scopes, made_by, made_by_user, label, address, created_at, last_used_at, expires_at)
            values (@id, @user, @kind, @hash, @role, @scopes, @maker, @maker_user, @label, @address, @now, @now, @expires)
            """)
            .Set("id", id).Set("user", made.UserId).Set("kind", NameOf(made.Kind)).Set("hash", made.SecretHash).Set("role", made.RoleCap).Set("scopes", NameList.Write(made.Scopes))
            .Set("maker", made.MadeBy).Set("maker_user", made.MadeByUser).Set("label", made.Label).Set("address", made.Address).Set("now", session.Now).Set("expires", made.ExpiresAt)
            .RunAsync();
        return id;
    }

    /// <summary>Sessions of a user that are not over, newest first.</summary>
    public Task<List<ListedSession>> ListAsync(string userId, int limit, string? before, CancellationToken cancellationToken) => database.LookAsync(
        session => new ValueTask<List<ListedSession>>(session.Prepared(
            $"select {ListedColumns} from sessions where user_id = @user and revoked_at is null and expires_at > @now and id < @before order by id desc limit @limit")
            .Set("user", userId).Set("now", clock.GetUtcNow()).Set("before", before ?? "~").Set("limit", limit)
            .ListAsync(ReadListed).AsTask()),
        cancellationToken);

    /// <summary>One session of a user; null: there is none, or it is over.</summary>
    public async ValueTask<ListedSession?> FindListedAsync(string id, string userId, CancellationToken cancellationToken) =>
        await database.LookAsync(session => session.Prepared($"select {ListedColumns} from sessions where id = @id and user_id = @user and revoked_at is null and expires_at > @now").Set("id", id).Set("user", userId).Set("now", clock.GetUtcNow()).FirstOrDefaultAsync(ReadListed), cancellationToken);

    /// <summary>Ends a session of this user. False: there is none, or it is over already.</summary>
    public async ValueTask<bool> RevokeAsync(DbSession session, string id, string userId)
    {
        ArgumentNullException.ThrowIfNull(session);
        var ended = await session.Prepared("update sessions set revoked_at = @now where id = @id and user_id = @user and revoked_at is null and expires_at > @now")
            .Set("now", session.Now).Set("id", id).Set("user", userId).RunAsync() > 0;
        if (ended)
        {
            await live.EndSessionAsync(session, id);
        }

        return ended;
    }

    /// <summary>Ends every session of a user, and makes every other credential of theirs prove itself anew.</summary>
    /// <param name="except">The session that stays.</param>
    /// <returns>How many sessions ended.</returns>
    public async ValueTask<int> RevokeAllAsync(DbSession session, string userId, string? except = null)
    {
        ArgumentNullException.ThrowIfNull(session);
        var ended = await session.Prepared("update sessions set revoked_at = @now where user_id = @user and revoked_at is null and id is distinct from @except")
            .Set("now", session.Now).Set("user", userId).Set("except", except).RunAsync();
        await live.EndUserAsync(session, userId, except);
        return ended;
    }

    /// <summary>Ends what this user made for others, by login or by API key: whoever is no administrator any more is none through that either.</summary>
    public async ValueTask RevokeMadeAsync(DbSession session, string userId)
    {
        ArgumentNullException.ThrowIfNull(session);
        foreach (var made in (string[])[EndMadeByUser, EndMadeByKeys])
        {
            foreach (var id in await session.Prepared(made).Set("now", session.Now).Set("user", userId).ListAsync(static row => row.GetString(0)))
            {
                await live.EndSessionAsync(session, id);
            }
        }
    }

    internal async Task TouchAsync(IReadOnlyCollection<string> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
        {
            return;
        }

        await database.WriteAsync(
            async session =>
            {
                foreach (var id in ids)
                {
                    await session.Prepared("update sessions set last_used_at = @now where id = @id").Set("now", session.Now).Set("id", id).RunAsync();
                }
            },
            cancellationToken);
    }

    /// <summary>Ends what has run out, so that its streams end too, and forgets what has been over for long.</summary>
    internal async Task RemoveOverAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var over = await database.LookAsync(
            session => session.Prepared("select 1 from sessions where expires_at <= @now and (revoked_at is null or expires_at <= @old) order by expires_at limit 1").Set("now", now).Set("old", now - Kept).AnyAsync(), cancellationToken);
        if (!over)
        {
            return;
        }

        await database.WriteAsync(
            async session =>
            {
                var ended = await session.Prepared("update sessions set revoked_at = expires_at where revoked_at is null and expires_at <= @now returning id").Set("now", now).ListAsync(static row => row.GetString(0));
                await session.Prepared("delete from sessions where expires_at <= @old").Set("old", now - Kept).RunAsync();
                foreach (var id in ended)
                {
                    await live.EndSessionAsync(session, id);
                }
            },
            cancellationToken);
    }

    private static ListedSession ReadListed(DbDataReader row) => new(row.GetString(0), KindOf(row.GetString(1)), row.StringOrNull(2), row.StringOrNull(3), row.Time(4), row.Time(5), row.Time(6));

    private static LiveSession ReadLive(DbDataReader row) => new(
        row.GetString(UserState.Width),
        KindOf(row.GetString(UserState.Width + 1)),
        row.StringOrNull(UserState.Width + 2),
        row.StringOrNull(UserState.Width + 3) is { } scopes ? NameList.Read(scopes) : null,
        row.Time(UserState.Width + 4),
        UserState.Read(row));

    private static string NameOf(SessionKind kind) => kind switch { SessionKind.Login => "login", SessionKind.Cookie => "cookie", _ => "service" };

    private static SessionKind KindOf(string name) => name switch { "login" => SessionKind.Login, "cookie" => SessionKind.Cookie, _ => SessionKind.Service };
}
