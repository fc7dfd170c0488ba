using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Redis;

/// <summary>Redis, if the settings name one. Others ask for <see cref="RedisPool"/> as an optional service.</summary>
internal static class RedisSetup
{
    public static void AddRedis(this WebApplicationBuilder builder)
    {
        RedisMetrics.Create();
        var options = builder.AddSettings<RedisOptions>("Redis");
        if (!options.IsUsed || RedisAddress.Problem(options.ConnectionString) is not null)
        {
            builder.Services.AddSingleton<IHealthProbe>(new AbsentProbe("redis", "not needed on one machine: caches and limits are in memory"));
            return;
        }

        builder.Services.AddSingleton<RedisCircuit>();
        builder.Services.AddSingleton<RedisPool>();
        builder.Services.AddSingleton<RedisBus>();
        builder.Services.AddSingleton<RedisInstances>();
        builder.Services.AddHostedService(static services => services.GetRequiredService<RedisInstances>());
        builder.Services.AddSingleton<IClusterBus>(static services => services.GetRequiredService<RedisBus>());
        builder.Services.AddSingleton<IHealthProbe, RedisProbe>();
        builder.Services.AddHostedService<RedisStart>();
    }

    /// <summary>Connects before anything listens. That Redis is away stops no start.</summary>
    private sealed class RedisStart(RedisPool pool, RedisBus bus) : LifecycleService
    {
        public override Task StartingAsync(CancellationToken cancellationToken) => Task.WhenAll(pool.StartAsync(), bus.StartAsync());
    }
}
