using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.Graph;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Knowledge;

/// <summary>Memory and the knowledge graph.</summary>
internal static class MemoryParts
{
    internal static void AddMemory(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddSettings<MemoryOptions>("Knowledge:Memory");
        MemoryMetrics.Create();
        var services = builder.Services;
        services.AddSingleton<MemorySignals>();
        services.AddSingleton<MemoryStore>();
        services.AddSingleton<MemoryRecall>();
        services.AddSingleton<IRunMemory>(static p => p.GetRequiredService<MemoryRecall>());
        services.AddSingleton<MemoryCallers>();
        services.AddSingleton<MemoryCalls>();
        services.AddSingleton<MemoryQueue>();
        services.AddSingleton<FactReading>();
        services.AddSingleton(static p => new ReadingParts(
            p.GetRequiredService<FactReading>(), p.GetRequiredService<MemoryRecall>(), p.GetRequiredService<UserRights>(), p.GetRequiredService<LedgerStore>(), p.GetService<IMemorySources>()));
        services.AddSingleton(static p => ActivatorUtilities.CreateInstance<MemoryReader>(p, p.DatabaseTime()));
        services.AddHostedService(static p => p.GetRequiredService<MemoryReader>());
        services.AddSingleton<FactVectors>();
        services.AddHostedService(static p => p.GetRequiredService<FactVectors>());
        services.AddSingleton<IVectorTexts, MemoryTexts>();
        services.AddSingleton<IVectorTexts, EntityTexts>();
        services.AddSingleton<IUserData, UserMemoryData>();
        services.AddOutboxHandler<ForgottenFacts>(ForgottenFacts.Topic);
        services.AddSingleton<Tool, RememberTool>();
        services.AddSingleton<Tool, RecallTool>();
        services.AddSingleton<Tool, ForgetTool>();
        AddGraph(services);
    }

    internal static void MapMemory(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        MemoryApi.Map(routes);
        GraphApi.Map(routes);
    }

    private static void AddGraph(IServiceCollection services)
    {
        services.AddSingleton<IGraphRealms, CollectionRealms>();
        services.AddSingleton<GraphQueries>();
        services.AddSingleton<GraphExport>();
        services.AddSingleton<GraphMerging>();
        services.AddSingleton<GraphQueue>();
        services.AddSingleton<RelationReading>();
        services.AddSingleton<GraphReader>();
        services.AddHostedService(static p => p.GetRequiredService<GraphReader>());
        services.AddSingleton<Tool, GraphQueryTool>();
    }
}
