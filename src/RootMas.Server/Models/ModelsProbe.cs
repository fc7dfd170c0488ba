using RootMas.Server.Platform.Health;

namespace RootMas.Server.Models;

/// <summary>Models in <c>/health</c>, judged by what traffic has shown: a health check must not become traffic to providers.</summary>
internal sealed class ModelsProbe(ModelDoctor doctor) : IHealthProbe
{
    public string Name => "models";

    /// <summary>Runs wait and go on by themselves when models come back: the server is of use without them.</summary>
    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) => ValueTask.FromResult(
        doctor.IsOffline ? HealthState.NotConfigured("The offline model answers: rules, not a neural network. Configure a provider for real answers.")
        : doctor.CanServe ? HealthState.Healthy()
        : HealthState.Degraded("A tier has no model that answers; its runs wait and go on by themselves. `rootmas doctor` says more."));
}
