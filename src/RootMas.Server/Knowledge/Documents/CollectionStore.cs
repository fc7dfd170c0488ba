using System.Data.Common;
using System.Globalization;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Knowledge.Documents;

/// <summary>What a change of a collection came to.</summary>
internal enum CollectionChange
{
    Done,
    NotFound,

    /// <summary>It was changed meanwhile.</summary>
    Stale,

    /// <summary>The owner has one of that name.</summary>
    NameTaken,

    /// <summary>No such user.</summary>
    NoUser,
}

/// <summary>Collections and their members.</summary>
internal sealed class CollectionStore(IDatabase database, DocumentErasure erasure, DocumentsOptions options)
{
    private const string Default = "default";

    private const string Columns = $"""
        c.id, c.owner_id, c.name, c.description, c.is_default, c.version, c.created_at, c.updated_at, (select count(*) from documents d where d.collection_id = c.id),
        case when c.id in {CollectionAccess.Writable} then 1 else 0 end, case when c.owner_id = @user then 1 else 0 end
        """;

    /// <summary>Collections of one owner are made one after the other: a count is of what is committed.</summary>
    private static readonly SqlText Turn = SqlDialect.Turn("collections", "@id");

    private static readonly SqlText Hold = SqlDialect.Held("select version from collections where id = @id and owner_id = @user");

    public Task<Collection?> FindAsync(string id, string userId, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"select {Columns} from collections c where c.id = @id and c.id in {CollectionAccess.Readable}").Set("id", id).Set("user", userId).FirstOrDefaultAsync(Read), cancellationToken);

    /// <summary>By name, after <paramref name="after"/> (name and id).</summary>
    public Task<List<Collection>> ListAsync(string userId, (string Name, string Id)? after, int limit, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"""
            select {Columns} from collections c where c.id in {CollectionAccess.Readable} and (@name is null or c.name > @name or (c.name = @name and c.id > @after))
            order by c.name, c.id limit @limit
            """).Set("user", userId).Set("name", after?.Name).Set("after", after?.Id).Set("limit", (long)limit).ListAsync(Read),
        cancellationToken);

    /// <summary>Null: the owner has one of that name.</summary>
    /// <exception cref="ProblemException">The owner has as many collections as one user may have.</exception>
    public Task<string?> CreateAsync(string ownerId, string name, string description, Made? made, CancellationToken cancellationToken) => database.WriteAsync<string?>(
        async session =>
        {
            await UserStore.RequireAsync(session, ownerId);
            await session.HoldAsync(Turn, ownerId);
            if (await session.Prepared("select count(*) from collections where owner_id = @owner").Set("owner", ownerId).Int64Async() >= options.MaxCollections)
            {
                throw new ProblemException(Problems.Conflict("too_many_collections", string.Create(CultureInfo.InvariantCulture, $"You have {options.MaxCollections} collections, as many as one user may have. Nothing was done. Delete some first.")));
            }

            var id = Guid.CreateVersion7().ToString();
            if (await InsertAsync(session, id, ownerId, name, description, isDefault: false) == 0)
            {
                return null;
            }

            if (made is not null)
            {
                await made(session, id);
            }

            return id;
        },
        cancellationToken);

    /// <summary>Name and description; what is null stays.</summary>
    public Task<CollectionChange> ChangeAsync(string id, string userId, long version, string? name, string? description, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await HeldAsync(session, id, userId, version) is { } refusal)
            {
                return refusal;
            }

            if (name is not null && await session.Prepared("select 1 from collections where owner_id = @user and name = @name and id <> @id").Set("user", userId).Set("name", name).Set("id", id).AnyAsync())
            {
                return CollectionChange.NameTaken;
            }

            await session.Prepared("update collections set name = coalesce(@name, name), description = coalesce(@description, description), version = version + 1, revision = revision + 1, updated_at = @now where id = @id")
                .Set("name", name).Set("description", description).Set("now", session.Now).Set("id", id).RunAsync();
            return CollectionChange.Done;
        },
        cancellationToken);

    /// <summary>With all its documents, in one transaction: as long as it is there, everything in it is. What was made of them follows by the outbox.</summary>
    public Task<CollectionChange> DeleteAsync(string id, string userId, long version, AuditWrite record, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (await HeldAsync(session, id, userId, version) is { } refusal)
            {
                return refusal;
            }

            foreach (var document in await session.Prepared("select id from documents where collection_id = @id").Set("id", id).ListAsync(static r => r.GetString(0)))
            {
                await erasure.EraseAsync(session, document);
            }

            await session.Prepared("delete from memory_owners where owner_id = @realm").Set("realm", Graph.GraphWords.Collection + id).RunAsync();
            await session.Prepared("delete from collections where id = @id").Set("id", id).RunAsync();
            await record(session);
            return CollectionChange.Done;
        },
        cancellationToken);

    public Task<List<CollectionMember>> MembersAsync(string id, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared("select m.subject_id, u.username, m.may_write, m.created_at from collection_members m left join users u on u.id = m.subject_id where m.collection_id = @id order by m.subject_id").Set("id", id)
            .ListAsync(static r => new CollectionMember(r.GetString(0), r.StringOrNull(1), r.Flag(2), r.Time(3))),
        cancellationToken);

    /// <param name="mayWrite">Null: out.</param>
    public Task<CollectionChange> ShareAsync(string id, string userId, string subjectId, bool? mayWrite, AuditWrite record, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            var isThere = mayWrite is null || subjectId == CollectionMember.Everybody || (!Subjects.UserOf(subjectId).IsExternal && await UserStore.StaysAsync(session, subjectId)); // users before collections, as erasing one does it
            if (await session.Prepared(Hold).Set("id", id).Set("user", userId).Int64Async() is null)
            {
                return CollectionChange.NotFound;
            }

            if (mayWrite is { } write)
            {
                if (!isThere)
                {
                    return CollectionChange.NoUser;
                }

                await session.Prepared("""
                    insert into collection_members (collection_id, subject_id, may_write, created_at) values (@id, @subject, @write, @now)
                    on conflict (collection_id, subject_id) do update set may_write = excluded.may_write
                    """).Set("id", id).Set("subject", subjectId).Set("write", write).Set("now", session.Now).RunAsync();
            }
            else if (await session.Prepared("delete from collection_members where collection_id = @id and subject_id = @subject").Set("id", id).Set("subject", subjectId).RunAsync() == 0)
            {
                return CollectionChange.Done; // nobody to put out
            }

            await DocumentRows.RaiseAsync(session, id);
            await record(session);
            return CollectionChange.Done;
        },
        cancellationToken);

    /// <summary>The collection that documents go to; null: it is not the user's to write to.</summary>
    /// <param name="id">Null: the user's own default one, which is made if it is not there.</param>
    internal static async ValueTask<string?> TargetAsync(DbSession session, string? id, string userId)
    {
        if (id is not null)
        {
            return await session.Prepared($"select id from collections where id = @id and id in {CollectionAccess.Writable}").Set("id", id).Set("user", userId).StringAsync();
        }

        if (await session.Prepared("select id from collections where owner_id = @user and is_default = 1").Set("user", userId).StringAsync() is { } known)
        {
            return known;
        }

        await InsertAsync(session, Guid.CreateVersion7().ToString(), userId, Default, "", isDefault: true);
        return await session.Prepared("select id from collections where owner_id = @user and (is_default = 1 or name = @name) order by is_default desc").Set("user", userId).Set("name", Default).StringAsync();
    }

    private static async ValueTask<CollectionChange?> HeldAsync(DbSession session, string id, string userId, long version) =>
        await session.Prepared(Hold).Set("id", id).Set("user", userId).Int64Async() is not { } current ? CollectionChange.NotFound : current != version ? CollectionChange.Stale : null;

    private static ValueTask<int> InsertAsync(DbSession session, string id, string ownerId, string name, string description, bool isDefault) =>
        session.Prepared("insert into collections (id, owner_id, name, description, is_default, created_at, updated_at) values (@id, @owner, @name, @description, @default, @now, @now) on conflict do nothing")
            .Set("id", id).Set("owner", ownerId).Set("name", name).Set("description", description).Set("default", isDefault).Set("now", session.Now).RunAsync();

    private static Collection Read(DbDataReader row) =>
        new(row.GetString(0), row.GetString(1), row.GetString(2), row.GetString(3), row.Flag(4), row.GetInt64(5), row.Time(6), row.Time(7), row.GetInt64(8), row.Flag(9), row.Flag(10));
}
