using System.Net;
using System.Net.Http.Json;
using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;
using Wait = RootMas.Tests.Support.Wait;

namespace RootMas.Tests.Runs;

/// <summary>I4 where a row of the ledger comes with no step of its run: the run is somebody else's by then, or was never made.</summary>
public abstract class LateRowTests(DatabaseKind kind) : OnDatabase(kind)
{
    private static readonly TokenUsage Used = new(30, 10, 7, 2);

    /// <summary>Of the scripted model, which has no rows.</summary>
    private static readonly TokenUsage Again = new(10, 0, 5);

    [DatabaseFact]
    public async Task A_row_that_comes_after_another_attempt_takes_the_place_of_the_one_in_doubt_and_is_booked_once()
    {
        await using var h = new RunsHarness();
        var run = await AskingAsync(h);
        await EndedAsync(h, run.Id);
        Assert.Equal("in_doubt", Assert.Single(await OutcomesAsync(h, run.Id)));
        var late = Late(run.Id);
        await LedgerOf(h).AppendAsync(late, default);
        await h.Store.KeepAsync([late]); // whose answer was lost comes again
        await CheckAsync(h, run.Id, "cancelled", Again + Used);
    }

    /// <summary>Another request for the same message may have left after it, and nobody knows what became of that.</summary>
    [DatabaseFact]
    public async Task A_late_row_of_a_request_that_failed_is_booked_and_leaves_the_one_in_doubt()
    {
        await using var h = new RunsHarness();
        var run = await AskingAsync(h);
        await EndedAsync(h, run.Id);
        await LedgerOf(h).AppendAsync(Late(run.Id, "timeout"), default);
        Assert.Equal(["in_doubt", "timeout"], (await OutcomesAsync(h, run.Id)).Order(StringComparer.Ordinal));
        await CheckAsync(h, run.Id, 700, Again + Used);

        await LedgerOf(h).AppendAsync(Late(run.Id, "ok"), default);
        Assert.Equal(["ok", "timeout"], (await OutcomesAsync(h, run.Id)).Order(StringComparer.Ordinal));
        await CheckAsync(h, run.Id, 1_400, Again + Used + Used);
    }

    /// <summary>With the parts as the server puts them together.</summary>
    [DatabaseFact]
    public async Task A_row_that_comes_when_its_run_has_ended_is_in_what_the_server_says_that_it_cost()
    {
        await using var app = await TestApp.StartAsync();
        var id = (await app.PostJsonAsync("/api/v1/chat", new { message = "Hi", team = "solo" })).Text("run_id");
        var before = await app.GetJsonAsync($"/api/v1/runs/{id}");
        Assert.Equal(("completed", "0.00"), (before.Text("status"), before.Text("cost_usd"))); // the offline model's
        await app.Get<LedgerStore>().AppendAsync(Late(id) with { OwnerId = before.Text("owner_id") }, default);
        var after = await app.GetJsonAsync($"/api/v1/runs/{id}");
        Assert.Equal(("0.0007", "0.0007"), (after.Text("cost_usd"), after.Text("tree_cost_usd")));
    }

    [DatabaseFact]
    public async Task The_row_of_a_batch_that_is_refused_is_kept_and_booked()
    {
        await using var h = new RunsHarness();
        var run = await AskingAsync(h);
        await EndedAsync(h, run.Id);
        var answered = run.Batch(RunStatus.Running, new ModelCompleted("m", "late", [], "m", "cheap", Used, new Money(700), 1, 1, "stop")) with { Ledger = [Late(run.Id, "ok")] };
        Assert.Equal(AppendOutcome.Fenced, (await h.Store.AppendAsync(answered, default)).Outcome);
        await CheckAsync(h, run.Id, "ok", Again + Used);
    }

    [DatabaseFact]
    public async Task A_row_that_comes_before_another_attempt_leaves_nothing_in_doubt()
    {
        await using var h = new RunsHarness();
        var run = await AskingAsync(h);
        await LedgerOf(h).AppendAsync(Late(run.Id), default);
        Assert.Equal(Money.Zero, (await h.Ownership.RowAsync(run.Id, default))!.Cost); // its own step books it, or the next attempt
        await EndedAsync(h, run.Id);
        await CheckAsync(h, run.Id, "cancelled", Again + Used);
    }

    [DatabaseFact]
    public async Task A_row_that_comes_after_another_attempt_has_looked_and_before_it_has_written_is_booked_by_that()
    {
        await using var h = new RunsHarness();
        var run = await AskingAsync(h);
        await h.Ownership.VoidLeasesAsync(default);
        var row = (await h.Ownership.ClaimAsync(run.Id, TimeSpan.FromMinutes(1), default))!;
        var looked = await h.Ownership.LoadAsync(row, default);
        await LedgerOf(h).AppendAsync(Late(run.Id), default);
        var next = new TestRun(h, run.Id, row.Attempt) { Seq = row.LastSeq };
        var batch = next.Batch(RunStatus.Running, new RunStarted(row.Attempt, "test"), looked.Unbooked.Fail("m", "The worker was lost.")) with { Ledger = [InDoubt(run.Id)] };
        Assert.Equal(AppendOutcome.Appended, (await h.Store.AppendAsync(batch, default)).Outcome);
        await CheckAsync(h, run.Id, "cancelled", Used);
    }

    [DatabaseFact]
    public async Task A_late_row_of_a_part_counts_for_the_tree()
    {
        await using var h = new RunsHarness();
        var root = await h.OwnedAsync();
        var part = await h.OwnedAsync(new NewRun
        {
            RunId = Guid.CreateVersion7().ToString(), OwnerId = "alice", RootRunId = root.Id, ParentRunId = root.Id, ParentKey = "part", Depth = 1, Team = "test", EntryAgent = "solo",
            SnapshotHash = (await h.Ownership.RowAsync(root.Id, default))!.SnapshotHash, Input = "task", CreatedAt = h.Clock.GetUtcNow(),
        });
        await part.AppendAsync(RunStatus.Running, Asked(), Unbooked.None.Fail("m", "The worker was lost."));
        await LedgerOf(h).AppendAsync(Late(part.Id) with { RootRunId = root.Id }, default);
        var (above, below) = ((await h.Ownership.RowAsync(root.Id, default))!, (await h.Ownership.RowAsync(part.Id, default))!);
        Assert.Equal((Money.Zero, new Money(700)), (above.Cost, below.Cost));
        Assert.Equal(new TreeTotals(0, 0, 37, 700), above.Tree);
        Assert.Equal(new TreeTotals(), below.Tree);
    }

    [DatabaseFact]
    public async Task An_answer_to_a_run_that_could_not_be_made_has_its_row()
    {
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await TestApp.StartAsync(o => o.Services = services =>
        {
            services.Wrap(inner => new RefusingDatabase(inner, answered.Task));
            var models = services.Last(static s => s.ServiceType == typeof(IChatClient));
            services.Remove(models);
            services.AddSingleton<IChatClient>(p => new HeardClient((IChatClient)models.ImplementationFactory!(p), answered));
        });
        using var response = await app.Client.PostAsJsonAsync("/api/v1/chat/simple", new { message = "Hi" });
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        await Wait.UntilAsync(() => app.Get<RunWorker>().ActiveCount == 0);
        Assert.Equal(0, await CountAsync(app, "runs"));
        Assert.Equal(1, await CountAsync(app, "usage_ledger"));
    }

    private static Task<long?> CountAsync(TestApp app, string table) =>
        app.Get<IDatabase>().ReadAsync(session => session.Prepared($"SELECT COUNT(*) FROM {table}").Int64Async(), default);

    private static ModelRequested Asked() => new("m", "cheap", "v", "h", "answer", 1);

    /// <summary>A run whose model has been asked, in the hands of nobody who lives.</summary>
    private static async Task<TestRun> AskingAsync(RunsHarness h)
    {
        var run = await h.OwnedAsync();
        await run.AppendAsync(RunStatus.Running, Asked());
        return run;
    }

    private static async Task EndedAsync(RunsHarness h, string run)
    {
        await h.StartAsync();
        Assert.Equal(RunStatus.Completed, (await h.WaitForAsync(run, static r => r.Status.IsFinal())).Status);
    }

    /// <summary>As the server has it.</summary>
    private static LedgerStore LedgerOf(RunsHarness h) => new(h.Database, (session, row) => LateRows.WriteAsync(session, h.Signals, row));

    private static LedgerEntry InDoubt(string run) => LedgerEntry.InDoubt(run, run, "alice", new OpenModelCall("m", "answer", "solo", 1, "cheap"), DateTimeOffset.UtcNow);

    private static LedgerEntry Late(string run, string outcome = "cancelled") => InDoubt(run) with { Outcome = outcome, Cost = new Money(700), Usage = Used };

    private static Task<List<string>> OutcomesAsync(RunsHarness h, string run) => h.Database.LookAsync(
        async session => await session.Prepared("SELECT outcome FROM usage_ledger WHERE run_id = @run").Set("run", run).ListAsync(static r => r.GetString(0)), default);

    /// <summary>One row, and a run and a tree that cost what it says.</summary>
    private static async Task CheckAsync(RunsHarness h, string run, string outcome, TokenUsage usage)
    {
        Assert.Equal(outcome, Assert.Single(await OutcomesAsync(h, run)));
        await CheckAsync(h, run, 700, usage);
    }

    private static async Task CheckAsync(RunsHarness h, string run, long cost, TokenUsage usage)
    {
        var row = (await h.Ownership.RowAsync(run, default))!;
        Assert.Equal((new Money(cost), cost, usage), (row.Cost, row.Tree.CostMicroUsd, row.Usage));
        Assert.Equal(usage.InputTokens + usage.OutputTokens, row.Tree.Tokens);
    }

    /// <summary>The first new run is refused as soon as its model has answered.</summary>
    private sealed class RefusingDatabase(IDatabase inner, Task until) : WrappedDatabase(inner)
    {
        private int _refused;

        public override async Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
        {
            if (Interlocked.Exchange(ref _refused, 1) == 0)
            {
                await until;
                throw new StorageUnavailableException("The connection was cut.");
            }

            return await Inner.WriteSoonAsync(work, cancellationToken);
        }
    }

    private sealed class HeardClient(IChatClient inner, TaskCompletionSource answered) : DelegatingChatClient(inner)
    {
        public override async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
            IEnumerable<ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await foreach (var update in InnerClient.GetStreamingResponseAsync(messages, options, cancellationToken))
            {
                yield return update;
            }

            answered.TrySetResult();
        }
    }
}

public sealed class LateRowOnSqliteTests() : LateRowTests(DatabaseKind.Sqlite);

public sealed class LateRowOnPostgresTests() : LateRowTests(DatabaseKind.Postgres), IOnPostgres;
