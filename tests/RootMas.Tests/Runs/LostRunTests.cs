using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>Runs whose process died, again and again.</summary>
public abstract class LostRunTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [DatabaseFact]
    public async Task A_run_that_kills_its_worker_again_and_again_ends_as_lost()
    {
        await using var database = RunsHarness.NewDatabase();
        var id = "";
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            // Each process dies with the run in its hands: claimed, nothing appended.
            var h = new RunsHarness(database: database);
            id = id.Length > 0 ? id : (await h.RunAsync(Solo, "hi")).RunId;
            await h.Ownership.VoidLeasesAsync(default);
            Assert.NotNull(await h.Ownership.ClaimAsync(id, TimeSpan.FromSeconds(15), default));
        }

        await using var last = new RunsHarness(database: database);
        await last.StartAsync();
        var run = await last.EndAsync(id);
        Assert.Equal((RunStatus.Failed, "worker_lost"), (run.Status, run.ErrorCode));
    }

    [DatabaseFact]
    public async Task Runs_that_only_shared_a_process_with_the_one_that_kills_it_are_finished()
    {
        await using var database = RunsHarness.NewDatabase();
        var ids = new List<string>();
        for (var process = 0; process < 40; process++)
        {
            // Each process dies as soon as it holds the poisonous run; the others have got no further either.
            var h = new RunsHarness(database: database);
            if (ids.Count == 0)
            {
                for (var i = 0; i < 6; i++)
                {
                    ids.Add((await h.RunAsync(Solo, $"{i}")).RunId);
                }
            }

            await h.Ownership.VoidLeasesAsync(default);
            var queue = new RunQueue(100);
            (await h.Ownership.ClaimableAsync("", 100, default)).ForEach(r => queue.Add(r.Ready));
            var dead = false;
            while (!dead && queue.TryTake(out var ready))
            {
                var row = await h.Ownership.ClaimAsync(ready.RunId, TimeSpan.FromSeconds(15), default);
                dead = process >= 3 && ready.RunId == ids[0];
                if (process >= 3 && !dead)
                {
                    await new TestRun(h, ready.RunId, row!.Attempt) { Seq = row.LastSeq }.EndAsync();
                    queue.Left(ready.RunId);
                }
            }

            if ((await h.Ownership.RowAsync(ids[0], default))!.Stalled >= 6)
            {
                break;
            }
        }

        await using var last = new RunsHarness(database: database);
        await last.StartAsync();
        Assert.Equal("worker_lost", (await last.EndAsync(ids[0])).ErrorCode);
        foreach (var id in ids.Skip(1))
        {
            Assert.Equal(RunStatus.Completed, (await last.EndAsync(id)).Status);
        }
    }

    [DatabaseFact]
    public async Task A_lost_run_with_an_unsafe_call_in_doubt_asks_a_person()
    {
        await using var h = new RunsHarness(engine: static (_, _) => Task.FromResult(RunExit.Stopped));
        var run = await h.OwnedAsync();
        var arguments = System.Text.Json.JsonDocument.Parse("{}").RootElement;
        await run.AppendAsync(
            RunStatus.Running,
            new ModelRequested("m", "cheap", "v", "h", "answer", 1),
            new ModelCompleted("m", "", [new ToolCall(1, "send", arguments)], "m", "cheap", TokenUsage.None, Money.Zero, 1, 1, "tool_calls"),
            new ToolStarted(1, "send", arguments, "unsafe", "k", "1"));
        await h.Test.ExecuteAsync("UPDATE runs SET stalled = 6");
        await h.StartAsync();
        var asked = await h.WaitForAsync(run.Id, static r => r.Status == RunStatus.NeedsReview);
        Assert.Contains("send", asked.Reason, StringComparison.Ordinal);
        Assert.Equal("no_open_review", (await h.Verbs.ResolveAsync(run.Id, "alice", 7, "done", null, default)).Code);
        Assert.True((await h.Verbs.ResolveAsync(run.Id, "alice", 1, "done", "sent", default)).Ok);
        Assert.Equal("no_open_review", (await h.Verbs.ResolveAsync(run.Id, "alice", 1, "cancel", null, default)).Code);
    }
}

public sealed class LostRunOnSqliteTests() : LostRunTests(DatabaseKind.Sqlite);

public sealed class LostRunOnPostgresTests() : LostRunTests(DatabaseKind.Postgres), IOnPostgres;
