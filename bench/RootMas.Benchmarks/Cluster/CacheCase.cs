using RootMas.Benchmarks.Cases;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cluster;

/// <summary>B8 in the three sizes: exact hits from memory, on the largest also from Redis, and two hundred equal requests at once.</summary>
internal static class CacheCase
{
    public static async Task RunAsync(BenchContext context, Installation installation)
    {
        foreach (var server in context.Servers)
        {
            await CacheHitCase.CompletionsAsync(context, server, "from memory", server.Target.Name, "memory");
        }

        var (_, database) = await installation.Postgres.MakeDatabaseAsync("cache_redis");
        var shared = await installation.StartAsync(context, new ServerPlan($"{Installation.Prefix}, Redis: answers") { Core = null, Settings = [.. installation.Shared(database), CacheHitCase.OneInMemory] });
        await CacheHitCase.CompletionsAsync(context, shared, "from Redis", shared.Target.Name, "redis");
        await installation.StopAsync(shared);
        foreach (var server in context.Servers)
        {
            await CacheHitCase.StampedeAsync(context, server, server.Target.Name);
        }
    }
}
