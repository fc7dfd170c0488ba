using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs.Queue;

/// <summary>What holds however runs reach a worker: in process, by the database, by RabbitMQ.</summary>
public abstract class RunDispatchTests(DatabaseKind kind) : OnDatabase(kind)
{
    private protected static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);
    private readonly string _queue = RabbitServer.NewQueue();

    /// <summary>Null: no broker.</summary>
    protected virtual string? RabbitUrl => null;

    /// <summary>Several processes share the database.</summary>
    protected virtual bool IsShared => true;

    [DatabaseFact]
    public async Task A_run_that_is_committed_finds_a_worker_and_one_that_is_rolled_back_does_not()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var h = Process(database);
        await h.StartAsync();
        var id = Guid.CreateVersion7().ToString();
        await Assert.ThrowsAsync<InvalidOperationException>(() => h.Database.WriteAsync(
            async session =>
            {
                await h.Signals.Dispatch.AnnounceAsync(session, new ReadyRun(id, "alice", IsRoot: true, IsFresh: true));
                throw new InvalidOperationException("rolled back");
            },
            default));
        Assert.Equal(RunStatus.Completed, (await h.WaitForAsync((await h.RunAsync(Solo, "hi")).RunId, static r => r.Status.IsFinal())).Status);
        Assert.Equal(0, await database.ScalarAsync("SELECT COUNT(*) FROM run_wakeups WHERE run_id = '" + id + "'"));
    }

    [DatabaseFact]
    public async Task A_run_that_is_announced_again_and_again_is_worked_on_once()
    {
        var model = new ScriptedChatClient(static _ => [Say("ok")]);
        await using var database = RunsHarness.NewDatabase();
        await using var h = Process(database, model);
        await h.StartAsync();
        var ids = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            ids.Add((await h.RunAsync(Solo, $"{i}")).RunId);
            for (var again = 0; again < 3; again++)
            {
                await h.Database.WriteAsync(session => h.Signals.Dispatch.AnnounceAsync(session, new ReadyRun(ids[^1], "alice", IsRoot: true, IsFresh: false)), default);
            }
        }

        foreach (var id in ids)
        {
            var run = await h.WaitForAsync(id, static r => r.Status.IsFinal());
            Assert.Equal((RunStatus.Completed, 1), (run.Status, run.Attempt));
        }

        Assert.Equal(20, model.Calls);
    }

    [DatabaseFact]
    public async Task What_goes_on_comes_before_what_is_new_and_what_somebody_waits_for_before_the_rest()
    {
        var order = new List<string>();
        var first = new TaskCompletionSource();
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static a => a.LastText == "ask" && a.ToolResult is null ? [Call("ask_user", new { question = "?" })] : [Say("ok")])
        {
            Before = async (a, ct) =>
            {
                lock (order)
                {
                    order.Add(a.LastText ?? "");
                }

                if (a.LastText == "plug")
                {
                    first.TrySetResult();
                    await go.Task.WaitAsync(ct);
                }
            },
        };
        await using var database = RunsHarness.NewDatabase();
        await using var h = Process(database, model, new RunsOptions { Parallelism = 1, RootRunsPerUser = 100 });
        await h.StartAsync();
        var asking = (await h.RunAsync(Solo, "ask")).RunId;
        await h.WaitForAsync(asking, static r => r.Status == RunStatus.WaitingInput);
        var plug = (await h.RunAsync(Solo, "plug")).RunId;
        await first.Task.WaitAsync(TimeSpan.FromMinutes(2));
        List<string> ids = [plug];
        if (RabbitUrl is not null)
        {
            // What is published is not delivered yet; what is delivered is in the worker's own queue, and the only one there.
            Assert.True((await h.Verbs.AnswerAsync(asking, "alice", null, "answer", null, default)).Ok);
            await Support.Wait.UntilAsync(() => h.Worker.QueueLength == 1);
        }

        for (var i = 0; i < 3; i++)
        {
            ids.Add((await h.RunAsync(Solo, "later", background: true)).RunId);
        }

        for (var i = 0; i < 3; i++)
        {
            ids.Add((await h.RunAsync(Solo, "now", owner: "bob")).RunId);
        }

        if (RabbitUrl is null)
        {
            Assert.True((await h.Verbs.AnswerAsync(asking, "alice", null, "answer", null, default)).Ok);
        }

        await SettledAsync(h, 7);
        go.SetResult();
        foreach (var id in ids)
        {
            Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
        }

        await h.WaitForAsync(asking, static r => r.Status.IsFinal());
        var begun = order.SkipWhile(static t => t != "plug").Skip(1).ToList();
        Assert.DoesNotContain(begun.Take(1), static t => t is "now" or "later"); // the answered one
        var fresh = begun.Where(static t => t is "now" or "later").ToList();
        if (RabbitUrl is null)
        {
            Assert.Equal(["now", "now", "now", "later", "later", "later"], fresh);
        }
        else
        {
            Assert.Equal(6, fresh.Count);
            Assert.Equal("now", fresh[0]); // each queue hands over a few at a time: in the long run, not one by one
        }
    }

    [DatabaseFact]
    public async Task Somebody_with_a_thousand_runs_does_not_keep_another_waiting()
    {
        var (begun, before) = (0, 0);
        var model = new ScriptedChatClient(static _ => [Say("ok")])
        {
            Before = (a, _) =>
            {
                var number = Interlocked.Increment(ref begun);
                if (a.LastText == "mine")
                {
                    before = number;
                }

                return Task.CompletedTask;
            },
        };
        await using var database = RunsHarness.NewDatabase();
        await using var writer = Process(database, model, new RunsOptions { Parallelism = IsShared ? 0 : 4 });
        await using var h = IsShared ? Process(database, model, new RunsOptions { Parallelism = 4 }) : null;
        if (IsShared)
        {
            await writer.StartAsync();
        }

        const int many = 1_000;
        foreach (var part in Enumerable.Range(0, many).Chunk(100))
        {
            await Task.WhenAll(part.Select(i => writer.RunAsync(Solo, $"{i}", owner: "alice")));
        }

        var quiet = (await writer.RunAsync(Solo, "mine", owner: "bob")).RunId;
        await (h ?? writer).StartAsync();
        Assert.Equal(RunStatus.Completed, (await writer.WaitForAsync(quiet, static r => r.Status.IsFinal())).Status);
        Assert.InRange(before, 1, many / 2); // first in, first out would have begun all of them before it
    }

    [DatabaseFact]
    public async Task Runs_that_wait_for_others_of_their_user_do_not_hide_what_somebody_else_waits_for()
    {
        var (model, first, go) = Plugged();
        await using var database = RunsHarness.NewDatabase();
        await using var h = Process(database, model, new RunsOptions { Parallelism = 3, RootRunsPerUser = 1 });
        await using var front = IsShared ? Process(database, model, new RunsOptions { Parallelism = 0 }) : null;
        await h.StartAsync();
        await (front?.StartAsync() ?? Task.CompletedTask);
        List<string> ids = [(await h.RunAsync(Solo, "plug")).RunId];
        await first.WaitAsync(TimeSpan.FromMinutes(2));
        for (var i = 0; i < 10; i++)
        {
            ids.Add((await h.RunAsync(Solo, "later")).RunId);
        }

        var quiet = (await (front ?? h).RunAsync(Solo, "mine", owner: "bob")).RunId;
        Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(quiet, static r => r.Status.IsFinal())).Status);
        Assert.Equal(2, model.Calls);
        go.SetResult();
        foreach (var id in ids)
        {
            Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
        }
    }

    [DatabaseFact]
    public async Task A_run_that_is_cancelled_before_its_turn_ends_although_its_user_may_start_no_other_one()
    {
        var (model, first, go) = Plugged();
        await using var database = RunsHarness.NewDatabase();
        await using var h = Process(database, model, new RunsOptions { Parallelism = 3, RootRunsPerUser = 1 });
        await using var front = IsShared ? Process(database, model, new RunsOptions { Parallelism = 0 }) : null;
        await h.StartAsync();
        await (front?.StartAsync() ?? Task.CompletedTask);
        var plug = (await h.RunAsync(Solo, "plug")).RunId;
        await first.WaitAsync(TimeSpan.FromMinutes(2));
        List<string> waiting = [];
        for (var i = 0; i < 5; i++)
        {
            waiting.Add((await (front ?? h).RunAsync(Solo, "later")).RunId);
        }

        Assert.True(await (front ?? h).Verbs.CancelAsync(waiting[^1], "alice", "stop", true, default));
        Assert.Equal(RunStatus.Cancelled, (await h.WaitForAsync(waiting[^1], static r => r.Status.IsFinal())).Status);
        Assert.Equal(1, model.Calls);
        go.SetResult();
        foreach (var id in waiting[..^1].Prepend(plug))
        {
            Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
        }
    }

    [DatabaseFact]
    public async Task A_run_said_to_nobody_is_found_by_the_sweep()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var h = Process(database, options: new RunsOptions { Renewal = TimeSpan.FromSeconds(0.5) });
        await h.StartAsync();
        var dispatch = h.Signals.Dispatch;
        h.Signals.Dispatch = new Mute();
        var id = (await h.RunAsync(Solo, "hi", branch: "b")).RunId;
        h.Signals.Dispatch = dispatch;
        Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
    }

    private protected RunsHarness Process(TestDatabase database, ScriptedChatClient? model = null, RunsOptions? options = null) => new(
        model, options: options, database: database, ownsData: !IsShared, broker: RabbitUrl is { } url ? new BrokerOptions { Uri = url, Queue = _queue } : null);

    /// <summary>Everything that was announced is where the worker takes it from. Of a broker's queues it holds what goes on and the first of each, of those in the background no more than that.</summary>
    private async Task SettledAsync(RunsHarness h, int waiting)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (RabbitUrl is null ? !IsShared && h.Worker.QueueLength < waiting : h.Worker.QueueLength < 3 || await h.Test.ScalarAsync("SELECT COUNT(*) FROM run_wakeups") > 0)
        {
            await Task.Delay(10, limit.Token);
        }
    }

    /// <summary>A model that keeps whoever says "plug" waiting.</summary>
    private static (ScriptedChatClient Model, Task Reached, TaskCompletionSource Go) Plugged()
    {
        var (reached, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        return (
            new ScriptedChatClient(static _ => [Say("ok")])
            {
                Before = (a, ct) =>
                {
                    if (a.LastText != "plug")
                    {
                        return Task.CompletedTask;
                    }

                    reached.TrySetResult();
                    return go.Task.WaitAsync(ct);
                },
            },
            reached.Task,
            go);
    }

    private protected sealed class Mute : IRunDispatch
    {
        public bool WorkersLook => false;

        public bool HasTurns => false;

        public ValueTask AnnounceAsync(DbSession session, ReadyRun run) => ValueTask.CompletedTask;

        public ValueTask ClaimedAsync(DbSession session, RunRow run, BegunTurn? known) => ValueTask.CompletedTask;

        public RowRead? ReadBegun(string runId, string ownerId, Action<BegunTurn> found) => null;

        public ValueTask MakeRoomAsync(DbSession session, string ownerId, TurnRoom? known = null) => ValueTask.CompletedTask;

        public RowRead? ReadRoom(string ownerId, Action<TurnRoom> found) => null;
    }
}

public sealed class InProcessDispatchTests() : RunDispatchTests(DatabaseKind.Sqlite)
{
    protected override bool IsShared => false;
}

public sealed class DatabaseDispatchTests() : RunDispatchTests(DatabaseKind.Postgres), IOnPostgres
{
    /// <summary>The broker was given up, or a backup was restored where there is none.</summary>
    [PostgresFact]
    public async Task A_run_that_waited_for_its_turn_at_a_broker_is_begun_where_there_is_none()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var h = Process(database, options: new RunsOptions { Renewal = TimeSpan.FromSeconds(0.5) });
        var dispatch = h.Signals.Dispatch;
        h.Signals.Dispatch = new Mute();
        var id = (await h.RunAsync(Solo, "hi")).RunId;
        await h.Database.WriteAsync(session => session.Prepared("INSERT INTO run_turns (run_id, owner_id, background, offered) VALUES (@id, 'alice', 0, 0)").Set("id", id).RunAsync(), default);
        h.Signals.Dispatch = dispatch;
        await h.StartAsync();
        Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(id, static r => r.Status.IsFinal())).Status);
    }
}

[Collection(RabbitCollection.Name)]
public sealed class BrokerDispatchTests(RabbitServer rabbit) : RunDispatchTests(DatabaseKind.Postgres), IOnRabbit
{
    protected override string? RabbitUrl => rabbit.Url;
}
