using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs.Queue;

/// <summary>F9 and what else only a real RabbitMQ can show: several workers on one PostgreSQL, each a runs slice of its own.</summary>
[Collection(RabbitCollection.Name)]
public sealed class BrokerTests(RabbitServer rabbit) : OnDatabase(DatabaseKind.Postgres)
{
    /// <summary>How long the broker is away in the long form at least; in the short one it comes back when the runs of the outage are done.</summary>
    private static readonly TimeSpan Away = TestLength.IsLong ? TimeSpan.FromMinutes(1) : TimeSpan.Zero;

    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);
    private readonly string _queue = RabbitServer.NewQueue();

    [RabbitFact]
    public async Task Its_own_figures_have_the_names_that_the_alert_goes_by()
    {
        using var http = new HttpClient();
        var figures = await http.GetStringAsync(rabbit.Metrics);
        Assert.All((string[])["rabbitmq_alarms_memory_used_watermark ", "rabbitmq_alarms_free_disk_space_watermark "], name => Assert.Contains(name, figures, StringComparison.Ordinal));
        Assert.Contains("rabbitmq_alarms_(memory_used|free_disk_space)_watermark", await File.ReadAllTextAsync(Repository.PathOf("deploy/monitoring/prometheus/rules/alerts.yml")), StringComparison.Ordinal);
    }

    [RabbitFact]
    public async Task Runs_that_are_accepted_while_the_broker_is_away_are_done_and_a_worker_keeps_what_it_has()
    {
        await using var database = RunsHarness.NewDatabase();
        var go = new TaskCompletionSource();
        var send = new TestTool("send", static _ => "sent").With(ToolEffect.Unsafe);
        var model = new ScriptedChatClient(static a => a.ToolResult is null ? [Call("send", new { text = "it" })] : [Say("ok")]) { Before = (a, ct) => a.LastText == "long" ? go.Task.WaitAsync(ct) : Task.CompletedTask };
        await using var front = Process(database, model, new RunsOptions { Parallelism = 0 }, tools: [send]);
        await using var worker = Process(database, model, tools: [send]);
        await front.StartAsync();
        await worker.StartAsync();
        var team = TestTeams.Of(PatternKind.Direct, ["solo"], [send]);
        var longs = await ManyAsync(front, 5, "long", team);
        await WaitAsync(() => model.Calls == 5);
        await rabbit.KillAsync();
        await WaitAsync(() => !front.Queue!.Broker.IsConnected && !worker.Queue!.Broker.IsConnected);

        var meanwhile = await WhileAwayAsync(front, team);
        await rabbit.StartAsync();
        await front.Queue!.ConnectedAsync();
        await worker.Queue!.ConnectedAsync();
        var later = await ManyAsync(front, 5, "short", team);
        go.SetResult();
        string[] all = [.. longs, .. meanwhile, .. later];
        foreach (var id in all)
        {
            var run = await front.WaitForAsync(id, static r => r.Status.IsFinal());
            Assert.Equal((RunStatus.Completed, 1), (run.Status, run.Attempt));
        }

        await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM run_wakeups") == 0);
        Assert.Equal(all.Select(static id => $"{id}:1").Order(StringComparer.Ordinal), send.Keys.Order(StringComparer.Ordinal)); // one effect of each
        Assert.Equal(2 * all.Length, model.Calls);
        await PublishAsync("not json"u8.ToArray());
        await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM dead_letters") == 1);
        var letter = Assert.Single(await new DeadLetters(database.Database, worker.Signals, worker.Verbs).ListAsync(null, 10, default));
        Assert.Equal("not json", letter.Body);
    }

    [RabbitFact]
    public async Task A_message_that_is_delivered_three_times_has_one_effect()
    {
        await using var database = RunsHarness.NewDatabase();
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("ok")]) { Before = (_, ct) => go.Task.WaitAsync(ct) };
        await using var one = Process(database, model);
        await using var two = Process(database, model);
        await one.StartAsync();
        await two.StartAsync();
        var id = (await one.RunAsync(Solo, "hi")).RunId;
        await WaitAsync(() => model.Calls == 1);
        var message = Encoding.UTF8.GetBytes(RunMessage.Write(new ReadyRun(id, "alice", IsRoot: true, IsFresh: true)));
        await PublishAsync(message, message, message);
        await DrainedAsync(one);
        go.SetResult();
        var run = await one.WaitForAsync(id, static r => r.Status.IsFinal());
        await PublishAsync(message, message, message);
        await DrainedAsync(one);
        Assert.Equal((RunStatus.Completed, 1, 1), (run.Status, run.Attempt, model.Calls));
    }

    [RabbitFact]
    public async Task What_nobody_can_read_is_a_dead_letter_that_operators_see()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var worker = Process(database);
        await worker.StartAsync();
        await PublishAsync("not json"u8.ToArray(), "\0\u0001\u0002"u8.ToArray(), """{"run":"../../etc","owner":"x"}"""u8.ToArray(), new byte[100_000]);
        await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM dead_letters") == 4);
        var letters = await new DeadLetters(database.Database, worker.Signals, worker.Verbs).ListAsync(null, 10, default);
        Assert.All(letters, l => Assert.Equal((DeadLetterRows.Message, _queue + ".interactive", "Nobody could read it."), (l.Kind, l.Queue, l.Reason)));
        Assert.Contains(letters, static l => l.Body == "not json");
        Assert.Equal(RunStatus.Completed, (await worker.WaitForAsync((await worker.RunAsync(Solo, "hi")).RunId, static r => r.Status.IsFinal())).Status);
    }

    [RabbitFact]
    public async Task A_dead_letter_that_comes_while_the_database_is_away_is_put_down_once_it_is_back()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var worker = Process(database);
        await worker.StartAsync();
        var broker = worker.Queue!.Broker;
        var away = new AwayOnce(database.Database);
        using var deliveries = new RunDeliveries(broker, new BrokerOptions(), away, TimeProvider.System, NullLogger<RunDeliveries>.Instance);
        await broker.EndConsumingAsync(BrokerQueue.Dead);
        await deliveries.StartAsync(default);
        await PublishAsync("not json"u8.ToArray());
        await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM dead_letters") == 1);
        Assert.Equal(2, away.Writes);
        await DrainedAsync(worker);
        await deliveries.StopAsync(default);
    }

    [RabbitFact]
    public async Task A_message_that_is_redriven_brings_its_run_to_a_worker()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var front = Process(database, options: new RunsOptions { Parallelism = 0 });
        await front.StartAsync();
        var id = (await front.RunAsync(Solo, "hi")).RunId;
        await database.ExecuteAsync($"INSERT INTO dead_letters (id, kind, run_id, owner_id, reason, deliveries, created_at) VALUES ('d', 'message', '{id}', 'alice', 'x', 20, 0)");
        var letters = new DeadLetters(database.Database, front.Signals, front.Verbs);
        Assert.Equal(new Redriven(id), await letters.RedriveAsync("d", static _ => static _ => ValueTask.CompletedTask, null, default));
        Assert.Null(await letters.RedriveAsync("d", static _ => static _ => ValueTask.CompletedTask, null, default));
        await using var worker = Process(database);
        await worker.StartAsync();
        Assert.Equal(RunStatus.Completed, (await front.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
    }

    [RabbitFact]
    public async Task A_worker_that_only_lost_the_broker_keeps_its_runs_though_others_are_told_of_them()
    {
        await using var database = RunsHarness.NewDatabase();
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("ok")]) { Before = (_, ct) => go.Task.WaitAsync(ct) };
        await using var one = Process(database, model);
        await one.StartAsync();
        var ids = await ManyAsync(one, 10, "hi");
        await WaitAsync(() => model.Calls == 10);
        await using var two = Process(database, model);
        await two.StartAsync();
        await one.Queue!.Broker.StopAsync(default); // its messages go to the other one
        await DrainedAsync(two);
        Assert.Equal(10, one.Worker.ActiveCount);
        go.SetResult();
        foreach (var id in ids)
        {
            Assert.Equal((RunStatus.Completed, 1), (await two.WaitForAsync(id, static r => r.Status.IsFinal()) is var run ? run.Status : default, run.Attempt));
        }

        Assert.Equal(10, model.Calls);
    }

    [RabbitFact]
    public async Task What_a_worker_lets_go_of_when_it_stops_is_taken_up_by_another()
    {
        await using var database = RunsHarness.NewDatabase();
        var leaving = new ScriptedChatClient(static _ => [Say("never")]) { Before = static (_, ct) => Task.Delay(Timeout.Infinite, ct) };
        await using var one = Process(database, leaving);
        await one.StartAsync();
        var ids = await ManyAsync(one, 5, "hi");
        await WaitAsync(() => leaving.Calls == 5);
        await using var two = Process(database);
        await two.StartAsync();
        await one.Worker.StoppingAsync(default);
        foreach (var id in ids)
        {
            var run = await two.WaitForAsync(id, static r => r.Status.IsFinal());
            Assert.Equal((RunStatus.Completed, 2, "ok"), (run.Status, run.Attempt, run.Answer?.Text));
        }

        Assert.Equal(0, await database.ScalarAsync("SELECT SUM(crashes) + SUM(stalled) FROM runs"));
    }

    [RabbitFact]
    public async Task Children_of_one_run_are_worked_on_by_several_workers()
    {
        await using var database = RunsHarness.NewDatabase();
        var (both, asking) = (new TaskCompletionSource(), new ConcurrentDictionary<string, bool>());

        // Nobody is done before the other one has begun: else one could do everything while the other's messages are on their way.
        ScriptedChatClient Model(string worker) => new(static _ => [Say("ok")])
        {
            Before = (_, ct) =>
            {
                asking[worker] = true;
                if (asking.Count == 2)
                {
                    both.TrySetResult();
                }

                return both.Task.WaitAsync(ct);
            },
        };
        var few = new RunsOptions { Parallelism = 4 };
        await using var one = Process(database, Model("one"), few);
        await using var two = Process(database, Model("two"), few);
        await one.StartAsync();
        await two.StartAsync();
        var team = TestTeams.Of(PatternKind.Concurrent, [.. Enumerable.Range(0, 8).Select(static i => $"a{i}")], change: static t => t with { Writer = "a0" });
        var root = (await one.RunAsync(team, "go")).RunId;
        Assert.Equal(RunStatus.Completed, (await one.WaitForAsync(root, static r => r.Status.IsFinal())).Status);
        var workers = new ConcurrentDictionary<string, int>();
        foreach (var child in (await one.Reader.TreeAsync(root, "alice", default)).Where(r => r.Id != root))
        {
            Assert.Equal(RunStatus.Completed, child.Status);
            (await one.LogAsync(child.Id)).OfType<RunStarted>().ToList().ForEach(s => workers.AddOrUpdate(s.Worker, 1, static (_, n) => n + 1));
        }

        Assert.Equal(2, workers.Count);
    }

    [RabbitFact]
    public async Task A_run_of_somebody_else_is_cancelled_within_a_second()
    {
        await using var database = RunsHarness.NewDatabase();
        var aborted = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [Say("ok")])
        {
            Before = async (_, ct) =>
            {
                try
                {
                    await Task.Delay(Timeout.Infinite, ct);
                }
                finally
                {
                    aborted.TrySetResult();
                }
            },
        };
        await using var front = Process(database, model, new RunsOptions { Parallelism = 0 });
        await using var worker = Process(database, model);
        await front.StartAsync();
        await worker.StartAsync();
        var id = (await front.RunAsync(Solo, "hi")).RunId;
        await WaitAsync(() => model.Calls == 1);
        Assert.True(await front.Verbs.CancelAsync(id, "alice", "enough", keepText: true, default));
        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(5)); // no bus, no broker message: the worker looks
        Assert.Equal(RunStatus.Cancelled, (await front.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
    }

    [RabbitFact]
    public async Task One_user_has_as_many_root_runs_at_once_as_allowed_over_all_workers_and_an_end_starts_the_next()
    {
        await using var database = RunsHarness.NewDatabase();
        using var go = new SemaphoreSlim(0);
        var model = new ScriptedChatClient(static _ => [Say("ok")]) { Before = (_, ct) => go.WaitAsync(ct) };
        var options = new RunsOptions { RootRunsPerUser = 3 };
        await using var front = Process(database, model, options with { Parallelism = 0 });
        await using var one = Process(database, model, options);
        await using var two = Process(database, model, options);
        foreach (var h in (RunsHarness[])[front, one, two])
        {
            await h.StartAsync();
        }

        var ids = await ManyAsync(front, 10, "hi");
        for (var done = 0; done < ids.Count; done++)
        {
            await WaitAsync(() => model.Calls == Math.Min(done + 3, ids.Count));
            await DrainedAsync(one);
            Assert.Equal(Math.Min(done + 3, ids.Count), model.Calls);
            go.Release();
            await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status = 'completed'") == done + 1);
        }

        Assert.Equal(0, await database.ScalarAsync("SELECT COUNT(*) FROM run_turns"));
    }

    [RabbitFact]
    public async Task Whoever_begins_leaves_their_place_with_the_broker_to_the_next()
    {
        await using var database = RunsHarness.NewDatabase();
        using var go = new SemaphoreSlim(0);
        var model = new ScriptedChatClient(static _ => [Say("ok")]) { Before = (_, ct) => go.WaitAsync(ct) };
        await using var front = Process(database, model, new RunsOptions { Parallelism = 0 }, offered: 1);
        await front.StartAsync();
        await ManyAsync(front, 3, "hi");
        await using var one = Process(database, model, new RunsOptions { Parallelism = 1 }, offered: 1);
        await one.StartAsync();
        await WaitAsync(() => model.Calls == 1);
        Assert.Equal(1, await database.ScalarAsync("SELECT COUNT(*) FROM run_turns WHERE offered = 1"));
        Assert.Equal(1, await database.ScalarAsync("SELECT COUNT(*) FROM run_turns WHERE offered = 0"));
        go.Release(3);
        await WaitAsync(async () => await database.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status = 'completed'") == 3);
    }

    private RunsHarness Process(TestDatabase database, ScriptedChatClient? model = null, RunsOptions? options = null, int offered = 32, IEnumerable<Tool>? tools = null) =>
        new(model, tools, options, database: database, ownsData: false, broker: new BrokerOptions { Uri = rabbit.Url, Queue = _queue, OfferedPerUser = offered, ConfirmTimeout = TimeSpan.FromMinutes(1) });

    private static async Task<List<string>> ManyAsync(RunsHarness h, int count, string text, TeamSnapshot? team = null)
    {
        List<string> ids = [];
        for (var i = 0; i < count; i++)
        {
            ids.Add((await h.RunAsync(team ?? Solo, text)).RunId);
        }

        return ids;
    }

    /// <summary>Runs for as long as the broker is to be away; each is done, and the next ones begin.</summary>
    private static async Task<List<string>> WhileAwayAsync(RunsHarness front, TeamSnapshot team)
    {
        var began = Stopwatch.GetTimestamp();
        List<string> all = [];
        do
        {
            var some = await ManyAsync(front, 20, "short", team);
            foreach (var id in some)
            {
                Assert.Equal(RunStatus.Completed, (await front.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
            }

            all.AddRange(some);
        }
        while (Stopwatch.GetElapsedTime(began) < Away);
        return all;
    }

    private Task PublishAsync(params byte[][] messages) => rabbit.PublishAsync(_queue + ".interactive", messages);

    /// <summary>Nothing waits in the queues, and whoever was handed something has answered.</summary>
    private static async Task DrainedAsync(RunsHarness h)
    {
        await WaitAsync(async () => (await h.Queue!.Broker.StatesAsync(default)) is { Count: > 0 } states && states.All(static s => s.Messages == 0));
        await WaitAsync(() => h.Worker.QueueLength == 0);
    }

    private static Task WaitAsync(Func<bool> until) => WaitAsync(() => Task.FromResult(until()));

    private static async Task WaitAsync(Func<Task<bool>> until)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        while (!await until())
        {
            await Task.Delay(10, limit.Token);
        }
    }

    private sealed class AwayOnce(IDatabase inner) : IDatabase
    {
        public DatabaseKind Kind => inner.Kind;

        public bool KeepsOrder => inner.KeepsOrder;

        public int Writes { get; private set; }

        public Task OpenAsync() => inner.OpenAsync();

        public Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) =>
            ++Writes == 1 ? throw new StorageUnavailableException("away") : inner.WriteAsync(work, cancellationToken);

        public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => inner.ReadAsync(work, cancellationToken);
    }
}
