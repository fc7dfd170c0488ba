using RootMas.Benchmarks.Load;
using RootMas.Benchmarks.Targets;

namespace RootMas.Benchmarks.Cases;

/// <summary>B5: memory per idle event stream and per idle WebSocket.</summary>
internal static class IdleCase
{
    private const string Upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    public static async Task RunAsync(BenchContext context)
    {
        // A run whose model never answers keeps its event streams open and silent.
        await context.Model.UseAsync("{\"record\":\"counts\",\"default\":{\"fault\":{\"kind\":\"hang\"}}}");
        for (var round = 0; round < context.Options.FewRounds; round++)
        {
            await FreshTargets.ForEachAsync(context, StreamsAsync);
            await FreshTargets.ForEachAsync(context, SocketsAsync);
        }
    }

    private static async Task StreamsAsync(BenchContext context, Target target)
    {
        if (context.Servers.FirstOrDefault(s => s.Target == target) is { } server)
        {
            var run = await server.StartRunAsync("one", "hello");
            await MeasureAsync(context, target, "event streams", HttpConnection.Get(target.Address!, $"/api/v1/runs/{run}/events", "Accept: text/event-stream\r\n", target.Token), "HTTP/1.1 200");
            await server.CancelAsync(run);
        }
        else if (target.Name != "nginx")
        {
            await MeasureAsync(context, target, "event streams", HttpConnection.Get(target.Address!, "/idle"), "HTTP/1.1 200");
        }
    }

    private static Task SocketsAsync(BenchContext context, Target target) =>
        target.Name == "nginx" ? Task.CompletedTask : MeasureAsync(context, target, "WebSockets", HttpConnection.Get(target.Address!, "/ws", Upgrade, target.Token), "HTTP/1.1 101");

    private static async Task MeasureAsync(BenchContext context, Target target, string what, byte[] request, string expect)
    {
        var count = context.Options.Quick ? 1000 : 5000;
        var row = $"{count} idle {what}";
        if (target.Missing is not null)
        {
            context.Report.Missing("B5", row, target, "memory per connection", "kB");
            return;
        }

        // The first connections pay for code and pools.
        using (await OpenConnections.OpenAsync(target.Address!, request, 200, expect, TimeSpan.FromSeconds(10)))
        {
        }

        var before = await target.QuietMemoryAsync();
        using var open = await OpenConnections.OpenAsync(target.Address!, request, count, expect, TimeSpan.FromSeconds(40));
        var after = await target.QuietMemoryAsync();
        if (open.Count < count)
        {
            context.Report.Missing("B5", row, target.Name, "memory per connection", "kB", $"only {open.Count} of {count} opened: {open.Error}");
            return;
        }

        context.Report.Add("B5", row, target.Name, "memory per connection", "kB", (after - before) / 1024.0 / count);
    }
}
