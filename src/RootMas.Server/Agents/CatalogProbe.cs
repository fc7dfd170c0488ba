using RootMas.Server.Platform.Health;

namespace RootMas.Server.Agents;

/// <summary>Degraded while an edit of the catalog waits to be corrected: what is in force still works.</summary>
internal sealed class CatalogProbe(AgentCatalog catalog) : IHealthProbe
{
    public string Name => "agents";

    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) => ValueTask.FromResult(
        !catalog.IsLoaded ? HealthState.Unhealthy("The catalog is not loaded yet.")
        : catalog.HasRejectedEdit ? HealthState.Degraded("The newest edit of the agent catalog has errors and is not in force; GET /api/v1/agents and the log name them.")
        : HealthState.Healthy($"{catalog.Current.Agents.Count} agents, {catalog.Current.Teams.Count} teams"));
}
