using System.Text.Json.Nodes;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Users;

/// <summary>A session that has just begun, and the secrets that its client gets.</summary>
/// <param name="Cookie">For a browser; otherwise the tokens.</param>
public sealed record LoggedIn(string UserId, string Username, string Role, string SessionId, string? RefreshToken, string? Cookie);

/// <summary>Who logs in, from where, and how.</summary>
/// <param name="IsBrowser">Gets a cookie and no tokens.</param>
public sealed record LoginClient(bool IsBrowser, string? Label, string? Address)
{
    public static LoginClient Of(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        var label = context.Request.Headers.UserAgent.ToString();
        return new LoginClient(SessionCookie.IsBrowser(context.Request), label.Length == 0 ? null : Usernames.Shown(label), context.Features.Get<RequestEdge>()?.Client.Address.ToString());
    }
}

/// <summary>Name and password to a session. An unknown name, a wrong password and a disabled account look and last the same.</summary>
public sealed class Logins(IdentityOptions options, UserStore users, PasswordHasher hasher, RefreshTokens refresh, IDatabase database, AuditLog audit)
{
    public static Problem Failed() =>
        Problems.Unauthorized("login_failed", "The username or the password is not right, or the account may not log in. Nothing was done.");

    /// <summary>Null: refused, and written down.</summary>
    public async Task<LoggedIn?> LogInAsync(string username, string password, LoginClient client, AuditEntry entry, CancellationToken cancellationToken)
    {
        var user = await users.FindCredentialsAsync(username, cancellationToken);
        var good = PasswordPolicy.IsWellFormed(password) && await hasher.VerifyAsync(password, user?.PasswordHash);
        if (!good || user is null or { IsDisabled: true })
        {
            await RefuseAsync(username, user, entry, cancellationToken);
            return null;
        }

        var stronger = hasher.IsWeak(user.PasswordHash!) ? await hasher.HashAsync(password) : null;
        if (await EnterAsync(user, stronger, client, entry, cancellationToken) is { } begun)
        {
            return begun;
        }

        // The password may have been changed, or the account disabled, while hashes were computed; or another login with the same password gave it a stronger hash.
        var now = await users.FindCredentialsByIdAsync(user.Id, cancellationToken);
        var again = now is { IsDisabled: false } && now.PasswordHash != user.PasswordHash && await hasher.VerifyAsync(password, now.PasswordHash)
            ? await EnterAsync(now, null, client, entry, cancellationToken)
            : null;
        if (again is null)
        {
            await RefuseAsync(username, now ?? user, entry, cancellationToken);
        }

        return again;
    }

    /// <summary>Null: the password is another than the one that was checked, or the account was disabled.</summary>
    private Task<LoggedIn?> EnterAsync(Credentials user, string? stronger, LoginClient client, AuditEntry entry, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            if (!await UserStore.LoggedInAsync(session, user, stronger))
            {
                return null;
            }

            var made = await BeginAsync(session, user, client);
            await audit.AppendAsync(session, entry with { ActorId = user.Id, ActorName = user.Username, SessionId = made.SessionId, TargetKind = "session", TargetId = made.SessionId });
            return made;
        },
        cancellationToken);

    /// <summary>Begins a session for somebody who has proved who they are, in the transaction of that.</summary>
    public async ValueTask<LoggedIn> BeginAsync(DbSession session, Credentials user, LoginClient client)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(user);
        ArgumentNullException.ThrowIfNull(client);
        var cookie = client.IsBrowser ? OpaqueSecret.New(SessionCookie.Prefix) : null;
        var ends = session.Now + (client.IsBrowser ? options.RefreshTokenLifetime : options.SessionLifetime);
        var id = await SessionStore.AddAsync(session, new NewSession
        {
            UserId = user.Id,
            Kind = client.IsBrowser ? SessionKind.Cookie : SessionKind.Login,
            ExpiresAt = ends,
            SecretHash = cookie is null ? null : OpaqueSecret.Hash(cookie),
            Label = client.Label,
            Address = client.Address,
        });
        var token = client.IsBrowser ? null : await refresh.FirstAsync(session, id, ends);
        return new LoggedIn(user.Id, user.Username, user.Role, id, token, cookie);
    }

    private Task RefuseAsync(string username, Credentials? user, AuditEntry entry, CancellationToken cancellationToken)
    {
        var reason = user is null ? "unknown_user" : user.IsDisabled ? "disabled" : user.PasswordHash is null ? "no_password" : "wrong_password";
        var refused = entry with
        {
            Action = "auth.login_failed",
            Outcome = AuditOutcome.Failed,
            ActorName = Usernames.Shown(username),
            TargetKind = user is null ? null : "user",
            TargetId = user?.Id,
            After = new JsonObject { ["reason"] = reason },
        };
        return database.WriteAsync(session => audit.AppendAsync(session, refused), cancellationToken);
    }
}
