using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs;

/// <summary>Runs whose process died, again and again.</summary>
public sealed class LostRunTests
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [Fact]
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

    [Fact]
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

    [Theory]
    [InlineData(0, "completed")]
    [InlineData(6, "failed")]
    public async Task What_a_cut_off_cascade_has_spent_is_booked_and_its_last_request_is_in_doubt(int stalled, string end)
    {
        await using var h = new RunsHarness();
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.Running, new ModelRequested("m", "cheap", "v", "h", "answer", 1));

        // The first model's answer was no good: its row is written before the second is asked. Then the process dies.
        await h.Database.WriteAsync(
            async session =>
            {
                await RootMas.Server.Models.LedgerSql.InsertAsync(session, Row(run.Id) with { Cost = new Money(700), Outcome = "invalid_answer" });
                return true;
            },
            default);
        await h.Test.ExecuteAsync($"UPDATE runs SET stalled = {stalled}");
        await h.StartAsync();
        var ended = await h.WaitForAsync(run.Id, static r => r.Status.IsFinal());

        Assert.Equal((end, 700, 700), (ended.Status.ToName(), ended.Cost.MicroUsd, ended.TreeCost.MicroUsd));
        Assert.Equal(700, await h.Test.ScalarAsync($"SELECT SUM(cost_micro_usd) FROM usage_ledger WHERE run_id = '{run.Id}'"));
        Assert.Equal(1, await h.Test.ScalarAsync($"SELECT COUNT(*) FROM usage_ledger WHERE run_id = '{run.Id}' AND outcome = 'in_doubt'"));
        Assert.Equal(new Money(700), Assert.Single((await h.LogAsync(run.Id)).OfType<ModelFailed>()).CostUsd);
    }

    private static LedgerEntry Row(string run) => LedgerEntry.InDoubt(run, run, "alice", new OpenModelCall("m", "answer", "solo", 1, "cheap"), DateTimeOffset.UnixEpoch);

    [Fact]
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
        Assert.Equal("no_open_review", (await h.Verbs.ResolveAsync(run.Id, "alice", 7, "done", null, null, default)).Code);
        Assert.True((await h.Verbs.ResolveAsync(run.Id, "alice", 1, "done", "sent", null, default)).Ok);
        Assert.Equal("no_open_review", (await h.Verbs.ResolveAsync(run.Id, "alice", 1, "cancel", null, null, default)).Code);
    }
}
