using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Users;

/// <summary>The table of users.</summary>
public sealed class UserStore(IDatabase database)
{
    /// <summary>The local administrator, made at the first start.</summary>
    public Task<(string Id, string Username)> LocalAsync(CancellationToken cancellationToken) =>
        database.WriteAsync(
            static async session =>
            {
                await session.Prepared("insert into users (id, username, role, is_local, created_at) values (@id, 'local', 'admin', 1, @now) on conflict do nothing")
                    .Set("id", Guid.CreateVersion7().ToString())
                    .Set("now", UnixTime.ToMicros(session.Now))
                    .RunAsync();
                return await session.Prepared("select id, username from users where is_local = 1").FirstOrDefaultAsync(static row => (row.GetString(0), row.GetString(1)));
            },
            cancellationToken);
}
