using System.Diagnostics;
using RabbitMQ.Client;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs.Queue;

/// <summary>What a real RabbitMQ does with too little memory or disk, and by policies that limit its queues.</summary>
[Collection(RabbitCollection.Name)]
public sealed class BrokerLimitTests(RabbitServer rabbit) : OnDatabase(DatabaseKind.Postgres)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);
    private readonly string _queue = RabbitServer.NewQueue();

    /// <summary>With too little disk or memory the broker stops reading from whoever sends, and the connection stands.</summary>
    [RabbitFact]
    public async Task While_the_broker_blocks_runs_begin_at_once_the_connection_stays_and_what_was_left_is_sent_afterwards()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var front = Process(database, options: new RunsOptions { Parallelism = 0 });
        await using var worker = Process(database);
        await front.StartAsync();
        await worker.StartAsync();
        var again = 0;
        front.Queue!.Broker.Connected = worker.Queue!.Broker.Connected = () => Interlocked.Increment(ref again);
        await rabbit.ControlAsync("set_disk_free_limit", "1000000GB");
        try
        {
            await front.RunAsync(Solo, "hi"); // the first that is sent tells
            await WaitAsync(() => !front.Queue.Broker.IsConnected);
            Assert.Contains("RabbitMQ blocks whoever sends", front.Queue.Broker.Trouble, StringComparison.Ordinal);
            Assert.Equal("blocked", (await new BrokerProbe(front.Queue.Broker, TimeProvider.System).CheckAsync(default)).LastError);
            var began = Stopwatch.GetTimestamp();
            await Assert.ThrowsAsync<BrokerUnavailableException>(() => front.Queue.Broker.PublishAsync(BrokerQueue.Interactive, "not json"u8.ToArray(), "m", default));
            var team = TestTeams.Of(PatternKind.Concurrent, ["a", "b"], change: static t => t with { Writer = "a" });
            var run = await worker.WaitForAsync((await worker.RunAsync(team, "go")).RunId, static r => r.Status.IsFinal()); // each of its parts is handed over, and each end of one
            Assert.Equal(RunStatus.Completed, run.Status);
            Assert.InRange(Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(30)); // a confirm is waited for a minute here
        }
        finally
        {
            await rabbit.ControlAsync("set_disk_free_limit", "50MB");
        }

        await front.Queue.ConnectedAsync();
        await worker.Queue.ConnectedAsync();
        await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM run_wakeups") == 0);
        Assert.Equal(RunStatus.Completed, (await front.WaitForAsync((await front.RunAsync(Solo, "hi")).RunId, static r => r.Status.IsFinal())).Status);
        Assert.Equal(0, again);
    }

    [RabbitTheory]
    [InlineData("expired", "message-ttl")]
    [InlineData("maxlen", "max-length")]
    public async Task What_a_policy_of_the_broker_dropped_says_so(string death, string policy)
    {
        await using var database = RunsHarness.NewDatabase();
        await using var worker = Process(database);
        await worker.StartAsync();
        await rabbit.PublishAsync(_queue + ".dead", new BasicProperties { Headers = new Dictionary<string, object?> { ["x-first-death-reason"] = death, ["x-first-death-queue"] = _queue + ".interactive" } }, "gone"u8.ToArray());
        await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM dead_letters") == 1);
        var letter = Assert.Single(await new DeadLetters(database.Database, worker.Signals, worker.Verbs).ListAsync(null, 10, default));
        Assert.Equal(_queue + ".interactive", letter.Queue);
        Assert.Contains(policy, letter.Reason, StringComparison.Ordinal);
        Assert.Contains("found in the database", letter.Reason, StringComparison.Ordinal);
    }

    private RunsHarness Process(TestDatabase database, RunsOptions? options = null) =>
        new(new ScriptedChatClient(static _ => [Say("ok")]), options: options, database: database, ownsData: false, broker: new BrokerOptions { Uri = rabbit.Url, Queue = _queue, ConfirmTimeout = TimeSpan.FromMinutes(1) });

    private static Task WaitAsync(Func<bool> until) => WaitAsync(() => Task.FromResult(until()));

    private static async Task WaitAsync(Func<Task<bool>> until)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!await until())
        {
            await Task.Delay(10, limit.Token);
        }
    }
}
