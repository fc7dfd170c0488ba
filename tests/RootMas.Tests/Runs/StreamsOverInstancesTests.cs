using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>Runs of one instance, read at others: with a bus, with one that loses notes or is cut, and with none.</summary>
public sealed class StreamsOverInstancesTests() : OnDatabase(DatabaseKind.Postgres)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    public enum Weather
    {
        Fine,
        LosesNotes,
        CutInTheMiddle,
        NoBus,
    }

    [PostgresTheory]
    [InlineData(1, Weather.Fine)]
    [InlineData(2, Weather.LosesNotes)]
    [InlineData(3, Weather.CutInTheMiddle)]
    [InlineData(4, Weather.NoBus)]
    public async Task A_client_that_is_cut_at_random_and_comes_back_at_another_instance_misses_nothing_and_gets_nothing_twice(int seed, Weather weather)
    {
        var lottery = new Random(seed);
        await using var bus = new MemoryBus(() => weather == Weather.LosesNotes && Draw(lottery, 8));
        await using var database = RunsHarness.NewDatabase();
        var go = new TaskCompletionSource();
        var writer = new Writer(seed, go.Task, messages: 25, AtMessage: m => Weathering(bus, weather, m));
        await using var works = writer.Harness = Instance(database, bus, weather, writer.RunAsync);
        await using var second = Instance(database, bus, weather);
        await using var third = Instance(database, bus, weather);
        await works.StartAsync();
        await Task.WhenAll(second.FollowAsync(), third.FollowAsync());

        var id = (await works.RunAsync(Solo, "x")).RunId;
        var clients = Enumerable.Range(0, 6).Select(i => Task.Run(() => FollowAsync(i == 0 ? [second] : [works, second, third], id, new Random((seed * 1000) + i), cuts: i == 0 ? 0 : 60))).ToList();
        go.SetResult();
        var all = await Task.WhenAll(clients).WaitAsync(TimeSpan.FromSeconds(100));

        var stored = await works.Reader.EventsAsync(id, 0, 10_000, default);
        var messages = stored.Select(static e => RunJson.DeserializeEvent(e.Json.Span)).OfType<ModelCompleted>().ToDictionary(static m => m.MessageId, static m => m.Text);
        foreach (var client in all)
        {
            Assert.Equal(stored.Select(static e => e.Seq), client.Events.Select(static e => e.Seq));
            Assert.All(stored.Zip(client.Events), static pair => Assert.True(pair.First.Json.Span.SequenceEqual(pair.Second.Json)));
            Assert.All(client.Texts, t => Assert.StartsWith(t.Value, messages[t.Key], StringComparison.Ordinal));
        }

        // The one that is never cut reads at an instance that does not have the run.
        Assert.True(weather != Weather.NoBus || all[0].Texts.Count == 0, "pieces without a bus");
    }

    [PostgresFact]
    public async Task Pieces_of_another_instance_come_as_they_are_written_and_a_late_reader_gets_one_snapshot_and_then_the_rest()
    {
        await using var bus = new MemoryBus();
        await using var database = RunsHarness.NewDatabase();
        var pieces = System.Threading.Channels.Channel.CreateUnbounded<string>();
        RunsHarness works = null!;
        works = Instance(database, bus, engine: async (execution, ct) =>
        {
            var run = new TestRun(works, execution.Run.RunId, execution.Attempt) { Seq = execution.Log.Count };
            await run.AppendAsync(RunStatus.Running, new RunStarted(1, "test"), new ModelRequested("m", "cheap", "v", "h", "answer", 1));
            var n = 0;
            await foreach (var text in pieces.Reader.ReadAllAsync(ct))
            {
                works.Hub.Piece(execution, new MessageDelta("m", text) { RunId = run.Id, Seq = run.Seq, N = ++n, Agent = "solo", CreatedAt = default });
            }

            await run.EndAsync();
            return RunExit.Final;
        });
        await using var _ = works;
        await using var other = Instance(database, bus);
        await works.StartAsync();
        await other.FollowAsync();
        var id = (await works.RunAsync(Solo, "x")).RunId;
        await works.WaitForAsync(id, static r => r.LastSeq == 3);

        await using var early = other.Streams.ReadAsync(id, default, tree: false, default).GetAsyncEnumerator();
        Assert.Equal(["1", "2", "3"], await TakeAsync(early, 3));
        await pieces.Writer.WriteAsync("Hel");
        Assert.Equal(["3:1"], await TakeAsync(early, 1));
        await pieces.Writer.WriteAsync("lo");
        Assert.Equal(["3:2"], await TakeAsync(early, 1));

        await using var third = Instance(database, bus);
        await third.FollowAsync();
        await using var late = third.Streams.ReadAsync(id, new StreamPosition(3), tree: false, default).GetAsyncEnumerator();
        Assert.True(await late.MoveNextAsync());
        Assert.Equal(("message.snapshot", "3:2"), (late.Current.Type, late.Current.Id));
        Assert.Equal("Hello", JsonDocument.Parse(late.Current.Json).RootElement.GetProperty("text").GetString());

        // Who knows more than the instance has heard is not told it twice.
        await using var knows = other.Streams.ReadAsync(id, new StreamPosition(3, 2), tree: false, default).GetAsyncEnumerator();
        var next = knows.MoveNextAsync().AsTask();
        await pieces.Writer.WriteAsync("!");
        Assert.Equal(["3:3"], await TakeAsync(early, 1));
        Assert.Equal(["3:3"], await TakeAsync(late, 1));
        Assert.True(await next);
        Assert.True(knows.Current.Id is "3:3" or "3:2", knows.Current.Id); // a whole text instead, if it came before the answer of the worker's instance
        pieces.Writer.Complete();
        Assert.Equal(["4", "5"], await TakeAsync(early, 2));
        Assert.Equal(["4", "5"], await TakeAsync(late, 2));
        Assert.False(await late.MoveNextAsync());
    }

    [PostgresFact]
    public async Task Who_reads_at_another_instance_while_a_model_only_thinks_stands_where_the_pieces_are()
    {
        await using var bus = new MemoryBus();
        await using var database = RunsHarness.NewDatabase();
        var pieces = System.Threading.Channels.Channel.CreateUnbounded<string>();
        var thought = System.Threading.Channels.Channel.CreateUnbounded<int>();
        RunsHarness works = null!;
        works = Instance(database, bus, engine: async (execution, ct) =>
        {
            var run = new TestRun(works, execution.Run.RunId, execution.Attempt) { Seq = execution.Log.Count };
            await run.AppendAsync(RunStatus.Running, new RunStarted(1, "test"), new ModelRequested("m", "cheap", "v", "h", "answer", 1));
            var n = 0;
            await foreach (var text in pieces.Reader.ReadAllAsync(ct))
            {
                works.Hub.Piece(execution, new ReasoningDelta("m", text) { RunId = run.Id, Seq = run.Seq, N = ++n, Agent = "solo", CreatedAt = default });
                await thought.Writer.WriteAsync(n, ct);
            }

            await run.EndAsync();
            return RunExit.Final;
        });
        await using var _ = works;
        await using var other = Instance(database, bus);
        await works.StartAsync();
        await other.FollowAsync();
        var id = (await works.RunAsync(Solo, "x")).RunId;
        await works.WaitForAsync(id, static r => r.LastSeq == 3);
        foreach (var text in (string[])["Hm", ", so"])
        {
            await pieces.Writer.WriteAsync(text);
            await thought.Reader.ReadAsync();
        }

        await using var reader = other.Streams.ReadAsync(id, new StreamPosition(3), tree: false, default).GetAsyncEnumerator();
        Assert.Equal(["3:2"], await TakeAsync(reader, 1));
        Assert.Equal(("message.snapshot", "Hm, so"), (reader.Current.Type, JsonDocument.Parse(reader.Current.Json).RootElement.GetProperty("reasoning").GetString()));
        await pieces.Writer.WriteAsync("!");
        Assert.Equal(["3:3"], await TakeAsync(reader, 1));
        Assert.Equal("reasoning.delta", reader.Current.Type);
        pieces.Writer.Complete();
        Assert.Equal(["4", "5"], await TakeAsync(reader, 2));
    }

    [PostgresFact]
    public async Task Nothing_is_told_of_runs_that_nobody_elsewhere_follows()
    {
        await using var bus = new MemoryBus();
        await using var database = RunsHarness.NewDatabase();
        var writer = new Writer(9, Task.CompletedTask, messages: 3);
        await using var works = writer.Harness = Instance(database, bus, engine: writer.RunAsync);
        await using var other = Instance(database, bus);
        await works.StartAsync();
        await other.FollowAsync();
        var id = (await works.RunAsync(Solo, "x")).RunId;
        var client = new StreamClient();
        await foreach (var item in works.Streams.ReadAsync(id, default, tree: false, default))
        {
            client.Take(item);
        }

        Assert.DoesNotContain("runs.pieces", bus.Delivered.Keys);
    }

    [PostgresTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_waits_at_another_instance_hears_of_the_end_and_of_a_question_of_a_part(bool withBus)
    {
        await using var bus = new MemoryBus();
        var weather = withBus ? Weather.Fine : Weather.NoBus;
        await using var database = RunsHarness.NewDatabase();
        await using var works = Instance(database, bus, weather);
        await using var other = Instance(database, bus, weather);
        await Task.WhenAll(works.FollowAsync(), other.FollowAsync());

        var run = await works.OwnedAsync();
        var end = other.Waiters.WaitAsync(run.Id, TimeSpan.FromMinutes(2), default);
        await run.EndAsync("here it is");
        Assert.Equal("here it is", (await end.WaitAsync(TimeSpan.FromSeconds(60)))!.Answer!.Text);

        var parent = await works.OwnedAsync();
        var child = await works.OwnedAsync(new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = parent.Id, ParentRunId = parent.Id, ParentKey = "child:1", Depth = 1,
            Team = "test", EntryAgent = "solo", SnapshotHash = StoredSnapshotOf(Solo), Input = "part", CreatedAt = works.Clock.GetUtcNow(),
        });
        await parent.AppendAsync(RunStatus.WaitingChildren, new GuardHinted("x", "y"));
        var asked = other.Waiters.WaitAsync(parent.Id, TimeSpan.FromMinutes(2), default);
        await child.AppendAsync(RunStatus.WaitingInput, new InputRequested(1, "Which?", null, works.Clock.GetUtcNow().AddHours(1)));
        Assert.Contains(child.Id, (await asked.WaitAsync(TimeSpan.FromSeconds(60)))!.Reason, StringComparison.Ordinal);
    }

    [PostgresTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_cancel_at_another_instance_reaches_the_worker_that_has_the_run(bool withBus)
    {
        await using var bus = new MemoryBus();
        var weather = withBus ? Weather.Fine : Weather.NoBus;
        await using var database = RunsHarness.NewDatabase();
        var asked = new TaskCompletionSource();
        var gone = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [ScriptedChatClient.Say("never said")])
        {
            Before = async (_, cancelled) =>
            {
                asked.SetResult();
                await Task.Delay(Timeout.Infinite, cancelled).ContinueWith(_ => gone.SetResult(), TaskScheduler.Default);
                cancelled.ThrowIfCancellationRequested();
            },
        };
        await using var works = new RunsHarness(model, database: database, ownsData: false, bus: weather == Weather.NoBus ? null : bus.Join());
        await using var other = Instance(database, bus, weather);
        await works.StartAsync();
        await other.FollowAsync();
        var id = (await works.RunAsync(Solo, "x")).RunId;
        await asked.Task.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.True(await other.Verbs.CancelAsync(id, "alice", "enough", keepText: false, default));
        await gone.Task.WaitAsync(TimeSpan.FromSeconds(5)); // five times the promise
        Assert.Equal(RunStatus.Cancelled, (await other.Waiters.WaitAsync(id, TimeSpan.FromMinutes(1), default))!.Status);
    }

    [PostgresTheory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_tree_is_shown_with_what_its_descendants_do_in_other_instances(bool withBus)
    {
        await using var bus = new MemoryBus();
        var weather = withBus ? Weather.Fine : Weather.NoBus;
        await using var database = RunsHarness.NewDatabase();
        var shownStart = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var model = new ScriptedChatClient(static a => [ScriptedChatClient.Say($"{a.Agent} here")]) { Before = (_, cancelled) => shownStart.Task.WaitAsync(cancelled) };
        await using var works = new RunsHarness(model, database: database, ownsData: false, bus: withBus ? bus.Join() : null);
        await using var other = Instance(database, bus, weather);
        await other.FollowAsync();
        var team = TestTeams.Of(PatternKind.Concurrent, ["one", "two", "three"], change: static t => t with { Writer = "one" });
        var id = (await works.RunAsync(team, "go")).RunId;
        var items = new List<StreamItem>();
        using var tree = other.Hub.PinTree(id);
        var starting = StartWhenReadAsync(); // what descendants did before is not shown
        await foreach (var item in other.Streams.ReadAsync(id, default, tree: true, new CancellationTokenSource(TimeSpan.FromSeconds(60)).Token))
        {
            items.Add(item);

            if (item is { Id: null, Type: "run.started" })
            {
                shownStart.TrySetResult(); // no agent says anything before the tree shows that one of them has begun
            }
        }

        await starting;
        Assert.All(items.Where(static i => i.Id is null), i => Assert.NotEqual(id, JsonDocument.Parse(i.Json).RootElement.GetProperty("run_id").GetString()));
        var shown = items.Where(static i => i.Id is null && !i.Type.EndsWith(".delta", StringComparison.Ordinal))
            .Select(static i => JsonDocument.Parse(i.Json).RootElement).Select(static e => (e.GetProperty("run_id").GetString(), e.GetProperty("seq").GetInt64())).ToList();
        Assert.Equal(shown.Distinct(), shown); // nothing twice

        async Task StartWhenReadAsync()
        {
            await Support.Wait.UntilAsync(() => tree.Tree.HasReaders);
            await works.StartAsync();
        }
    }

    private static bool Draw(Random random, int oneIn)
    {
        lock (random)
        {
            return random.Next(oneIn) == 0;
        }
    }

    private static void Weathering(MemoryBus bus, Weather weather, int message)
    {
        if (weather == Weather.CutInTheMiddle && message % 8 == 3)
        {
            bus.Cut();
        }
        else if (weather == Weather.CutInTheMiddle && message % 8 == 6)
        {
            bus.Mend();
        }
    }

    private static string StoredSnapshotOf(TeamSnapshot team) => RootMas.Server.Agents.StoredSnapshot.Of(team).Hash;

    private static RunsHarness Instance(TestDatabase database, MemoryBus bus, Weather weather = Weather.Fine, AdvanceRun? engine = null) =>
        new(engine: engine ?? (static (_, _) => Task.FromResult(RunExit.Stopped)), database: database, ownsData: false, bus: weather == Weather.NoBus ? null : bus.Join());

    private static async Task<List<string?>> TakeAsync(IAsyncEnumerator<StreamItem> stream, int count)
    {
        List<string?> ids = [];
        while (ids.Count < count && await stream.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60)))
        {
            ids.Add(stream.Current.Id);
        }

        return ids;
    }

    private static async Task<StreamClient> FollowAsync(RunsHarness[] instances, string id, Random random, int cuts)
    {
        var client = new StreamClient();
        while (!client.Ended)
        {
            var left = cuts-- > 0 ? random.Next(1, 40) : int.MaxValue;
            await foreach (var item in instances[random.Next(instances.Length)].Streams.ReadAsync(id, client.Position, tree: false, default))
            {
                client.Take(item);
                if (--left == 0)
                {
                    break;
                }
            }
        }

        return client;
    }

    /// <summary>An engine that writes messages in pieces with events in between, at random.</summary>
    private sealed class Writer(int seed, Task go, int messages, Action<int>? AtMessage = null)
    {
        public RunsHarness Harness { get; set; } = null!;

        public async Task<RunExit> RunAsync(RunExecution execution, CancellationToken ct)
        {
            await go.WaitAsync(ct);
            var random = new Random(seed);
            var run = new TestRun(Harness, execution.Run.RunId, execution.Attempt) { Seq = execution.Log.Count };
            await run.AppendAsync(RunStatus.Running, new RunStarted(execution.Attempt, "test"));
            for (var m = 0; m < messages; m++)
            {
                AtMessage?.Invoke(m);
                await WriteAsync(execution, run, random, $"m{m}");
            }

            await run.EndAsync("all done");
            return RunExit.Final;
        }

        private async Task WriteAsync(RunExecution execution, TestRun run, Random random, string id)
        {
            var (text, n) = (new StringBuilder(), 0);
            await run.AppendAsync(RunStatus.Running, new ModelRequested(id, "cheap", "v", "h", "answer", 1));
            for (var pieces = random.Next(40); pieces > 0; pieces--)
            {
                var piece = $"{id}.{pieces} я\n";
                text.Append(piece);
                Harness.Hub.Piece(execution, new MessageDelta(id, piece) { RunId = run.Id, Seq = run.Seq, N = ++n, Agent = "solo", CreatedAt = Harness.Clock.GetUtcNow() });
                if (random.Next(15) == 0)
                {
                    await run.AppendAsync(RunStatus.Running, new GuardHinted("loop", "hint"));
                    n = 0;
                }

                if (random.Next(3) == 0)
                {
                    await Task.Yield();
                }
            }

            await run.AppendAsync(RunStatus.Running, new ModelCompleted(id, text.ToString(), [], "m", "cheap", TokenUsage.None, Money.Zero, 1, 1, "stop"));
        }
    }
}
