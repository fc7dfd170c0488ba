using System.Data.Common;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Users;

/// <param name="IsSetUp">Somebody can log in.</param>
public sealed record OperatorNow(string Id, string Username, bool IsSetUp);

/// <summary>The table of users. Rules about changes stand in <see cref="UserAdministration"/>.</summary>
public sealed class UserStore(IDatabase database)
{
    private const string Columns = "id, username, role, disabled_at is not null, is_local, password_hash is not null, limits, version, created_at, last_login_at, password_changed_at, acts_for, grants";

    /// <summary>Held: of two administrators who disable each other at once, one is refused.</summary>
    private static readonly SqlText OtherAdmin = SqlDialect.Held("select 1 from users where role = 'admin' and disabled_at is null and password_hash is not null and id <> @id limit 1");

    private static readonly SqlText One = SqlDialect.Held($"select {Columns} from users where id = @id");

    private static readonly SqlText There = SqlDialect.Standing("select 1 from users where id = @id");

    private static readonly SqlText StandingAdmin = SqlDialect.Standing("select 1 from users where id = @id and role = 'admin' and disabled_at is null");

    private static readonly SqlText Local = SqlDialect.Held("select 1 from users where is_local = 1");

    /// <summary>The local administrator, made at the first start.</summary>
    public Task<(string Id, string Username)> LocalAsync(CancellationToken cancellationToken) =>
        database.WriteAsync(
            static async session =>
            {
                // The name may be somebody's by now: then the id is the name.
                await session.Prepared(
                    """
                    insert into users (id, username, role, is_local, created_at)
                    select @id, case when exists (select 1 from users where username = 'local') then @id else 'local' end, 'admin', 1, @now where not exists (select 1 from users where is_local = 1)
                    on conflict do nothing
                    """)
                    .Set("id", Guid.CreateVersion7().ToString())
                    .Set("now", UnixTime.ToMicros(session.Now))
                    .RunAsync();
                return await session.Prepared("select id, username from users where is_local = 1").FirstOrDefaultAsync(static row => (row.GetString(0), row.GetString(1)));
            },
            cancellationToken);

    /// <summary>Whether nobody has been set up: there is only the local administrator, who cannot log in.</summary>
    public static async ValueTask<bool> IsEmptyAsync(DbSession session)
    {
        ArgumentNullException.ThrowIfNull(session);
        await session.Prepared(Local).AnyAsync(); // in a write, whoever comes second waits for the first
        return !await session.Prepared("select 1 from users where is_local = 0 or password_hash is not null limit 1").AnyAsync();
    }

    /// <summary>The local administrator as it is now, and whether somebody can log in; null: its row is not made yet.</summary>
    public Task<OperatorNow?> OperatorAsync(CancellationToken cancellationToken) => database.LookAsync(
        static session => session.Prepared("select id, username, exists (select 1 from users where is_local = 0 or password_hash is not null) from users where is_local = 1")
            .FirstOrDefaultAsync(static row => new OperatorNow(row.GetString(0), row.GetString(1), row.Flag(2))),
        cancellationToken);

    public async ValueTask<User?> FindAsync(string id, CancellationToken cancellationToken) => await database.ReadAsync(session => FindAsync(session, id), cancellationToken);

    public static ValueTask<User?> FindAsync(DbSession session, string id)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Prepared($"select {Columns} from users where id = @id").Set("id", id).FirstOrDefaultAsync(Read)!;
    }

    /// <summary>As it stays until the transaction ends.</summary>
    public static ValueTask<User?> HoldAsync(DbSession session, string id)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Prepared(One).Set("id", id).FirstOrDefaultAsync(Read)!;
    }

    /// <summary>
    /// Whether the user to whom an owner belongs is there, and stays until the transaction ends. Whatever is written for somebody late (an answer that was waited for, a request that another instance let in) asks
    /// first: whoever erases them holds the same row, so either they wait and take it along, or they are done and it is not written. What processes tell each other comes later than either.
    /// </summary>
    public static ValueTask<bool> StaysAsync(DbSession session, string ownerId)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Prepared(There).Set("id", Subjects.UserOf(ownerId).UserId).AnyAsync();
    }

    /// <summary>Whether the user is an administrator, and stays one until the transaction ends: for what they make, and what ends when they are none.</summary>
    public static ValueTask<bool> StaysAdminAsync(DbSession session, string id)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Prepared(StandingAdmin).Set("id", id).AnyAsync();
    }

    /// <summary>The same for what a request writes.</summary>
    /// <exception cref="ProblemException">They were erased meanwhile. Nothing is written.</exception>
    public static async ValueTask RequireAsync(DbSession session, string ownerId)
    {
        if (!await StaysAsync(session, ownerId))
        {
            throw new ProblemException(SessionCallers.NotGood());
        }
    }

    public async ValueTask<Credentials?> FindCredentialsAsync(string username, CancellationToken cancellationToken) => await database.LookAsync(
        session => session.Prepared("select id, username, role, disabled_at is not null, password_hash from users where username = @name").Set("name", username).FirstOrDefaultAsync(ReadCredentials), cancellationToken);

    public async ValueTask<Credentials?> FindCredentialsByIdAsync(string id, CancellationToken cancellationToken) => await database.LookAsync(
        session => session.Prepared("select id, username, role, disabled_at is not null, password_hash from users where id = @id").Set("id", id).FirstOrDefaultAsync(ReadCredentials), cancellationToken);

    /// <summary>Null: nobody has this name.</summary>
    public async ValueTask<string?> FindIdAsync(string username, CancellationToken cancellationToken) =>
        await database.ReadAsync(session => session.Prepared("select id from users where username = @name").Set("name", username).StringAsync(), cancellationToken);

    /// <summary>By name, after a name.</summary>
    public Task<List<User>> ListAsync(string? username, int limit, string? after, CancellationToken cancellationToken) => database.LookAsync(
        session => new ValueTask<List<User>>(
            session.Prepared($"select {Columns} from users where username > @after and (@name is null or username = @name) order by username limit @limit")
                .Set("name", username).Set("after", after ?? "").Set("limit", limit).ListAsync(Read).AsTask()),
        cancellationToken);

    /// <summary>False: the name is taken.</summary>
    public static async ValueTask<bool> AddAsync(DbSession session, string id, string username, string role, string passwordHash, UserLimits? limits)
    {
        ArgumentNullException.ThrowIfNull(session);
        return await session.Prepared(
            "insert into users (id, username, role, password_hash, limits, created_at, updated_at, password_changed_at) values (@id, @name, @role, @hash, @limits, @now, @now, @now) on conflict (username) do nothing")
            .Set("id", id).Set("name", username).Set("role", role).Set("hash", passwordHash).Set("limits", limits?.Write()).Set("now", session.Now).RunAsync() > 0;
    }

    /// <summary>Whether somebody else has the name.</summary>
    public static ValueTask<bool> IsTakenAsync(DbSession session, string username, string exceptId)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Prepared("select 1 from users where username = @name and id <> @id").Set("name", username).Set("id", exceptId).AnyAsync();
    }

    /// <summary>Whether somebody beside this user can log in and administer.</summary>
    public static ValueTask<bool> HasOtherAdminAsync(DbSession session, string id)
    {
        ArgumentNullException.ThrowIfNull(session);
        return session.Prepared(OtherAdmin).Set("id", id).AnyAsync();
    }

    public static async ValueTask ChangeAsync(DbSession session, User now)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(now);
        await session.Prepared(
            """
            update users set username = @name, role = @role, limits = @limits, acts_for = @acts_for, grants = @grants, disabled_at = case when @disabled = 1 then coalesce(disabled_at, @now) end, version = version + 1, updated_at = @now
            where id = @id
            """)
            .Set("id", now.Id).Set("name", now.Username).Set("role", now.Role).Set("limits", now.Limits?.Write())
            .Set("acts_for", NameList.Write(now.ActsFor)).Set("grants", NameList.Write(now.Grants)).Set("disabled", now.IsDisabled).Set("now", session.Now).RunAsync();
    }

    /// <summary>False: it is not the password any more in whose place this one was to be.</summary>
    public static async ValueTask<bool> SetPasswordAsync(DbSession session, string id, NewPassword password)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(password);
        return await session.Prepared(
            "update users set password_hash = @hash, password_changed_at = @now, version = version + 1, updated_at = @now where id = @id and (@verified is null or password_hash = @verified)")
            .Set("id", id).Set("hash", password.Hash).Set("verified", password.InPlaceOf).Set("now", session.Now).RunAsync() > 0;
    }

    /// <summary>Notes a login, if the password that was checked is still the one. A hash of a higher cost takes its place.</summary>
    public static async ValueTask<bool> LoggedInAsync(DbSession session, Credentials checkedAgainst, string? newHash)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(checkedAgainst);
        return await session.Prepared("update users set last_login_at = @now, password_hash = coalesce(@new, password_hash) where id = @id and disabled_at is null and password_hash = @hash")
            .Set("id", checkedAgainst.Id).Set("hash", checkedAgainst.PasswordHash).Set("new", newHash).Set("now", session.Now).RunAsync() > 0;
    }

    /// <summary>Gives the local administrator a name and a password.</summary>
    public static async ValueTask SetUpAsync(DbSession session, string username, string hash)
    {
        ArgumentNullException.ThrowIfNull(session);
        await session.Prepared("update users set username = @name, password_hash = @hash, disabled_at = null, role = 'admin', password_changed_at = @now, version = version + 1, updated_at = @now where is_local = 1")
            .Set("name", username).Set("hash", hash).Set("now", session.Now).RunAsync();
    }

    public static async ValueTask RemoveAsync(DbSession session, string id)
    {
        ArgumentNullException.ThrowIfNull(session);
        await session.Prepared("delete from idempotency_keys where owner_id = @id").Set("id", id).RunAsync();
        await session.Prepared("update sessions set made_by_user = null where made_by_user = @id").Set("id", id).RunAsync();
        await session.Prepared("delete from users where id = @id").Set("id", id).RunAsync();
    }

    private static Credentials ReadCredentials(DbDataReader row) => new(row.GetString(0), row.GetString(1), row.GetString(2), row.Flag(3), row.StringOrNull(4));

    private static User Read(DbDataReader row) => new()
    {
        Id = row.GetString(0),
        Username = row.GetString(1),
        Role = row.GetString(2),
        IsDisabled = row.Flag(3),
        IsLocal = row.Flag(4),
        HasPassword = row.Flag(5),
        Limits = UserLimits.Read(row.StringOrNull(6)),
        Version = row.GetInt64(7),
        CreatedAt = row.Time(8),
        LastLoginAt = row.TimeOrNull(9),
        PasswordChangedAt = row.TimeOrNull(10),
        ActsFor = NameList.Read(row.StringOrNull(11)),
        Grants = NameList.Read(row.StringOrNull(12)),
    };
}
