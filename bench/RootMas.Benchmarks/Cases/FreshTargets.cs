using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>
/// Targets for what is measured in memory: each process is new, because one that has worked keeps what it needed then, and whatever it needs now fits in there without a trace.
/// nginx keeps nothing and stays.
/// </summary>
internal static class FreshTargets
{
    public static async Task ForEachAsync(BenchContext context, Func<BenchContext, Target, Task> measure)
    {
        foreach (var server in context.Servers)
        {
            if (server.Target.Missing is null)
            {
                await server.KillAsync();
                await server.StartAgainAsync();
            }

            await context.RoundAsync(() => measure(context, server.Target));
        }

        foreach (var nginx in context.Proxies.Where(p => p.Name == "nginx"))
        {
            await context.RoundAsync(() => measure(context, nginx));
        }

        var hop = await ReverseProxies.HopAsync(context.Model.Address);
        await context.RoundAsync(() => measure(context, hop));
        if (hop.Process is { } process)
        {
            await process.DisposeAsync();
        }
    }
}
