using Npgsql;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using Wait = RootMas.Tests.Support.Wait;

namespace RootMas.Tests.Runs;

/// <summary>Rows of runs that somebody is writing for long: nothing that is done to many runs at once waits for them, and nothing of it is forgotten.</summary>
public sealed class WrittenRowsTests() : OnDatabase(DatabaseKind.Postgres)
{
    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [PostgresFact]
    public async Task A_row_of_the_dead_that_is_being_written_holds_up_no_other_run_and_is_taken_over_after_it()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var front = Front(database);
        var (runs, dead) = await HeldAsync(front, 3);
        await using var h = new RunsHarness(database: database, ownsData: false);
        await h.StartAsync();
        await using (await Writing.OfAsync(database, runs[0]))
        {
            await dead.DisposeAsync();
            var fresh = (await front.RunAsync(Solo, "hi", owner: "bob")).RunId;
            await EndAsync(h, runs[1], runs[2], fresh);
            Assert.Equal((RunStatus.Running, 1), await StandingAsync(h, runs[0]));
        }

        await EndAsync(h, runs[0]);
    }

    [PostgresFact]
    public async Task A_worker_starts_though_a_row_of_the_dead_is_being_written()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var front = Front(database);
        var (runs, dead) = await HeldAsync(front, 2);
        await dead.DisposeAsync();
        await using var h = new RunsHarness(database: database, ownsData: false);
        await using (await Writing.OfAsync(database, runs[0]))
        {
            await h.StartAsync();
            await EndAsync(h, runs[1]);
        }

        await EndAsync(h, runs[0]);
    }

    [PostgresFact]
    public async Task What_is_taken_from_the_dead_later_than_their_other_runs_was_not_alone()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var front = Front(database);
        await using var first = new PostgresPresence(database.Database, database.Options);
        await using var second = new PostgresPresence(database.Database, database.Options);
        var (runs, dead) = await HeldAsync(front, 2);
        var (one, other) = (Owner(front, first), Owner(front, second));
        Assert.Equal(0, await other.RecoverAsync(default));
        await using (await Writing.OfAsync(database, runs[0]))
        {
            await dead.DisposeAsync();
            await Wait.UntilAsync(static async owner => await owner.RecoverAsync(default) == 1, one, "What is free is not taken over");
            Assert.Equal(0, await one.RecoverAsync(default));
            Assert.Equal(0, await other.RecoverAsync(default));
        }

        Assert.Equal(1, await other.RecoverAsync(default));
        foreach (var run in runs)
        {
            var row = (await front.Ownership.RowAsync(run, default))!;
            Assert.Equal((RunStatus.Queued, 1, 0), (row.Status, row.Crashes, row.Stalled));
        }
    }

    [PostgresFact]
    public async Task What_is_taken_from_the_dead_only_when_its_lease_is_over_is_not_blamed_as_if_it_had_been_alone()
    {
        var (go, begun) = (new TaskCompletionSource(), 0);
        await using var database = RunsHarness.NewDatabase();
        await using var front = Front(database);
        var (runs, dead) = await HeldAsync(front, 2);
        await using var h = new RunsHarness(
            engine: async (_, _) =>
            {
                Interlocked.Increment(ref begun);
                await go.Task;
                return RunExit.Stopped;
            },
            database: database, ownsData: false);
        await database.ExecuteAsync($"UPDATE runs SET lease_until = 1 WHERE id = '{runs[0]}'");
        await using (await Writing.OfAsync(database, runs[0]))
        {
            await dead.DisposeAsync();
            await h.StartAsync();
            await Wait.UntilAsync(() => Volatile.Read(ref begun) == 1);
        }

        await Wait.UntilAsync(() => Volatile.Read(ref begun) == 2);
        foreach (var run in runs)
        {
            var row = (await h.Ownership.RowAsync(run, default))!;
            Assert.Equal((RunStatus.Running, 2, 1, 0), (row.Status, row.Attempt, row.Crashes, row.Stalled));
        }

        go.SetResult();
    }

    [PostgresFact]
    public async Task A_parked_run_that_is_being_written_holds_up_no_other_timer_and_is_woken_once()
    {
        await using var h = new RunsHarness();
        string[] runs = [await ParkedAsync(h, TimeSpan.FromDays(1)), await ParkedAsync(h, TimeSpan.FromDays(1)), await ParkedAsync(h, TimeSpan.FromDays(1))];
        await MakeDueAsync(h);
        await using (await Writing.OfAsync(h.Test, runs[0]))
        {
            Assert.NotNull(await h.Ownership.FireTimersAsync(default)); // there is something to look at again
            Assert.Equal((RunStatus.WaitingTimer, 1), await StandingAsync(h, runs[0]));
            Assert.Equal(2, await h.Test.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status = 'queued' AND wake_at IS NULL"));
        }

        Assert.Null(await h.Ownership.FireTimersAsync(default));
        Assert.Null(await h.Ownership.FireTimersAsync(default));
        Assert.Equal(3, await h.Test.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status = 'queued' AND wake_at IS NULL"));
        Assert.Equal(3, await h.Test.ScalarAsync("SELECT COUNT(*) FROM run_inbox"));
    }

    [PostgresFact]
    public async Task A_timer_of_a_run_that_was_being_written_rings_again()
    {
        var options = new RunsOptions { Renewal = TimeSpan.FromMinutes(1) }; // longer than this waits: no sweep comes to help
        await using var h = new RunsHarness(options: options);
        var run = await ParkedAsync(h, TimeSpan.FromDays(1));
        await MakeDueAsync(h);
        await using (await Writing.OfAsync(h.Test, run))
        {
            await h.StartAsync();
            var other = await ParkedAsync(h, TimeSpan.Zero);
            await h.WaitForAsync(other, static r => r.Status != RunStatus.WaitingTimer);
            Assert.Equal((RunStatus.WaitingTimer, 1), await StandingAsync(h, run));
        }

        var began = h.Clock.GetTimestamp();
        await Wait.UntilAsync(async id => (await StandingAsync(h, id)).Attempt == 2, run, "The timer that was left out did not ring"); // its own event says tomorrow: it waits again
        Assert.True(h.Clock.GetElapsedTime(began) < options.Renewal);
    }

    [PostgresFact]
    public async Task A_child_that_is_being_written_when_its_parent_ended_is_told_after_it()
    {
        var model = new ScriptedChatClient(static _ => [ScriptedChatClient.Say("never")]) { Before = static (_, ct) => Task.Delay(Timeout.Infinite, ct) };
        await using var h = new RunsHarness(model, options: new RunsOptions { Renewal = TimeSpan.FromSeconds(0.5) });
        var parent = await h.OwnedAsync();
        var (one, two) = (await BelowAsync(h, parent, "one"), await BelowAsync(h, parent, "two"));
        await h.Store.AppendAsync(
            parent.Batch(RunStatus.Running, new ChildStarted(1, one.RunId, "solo", "task"), new ChildStarted(2, two.RunId, "solo", "task")) with { Children = [one, two] }, default);
        await h.Test.ExecuteAsync($"UPDATE runs SET status = 'failed', worker = NULL, lease_until = NULL, ended_at = 1 WHERE id = '{parent.Id}'"); // and nobody heard of it
        await using (await Writing.OfAsync(h.Test, one.RunId))
        {
            Assert.Equal((2, 1), await h.Ownership.CancelOrphansAsync(default));
            Assert.IsType<CancelRequested>(Assert.Single(await h.Store.ReadInboxAsync(two.RunId, 0, default)).Payload);
            await h.StartAsync();
        }

        Assert.Equal(RunStatus.Cancelled, (await h.EndAsync(one.RunId)).Status);
        Assert.Equal(RunStatus.Cancelled, (await h.EndAsync(two.RunId)).Status);
    }

    [PostgresFact]
    public async Task A_child_that_is_being_written_for_a_moment_does_not_wait_for_the_sweep()
    {
        var options = new RunsOptions { Renewal = TimeSpan.FromMinutes(1) };
        var model = new ScriptedChatClient(static _ => [ScriptedChatClient.Say("never")]) { Before = static (_, ct) => Task.Delay(Timeout.Infinite, ct) };
        await using var h = new RunsHarness(model, options: options);
        await h.StartAsync();
        var parent = await h.OwnedAsync();
        var (one, two) = (await BelowAsync(h, parent, "one"), await BelowAsync(h, parent, "two"));
        await h.Store.AppendAsync(
            parent.Batch(RunStatus.Running, new ChildStarted(1, one.RunId, "solo", "task"), new ChildStarted(2, two.RunId, "solo", "task")) with { Children = [one, two] }, default);
        await Wait.UntilAsync(() => model.Calls == 2);
        await h.Test.ExecuteAsync($"UPDATE runs SET status = 'failed', worker = NULL, lease_until = NULL, ended_at = 1 WHERE id = '{parent.Id}'");
        var began = h.Clock.GetTimestamp();
        await using (await Writing.OfAsync(h.Test, one.RunId))
        {
            h.Signals.RaiseOrphaned();
            await Wait.UntilAsync(async at => (await at.Store.ReadInboxAsync(two.RunId, 0, default)).Count > 0, h, "What is free is not told");
        }

        Assert.Equal(RunStatus.Cancelled, (await h.EndAsync(one.RunId)).Status);
        Assert.Equal(RunStatus.Cancelled, (await h.EndAsync(two.RunId)).Status);
        Assert.True(h.Clock.GetElapsedTime(began) < options.Renewal);
    }

    [PostgresFact]
    public async Task Rows_that_are_being_written_cost_a_living_worker_no_other_of_its_runs()
    {
        var options = new RunsOptions { Lease = TimeSpan.FromSeconds(5), Renewal = TimeSpan.FromSeconds(1) };
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [ScriptedChatClient.Say("ok")]) { Before = (_, ct) => go.Task.WaitAsync(ct) };
        await using var database = RunsHarness.NewDatabase();
        await using var mine = new RunsHarness(model, options: options, database: database, ownsData: false);
        await mine.StartAsync();
        List<string> runs = [];
        for (var i = 0; i < 4; i++)
        {
            runs.Add((await mine.RunAsync(Solo, "hi")).RunId);
        }

        await Wait.UntilAsync(() => model.Calls == runs.Count);
        await using var theirs = new RunsHarness(model, options: options, database: database, ownsData: false);
        await theirs.StartAsync();
        await using (await Writing.OfAsync(database, runs[0], runs[1]))
        {
            await Wait.UntilAsync(
                static async at => await at.ScalarAsync("SELECT COUNT(*) FROM runs WHERE lease_until < (extract(epoch FROM clock_timestamp()) - 5) * 1000000") == 2, database,
                "The leases of what is being written are not over for as long as they were");
        }

        foreach (var run in runs[2..])
        {
            var row = (await mine.Ownership.RowAsync(run, default))!;
            Assert.Equal((RunStatus.Running, 1, mine.Worker.Name), (row.Status, row.Attempt, row.Worker));
        }

        go.SetResult();
        await EndAsync(mine, [.. runs]);
        Assert.Equal(2, await database.ScalarAsync($"SELECT COUNT(*) FROM runs WHERE attempt = 1 AND id IN ('{runs[2]}', '{runs[3]}')"));
    }

    [PostgresFact]
    public async Task A_stop_gives_back_all_runs_but_those_that_are_being_written()
    {
        var (deaf, begun) = (new TaskCompletionSource(), 0);
        await using var database = RunsHarness.NewDatabase();
        await using var h = new RunsHarness(
            engine: async (_, _) =>
            {
                Interlocked.Increment(ref begun);
                await deaf.Task;
                return RunExit.Stopped;
            },
            options: new RunsOptions { StopTimeout = TimeSpan.FromSeconds(1) }, database: database, ownsData: false);
        await h.StartAsync();
        List<string> runs = [];
        for (var i = 0; i < 3; i++)
        {
            runs.Add((await h.RunAsync(Solo, "hi")).RunId);
        }

        await Wait.UntilAsync(() => Volatile.Read(ref begun) == runs.Count);
        await using (await Writing.OfAsync(database, runs[0]))
        {
            await h.Worker.StoppingAsync(default);
            Assert.Equal((RunStatus.Running, 1), await StandingAsync(h, runs[0]));
            Assert.Equal(2, await database.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status = 'queued' AND worker IS NULL AND crashes = 0 AND rest_since IS NOT NULL"));
        }

        deaf.SetResult();
        await h.WaitForAsync(runs[0], static r => r.Status == RunStatus.Queued);
    }

    [PostgresFact]
    public async Task A_run_that_is_given_back_while_it_is_being_written_is_given_back_after_it()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var h = Front(database);
        var run = (await h.RunAsync(Solo, "hi")).RunId;
        Assert.NotNull(await h.Ownership.ClaimAsync(run, TimeSpan.FromHours(1), default));
        Task giving;
        await using (await Writing.OfAsync(database, run))
        {
            giving = h.Worker.GiveBackAsync([(run, 1)], default);
            Assert.Equal((RunStatus.Running, 1), await StandingAsync(h, run));
        }

        await giving;
        Assert.Equal((RunStatus.Queued, 1), await StandingAsync(h, run));
    }

    [PostgresFact]
    public async Task A_stop_does_not_wait_for_the_row_of_a_run_that_has_none()
    {
        var (deaf, begun) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var h = new RunsHarness(engine: async (_, _) =>
        {
            begun.SetResult();
            await deaf.Task;
            return RunExit.Stopped;
        });
        await h.StartAsync();
        var starting = h.RunAsync(Solo, "hi", atOnce: true);
        await begun.Task;
        var began = h.Clock.GetTimestamp();
        await h.Worker.StoppingAsync(new CancellationToken(canceled: true));
        Assert.True(h.Clock.GetElapsedTime(began) < TimeSpan.FromSeconds(2), "It looked for the row as long as a stop looks for any");
        deaf.SetResult();
        await Assert.ThrowsAsync<InvalidOperationException>(() => starting);
    }

    private static RunsHarness Front(TestDatabase database) => new(options: new RunsOptions { Parallelism = 0 }, database: database, ownsData: false);

    private static RunOwnership Owner(RunsHarness h, IPresence presence) => new(h.Database, h.Snapshots, h.Signals, WorkerIdentity.New(ownsData: false, presence));

    /// <summary>Runs of a worker that lives until its presence is disposed of.</summary>
    private static async Task<(List<string> Runs, PostgresPresence Presence)> HeldAsync(RunsHarness front, int count)
    {
        var presence = new PostgresPresence(front.Database, front.Test.Options);
        var owner = Owner(front, presence);
        await owner.RecoverAsync(default);
        List<string> runs = [];
        for (var i = 0; i < count; i++)
        {
            runs.Add((await front.RunAsync(Solo, "hi")).RunId);
            Assert.NotNull(await owner.ClaimAsync(runs[i], TimeSpan.FromHours(1), default));
        }

        return (runs, presence);
    }

    /// <summary>A run that waits for so long.</summary>
    private static async Task<string> ParkedAsync(RunsHarness h, TimeSpan wait)
    {
        var (run, at) = (await h.OwnedAsync(), h.Clock.GetUtcNow() + wait);
        await h.Store.AppendAsync(run.Batch(RunStatus.WaitingTimer, new TimerStarted("models", "away", at, 1)) with { WakeAt = at }, default);
        return run.Id;
    }

    /// <summary>What waits is due, and no timer of this process knows.</summary>
    private static Task MakeDueAsync(RunsHarness h) => h.Test.ExecuteAsync("UPDATE runs SET wake_at = wake_at - 172800000000 WHERE wake_at IS NOT NULL");

    private static async Task<(RunStatus Status, int Attempt)> StandingAsync(RunsHarness h, string run) => await h.Ownership.RowAsync(run, default) is { } row ? (row.Status, row.Attempt) : default;

    private static async Task EndAsync(RunsHarness h, params string[] runs)
    {
        foreach (var run in runs)
        {
            Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(run, static r => r.Status.IsFinal())).Status);
        }
    }

    private static async Task<NewRun> BelowAsync(RunsHarness h, TestRun parent, string key)
    {
        var row = await h.Ownership.RowAsync(parent.Id, default);
        var child = new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = parent.Id, ParentRunId = parent.Id, ParentKey = key, Depth = 1, Team = "test", EntryAgent = "solo",
            SnapshotHash = row!.SnapshotHash, Input = "task",
        };
        return child with { Queued = NewRuns.QueuedRecord(child, Solo, h.Clock.GetUtcNow()) };
    }

    /// <summary>Somebody else's transaction that holds rows of runs and comes to no end, until this does.</summary>
    private sealed class Writing(NpgsqlConnection connection, NpgsqlTransaction transaction) : IAsyncDisposable
    {
        public static async Task<Writing> OfAsync(TestDatabase database, params string[] runs)
        {
            var connection = new NpgsqlConnection(PostgresServer.OfUrl(database.Options.ConnectionString));
            await connection.OpenAsync();
            var transaction = await connection.BeginTransactionAsync();
            await using var hold = new NpgsqlCommand("SELECT 1 FROM runs WHERE id = ANY(@runs) FOR UPDATE", connection, transaction) { Parameters = { new NpgsqlParameter<string[]>("runs", runs) } };
            await hold.ExecuteNonQueryAsync();
            return new Writing(connection, transaction);
        }

        public async ValueTask DisposeAsync()
        {
            await transaction.RollbackAsync();
            await connection.DisposeAsync();
        }
    }
}
