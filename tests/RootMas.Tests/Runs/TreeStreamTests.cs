using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>A stream of a run with the logs of all runs below it, each from its beginning.</summary>
public sealed class TreeStreamTests
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [Fact]
    public async Task A_tree_that_grows_while_it_is_read_is_shown_whole_and_once_and_each_log_in_its_place()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var root = await h.OwnedAsync();
        var first = await GiveAsync(h, root, root);
        var below = await GiveAsync(h, root, first);
        await Task.WhenAll(WorkAsync(first, 10), WorkAsync(below, 10)); // more than a page
        var second = await GiveAsync(h, root, root);
        List<Shown> shown = [];
        using var stops = new SemaphoreSlim(0);
        using var goesOn = new SemaphoreSlim(0);
        var reading = Task.Run(async () =>
        {
            await foreach (var item in h.Streams.ReadTreeAsync(root.Id, default))
            {
                shown.Add(Shown.Of(item));
                if (shown.Count == 150 || (item.Type == "guard.hinted" && shown[^1].Run == root.Id))
                {
                    stops.Release();
                    await goesOn.WaitAsync();
                }
            }
        });
        Assert.True(await stops.WaitAsync(TimeSpan.FromMinutes(1)));
        await Task.WhenAll(WorkAsync(first, 10), WorkAsync(below, 10), WorkAsync(second, 10)); // while it reads the store
        goesOn.Release();
        await Task.WhenAll(WorkAsync(first, 10), WorkAsync(below, 10), WorkAsync(second, 10));
        await root.AppendAsync(RunStatus.Running, new GuardHinted("loop", "hint"));
        Assert.True(await stops.WaitAsync(TimeSpan.FromMinutes(1)));
        await Task.WhenAll(WorkAsync(first, 20), WorkAsync(below, 20), WorkAsync(second, 20)); // more than its buffer holds
        for (var n = 1; n <= 1_000; n++)
        {
            h.Hub.Piece(Execution(second, root), new MessageDelta("m", "x") { RunId = second.Id, Seq = second.Seq, N = n, Agent = "solo", CreatedAt = h.Clock.GetUtcNow() });
        }

        goesOn.Release();
        var late = await GiveAsync(h, root, second);
        await Task.WhenAll(WorkAsync(late, 6), WorkAsync(first, 6));
        foreach (var (child, parent) in ((TestRun, TestRun)[])[(below, first), (first, root), (late, second), (second, root)])
        {
            await child.EndAsync();
            await parent.AppendAsync(RunStatus.Running, new ChildCompleted(null, child.Id, "completed", "done", false, Money.Zero));
        }

        await root.EndAsync();
        await reading.WaitAsync(TimeSpan.FromMinutes(2));

        foreach (var run in (TestRun[])[root, first, below, second, late])
        {
            Assert.Equal(Enumerable.Range(1, (int)run.Seq).Select(static n => (long)n), shown.Where(s => s.Run == run.Id).Select(static s => s.Seq));
        }

        Assert.All(shown, s => Assert.Equal(s.Run == root.Id ? $"{s.Seq}" : null, s.Id));
        Assert.True(shown[^1] is { Type: "run.completed", Id: not null });
        foreach (var (child, parent) in ((TestRun, TestRun)[])[(below, first), (first, root), (late, second), (second, root)])
        {
            var own = shown.FindAll(s => s.Run == child.Id);
            Assert.InRange(shown.IndexOf(own[0]), shown.FindIndex(s => s.Run == parent.Id && s.Type == "child.started" && s.Child == child.Id) + 1, shown.Count);
            Assert.InRange(shown.IndexOf(own[^1]), 0, shown.FindIndex(s => s.Run == parent.Id && s.Type == "child.completed" && s.Child == child.Id));
        }
    }

    [Fact]
    public async Task What_a_run_below_did_before_anybody_looked_is_shown_while_all_wait()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var root = await h.OwnedAsync();
        var child = await GiveAsync(h, root, root);
        await WorkAsync(child, 1);
        List<Shown> shown = [];
        await using var stream = h.Streams.ReadTreeAsync(root.Id, default).GetAsyncEnumerator();
        while (shown.Count < root.Seq + child.Seq && await stream.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(1)))
        {
            shown.Add(Shown.Of(stream.Current));
        }

        Assert.Equal(child.Seq, shown[^1].Seq);
        await WorkAsync(child, 1);
        Assert.True(await stream.MoveNextAsync().AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal((child.Id, shown[^1].Seq + 1), (Shown.Of(stream.Current).Run, Shown.Of(stream.Current).Seq));
    }

    [Fact]
    public async Task Of_a_run_that_a_copied_log_names_and_that_is_below_another_nothing_is_shown()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var other = await h.OwnedAsync();
        var foreign = await GiveAsync(h, other, other);
        var root = await h.OwnedAsync();
        await root.AppendAsync(RunStatus.Running, new ChildStarted(null, foreign.Id, "solo", "task"), new ChildCompleted(null, foreign.Id, "completed", "done", false, Money.Zero));
        await root.EndAsync();
        List<string> runs = [];
        await foreach (var item in h.Streams.ReadTreeAsync(root.Id, default))
        {
            runs.Add(Shown.Of(item).Run);
        }

        Assert.Equal(Enumerable.Repeat(root.Id, (int)root.Seq), runs);
    }

    private static async Task<TestRun> GiveAsync(RunsHarness h, TestRun root, TestRun parent)
    {
        var row = await h.Ownership.RowAsync(root.Id, default);
        var id = Guid.CreateVersion7().ToString();
        var child = new NewRun
        {
            RunId = id, OwnerId = "alice", RootRunId = root.Id, ParentRunId = parent.Id, ParentKey = $"child:{id}", Depth = parent.Id == root.Id ? 1 : 2, Team = "test", EntryAgent = "solo",
            SnapshotHash = row!.SnapshotHash, Input = "task", CreatedAt = h.Clock.GetUtcNow(),
        };
        child = child with { Queued = NewRuns.QueuedRecord(child, Solo, h.Clock.GetUtcNow()) };
        var given = await h.Store.AppendAsync(
            parent.Batch(RunStatus.Running, new ChildStarted(null, id, "solo", "task")) with { Children = [child], TreeDelta = new TreeTotals(0, 1, 0, 0) }, default);
        Assert.Equal(AppendOutcome.Appended, given.Outcome);
        var claimed = await h.Ownership.ClaimAsync(id, TimeSpan.FromSeconds(15), default);
        return new TestRun(h, id, claimed!.Attempt) { Seq = claimed.LastSeq };
    }

    /// <summary>Ten events at once, so often.</summary>
    private static async Task WorkAsync(TestRun run, int times)
    {
        for (var i = 0; i < times; i++)
        {
            await run.AppendAsync(RunStatus.Running, [.. Enumerable.Range(0, 10).Select(static _ => new GuardHinted("loop", "hint"))]);
        }
    }

    private static RunExecution Execution(TestRun run, TestRun root) => new()
    {
        Run = new NewRun { RunId = run.Id, OwnerId = "alice", RootRunId = root.Id, ParentRunId = root.Id, Team = "test", EntryAgent = "solo", SnapshotHash = "x", Input = "hi" },
        Snapshot = Solo,
        History = [],
        Attempt = 1,
        Worker = "test",
        LeaseLeft = static () => TimeSpan.MaxValue,
    };

    private sealed record Shown(string? Id, string Type, string Run, long Seq, string? Child)
    {
        public static Shown Of(StreamItem item)
        {
            var e = JsonElement.Parse(item.Json.Span);
            return new Shown(item.Id, item.Type, e.GetProperty("run_id").GetString()!, e.GetProperty("seq").GetInt64(), e.TryGetProperty("child_run_id", out var child) ? child.GetString() : null);
        }
    }
}
