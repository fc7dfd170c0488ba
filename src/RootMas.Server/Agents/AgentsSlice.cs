using Microsoft.Extensions.DependencyInjection.Extensions;
using RootMas.Runtime.Tools;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Models;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Agents;

/// <summary>Who there is: agents, teams, prompts, and the snapshots that runs keep of them.</summary>
public static class AgentsSlice
{
    public static WebApplicationBuilder AddAgents(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        builder.AddSettings<AgentsOptions>("Agents");
        services.AddSingleton<CatalogOverrides>();
        services.AddSingleton<SnapshotStore>();
        services.AddSingleton<IHealthProbe, CatalogProbe>();
        services.TryAddSingleton<IAgentActivity, NoAgentActivity>();
        services.AddSingleton(provider => new AgentCatalog(
            provider.GetRequiredService<ServerOptions>().Config,
            provider.GetRequiredService<AgentsOptions>(),
            provider.GetRequiredService<CatalogOverrides>(),
            new Lazy<IToolCatalog>(provider.GetRequiredService<IToolCatalog>),
            provider.GetRequiredService<ILogger<AgentCatalog>>(),
            name => provider.GetRequiredService<ModelNames>().IsKnown(name)));
        services.AddSingleton<INewestCatalog>(static p => p.GetRequiredService<AgentCatalog>());
        services.AddHostedService(provider => new CatalogWatcher(
            provider.GetRequiredService<AgentCatalog>(),
            provider.GetRequiredService<ServerOptions>().Config,
            provider.GetRequiredService<AgentsOptions>(),
            provider.GetRequiredService<ChangeFeed>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<CatalogWatcher>>()));
        services.AddSingleton(static p => new ConfigPart("agents", () => p.GetRequiredService<AgentCatalog>().Fingerprint));
        return builder;
    }

    public static IEndpointRouteBuilder MapAgents(this IEndpointRouteBuilder routes)
    {
        AgentsApi.Map(routes.MapGroup("").WithTags("Agents"));
        TeamsApi.Map(routes.MapGroup("").WithTags("Teams"));
        return routes;
    }
}
