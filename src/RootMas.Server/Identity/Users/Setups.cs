using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Identity.Users;

/// <summary>Setup by a client: makes the first administrator and logs them in.</summary>
public sealed class Setups(FirstAdmin setup, PasswordHasher hasher, Logins logins, IDatabase database, AuditLog audit)
{
    /// <summary>Null: somebody else was faster.</summary>
    public async Task<LoggedIn?> SetUpAsync(string username, string password, LoginClient client, AuditEntry entry, CancellationToken cancellationToken)
    {
        var hash = await hasher.HashAsync(password);
        return await setup.SetUpAsync(username, hash, entry, (session, user) => logins.BeginAsync(session, user, client), cancellationToken);
    }

    public Task RecordWrongTokenAsync(AuditEntry entry) => database.WriteAsync(session => audit.AppendAsync(session, entry with { Outcome = AuditOutcome.Denied }), CancellationToken.None);
}
