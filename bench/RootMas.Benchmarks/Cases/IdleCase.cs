using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B5: memory per idle event stream and per idle WebSocket.</summary>
internal static class IdleCase
{
    private const string Upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    public static async Task RunAsync(BenchContext context)
    {
        var count = context.Options.Quick ? 1000 : 5000;
        foreach (var hop in context.Proxies.Where(p => p.Name == "bare .NET hop"))
        {
            await MeasureAsync(context, hop, "event streams", HttpConnection.Get(hop.Address!, "/idle"), "HTTP/1.1 200", count);
            await MeasureAsync(context, hop, "WebSockets", HttpConnection.Get(hop.Address!, "/ws", Upgrade), "HTTP/1.1 101", count);
        }

        // A run whose model never answers keeps its event streams open and silent.
        await context.Model.UseAsync("{\"record\":\"counts\",\"default\":{\"fault\":{\"kind\":\"hang\"}}}");
        foreach (var server in context.Servers)
        {
            if (server.Target.Missing is { } reason)
            {
                context.Report.Missing("B5", $"{count} idle event streams", server.Target.Name, "memory per connection", "kB", reason);
                continue;
            }

            var run = await server.StartRunAsync("one", "hello");
            var request = HttpConnection.Get(server.Target.Address!, $"/api/v1/runs/{run}/events", "Accept: text/event-stream\r\n", server.Target.Token);
            await MeasureAsync(context, server.Target, "event streams", request, "HTTP/1.1 200", count);
            await MeasureAsync(context, server.Target, "WebSockets", HttpConnection.Get(server.Target.Address!, "/ws", Upgrade, server.Target.Token), "HTTP/1.1 101", count);
            await server.CancelAsync(run);
        }
    }

    private static Task MeasureAsync(BenchContext context, Target target, string what, byte[] request, string expect, int count) => context.RoundAsync(async () =>
    {
        // The first connections pay for code and pools.
        using (await OpenConnections.OpenAsync(target.Address!, request, 200, expect, TimeSpan.FromSeconds(10)))
        {
        }

        var before = await target.SettledMemoryAsync();
        using var open = await OpenConnections.OpenAsync(target.Address!, request, count, expect, TimeSpan.FromSeconds(40));
        await Task.Delay(TimeSpan.FromSeconds(1));
        var row = $"{count} idle {what}";
        if (open.Count < count)
        {
            context.Report.Missing("B5", row, target.Name, "memory per connection", "kB", $"only {open.Count} of {count} opened: {open.Error}");
            return;
        }

        context.Report.Add("B5", row, target.Name, "memory per connection", "kB", (target.Memory - before) / 1024.0 / count);
    });
}
