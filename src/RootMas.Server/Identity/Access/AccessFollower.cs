using RootMas.Server.Identity.Secrets;
using RootMas.Server.Identity.Tokens;
using RootMas.Server.Identity.Users;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Cluster;

namespace RootMas.Server.Identity.Access;

/// <summary>What other instances change about who may do what, taken over here within moments: ends of sessions and keys, changed rights, signing keys, secrets, the first administrator, the operator's name.</summary>
internal sealed partial class AccessFollower : IHostedService
{
    public const string Access = "access";
    public const string Keys = "keys";
    public const string Secrets = "secrets";
    public const string SetUp = "setup";

    private readonly LiveSessions _live;
    private readonly CallerCache _callers;
    private readonly SigningKeys _signing;
    private readonly SecretVault _vault;
    private readonly ILogger _logger;

    public AccessFollower(ChangeFeed changes, LiveSessions live, CredentialMemory memory, SecretVault vault, FirstAdmin setup, ILogger<AccessFollower> logger)
    {
        (_live, _callers, _signing, _vault, _logger) = (live, memory.Callers, memory.Signing, vault, logger);
        changes.Subscribe(Access, EndAsync, EndAllAsync);
        changes.Subscribe(Keys, _ => TakeKeysAsync(), TakeKeysAsync);
        changes.Subscribe(Secrets, _ => TakeSecretsAsync(), TakeSecretsAsync);
        changes.Subscribe(SetUp, _ => setup.FollowAsync(CancellationToken.None), () => setup.FollowAsync(CancellationToken.None));
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private Task EndAsync(string subject)
    {
        _live.End(subject);
        return Task.CompletedTask;
    }

    private Task EndAllAsync()
    {
        _live.EndAll();
        _callers.Forget();
        return Task.CompletedTask;
    }

    /// <summary>In this order: what was checked with a key that is void now is not remembered after it.</summary>
    private async Task TakeKeysAsync()
    {
        await _signing.ReloadAsync(CancellationToken.None);
        if (_signing.Closed is { Count: > 0 } closed)
        {
            LogOtherMaster(string.Join(", ", closed));
        }

        _callers.Forget();
    }

    private async Task TakeSecretsAsync()
    {
        try
        {
            await _vault.ReloadAsync(CancellationToken.None);
        }
        catch (StartupRefusedException error)
        {
            LogNotOpened(error);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The signing key {Keys} cannot be opened: the master key was changed since this instance started. Tokens that it signed are refused here, and none are made, until this instance starts again with the new master key")]
    private partial void LogOtherMaster(string keys);

    [LoggerMessage(Level = LogLevel.Error, Message = "Secrets that another instance changed cannot be opened here; the ones before stay in use")]
    private partial void LogNotOpened(Exception exception);
}

/// <summary>What is remembered of credentials, and what they are checked with.</summary>
internal sealed record CredentialMemory(CallerCache Callers, SigningKeys Signing);
