namespace RootMas.Server.Identity.Access;

/// <summary>
/// While no other users exist, everybody who reaches the (loopback-only) server is its one administrator. Its row is made at the first start, and setup later gives it a name and a password,
/// so everything it owns stays its own.
/// </summary>
public sealed class LocalUser : ICallers
{
    private Caller? _caller;

    /// <summary>The local administrator; also for work that no request started (command line, recovery).</summary>
    public Caller Caller => _caller ?? throw new InvalidOperationException("The local user is loaded before the server listens.");

    public ValueTask<Authentication> ResolveAsync(HttpContext context) => ValueTask.FromResult<Authentication>(Caller);

    public ValueTask<Authentication> AuthenticateAsync(HttpContext context, string token) => ResolveAsync(context);

    internal void Set(string id, string username) =>
        _caller = new Caller { UserId = id, Username = username, Role = "admin", Permissions = Permissions.OfRole("admin"), Credential = CredentialKind.Local };
}
