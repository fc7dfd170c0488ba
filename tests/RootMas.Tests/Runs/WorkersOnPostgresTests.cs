using System.Globalization;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Support;
using Wait = RootMas.Tests.Support.Wait;

namespace RootMas.Tests.Runs;

/// <summary>Several workers on one database: who lives, and races that one writer would hide.</summary>
public sealed class WorkersOnPostgresTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const string WaitForARow = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";

    /// <summary>Whoever stands still in a transaction may do so for a while.</summary>
    private static readonly DatabaseOptions Patient = new() { Durability = Durability.Normal, PoolMin = 1, CommandTimeout = TimeSpan.FromMinutes(3) };

    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    [PostgresFact]
    public async Task The_runs_of_a_worker_that_is_gone_go_on_and_those_of_a_living_one_stay()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var h = new RunsHarness(database: database);
        await using var mine = new PostgresPresence(database.Database, database.Options);
        await using var theirs = new PostgresPresence(database.Database, database.Options);
        var dead = new PostgresPresence(database.Database, database.Options);
        var (me, living, dying) = (Owner(h, mine), Owner(h, theirs), Owner(h, dead));
        foreach (var worker in (RunOwnership[])[me, living, dying])
        {
            Assert.Equal(0, await worker.RecoverAsync(default));
        }

        var (kept, lost) = ((await h.RunAsync(Solo, "one")).RunId, (await h.RunAsync(Solo, "two")).RunId);
        Assert.NotNull(await living.ClaimAsync(kept, TimeSpan.FromMinutes(5), default));
        Assert.NotNull(await dying.ClaimAsync(lost, TimeSpan.FromMinutes(5), default));
        Assert.Equal(0, await me.RecoverAsync(default));

        await dead.DisposeAsync(); // what the kernel does to a killed process
        var began = System.Diagnostics.Stopwatch.GetTimestamp();
        while (await me.RecoverAsync(default) == 0)
        {
            Assert.InRange(System.Diagnostics.Stopwatch.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(60));
        }

        var taken = await me.ClaimAsync(lost, TimeSpan.FromMinutes(5), default);
        Assert.Equal((2, 1), (taken!.Attempt, taken.Crashes));
        Assert.Equal(0, await me.RecoverAsync(default));
        Assert.Null(await me.ClaimAsync(kept, TimeSpan.FromMinutes(5), default));
    }

    [PostgresFact]
    public async Task A_run_that_is_being_written_is_neither_renewed_nor_lost_and_holds_up_the_renewal_of_no_other()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var h = new RunsHarness(database: database);
        await using var presence = new PostgresPresence(database.Database, database.Options);
        var owner = Owner(h, presence);
        await owner.RecoverAsync(default);
        string[] runs = [(await h.RunAsync(Solo, "one")).RunId, (await h.RunAsync(Solo, "two")).RunId, (await h.RunAsync(Solo, "three")).RunId];
        foreach (var run in runs)
        {
            Assert.NotNull(await owner.ClaimAsync(run, TimeSpan.FromSeconds(20), default));
        }

        var (holds, done) = (new TaskCompletionSource(), new TaskCompletionSource());
        var writing = database.Database.WriteAsync(
            async session =>
            {
                await session.Prepared("UPDATE runs SET reason = NULL WHERE id = @id").Set("id", runs[1]).RunAsync();
                holds.SetResult();
                await done.Task;
                return true;
            },
            default);
        await holds.Task;
        var held = await owner.RenewAsync(runs, TimeSpan.FromHours(1), default);
        Assert.Equal([true, false, true], runs.Select(run => held[run].IsRenewed));
        Assert.Equal(2, await database.ScalarAsync("SELECT count(*) FROM runs WHERE lease_until - started_at > 3000000000"));
        Assert.False((await owner.RenewAsync([runs[1]], TimeSpan.FromHours(1), default))[runs[1]].IsRenewed);
        done.SetResult();
        await writing;
        Assert.True((await owner.RenewAsync([runs[1]], TimeSpan.FromHours(1), default))[runs[1]].IsRenewed);
        Assert.Equal(3, await database.ScalarAsync("SELECT count(*) FROM runs WHERE lease_until - started_at > 3000000000"));

        await database.ExecuteAsync($"UPDATE runs SET worker = 'another' WHERE id = '{runs[1]}'");
        Assert.Equal(((string[])[runs[0], runs[2]]).Order(), (await owner.RenewAsync(runs, TimeSpan.FromHours(1), default)).Keys.Order());
    }

    [PostgresFact]
    public async Task A_cut_that_takes_the_places_of_all_workers_takes_no_run_from_any()
    {
        const string Places = "FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        var go = new TaskCompletionSource();
        var model = new ScriptedChatClient(static _ => [ScriptedChatClient.Say("ok")]) { Before = (_, ct) => go.Task.WaitAsync(ct) };
        await using var database = RunsHarness.NewDatabase();
        await using var one = new RunsHarness(model, database: database, ownsData: false);
        await using var two = new RunsHarness(model, database: database, ownsData: false);
        await one.StartAsync();
        await two.StartAsync();
        List<string> runs = [];
        for (var i = 0; i < 4; i++)
        {
            runs.Add((await (i % 2 == 0 ? one : two).RunAsync(Solo, "hi", atOnce: true)).RunId);
        }

        await Wait.UntilAsync(() => model.Calls == runs.Count);
        await Wait.UntilAsync(static async at => await at.ScalarAsync("SELECT COUNT(DISTINCT worker) FROM runs WHERE status = 'running' HAVING COUNT(*) = 4") == 2, database, "Each does not have two");
        var (server, url) = (await PostgresServer.SharedAsync(), database.Options.ConnectionString);
        var name = url[(url.LastIndexOf('/') + 1)..];
        for (var cut = 0; cut < 3; cut++)
        {
            var before = await server.ScalarAsync<string>($"SELECT string_agg(pid::text, ', ') {Places}", name);
            // As an outage that lasted longer than their leases: these are over when it is.
            await server.ExecuteAsync("UPDATE runs SET lease_until = 1 WHERE status = 'running'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()", name);
            await Wait.UntilAsync(async at => await at.ScalarAsync<long>($"SELECT COUNT(*) {Places} AND pid NOT IN ({before})", name) == 2, server, "They do not take their places again");
        }

        await Wait.UntilAsync(AnswersAsync, database, "The database does not answer");
        go.SetResult();
        foreach (var run in runs)
        {
            var end = await one.WaitForAsync(run, static r => r.Status.IsFinal());
            Assert.Equal((RunStatus.Completed, 1), (end.Status, end.Attempt));
        }

        Assert.Equal(0, await database.ScalarAsync("SELECT COUNT(*) FROM runs WHERE crashes > 0"));

        static async Task<bool> AnswersAsync(TestDatabase database)
        {
            try
            {
                return await database.ScalarAsync("SELECT COUNT(*) FROM runs") > 0;
            }
            catch (StorageUnavailableException)
            {
                return false;
            }
        }
    }

    [PostgresFact]
    public async Task A_place_that_was_lost_with_its_connection_is_taken_again()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var presence = new PostgresPresence(database.Database, database.Options);
        await presence.HoldAsync("a", default);
        Assert.Equal(["b"], await presence.GoneAsync(["a", "b"], default));
        await database.ScalarAsync("SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())");
        while ((await presence.GoneAsync(["a"], default)).Count == 0)
        {
            await Task.Delay(5);
        }

        await presence.HoldAsync("a", default);
        Assert.Empty(await presence.GoneAsync(["a"], default));
    }

    [PostgresFact]
    public async Task Many_messages_to_one_branch_at_once_all_run_one_after_the_other()
    {
        var running = 0;
        var together = 0;
        await using var h = new RunsHarness(new ScriptedChatClient(asked =>
        {
            if (int.Parse(asked.LastText, CultureInfo.InvariantCulture) % 2 == 0)
            {
                return [ScriptedChatClient.Say("ok")]; // this one may be asked before it is known that the branch is taken; then it is asked again
            }

            together = Math.Max(together, Interlocked.Increment(ref running));
            Interlocked.Decrement(ref running);
            return [ScriptedChatClient.Say("ok")];
        }));
        await h.StartAsync();
        var accepted = await Task.WhenAll(Enumerable.Range(0, 60).Select(i => Task.Run(() => h.RunAsync(Solo, $"{i}", branch: "b", atOnce: i % 2 == 0))));
        foreach (var run in accepted)
        {
            Assert.Equal(RunStatus.Completed, (await h.EndAsync(run.RunId)).Status);
        }

        Assert.Equal(1, together);
        Assert.Equal(60, await h.Test.ScalarAsync("SELECT count(*) FROM runs WHERE status = 'completed' AND branch_slot IS NULL"));
    }

    [PostgresFact]
    public async Task A_word_to_a_run_that_is_parking_is_never_lost()
    {
        await using var h = new RunsHarness();
        for (var round = 0; round < 100; round++)
        {
            var run = await h.OwnedAsync();
            var parking = run.Batch(RunStatus.WaitingInput, new InputRequested(1, "What?", null, h.Clock.GetUtcNow().AddHours(1)));
            var park = Task.Run(() => h.Store.AppendAsync(parking, default).AsTask());
            var word = Task.Run(() => h.Store.InsertInboxAsync(run.Id, null, "w", new CancelRequested("x", null), default));
            Assert.Equal(InboxOutcome.Written, await word);
            var parked = (await park).Parked;
            var row = (await h.Ownership.RowAsync(run.Id, default))!;
            Assert.True(row.InboxSeq > row.InboxDone);
            Assert.Equal(parked ? RunStatus.Queued : RunStatus.Running, row.Status); // woken, or its owner goes on and reads
        }
    }

    [PostgresFact]
    public async Task A_queued_run_that_is_cancelled_while_its_branch_becomes_free_leaves_no_branch_behind()
    {
        await using var h = new RunsHarness(new ScriptedChatClient(static _ => [ScriptedChatClient.Say("ok")]));
        await h.StartAsync();
        for (var round = 0; round < 30; round++)
        {
            var branch = $"b{round}";
            var runs = new List<RunAccepted>();
            for (var i = 0; i < 4; i++)
            {
                runs.Add(await h.RunAsync(Solo, $"{i}", branch: branch));
            }

            await Task.WhenAll(runs.Skip(1).Take(2).Select(r => h.Verbs.CancelAsync(r.RunId, "alice", "no", keepText: false, default)));
            foreach (var run in runs)
            {
                Assert.True((await h.EndAsync(run.RunId)).Status.IsFinal());
            }
        }

        Assert.Equal(0, await h.Test.ScalarAsync("SELECT count(*) FROM runs WHERE branch_slot IS NOT NULL OR ended_at IS NULL"));
    }

    [PostgresFact]
    public async Task What_a_claim_waits_for_is_not_claimed_once_more_with_every_look()
    {
        await using var database = new TestDatabase(Patient);
        await using var front = new RunsHarness(options: new RunsOptions { Parallelism = 0 }, database: database, ownsData: false);
        for (var i = 0; i < 3; i++)
        {
            await front.RunAsync(Solo, "hi");
        }

        var (holds, done) = (new TaskCompletionSource(), new TaskCompletionSource());
        var holding = database.Database.WriteAsync(
            async session =>
            {
                await session.Prepared("UPDATE runs SET reason = NULL").RunAsync();
                holds.SetResult();
                await done.Task;
                return true;
            },
            default);
        await holds.Task;
        var clock = new ManualTimeProvider();
        await using var h = new RunsHarness(database: database, time: clock, ownsData: false);
        await h.StartAsync();
        await Wait.UntilAsync(static async at => await at.ScalarAsync(WaitForARow) == 3, database, "They are not begun");

        try
        {
            // Each of these is found by a later look, which finds the others, too.
            for (var i = 0; i < 3; i++)
            {
                var found = (await front.RunAsync(Solo, "hi", owner: "bob")).RunId;
                await Wait.UntilAsync(
                    async at =>
                    {
                        clock.Advance(TimeSpan.FromSeconds(1));
                        return (await at.Ownership.RowAsync(found, default))!.Status.IsFinal();
                    },
                    h, "It is not found");
            }

            Assert.Equal(3, await database.ScalarAsync(WaitForARow));
        }
        finally
        {
            done.SetResult();
        }

        await holding;
        await Wait.UntilAsync(static async at => await at.ScalarAsync("SELECT COUNT(*) FROM runs WHERE status <> 'completed'") == 0, database, "The others are not done");
    }

    [PostgresFact]
    public async Task A_run_that_its_worker_has_without_knowing_it_is_given_back_and_no_crash_is_counted()
    {
        await using var database = RunsHarness.NewDatabase();
        var options = new RunsOptions { Lease = TimeSpan.FromHours(1), Renewal = TimeSpan.FromMilliseconds(100) };
        await using var h = new RunsHarness(database: database, options: options, ownsData: false, engine: static async (_, stopping) =>
        {
            await Task.Delay(Timeout.Infinite, stopping);
            return RunExit.Stopped;
        });
        var run = (await h.RunAsync(Solo, "hi")).RunId;
        Assert.NotNull(await h.Ownership.ClaimAsync(run, options.Lease, default)); // and the answer never arrives
        await h.StartAsync();
        await Wait.UntilAsync(static async at => (await at.h.Ownership.RowAsync(at.run, default))!.Attempt > 1, (h, run), "It was taken up again");
        var row = (await h.Ownership.RowAsync(run, default))!;
        Assert.Equal((RunStatus.Running, 2, 0), (row.Status, row.Attempt, row.Crashes));
    }

    [PostgresFact]
    public async Task However_much_there_is_to_look_at_the_dead_are_seen()
    {
        await using var database = RunsHarness.NewDatabase();
        await using var front = new RunsHarness(options: new RunsOptions { Parallelism = 0 }, database: database, ownsData: false);
        var dead = new PostgresPresence(database.Database, database.Options);
        var dying = Owner(front, dead);
        await dying.RecoverAsync(default);
        var lost = (await front.RunAsync(Solo, "hi")).RunId;
        Assert.NotNull(await dying.ClaimAsync(lost, TimeSpan.FromHours(1), default));
        await using var bus = new MemoryBus();
        var others = bus.Join();
        await using var h = new RunsHarness(database: database, bus: bus.Join(), ownsData: false);
        await h.StartAsync();
        using var over = new CancellationTokenSource();
        var nudging = Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                others.Publish(RunWorker.BusTopic, "look"u8.ToArray());
                await Task.Delay(10);
            }
        });
        await dead.DisposeAsync();
        await Wait.UntilAsync(async at => (await at.Ownership.RowAsync(lost, default))!.Status.IsFinal(), h, "Nobody took it over");
        await over.CancelAsync();
        await nudging;
    }

    private static RunOwnership Owner(RunsHarness h, IPresence presence) => new(h.Database, h.Snapshots, h.Signals, WorkerIdentity.New(ownsData: false, presence));
}
