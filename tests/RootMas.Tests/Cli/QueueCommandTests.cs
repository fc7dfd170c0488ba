using System.Globalization;
using System.Net.Http.Json;
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
        var queue = RabbitServer.NewQueue();
        await using var server = await ServerProcess.StartAsync(await OnRabbitAsync(queue));
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
        await UntilAsync(async () => (await server.Http.GetStringAsync("/health")).Replace(" ", "", StringComparison.Ordinal).Contains("\"rabbitmq\":\"healthy\"", StringComparison.Ordinal)); // looked at now and then: at first it was not connected
        Assert.Contains("rootmas_broker_dead_total 1", await server.Http.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [RabbitFact]
    public async Task A_run_whose_workers_all_died_before_they_began_it_is_a_dead_letter_and_is_done_when_it_is_redriven()
    {
        const int Limit = 3; // the least that settings allow
        var queue = RabbitServer.NewQueue();
        var settings = await OnRabbitAsync(queue, Limit);
        await using var front = await ServerProcess.StartAsync(settings with { Environment = With(settings, ("ROOTMAS__Runs__Parallelism", "0")) }); // takes requests and works on none
        await UntilAsync(async () => (await StatusAsync(front)).GetProperty("broker").GetString() == "connected");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message = "What is 6 times 7?", team = "solo" }), Headers = { { "Prefer", "wait=0" } } };
        using var accepted = await front.Http.SendAsync(request);
        var run = JsonElement.Parse(await accepted.Content.ReadAsStringAsync()).GetProperty("run_id").GetString()!;
        var died = 0;
        await UntilAsync(async () =>
        {
            died += await rabbit.TakeAndDieAsync(queue + ".interactive") ? 1 : 0;
            return (await StatusAsync(front)).GetProperty("dead_letters").GetInt32() == 1;
        });
        Assert.InRange(died, Limit, Limit + 1); // the first time it is brought is no repetition

        var (_, list, _) = await ServerProcess.RunAsync(Plain, null, "queue", "dead", "--json", "--data", front.Data);
        var letter = Assert.Single(JsonElement.Parse(list).GetProperty("items").EnumerateArray().ToList());
        Assert.Equal(("message", run, queue + ".interactive"), (letter.GetProperty("kind").GetString(), letter.GetProperty("run_id").GetString(), letter.GetProperty("queue").GetString()));
        Assert.Equal("It was handed out too often without an answer.", letter.GetProperty("reason").GetString());
        Assert.Equal("queued", (await RunAsync(front, run)).GetProperty("status").GetString());

        var (redriven, _, why) = await ServerProcess.RunAsync(Plain, null, "queue", "redrive", letter.GetProperty("id").GetString()!, "--data", front.Data);
        Assert.True(redriven == 0, why);
        await UntilAsync(async () => (await StatusAsync(front)).GetProperty("queues").EnumerateArray().Sum(static q => q.GetProperty("messages").GetInt64()) == 1); // the broker has it again, and no worker is there
        Assert.Equal(0, (await StatusAsync(front)).GetProperty("dead_letters").GetInt32());
        await using var worker = await ServerProcess.StartAsync(settings with { Command = "worker" });
        await UntilAsync(async () => (await RunAsync(front, run)).GetProperty("status").GetString() == "completed");
        Assert.Equal(1, (await RunAsync(front, run)).GetProperty("attempt").GetInt32());
        await UntilAsync(async () => (await StatusAsync(front)).GetProperty("queues").EnumerateArray().All(static q => q.GetProperty("messages").GetInt64() == 0));
    }

    private static async Task<JsonElement> RunAsync(ServerProcess server, string id) => JsonElement.Parse(await server.Http.GetStringAsync($"/api/v1/runs/{id}"));

    /// <summary>Processes on a new PostgreSQL database and these queues.</summary>
    private async Task<ServerSettings> OnRabbitAsync(string queue, int deliveryLimit = 20)
    {
        var postgres = await PostgresServer.SharedAsync();
        return Plain with
        {
            Environment = With(
                Plain,
                ("ROOTMAS__Database__Kind", "postgres"), ("ROOTMAS__Database__ConnectionString", postgres.Url(await postgres.NewDatabaseAsync(migrated: false))), ("ROOTMAS__RabbitMq__Uri", rabbit.Url),
                ("ROOTMAS__RabbitMq__Queue", queue), ("ROOTMAS__RabbitMq__ConfirmTimeout", "00:01:00"), ("ROOTMAS__RabbitMq__DeliveryLimit", deliveryLimit.ToString(CultureInfo.InvariantCulture)), ("ROOTMAS_MASTER_KEY", Convert.ToBase64String(new byte[32].Select(static (_, i) => (byte)(i * 7)).ToArray()))),
        };
    }

    private static Dictionary<string, string> With(ServerSettings settings, params (string Name, string Value)[] more)
    {
        var all = new Dictionary<string, string>(settings.Environment, StringComparer.Ordinal);
        foreach (var (name, value) in more)
        {
            all[name] = value;
        }

        return all;
    }

    private static async Task<JsonElement> StatusAsync(ServerProcess server) => JsonElement.Parse(await server.Http.GetStringAsync("/api/v1/queue"));

    private static async Task UntilAsync(Func<Task<bool>> done)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        while (!await done())
        {
            await Task.Delay(20, limit.Token);
        }
    }
}
