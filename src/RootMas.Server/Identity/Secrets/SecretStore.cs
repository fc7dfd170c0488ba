using System.Data.Common;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Identity.Secrets;

/// <summary>What may be shown of a secret.</summary>
public sealed record SecretInfo(string Name, long Revision, DateTimeOffset CreatedAt, DateTimeOffset UpdatedAt, string UpdatedBy);

/// <summary>A change that somebody asks for.</summary>
/// <param name="Value">The new value; null: it goes.</param>
/// <param name="Read">What was read; null: it must not exist yet.</param>
/// <param name="Record">Writes into the audit log, in the same transaction.</param>
public sealed record SecretChange(string Name, string? Value, SecretInfo? Read, string UserId, AuditWrite Record);

/// <summary>The table of secrets. Values go in and come out sealed.</summary>
public sealed class SecretStore(IDatabase database, SecretBox box, ChangeFeed changes)
{
    private const string Columns = "name, revision, created_at, updated_at, updated_by";

    /// <summary>A name that was removed and entered again begins with the same revision: it is another secret all the same.</summary>
    private const string AsRead = "where name = @name and revision = @revision and created_at = @created";

    private static readonly SqlText Overwrite = new(
        $"update secrets set sealed = zeroblob(length(sealed)) {AsRead}",
        $"update secrets set sealed = decode(repeat('00', length(sealed)), 'hex') {AsRead}");

    public Task<List<SecretInfo>> ListAsync(string? afterName, int limit, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"select {Columns} from secrets where (@after is null or name > @after) order by name limit @limit").Set("after", afterName).Set("limit", (long)limit)
            .ListAsync(Info),
        cancellationToken);

    public Task<SecretInfo?> FindAsync(string name, CancellationToken cancellationToken) => database.LookAsync(
        async session => await session.Prepared($"select {Columns} from secrets where name = @name").Set("name", name).FirstOrDefaultAsync(Info), cancellationToken);

    /// <summary>All values as they are stored.</summary>
    internal Task<List<(string Name, byte[] Sealed)>> LoadAsync(CancellationToken cancellationToken) => database.LookAsync(
        static async session => await session.Prepared("select name, sealed from secrets order by name").ListAsync(static row => (row.GetString(0), row.Bytes(1))), cancellationToken);

    /// <summary>False: somebody else was faster; nothing was done.</summary>
    public Task<bool> ChangeAsync(SecretChange change, CancellationToken cancellationToken)
    {
        var value = change.Value is null ? null : box.Seal(PurposeOf(change.Name), change.Value);
        return database.WriteAsync(
            async session =>
            {
                var rows = (change.Read, value) switch
                {
                    (null, not null) => await InsertAsync(session, change, value),
                    ({ } read, not null) => await UpdateAsync(session, change, value, read),
                    ({ } read, null) => await DeleteAsync(session, read),
                    _ => 0,
                };
                if (rows == 1)
                {
                    await change.Record(session);
                    await changes.AddAsync(session, AccessFollower.Secrets, change.Name);
                }

                return rows == 1;
            },
            cancellationToken);
    }

    /// <summary>The same value, sealed with the key of now, unless it was changed meanwhile.</summary>
    internal Task SealAnewAsync(string name, byte[] before, string value, CancellationToken cancellationToken)
    {
        var anew = box.Seal(PurposeOf(name), value);
        return database.WriteAsync(
            session => session.Prepared("update secrets set sealed = @sealed where name = @name and sealed = @before").Set("sealed", anew).Set("name", name).Set("before", before).RunAsync(),
            cancellationToken);
    }

    internal static string PurposeOf(string name) => "secret/" + name;

    private static ValueTask<int> InsertAsync(DbSession session, SecretChange change, byte[] value) =>
        session.Prepared("insert into secrets (name, sealed, revision, created_at, updated_at, updated_by) values (@name, @sealed, 1, @now, @now, @by) on conflict do nothing")
            .Set("name", change.Name).Set("sealed", value).Set("now", session.Now).Set("by", change.UserId).RunAsync();

    private static ValueTask<int> UpdateAsync(DbSession session, SecretChange change, byte[] value, SecretInfo read) =>
        session.Prepared($"update secrets set sealed = @sealed, revision = revision + 1, updated_at = @now, updated_by = @by {AsRead}")
            .Set("sealed", value).Set("now", session.Now).Set("by", change.UserId).Set("name", read.Name).Set("revision", read.Revision).Set("created", read.CreatedAt).RunAsync();

    private static async ValueTask<int> DeleteAsync(DbSession session, SecretInfo read)
    {
        // A deleted row's bytes stay in the page until it is used again: they are overwritten first.
        await session.Prepared(Overwrite).Set("name", read.Name).Set("revision", read.Revision).Set("created", read.CreatedAt).RunAsync();
        return await session.Prepared($"delete from secrets {AsRead}").Set("name", read.Name).Set("revision", read.Revision).Set("created", read.CreatedAt).RunAsync();
    }

    private static SecretInfo Info(DbDataReader row) => new(row.GetString(0), row.GetInt64(1), row.Time(2), row.Time(3), row.GetString(4));
}
