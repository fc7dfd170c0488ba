using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Health;

/// <summary>Nothing in the program may block a pool thread: with two of them it still answers.</summary>
public sealed class FewThreadsTests
{
    private const int Chats = 50;

    [Fact]
    public async Task The_server_says_that_it_lives_while_the_database_works_hard_with_two_pool_threads()
    {
        await using var sim = await Simulator.StartAsync("""{"default":{"text":"one two three four five six seven eight nine ten","tokens_per_second":50}}""");
        var settings = ServerSettings.With(sim);
        await using var server = await ServerProcess.StartAsync(settings with
        {
            Config = Repository.PathOf("config"),
            Environment = new Dictionary<string, string>(settings.Environment, StringComparer.Ordinal)
            {
                ["DOTNET_ThreadPool_ForceMinWorkerThreads"] = "2",
                ["DOTNET_ThreadPool_ForceMaxWorkerThreads"] = "2",
            },
        });
        var hold = sim.Hold(new() { At = HoldPoint.Middle });
        var chats = Task.WhenAll(Enumerable.Range(0, Chats).Select(i => ChatAsync(server.Http, i)));
        var lives = new List<HttpStatusCode>();
        do
        {
            using var live = await server.Http.GetAsync(new Uri("/health/live", UriKind.Relative));
            lives.Add(live.StatusCode);
            if (hold.Reached.IsCompleted && lives.Count > 1)
            {
                hold.Release(); // it is asked while the chats are under way, and goes on until the last one is stored
            }
        }
        while (!chats.IsCompleted);

        Assert.All(await chats, static status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.All(lives, static status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.InRange(await PoolThreadsAsync(server.Http), 1, 2);
    }

    /// <summary>As the runtime itself measures it: that there are two is the point of the test.</summary>
    private static async Task<int> PoolThreadsAsync(HttpClient http)
    {
        var lines = (await http.GetStringAsync(new Uri("/metrics", UriKind.Relative))).Split('\n');
        var line = Assert.Single(lines, static l => l.StartsWith("dotnet_thread_pool_thread_count", StringComparison.Ordinal));
        return int.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture);
    }

    private static async Task<HttpStatusCode> ChatAsync(HttpClient http, int number)
    {
        using var response = await http.PostAsJsonAsync("/api/v1/chat", new { message = $"Question {number}", team = "solo" });
        return response.StatusCode;
    }
}
