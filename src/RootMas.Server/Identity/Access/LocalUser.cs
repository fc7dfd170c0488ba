namespace RootMas.Server.Identity.Access;

/// <summary>
/// The operator: whoever holds the data directory. Its row is made at the first start; setup gives it a name and a password, so everything that it owns stays its own. As the operator it may always do everything,
/// whatever its row says: that is how a locked-out installation is opened again.
/// </summary>
public sealed class LocalUser
{
    private volatile Caller? _caller;

    /// <summary>The local administrator; also for work that no request started (command line, recovery).</summary>
    public Caller Caller => _caller ?? throw new InvalidOperationException("The local user is loaded before the server listens.");

    internal void Set(string id, string username) =>
        _caller = new Caller { UserId = id, Username = username, Role = "admin", Permissions = Permissions.OfRole("admin"), Credential = CredentialKind.Local };
}
