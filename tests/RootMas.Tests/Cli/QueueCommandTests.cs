using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas queue</c> as an operator uses it, with and without a broker.</summary>
[Collection(RabbitCollection.Name)]
public sealed class QueueCommandTests(RabbitServer rabbit)
{
    private static readonly ServerSettings Plain = new() { Environment = new Dictionary<string, string> { ["ROOTMAS_CONFIG"] = Repository.PathOf("config") } };

    [Fact]
    public async Task Without_a_broker_it_shows_the_queue_of_the_process_and_no_dead_letters()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var (shown, status, notes) = await ServerProcess.RunAsync(Plain, null, "queue", "status", "--json", "--data", data);
        Assert.True(shown == 0, notes);
        var queue = JsonElement.Parse(status);
        Assert.Equal(("in_process", "not_configured", 0), (queue.GetProperty("dispatch").GetString(), queue.GetProperty("broker").GetString(), queue.GetProperty("waiting").GetInt32()));
        var (listed, list, _) = await ServerProcess.RunAsync(Plain, null, "queue", "dead", "--json", "--data", data);
        var (missing, _, _) = await ServerProcess.RunAsync(Plain, null, "queue", "redrive", "nothing", "--data", data);
        var (unknown, _, _) = await ServerProcess.RunAsync(Plain, null, "queue", "purge", "nothing", "--data", data);
        Assert.Equal((0, 0, 3, 3), (listed, JsonElement.Parse(list).GetProperty("items").GetArrayLength(), missing, unknown));
    }

    [RabbitFact]
    public async Task With_a_broker_it_shows_its_queues_and_what_is_dead_can_be_purged()
    {
        var postgres = await PostgresServer.SharedAsync();
        var queue = RabbitServer.NewQueue();
        await using var server = await ServerProcess.StartAsync(Plain with
        {
            Environment = new Dictionary<string, string>(Plain.Environment, StringComparer.Ordinal)
            {
                ["ROOTMAS__Database__Kind"] = "postgres",
                ["ROOTMAS__Database__ConnectionString"] = postgres.Url(await postgres.NewDatabaseAsync(migrated: false)),
                ["ROOTMAS__RabbitMq__Uri"] = rabbit.Url,
                ["ROOTMAS__RabbitMq__Queue"] = queue,
            },
        });
        await UntilAsync(async () => (await StatusAsync(server)).GetProperty("broker").GetString() == "connected");
        await rabbit.PublishAsync(queue + ".first", "nonsense"u8.ToArray());
        await UntilAsync(async () => (await StatusAsync(server)).GetProperty("dead_letters").GetInt32() == 1);
        Assert.Equal(
            [$"{queue}.first", $"{queue}.interactive", $"{queue}.background", $"{queue}.dead"],
            (await StatusAsync(server)).GetProperty("queues").EnumerateArray().Select(static q => q.GetProperty("name").GetString()));
        var (_, list, _) = await ServerProcess.RunAsync(Plain, null, "queue", "dead", "--json", "--data", server.Data);
        var letter = JsonElement.Parse(list).GetProperty("items")[0];
        Assert.Equal(("message", "nonsense"), (letter.GetProperty("kind").GetString(), letter.GetProperty("body").GetString()));
        var id = letter.GetProperty("id").GetString()!;
        var (redriven, _, why) = await ServerProcess.RunAsync(Plain, null, "queue", "redrive", id, "--data", server.Data);
        var (purged, _, _) = await ServerProcess.RunAsync(Plain, null, "queue", "purge", id, "--data", server.Data);
        Assert.Equal((5, 0), (redriven, purged));
        Assert.Contains("Purge it", why, StringComparison.Ordinal);
        Assert.Contains("\"rabbitmq\":\"healthy\"", (await server.Http.GetStringAsync("/health")).Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("rootmas_broker_dead_total 1", await server.Http.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    private static async Task<JsonElement> StatusAsync(ServerProcess server) => JsonElement.Parse(await server.Http.GetStringAsync("/api/v1/queue"));

    private static async Task UntilAsync(Func<Task<bool>> done)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (!await done())
        {
            await Task.Delay(20, limit.Token);
        }
    }
}
