using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Models;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Knowledge;

/// <summary>The semantic cache of answers.</summary>
internal static class AnswerCacheParts
{
    internal static void AddAnswerCache(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        AnswerCacheMetrics.Create();
        var options = builder.AddSettings<AnswerCacheOptions>("Knowledge:AnswerCache");
        var services = builder.Services;
        services.AddSingleton<AnswerCacheMetrics>();
        services.AddSingleton(static p => new AnswerStore(p.GetRequiredService<IDatabase>()));
        services.AddSingleton(p => new AnswerLevels(
            new ExactAnswers(options.MemoryEntries), new AnswerIndex(),
            p.GetService<RedisPool>() is { } redis ? new RedisAnswers(redis, p.GetRequiredService<TimeProvider>()) : null, p.GetRequiredService<AnswerStore>()));
        services.AddSingleton(_ => new VerifiedPolicy(options.MaxWrong, options.AuditShare, Random.Shared));
        services.AddSingleton(p => new AnswerLookup(
            p.GetRequiredService<AnswerLevels>(), p.GetService<IEmbedder>(), p.GetRequiredService<VerifiedPolicy>(), options, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<AnswerLookup>>()));
        services.AddSingleton(p => new AnswerJudge(
            options, p.GetRequiredService<IChatClient>, p.GetRequiredService<ModelRouter>(), p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<AnswerJudge>>()));
        services.AddSingleton(p => new AnswerLearner(
            p.GetRequiredService<AnswerLevels>(), p.GetRequiredService<AnswerLookup>(), p.GetRequiredService<AnswerJudge>(), p.GetRequiredService<VerifiedPolicy>(),
            new LearnerTools(p.GetService<IEmbedder>(), p.GetRequiredService<ChangeFeed>(), options, p.GetRequiredService<TimeProvider>()), p.GetRequiredService<ILogger<AnswerLearner>>()));
        services.AddSingleton(static p => new AnswerPurge(p.GetRequiredService<AnswerLevels>(), p.GetRequiredService<ChangeFeed>()));
        services.AddSingleton<IAnswerCachePurge>(static p => p.GetRequiredService<AnswerPurge>());
        services.AddSingleton<AnswerChanges>();
        services.AddSingleton<IUserData, UserAnswerData>();
        services.AddSingleton(_ => new RetentionKind("cached_answers", options.TimeToLive, static (session, _) => AnswerStore.CountExpiredAsync(session), static (session, _, limit) => AnswerStore.PruneAsync(session, limit)));
        services.AddSingleton<AnswerCacheStats>();
        services.AddSingleton<GaugeSource>(static p => p.GetRequiredService<AnswerCacheStats>().Publish);
        if (options.Mode == AnswerCacheMode.Off)
        {
            return;
        }

        services.AddHostedService(static p => p.GetRequiredService<AnswerLearner>());
        services.AddSingleton(p => new CacheStage(
            p.GetRequiredService<AnswerLevels>(), p.GetRequiredService<AnswerLookup>(), p.GetRequiredService<AnswerLearner>(), p.GetRequiredService<AnswerCacheMetrics>(),
            p.GetService<IKnowledgeVersion>(), options, p.GetRequiredService<TimeProvider>())
        {
            Asked = AskedBy(p.GetRequiredService<ModelRouter>()),
            IsCatalogNewest = p.GetRequiredService<IDatabase>().Kind == DatabaseKind.Postgres ? p.GetRequiredService<INewestCatalog>().IsNewestAsync : null, // SQLite has one process, which knows what it changed
        });
        services.AddSingleton(static p => new AnswerCacheStage(inner => new AnswerCacheClient(inner, p.GetRequiredService<CacheStage>())));
    }

    private static Func<ModelCall, AskedModels> AskedBy(ModelRouter router) => call => router.Current.Asked(call);

    internal static void MapAnswerCache(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        _ = routes.ServiceProvider.GetRequiredService<AnswerChanges>(); // hears of changes from the start
        AnswerCacheApi.Map(routes);
    }
}
