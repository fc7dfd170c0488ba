using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Caching;

internal static class CachingSetup
{
    public static void AddCaching(this WebApplicationBuilder builder)
    {
        CacheMetrics.Create();
        var options = builder.AddSettings<CacheOptions>("Cache");
        var isAlone = builder.Settings().Take<DatabaseOptions>("Database").Kind == DatabaseKind.Sqlite;
        if (!options.Enabled || (!isAlone && !builder.Services.Any(static s => s.ServiceType == typeof(RedisPool))))
        {
            builder.Services.AddSingleton<IAnswerCache, NoAnswerCache>();
        }
        else if (isAlone)
        {
            builder.Services.AddSingleton<IAnswerCache, MemoryAnswerCache>();
        }
        else
        {
            builder.Services.AddSingleton<CacheFence>();
            builder.Services.AddHostedService(static services => services.GetRequiredService<CacheFence>());
            builder.Services.AddSingleton<IAnswerCache, RedisAnswerCache>();
        }
    }
}
