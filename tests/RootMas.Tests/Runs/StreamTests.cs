using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

public sealed class StreamTests
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    /// <summary>A run whose engine writes messages in pieces with events in between, at random.</summary>
    private static AdvanceRun Writer(int seed, RunsHarnessBox box, TaskCompletionSource? go = null, int messages = 12) => async (execution, ct) =>
    {
        if (go is not null)
        {
            await go.Task.WaitAsync(ct);
        }

        var random = new Random(seed);
        var h = box.Harness;
        var run = new TestRun(h, execution.Run.RunId, execution.Attempt) { Seq = execution.Log.Count };
        await run.AppendAsync(RunStatus.Running, new RunStarted(execution.Attempt, "test"));
        var n = 0;
        for (var m = 0; m < messages; m++)
        {
            var (id, text) = ($"m{m}", new StringBuilder());
            await run.AppendAsync(RunStatus.Running, new ModelRequested(id, "cheap", "v", "h", "answer", m));
            n = 0;
            for (var pieces = random.Next(40); pieces > 0; pieces--)
            {
                var piece = $"{m}.{pieces} я\n";
                text.Append(piece);
                h.Hub.Piece(execution, new MessageDelta(id, piece) { RunId = run.Id, Seq = run.Seq, N = ++n, Agent = "solo", CreatedAt = h.Clock.GetUtcNow() });
                if (random.Next(15) == 0)
                {
                    // An event in the middle of a message: somebody edited a task.
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

        await run.EndAsync("all done");
        return RunExit.Final;
    };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_client_that_is_cut_at_random_misses_nothing_and_gets_nothing_twice(int seed)
    {
        var box = new RunsHarnessBox();
        var go = new TaskCompletionSource();
        await using var h = box.Harness = new RunsHarness(engine: Writer(seed, box, go, messages: 40));
        await h.StartAsync();
        var id = (await h.RunAsync(Solo, "x")).RunId;
        var clients = Enumerable.Range(0, 8).Select(i => Task.Run(() => FollowAsync(h, id, new Random((seed * 1000) + i), cuts: i == 0 ? 0 : 100))).ToList();
        go.SetResult();
        var all = await Task.WhenAll(clients).WaitAsync(TimeSpan.FromMinutes(3));

        var stored = await h.Reader.EventsAsync(id, 0, 10_000, default);
        var messages = stored.Select(static e => RunJson.DeserializeEvent(e.Json.Span)).OfType<ModelCompleted>().ToDictionary(static m => m.MessageId, static m => m.Text);
        foreach (var client in all)
        {
            Assert.Equal(stored.Select(static e => e.Seq), client.Events.Select(static e => e.Seq));
            Assert.All(stored.Zip(client.Events), static pair => Assert.True(pair.First.Json.Span.SequenceEqual(pair.Second.Json)));
        }

        // The one that was never cut has followed live: its pieces and snapshots are the texts.
        foreach (var (message, text) in all[0].Texts)
        {
            Assert.StartsWith(text, messages[message], StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Who_follows_live_from_the_start_gets_every_piece_of_every_message()
    {
        var box = new RunsHarnessBox();
        await using var h = box.Harness = new RunsHarness(engine: Writer(7, box, messages: 5));
        await h.StartAsync();
        var id = Guid.CreateVersion7().ToString();
        using var watch = h.Streams.Watch(id);
        await h.RunAsync(Solo, "x", id: id);
        var client = new StreamClient();
        await foreach (var item in watch.ReadAsync(default))
        {
            client.Take(item);
        }

        foreach (var message in (await h.LogAsync(id)).OfType<ModelCompleted>().Where(static m => m.Text.Length > 0))
        {
            Assert.Equal(message.Text, client.Texts[message.MessageId]);
        }
    }

    [Fact]
    public async Task A_late_reader_gets_one_snapshot_and_then_the_rest()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.Running, new ModelRequested("m", "cheap", "v", "h", "answer", 1));
        var execution = Execution(run);
        Piece(h, execution, run.Seq, 1, "Hel");
        Piece(h, execution, run.Seq, 2, "lo");
        await using var stream = h.Streams.ReadAsync(run.Id, new StreamPosition(run.Seq), tree: false, default).GetAsyncEnumerator();
        Assert.True(await stream.MoveNextAsync());
        Assert.Equal(("message.snapshot", $"{run.Seq}:2"), (stream.Current.Type, stream.Current.Id));
        Assert.Equal("Hello", JsonDocument.Parse(stream.Current.Json).RootElement.GetProperty("text").GetString());
        Piece(h, execution, run.Seq, 3, "!");
        Assert.True(await stream.MoveNextAsync());
        Assert.Equal(("message.delta", $"{run.Seq}:3"), (stream.Current.Type, stream.Current.Id));
    }

    [Fact]
    public async Task A_reader_that_joins_while_a_model_only_thinks_stands_where_the_pieces_are()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.Running, new ModelRequested("m", "cheap", "v", "h", "answer", 1));
        var execution = Execution(run);
        Thought(1, "Hm");
        Thought(2, ", so");
        await using var stream = h.Streams.ReadAsync(run.Id, new StreamPosition(run.Seq), tree: false, default).GetAsyncEnumerator();
        Assert.Equal(("message.snapshot", $"{run.Seq}:2", "", "Hm, so"), await NextAsync(stream, "text", "reasoning"));
        Thought(3, "!");
        Assert.Equal(("reasoning.delta", $"{run.Seq}:3", "m", "!"), await NextAsync(stream, "message_id", "text"));

        // Who knows them all is told nothing twice.
        using var pin = h.Hub.Pin(run.Id);
        using var knows = pin.TryAttach(run.Seq, 3)!;
        Assert.False(knows.Reader.TryRead(out var nothing), nothing.Item.Id);
        Piece(h, execution, run.Seq, 4, "Yes");
        Assert.True(knows.Reader.TryRead(out var next));
        Assert.Equal(("message.delta", $"{run.Seq}:4"), (next.Item.Type, next.Item.Id));
        await using var late = h.Streams.ReadAsync(run.Id, new StreamPosition(run.Seq, 1), tree: false, default).GetAsyncEnumerator();
        Assert.Equal(("message.snapshot", $"{run.Seq}:4", "Yes", "Hm, so!"), await NextAsync(late, "text", "reasoning"));

        void Thought(int n, string text) => h.Hub.Piece(execution, new ReasoningDelta("m", text) { RunId = run.Id, Seq = run.Seq, N = n, Agent = "solo", CreatedAt = h.Clock.GetUtcNow() });
    }

    [Fact]
    public async Task A_reader_that_joins_while_a_tool_works_is_told_again_how_it_got_on_last()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var run = await h.OwnedAsync();
        var execution = Execution(run);
        Progress(1, "a third");
        await using var first = h.Streams.ReadAsync(run.Id, new StreamPosition(run.Seq), tree: false, default).GetAsyncEnumerator();
        Assert.Equal(("message.snapshot", $"{run.Seq}:0", "", ""), await NextAsync(first, "message_id", "text"));
        Assert.Equal(("tool.progress", $"{run.Seq}:1", "1", "a third"), await NextAsync(first, "call", "text"));
        Progress(2, "two thirds");
        Assert.Equal(("tool.progress", $"{run.Seq}:2", "1", "two thirds"), await NextAsync(first, "call", "text"));
        Progress(3, "nearly");
        await using var late = h.Streams.ReadAsync(run.Id, new StreamPosition(run.Seq), tree: false, default).GetAsyncEnumerator();
        Assert.Equal(("message.snapshot", $"{run.Seq}:2", "", ""), await NextAsync(late, "message_id", "text"));
        Assert.Equal(("tool.progress", $"{run.Seq}:3", "1", "nearly"), await NextAsync(late, "call", "text"));
        Progress(4, "all");
        Assert.Equal(("tool.progress", $"{run.Seq}:4", "1", "all"), await NextAsync(late, "call", "text"));

        void Progress(int n, string text) => h.Hub.Piece(execution, new ToolProgress(1, text) { RunId = run.Id, Seq = run.Seq, N = n, Agent = "solo", CreatedAt = h.Clock.GetUtcNow() });
    }

    private static async Task<(string Type, string? Id, string One, string Other)> NextAsync(IAsyncEnumerator<StreamItem> stream, string one, string other)
    {
        Assert.True(await stream.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(3)));
        using var json = JsonDocument.Parse(stream.Current.Json);
        return (stream.Current.Type, stream.Current.Id, json.RootElement.GetProperty(one).ToString(), json.RootElement.GetProperty(other).ToString());
    }

    [Fact]
    public async Task A_slow_reader_is_sent_back_to_the_store_and_the_others_do_not_notice()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.Running, new ModelRequested("m", "cheap", "v", "h", "answer", 1));
        var execution = Execution(run);
        using var pin = h.Hub.Pin(run.Id);
        using var slow = pin.TryAttach(run.Seq, 0)!;
        using var quick = pin.TryAttach(run.Seq, 0)!;
        var got = 0;
        for (var n = 1; n <= 2000; n++)
        {
            Piece(h, execution, run.Seq, n, "x");
            Assert.True(quick.Reader.TryRead(out var item));
            Assert.Equal(n, item.N);
            got++;
        }

        Assert.Equal(2000, got);
        Assert.True(slow.IsBroken);
        Assert.False(quick.IsBroken);
        var kept = 0;
        while (slow.Reader.TryRead(out var item))
        {
            Assert.Equal(++kept, item.N);
        }

        Assert.True(kept <= RunSubscription.Capacity);
        using var again = pin.TryAttach(run.Seq, kept)!;
        Assert.True(again.Reader.TryRead(out var snapshot));
        Assert.Equal(("message.snapshot", 2000), (snapshot.Item.Type, snapshot.N));
    }

    [Fact]
    public async Task A_reader_that_comes_while_the_end_is_written_ends_too()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        for (var round = 0; round < 200; round++)
        {
            var run = await h.OwnedAsync();
            var reading = Task.Run(async () =>
            {
                var client = new StreamClient();
                await foreach (var item in h.Streams.ReadAsync(run.Id, default, tree: false, default))
                {
                    client.Take(item);
                }

                return client;
            });
            await run.EndAsync();
            h.Hub.Left(run.Id);
            var read = await reading.WaitAsync(TimeSpan.FromMinutes(2));
            Assert.True(read.Ended);
            Assert.Equal(4, read.Events.Count);
        }
    }

    [Fact]
    public async Task A_tree_stream_adds_what_descendants_do_without_ids()
    {
        await using var h = new RunsHarness(new ScriptedChatClient(static a => [ScriptedChatClient.Say($"{a.Agent} here")]));
        var team = TestTeams.Of(PatternKind.Concurrent, ["one", "two", "three"], change: static t => t with { Writer = "one" });
        var id = (await h.RunAsync(team, "go")).RunId;
        var items = new List<StreamItem>();
        var reading = Task.Run(async () =>
        {
            await foreach (var item in h.Streams.ReadAsync(id, default, tree: true, default))
            {
                items.Add(item);
                if (items.Count == 1)
                {
                    _ = h.StartAsync();
                }
            }
        });
        await reading.WaitAsync(TimeSpan.FromMinutes(2));
        Assert.Contains(items, static i => i.Id is null && i.Type == "run.completed" && !i.IsFinal);
        Assert.True(items[^1] is { IsFinal: true, Id: not null });
        Assert.All(items.Where(static i => i.Id is null), i => Assert.NotEqual(id, JsonDocument.Parse(i.Json).RootElement.GetProperty("run_id").GetString()));
    }

    [Theory]
    [InlineData("0", true)]
    [InlineData("12", true)]
    [InlineData("12:7", true)]
    [InlineData("-1", false)]
    [InlineData("", false)]
    [InlineData("1:", false)]
    [InlineData(":1", false)]
    [InlineData("1:2:3", false)]
    [InlineData("1e3", false)]
    [InlineData("９", false)]
    [InlineData("99999999999999999999", false)]
    [InlineData("1:99999999999", false)]
    [InlineData(" 1", false)]
    public void A_position_is_a_number_or_two(string text, bool legal) => Assert.Equal(legal, StreamPositions.TryParse(text, out _));

    private static async Task<StreamClient> FollowAsync(RunsHarness h, string id, Random random, int cuts)
    {
        var client = new StreamClient();
        while (!client.Ended)
        {
            var left = cuts-- > 0 ? random.Next(1, 60) : int.MaxValue;
            await foreach (var item in h.Streams.ReadAsync(id, client.Position, tree: false, default))
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

    private static RunExecution Execution(TestRun run) => new()
    {
        Run = new NewRun { RunId = run.Id, OwnerId = "alice", RootRunId = run.Id, Team = "test", EntryAgent = "solo", SnapshotHash = "x", Input = "hi" },
        Snapshot = Solo,
        History = [],
        Attempt = 1,
        Worker = "test",
        LeaseLeft = static () => TimeSpan.MaxValue,
    };

    private static void Piece(RunsHarness h, RunExecution execution, long seq, int n, string text) =>
        h.Hub.Piece(execution, new MessageDelta("m", text) { RunId = execution.Run.RunId, Seq = seq, N = n, Agent = "solo", CreatedAt = h.Clock.GetUtcNow() });

    /// <summary>Lets an engine reach the harness it is part of.</summary>
    private sealed class RunsHarnessBox
    {
        public RunsHarness Harness { get; set; } = null!;
    }
}
