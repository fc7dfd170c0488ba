using System.Runtime.CompilerServices;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Caching;

namespace RootMas.Server.Agents;

/// <summary>Lists of agents and teams are made from what this instance holds in memory: kept answers belong to that, and before a new one is made it is brought up to date.</summary>
internal static class CatalogCaching
{
    private static readonly ConditionalWeakTable<object, ConditionalWeakTable<object, object>> States = [];

    private static readonly Func<IServiceProvider, CancellationToken, Task> Freshen = static (services, cancellationToken) => services.GetRequiredService<AgentCatalog>().ReloadAsync(cancellationToken);

    public static CachedRoute Catalog { get; } = new([CacheScope.Catalog], Of: StateOf, Freshen: Freshen);

    /// <summary>What agents do as well.</summary>
    public static CachedRoute Activity { get; } = new([CacheScope.Catalog, CacheScope.Runs], Of: StateOf, Freshen: Freshen);

    /// <summary>One object for each catalog with the models of its time: whether an agent's model is there is told too.</summary>
    private static object StateOf(IServiceProvider services) => States
        .GetValue(services.GetRequiredService<AgentCatalog>().Revision, static _ => [])
        .GetValue(services.GetRequiredService<ModelRouter>().Current, static _ => new object());
}
