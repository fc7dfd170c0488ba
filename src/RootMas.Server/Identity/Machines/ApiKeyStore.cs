using System.Data.Common;
using System.Text.Json.Nodes;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Identity.Machines;

/// <summary>A key as its owner sees it; the secret is not stored.</summary>
/// <param name="Hint">The secret's first characters.</param>
/// <param name="Scopes">Empty: all that the user may do.</param>
public sealed record StoredApiKey(string Id, string Name, string Hint, IReadOnlyList<string> Scopes, DateTimeOffset CreatedAt, DateTimeOffset? ExpiresAt, DateTimeOffset? LastUsedAt);

/// <summary>A key that was presented, with its user as they are now.</summary>
public sealed record PresentedApiKey(string Id, IReadOnlyList<string> Scopes, DateTimeOffset? ExpiresAt, DateTimeOffset? LastUsedAt, UserState User);

/// <summary>The table of API keys. What belongs to a user is asked for with that user's id.</summary>
public sealed class ApiKeyStore(IDatabase database, AuditLog audit, LiveSessions live)
{
    /// <summary>More keys than anybody can look after.</summary>
    public const int MostPerUser = 100;

    private const string Columns = "id, name, hint, scopes, created_at, expires_at, last_used_at";

    private const string ByHash = $"""
        select {UserState.Columns}, k.id, k.scopes, k.expires_at, k.last_used_at from api_keys k join users u on u.id = k.user_id
        where k.hash = @hash and k.revoked_at is null and (k.expires_at is null or k.expires_at > @now) and u.disabled_at is null
        """;

    /// <summary>Held while the user's keys are counted.</summary>
    private static readonly SqlText Owner = SqlDialect.Held("select 1 from users where id = @id");

    private const string Insert = """
        insert into api_keys (id, user_id, name, hint, hash, scopes, created_at, expires_at)
        select @id, @user, @name, @hint, @hash, @scopes, @now, @expires
        where (select count(*) from api_keys where user_id = @user and revoked_at is null) < @most
        """;

    private const string Own = $"""
        select {Columns} from api_keys where user_id = @user and revoked_at is null and (@before is null or id < @before) order by id desc limit @limit
        """;

    private const string One = $"select {Columns} from api_keys where user_id = @user and id = @id and revoked_at is null";

    private const string Revoke = "update api_keys set revoked_at = @now where id = @id and user_id = @user and revoked_at is null returning name";

    private const string EndMade = "update sessions set revoked_at = @now where made_by = @id and revoked_at is null returning id";

    /// <summary>Holds the row up to the commit, so that whoever revokes the key meanwhile finds what it made.</summary>
    private const string Use = "update api_keys set last_used_at = @now where id = @id and revoked_at is null returning expires_at";

    private const string Touch = "update api_keys set last_used_at = @now where id = @id";

    /// <summary>Null: no such key that is good now.</summary>
    public Task<PresentedApiKey?> FindAsync(byte[] hash, DateTimeOffset now, CancellationToken cancellationToken) =>
        database.LookAsync(
            session => session.Prepared(ByHash).Set("hash", hash).Set("now", now).FirstOrDefaultAsync(
                static r => new PresentedApiKey(
                    r.GetString(UserState.Width), NameList.Read(r.StringOrNull(UserState.Width + 1)), r.TimeOrNull(UserState.Width + 2), r.TimeOrNull(UserState.Width + 3), UserState.Read(r))),
            cancellationToken);

    /// <summary>False: the user has too many.</summary>
    /// <param name="also">Written in the same transaction, with the key's id.</param>
    public Task<bool> AddAsync(string userId, StoredApiKey key, byte[] hash, AuditEntry entry, Made? also, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session =>
            {
                await session.HoldAsync(Owner, userId);
                var added = await session.Prepared(Insert).Set("id", key.Id).Set("user", userId).Set("name", key.Name).Set("hint", key.Hint).Set("hash", hash)
                    .Set("scopes", NameList.Write(key.Scopes)).Set("now", key.CreatedAt).Set("expires", key.ExpiresAt).Set("most", (long)MostPerUser).RunAsync() == 1;
                if (added)
                {
                    await audit.AppendAsync(session, entry with { TargetKind = "api_key", TargetId = key.Id, After = Describe(key) });
                }

                if (added && also is not null)
                {
                    await also(session, key.Id);
                }

                return added;
            },
            cancellationToken);

    /// <summary>One of this user's keys that was not revoked, or null.</summary>
    public Task<StoredApiKey?> FindOwnAsync(string userId, string id, CancellationToken cancellationToken) =>
        database.LookAsync(session => session.Prepared(One).Set("user", userId).Set("id", id).FirstOrDefaultAsync(Read), cancellationToken);

    /// <summary>Keys that were not revoked, newest first.</summary>
    public Task<List<StoredApiKey>> ListAsync(string userId, string? before, int limit, CancellationToken cancellationToken) =>
        database.LookAsync(
            async session => await session.Prepared(Own).Set("user", userId).Set("before", before).Set("limit", (long)limit).ListAsync(Read), cancellationToken);

    /// <summary>False: no such key of this user. Whatever is open with it ends, and the service tokens that it made.</summary>
    public async Task<bool> RevokeAsync(string userId, string id, AuditEntry entry, CancellationToken cancellationToken)
    {
        return await database.WriteAsync(
            async session =>
            {
                var name = await session.Prepared(Revoke).Set("now", session.Now).Set("id", id).Set("user", userId).StringAsync();
                if (name is not null)
                {
                    await live.EndSessionAsync(session, id);
                    foreach (var made in await session.Prepared(EndMade).Set("now", session.Now).Set("id", id).ListAsync(static r => r.GetString(0)))
                    {
                        await live.EndSessionAsync(session, made);
                    }

                    await audit.AppendAsync(session, entry with { TargetKind = "api_key", TargetId = id, Before = new JsonObject { ["name"] = name } });
                }

                return name is not null;
            },
            cancellationToken);
    }

    /// <summary>For what a key makes, in the same transaction. Nothing: it was revoked meanwhile.</summary>
    /// <returns>One item: when the key is over, or null if it is not by itself.</returns>
    internal static async ValueTask<IReadOnlyList<DateTimeOffset?>> UseAsync(DbSession session, string id) =>
        await session.Prepared(Use).Set("now", session.Now).Set("id", id).ListAsync(static r => r.TimeOrNull(0));

    public Task TouchAsync(string id) =>
        database.WriteAsync(async session => _ = await session.Prepared(Touch).Set("now", session.Now).Set("id", id).RunAsync(), CancellationToken.None);

    private static StoredApiKey Read(DbDataReader r) =>
        new(r.GetString(0), r.GetString(1), r.GetString(2), NameList.Read(r.StringOrNull(3)), r.Time(4), r.TimeOrNull(5), r.TimeOrNull(6));

    private static JsonObject Describe(StoredApiKey key) => new()
    {
        ["name"] = key.Name,
        ["scopes"] = new JsonArray([.. key.Scopes.Select(static s => (JsonNode?)s)]),
        ["expires_at"] = key.ExpiresAt,
    };
}
