using Microsoft.AspNetCore.Http.HttpResults;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Identity.Sessions;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Identity.Users;

/// <summary>Setup, login, refresh, logout, and who one is.</summary>
public static class AuthApi
{
    public static void Map(IEndpointRouteBuilder routes)
    {
        var auth = routes.MapGroup("/api/v1/auth").WithTags("Authentication");
        Sets(auth.MapPost("/setup", SetUpAsync)).Audits("auth.setup").WithName("SetUp")
            .Refuses(403, "setup_token_wrong", "It is not the token in <data>/setup-token.")
            .Refuses(409, "setup_done", "There are users already.")
            .WithSummary("Make the first administrator").WithDescription("Only while no user exists. The token lies in the file setup-token of the data directory; of several calls exactly one wins. Answers like a login.");
        auth.MapGet("/setup", async (FirstAdmin setup, CancellationToken cancellationToken) => TypedResults.Ok(new SetupState(await setup.IsStillOpenAsync(cancellationToken)))).AllowPublic().WithName("ReadSetup")
            .WithSummary("Whether the first administrator is still to be made").WithDescription("True until somebody exists who can log in.");
        Sets(auth.MapPost("/login", LogInAsync)).Audits("auth.login").WithName("LogIn")
            .Refuses(401, "login_failed", "Unknown name, wrong password, or a disabled account: which one is not told.")
            .WithSummary("Log in").WithDescription("Answers with an access token and a refresh token. With the header X-RootMas-Csrf: 1 (browsers) it sets a session cookie instead and answers with user and expires_in only.");
        auth.MapPost("/refresh", RefreshAsync).AllowPublic().AuditsNothing("the login is a row; a spent token that is used again is one (auth.refresh)").HandlesIdempotency().WithName("Refresh")
            .Refuses(401, "refresh_token_invalid", "The refresh token is unknown, over, or was spent before.")
            .WithSummary("Get new tokens").WithDescription("Spends the refresh token and answers with a new pair. Within 30 seconds the same token gives the same successor; a spent token that comes later ends the whole session.");
        auth.MapPost("/logout", LogOutAsync).RequirePermission(Permissions.SignedIn).Audits("auth.logout").HandlesIdempotency().WithName("LogOut")
            .Refuses(409, "no_session", "The call came with an API key or the data directory's token, which have no session.")
            .WithSummary("Log out").WithDescription("Ends this session: its tokens, cookie, streams and sockets, at once.");
        auth.MapGet("/me", MeAsync).RequirePermission(Permissions.SignedIn).WithName("ReadMe")
            .WithSummary("Who am I").WithDescription("The user, role, permissions and limits of this call's credential.");
    }

    private static RouteHandlerBuilder Sets(RouteHandlerBuilder route) => route.AllowPublic().HandlesIdempotency()
        .Refuses(429, "rate_limited", "Too many passwords wait to be checked (limit passwords_at_once), or too many tries.");

    private static async Task<Results<Ok<LoginAnswer>, Problem>> SetUpAsync(SetupRequest request, FirstAdmin setup, Setups setups, AuthAnswers answers, HttpContext context)
    {
        if (!setup.IsOpen)
        {
            return FirstAdmin.Done();
        }

        if (!setup.IsToken(request.SetupToken))
        {
            await setups.RecordWrongTokenAsync(context.Audit("auth.setup"));
            return FirstAdmin.WrongToken();
        }

        if (PasswordPolicy.Refusal(request.Password, request.Username) is { } refusal)
        {
            return Problems.Invalid("password", refusal);
        }

        var begun = await setups.SetUpAsync(request.Username, request.Password, LoginClient.Of(context), context.Audit("auth.setup"), context.RequestAborted);
        return begun is null ? FirstAdmin.Done() : TypedResults.Ok(answers.Of(context, begun));
    }

    private static async Task<Results<Ok<LoginAnswer>, Problem>> LogInAsync(LoginRequest request, RequestLimiter limiter, Logins logins, AuthAnswers answers, HttpContext context)
    {
        if (await limiter.TakeLoginAsync(request.Username) is { } tooOften)
        {
            return tooOften;
        }

        var begun = await logins.LogInAsync(request.Username, request.Password, LoginClient.Of(context), context.Audit("auth.login"), context.RequestAborted);
        return begun is null ? Logins.Failed() : TypedResults.Ok(answers.Of(context, begun));
    }

    private static async Task<Results<Ok<RefreshAnswer>, Problem>> RefreshAsync(RefreshRequest request, RefreshTokens refresh, AuthAnswers answers, HttpContext context)
    {
        answers.RequireKey();
        var refreshed = await refresh.RefreshAsync(request.RefreshToken, context.Audit("auth.refresh"), context.RequestAborted);
        return refreshed.Token is null
            ? Problems.Unauthorized("refresh_token_invalid", "The refresh token is not valid, or no longer. Log in again. If you did not use it twice, somebody else did: change your password.")
            : TypedResults.Ok(answers.Of(refreshed));
    }

    private static async Task<Results<Ok<LogoutAnswer>, Problem>> LogOutAsync(SessionEnds sessions, HttpContext context)
    {
        var caller = context.Caller();
        if (caller.SessionId is not { } id || caller.Credential is CredentialKind.ApiKey)
        {
            return Problems.Conflict("no_session", "This call has no session to end: it came with an API key or the token of the data directory. An API key is ended at DELETE /api/v1/api-keys/{id}. Nothing was done.");
        }

        await sessions.EndAsync(id, caller.UserId, context.Audit("auth.logout"));
        if (caller.Credential is CredentialKind.Cookie)
        {
            SessionCookie.Clear(context);
        }

        return TypedResults.Ok(new LogoutAnswer());
    }

    private static async Task<Ok<MeAnswer>> MeAsync(UserStore users, HttpContext context)
    {
        var caller = context.Caller();
        var user = await users.FindAsync(caller.UserId, context.RequestAborted);
        return TypedResults.Ok(new MeAnswer
        {
            User = new SignedInUser { Id = caller.UserId, Username = caller.Username, Role = caller.Role },
            Permissions = [.. caller.Permissions.Order(StringComparer.Ordinal)],
            Limits = user?.Limits ?? new UserLimits(),
            Credential = caller.Credential,
            SessionId = caller.SessionId,
        });
    }
}
