using System.Collections.Concurrent;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Faults;

/// <summary>
/// F6 of CHECKS.md with whole workers on the real store: two workers told of each run at once; children that end while their parent parks; approval, cancel and answer together.
/// The races of single appends and claims are in <c>RunStoreTests</c>.
/// </summary>
public abstract class RaceTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const int AtOnce = 50;

    private readonly string _queue = RabbitServer.NewQueue();

    /// <summary>Null: the workers hear of each other in memory.</summary>
    protected virtual BrokerOptions? Broker => null;

    protected string Queue => _queue;

    private static int Races(int usually) => TestLength.IsLong ? 10_000 : TestDatabase.Kind == DatabaseKind.Sqlite ? usually : usually / 2;

    [DatabaseFact]
    public async Task Of_two_workers_that_are_told_of_a_run_one_works_on_it_and_each_step_is_done_once()
    {
        await using var world = new TwoWorkers(Broker, "alice", static a => a.ToolResult is null ? [Call("note", new { text = a.LastText })] : [Say("done")]);
        await world.StartAsync();
        foreach (var races in Enumerable.Range(0, Races(300)).Chunk(AtOnce))
        {
            var runs = await Task.WhenAll(races.Select(async race =>
            {
                var id = Guid.CreateVersion7().ToString();
                var end = world.EndOf(id);
                await (race % 2 == 0 ? world.First : world.Second).RunAsync(world.Team, $"race {race}", id: id);
                return await end;
            }));
            foreach (var run in runs)
            {
                Assert.Equal((RunStatus.Completed, 1), (run.Status, run.Attempt));
                await world.CheckAsync(run.Id, modelCalls: 2, toolCalls: 1);
            }
        }

        Assert.True(world.Owners.Count == 2, "only one of the workers ever won");
    }

    [DatabaseFact]
    public async Task Children_that_end_while_their_parent_parks_wake_it_and_each_is_taken_once()
    {
        const int children = 32;
        await using var world = new TwoWorkers(Broker, "alice", static a =>
            a.Agent == "child" ? [Say("part")] : a.ToolResult is null ? [.. Enumerable.Range(0, children).Select(static i => Call("delegate", new { agent = "child", task = $"part {i}" }))] : [Say("whole")]);
        await world.StartAsync();
        for (var race = 0; race < Races(96) / children; race++)
        {
            var id = Guid.CreateVersion7().ToString();
            var end = world.EndOf(id);
            await world.First.RunAsync(world.Team, "go", id: id);
            Assert.Equal(RunStatus.Completed, (await end).Status);
            var log = await world.First.LogAsync(id);
            Assert.Equal(children, log.OfType<ChildCompleted>().Select(static c => c.ChildRunId).Distinct(StringComparer.Ordinal).Count());
            Assert.Equal(children, log.OfType<ToolCompleted>().Count());
            Assert.Equal(Enumerable.Range(1, log.Count).Select(static i => (long)i), log.Select(static e => e.Seq));
            Assert.Equal(2, world.ModelCalls(id));
        }
    }

    [DatabaseTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Approval_answer_and_cancel_that_arrive_together_are_each_taken_once_and_the_run_ends(bool cancel)
    {
        await using var world = new TwoWorkers(Broker, "alice", static a => a.ToolResult is null ? [Call("send", new { text = a.LastText }), Call("ask_user", new { question = "Which?" })] : [Say("done")]);
        await world.StartAsync();
        var random = new Random(7);
        foreach (var races in Enumerable.Range(0, Races(100)).Chunk(AtOnce))
        {
            await Task.WhenAll(races.Select(_ => world.AskedAsync(random.Next(6), cancel)));
        }
    }

    /// <summary>Two workers of one database, as two processes would be, and what was done by anybody.</summary>
    private sealed class TwoWorkers : IAsyncDisposable
    {
        private readonly TestDatabase _database = RunsHarness.NewDatabase();
        private readonly ConcurrentDictionary<string, TaskCompletionSource<RunSummary>> _ends = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<string, TaskCompletionSource> _parked = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<string, int> _modelCalls = new(StringComparer.Ordinal);
        private readonly ConcurrentDictionary<string, int> _effects = new(StringComparer.Ordinal);
        private readonly string _owner;

        public TwoWorkers(BrokerOptions? broker, string owner, Func<Asked, IEnumerable<Microsoft.Extensions.AI.AIContent>> script)
        {
            _owner = owner;
            Tool[] tools = [Counting("note").With(ToolEffect.Idempotent), Counting("send").With(ToolEffect.Unsafe, ApprovalRule.Always, TimeSpan.FromMinutes(2))];
            Team = TestTeams.Of(PatternKind.Direct, ["parent", "child"], tools, static t => t with { Edges = [new("parent", "child")] });
            (First, Second) = (Worker(broker, script, tools), Worker(broker, script, tools));
            if (broker is not null)
            {
                return;
            }

            // Between processes a broker carries these words.
            var (first, second) = ((First.Signals.Ready, First.Signals.InboxChanged), (Second.Signals.Ready, Second.Signals.InboxChanged));
            First.Signals.Ready += second.Ready;
            First.Signals.InboxChanged += second.InboxChanged;
            Second.Signals.Ready += first.Ready;
            Second.Signals.InboxChanged += first.InboxChanged;
        }

        public TeamSnapshot Team { get; }

        public RunsHarness First { get; }

        public RunsHarness Second { get; }

        /// <summary>Workers that finished runs.</summary>
        public ConcurrentDictionary<RunsHarness, int> Owners { get; } = new();

        public async Task StartAsync()
        {
            await First.StartAsync();
            await Second.StartAsync();
        }

        /// <summary>Ask before the run begins: the end is heard, not looked for. A run that does not come to it tells what it did.</summary>
        public async Task<RunSummary> EndOf(string id)
        {
            try
            {
                return await _ends.GetOrAdd(id, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task.WaitAsync(TimeSpan.FromMinutes(3));
            }
            catch (TimeoutException e)
            {
                throw new InvalidOperationException($"run {id} does not end: {await First.Ownership.RowAsync(id, default)}\n{string.Join('\n', await First.LogAsync(id))}", e);
            }
        }

        public int ModelCalls(string id) => _modelCalls.GetValueOrDefault(id);

        /// <summary>The log is 1..n, begins and ends once, and everything happened as often as it should.</summary>
        public async Task CheckAsync(string id, int modelCalls, int toolCalls)
        {
            var log = await First.LogAsync(id);
            Assert.Equal(Enumerable.Range(1, log.Count).Select(static i => (long)i), log.Select(static e => e.Seq));
            Assert.Single(log, static e => e is RunStarted);
            Assert.Single(log, static e => e is RunCompleted or RunFailed or RunCancelled);
            Assert.Equal((modelCalls, toolCalls), (ModelCalls(id), _effects.GetValueOrDefault(id)));
        }

        /// <summary>One run that waits for an approval and for an answer, which then get both at once, in an order that <paramref name="dice"/> decides.</summary>
        public async Task AskedAsync(int dice, bool cancel)
        {
            var id = Guid.CreateVersion7().ToString();
            var end = EndOf(id);
            var parked = _parked.GetOrAdd(id, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            await (dice % 2 == 0 ? First : Second).RunAsync(Team, "go", id: id);
            await parked.WaitAsync(TimeSpan.FromMinutes(3));
            var approval = Assert.Single(await First.Approvals.ListAsync(_owner, "pending", id, null, 10, CancellationToken.None));
            Func<Task>[] words =
            [
                () => First.Approvals.DecideAsync(approval.Id, new ApprovalDecider(_owner, IsAdmin: false), approve: true, approval.ArgumentsHash, null, CancellationToken.None),
                () => Second.Verbs.AnswerAsync(id, _owner, null, "this", null, CancellationToken.None),
                () => cancel ? First.Verbs.CancelAsync(id, _owner, "enough", keepText: true, CancellationToken.None) : Task.CompletedTask,
            ];
            await Task.WhenAll(Enumerable.Range(0, words.Length).Select(i => Task.Run(words[(i + dice) % words.Length])));
            var run = await end;
            var log = await First.LogAsync(id);
            Assert.Equal(Enumerable.Range(1, log.Count).Select(static i => (long)i), log.Select(static e => e.Seq));
            Assert.Single(log, static e => e is RunCompleted or RunCancelled);
            Assert.Equal([1, 2], log.Where(static e => e is ToolCompleted or ToolFailed).Select(static e => e is ToolCompleted c ? c.Call : ((ToolFailed)e).Call).Order());
            Assert.True(log.OfType<ApprovalGranted>().Count() <= 1 && log.OfType<InputReceived>().Count() <= 1);

            // A cancellation that was said before the call left keeps it back, also when its beginning is on disk already.
            var kept = log.OfType<ToolFailed>().Where(static f => f.Kind == "cancelled").Select(static f => f.Call).ToHashSet();
            Assert.Equal(_effects.GetValueOrDefault(id), log.OfType<ToolStarted>().Count(t => t.Tool == "send" && !kept.Contains(t.Call)));
            if (!cancel)
            {
                Assert.Equal((RunStatus.Completed, 1, 2), (run.Status, _effects.GetValueOrDefault(id), ModelCalls(id)));
            }
        }

        public async ValueTask DisposeAsync()
        {
            await First.DisposeAsync();
            await Second.DisposeAsync();
            await _database.DisposeAsync();
        }

        private RunsHarness Worker(BrokerOptions? broker, Func<Asked, IEnumerable<Microsoft.Extensions.AI.AIContent>> script, Tool[] tools)
        {
            var model = new ScriptedChatClient(asked =>
            {
                _modelCalls.AddOrUpdate(asked.Call.RunId!, 1, static (_, n) => n + 1);
                return script(asked);
            });
            var worker = new RunsHarness(model, tools, database: _database, ownsData: false, broker: broker);
            worker.Signals.Ended += run =>
            {
                Owners.AddOrUpdate(worker, 1, static (_, n) => n + 1);
                _ends.GetOrAdd(run.Id, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult(run);
            };
            worker.Signals.Parked += (id, _, status) =>
            {
                if (status.IsWaitingForHuman())
                {
                    _parked.GetOrAdd(id, static _ => new(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
                }
            };
            return worker;
        }

        private TestTool Counting(string name) => new(name, (context, _, _) =>
        {
            _effects.AddOrUpdate(context.RunId, 1, static (_, n) => n + 1);
            return Task.FromResult(new ToolResult("noted"));
        });
    }
}

public sealed class RaceOnSqliteTests() : RaceTests(DatabaseKind.Sqlite);

public sealed class RaceOnPostgresTests() : RaceTests(DatabaseKind.Postgres), IOnPostgres;

[Collection(RabbitCollection.Name)]
public sealed class RaceOnRabbitTests(RabbitServer rabbit) : RaceTests(DatabaseKind.Postgres), IOnRabbit
{
    protected override BrokerOptions Broker => new() { Uri = rabbit.Url, Queue = Queue, ConfirmTimeout = TimeSpan.FromMinutes(1) };
}
