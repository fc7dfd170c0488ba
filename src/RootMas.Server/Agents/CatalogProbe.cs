using RootMas.Server.Platform.Health;

namespace RootMas.Server.Agents;

/// <summary>Degraded while an edit of the catalog, or a stored change, waits to be corrected: what is in force still works.</summary>
internal sealed class CatalogProbe(AgentCatalog catalog) : IHealthProbe
{
    public string Name => "agents";

    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken) => ValueTask.FromResult(
        !catalog.IsLoaded ? HealthState.Unhealthy("The catalog is not loaded yet.")
        : catalog.HasRejectedEdit ? HealthState.Degraded("The newest edit of the agent catalog has errors and is not in force; GET /api/v1/agents and the log name them.")
        : catalog.NotApplied is > 0 and var count ? HealthState.Degraded($"{count} stored change(s) of agents and teams do not fit the files and are not applied; GET /api/v1/agents and the log name them. Correct the files, or replace or remove them.")
        : HealthState.Healthy($"{catalog.Current.Agents.Count} agents, {catalog.Current.Teams.Count} teams"));
}
