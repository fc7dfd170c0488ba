using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F16: slow readers. What is kept for them is a number of the whole process, so nothing runs beside it.</summary>
[Collection("alone")]
public sealed class SlowReaderTests
{
    [Fact]
    public async Task Slow_readers_are_dropped_and_what_is_kept_for_them_is_bounded()
    {
        var text = string.Join(' ', Enumerable.Range(0, 20_000).Select(static i => $"word{i}"));
        await using var world = await ChatWorld.StartAsync($"default: {{ text: \"{text}\" }}", configure: SlowClientTests.Impatient);
        var run = (await world.AskAsync(new { message = "Hi", team = "solo" })).GetProperty("run_id").GetString()!;
        var url = world.App.Url;
        var stream = SlowClient.Head(url, "GET", $"/api/v1/runs/{run}/events", ["Accept: text/event-stream", .. SlowClientTests.Credentials(world.App)]) + "\r\n";
        var page = SlowClient.Head(url, "GET", "/openapi/v1.json") + "\r\n";
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var readers = new List<SlowClient>();
        for (var i = 0; i < 60; i++)
        {
            readers.Add(await SlowClient.ConnectAsync(url));
        }

        // Each asks for some 40 MB and reads none of it.
        await Task.WhenAll(readers.Select((reader, i) => reader.FloodAsync(i % 2 == 0 ? stream : page, 200)));
        var grown = GC.GetTotalMemory(forceFullCollection: true) - before;
        var dropped = readers.ConvertAll(static reader => reader.DroppedAsync());
        await SlowClientTests.OthersDoNotNoticeAsync(world.App, Task.WhenAll(dropped));
        var sent = await Task.WhenAll(dropped);
        Assert.InRange(grown, long.MinValue, 100_000_000);
        Assert.All(sent, static bytes => Assert.InRange(bytes, 0, 30_000_000));
        readers.ForEach(static reader => reader.Dispose());
    }
}
