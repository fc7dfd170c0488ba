using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity;

/// <summary>The first administrator as the environment gives them.</summary>
public sealed record GivenAdmin(string Username, string Password)
{
    public const string UsernameVariable = "ROOTMAS_ADMIN_USERNAME";
    public const string PasswordVariable = "ROOTMAS_ADMIN_PASSWORD";

    /// <summary>Null: none is given, or not well (then the problems say so). A name alone gives nobody: it is what is left when the password is removed after the first login.</summary>
    public static GivenAdmin? Read(Variables variables, ICollection<string> problems)
    {
        ArgumentNullException.ThrowIfNull(variables);
        ArgumentNullException.ThrowIfNull(problems);
        var (username, password) = (variables.Get(UsernameVariable), variables.Get(PasswordVariable));
        if (password is null)
        {
            return null;
        }

        var wrong = problems.Count;
        if (username is null || !Usernames.IsValid(username))
        {
            problems.Add($"{UsernameVariable}: is needed with {PasswordVariable}; legal: 1 to 64 letters, digits and ._@-");
        }

        if (PasswordPolicy.Refusal(password, username ?? "") is { } refusal)
        {
            problems.Add($"{PasswordVariable}: {refusal}; legal: {PasswordPolicy.Shortest} to {PasswordPolicy.Longest} characters, none of the common passwords (also {PasswordVariable}_FILE)");
        }

        return problems.Count == wrong ? new GivenAdmin(username!, password) : null;
    }
}

/// <summary>What identity needs before anything listens: the operator and their token, the keys, and a way in for the first administrator.</summary>
internal sealed partial class IdentityStart(IdentityFirsts firsts, FirstAdmin setup, PasswordHasher hasher, SettingsTree settings, ServerArguments arguments, ILogger<IdentityStart> logger) : LifecycleService
{
    private string? _token;

    public override async Task StartingAsync(CancellationToken cancellationToken)
    {
        await firsts.LoadAsync(cancellationToken);
        if (arguments.IsWorker)
        {
            return; // nobody logs in there
        }

        _token = await setup.OpenAsync(cancellationToken);
        if (_token is null || GivenAdmin.Read(settings.Variables, []) is not { } given)
        {
            return;
        }

        var hash = await hasher.HashAsync(given.Password);
        if (await setup.SetUpAsync(given.Username, hash, new AuditEntry { Action = "auth.setup", Credential = "environment" }, static (_, user) => new ValueTask<Credentials>(user), cancellationToken) is not null)
        {
            LogSetUp(given.Username);
        }

        _token = null;
    }

    public override async Task StartedAsync(CancellationToken cancellationToken)
    {
        if (_token is null)
        {
            return;
        }

        LogOpen(setup.TokenPath);
        if (arguments.Announce)
        {
            // A log file must not get the token; a person at a terminal may.
            var token = Console.IsErrorRedirected ? "" : $": {_token}";
            await Console.Error.WriteLineAsync($"Nobody can log in yet. Open the address above in a browser, or use POST /api/v1/auth/setup, and make the first administrator with the token in {setup.TokenPath}{token}");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The environment made {Username} the first administrator")]
    private partial void LogSetUp(string username);

    [LoggerMessage(Level = LogLevel.Information, Message = "Nobody can log in yet; the token for the first administrator is in {Path}")]
    private partial void LogOpen(string path);
}

/// <summary>What is read or made at every start.</summary>
internal sealed class IdentityFirsts(UserStore users, LocalUser local, LocalAccess access, IdentityKeys keys, SigningKeys signing)
{
    public async Task LoadAsync(CancellationToken cancellationToken)
    {
        var (id, username) = await users.LocalAsync(cancellationToken);
        local.Set(id, username);
        access.Write();
        keys.Load();
        await signing.LoadAsync(cancellationToken);
    }
}
