using RootMas.Runtime.Agents;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;
using static RootMas.Tests.Support.ScriptedChatClient;

namespace RootMas.Tests.Runs;

/// <summary>Runs that wait for a time, woken by the engine's own reading of it.</summary>
public abstract class BackOffTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    [DatabaseTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9)]
    public async Task A_back_off_ends_when_the_clock_is_set_back_however_finely_its_end_was_written(int ticks)
    {
        var time = new ManualTimeProvider(Noon.AddTicks(ticks)); // a log keeps ticks, the database whole microseconds
        await using var h = new RunsHarness(
            new ScriptedChatClient(static a => a.Number == 1 ? throw new ModelException("unreachable", "All models are down.", retryLater: true) : [Say("back")]), time: time);
        await h.StartAsync();
        var id = (await h.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"]), "go", atOnce: true)).RunId;
        await h.WaitForAsync(id, static r => r.Status == RunStatus.WaitingTimer);
        time.Set(TimeSpan.FromHours(-1));
        await h.Ownership.FireTimersAsync(default);

        var run = await h.WaitForAsync(id, static r => r.Attempt > 1 && r.Status is not (RunStatus.Queued or RunStatus.Running));
        Assert.Equal((RunStatus.Completed, "back"), (run.Status, run.Answer?.Text));
        Assert.Single((await h.LogAsync(id)).OfType<TimerFired>());
    }

    [DatabaseFact]
    public async Task However_often_it_is_tried_again_a_request_that_nobody_answered_is_no_step()
    {
        var time = new ManualTimeProvider(Noon);
        await using var h = new RunsHarness(
            new ScriptedChatClient(static a => a.Number <= 6 ? throw new ModelException("unreachable", "All models are down.", retryLater: true) : [Say("back")]), time: time);
        await h.StartAsync();
        var id = (await h.RunAsync(TestTeams.Of(PatternKind.Direct, ["solo"], change: static t => t with { Limits = new RunLimits { MaxSteps = 2 } }), "go", atOnce: true)).RunId;
        await Support.Wait.UntilAsync(
            async harness =>
            {
                time.Advance(TimeSpan.FromMinutes(2)); // PostgreSQL goes by its own clock, for which these times are over at once
                await harness.Ownership.FireTimersAsync(default);
                return (await harness.Reader.FindAsync(id, null, default))!.Status.IsFinal();
            },
            h,
            "The run did not end");
        var run = await h.EndAsync(id);
        Assert.Equal((RunStatus.Completed, "back"), (run.Status, run.Answer?.Text));
        Assert.Equal(6, (await h.LogAsync(id)).OfType<TimerFired>().Count());
    }

    [DatabaseFact]
    public async Task A_run_that_waits_for_the_same_time_once_more_is_woken_once_more()
    {
        var time = new ManualTimeProvider(Noon);
        await using var h = new RunsHarness(time: time);
        var first = await h.OwnedAsync();
        var at = Noon.AddMinutes(1);
        await h.Store.AppendAsync(first.Batch(RunStatus.WaitingTimer, new TimerStarted("models", "away", at, 1)) with { WakeAt = at }, default);
        time.Advance(TimeSpan.FromMinutes(1));
        await h.Ownership.FireTimersAsync(default);
        var row = await h.Ownership.ClaimAsync(first.Id, TimeSpan.FromSeconds(15), default);

        // The program before this one could leave it so: what it was woken for it did not take for due.
        var again = new TestRun(h, first.Id, row!.Attempt) { Seq = row.LastSeq };
        await h.Store.AppendAsync(again.Batch(RunStatus.WaitingTimer, new RunStarted(row.Attempt, "test")) with { WakeAt = at, InboxDone = row.InboxSeq }, default);
        Assert.Equal(RunStatus.WaitingTimer, (await h.Ownership.RowAsync(first.Id, default))!.Status);
        await h.Ownership.FireTimersAsync(default);
        Assert.Equal(RunStatus.Queued, (await h.Ownership.RowAsync(first.Id, default))!.Status);
        Assert.Null(await h.Ownership.NextTimerAsync(default));
    }
}

public sealed class BackOffOnSqliteTests() : BackOffTests(DatabaseKind.Sqlite);

public sealed class BackOffOnPostgresTests() : BackOffTests(DatabaseKind.Postgres), IOnPostgres;
