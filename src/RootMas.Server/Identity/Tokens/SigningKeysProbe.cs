using RootMas.Server.Platform.Health;

namespace RootMas.Server.Identity.Tokens;

/// <summary>Whether this instance can open the key that signs. One that has the master key of before cannot, once the signing key is changed: it makes no tokens and refuses those of others, so requests belong elsewhere.</summary>
internal sealed class SigningKeysProbe(SigningKeys keys) : IHealthProbe
{
    public string Name => "keys";

    public bool IsCritical => true;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) => ValueTask.FromResult(keys.CannotSign
        ? HealthState.Unhealthy("the master key was changed since this instance started, and then the signing key, which cannot be opened here. Start it again with the new master key.", "master_key_changed")
        : HealthState.Healthy());
}
