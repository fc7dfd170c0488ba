using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Npgsql;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Server.Platform.Data;
using RootMas.Server.Runs;
using RootMas.Tests.Faults.Clusters;
using RootMas.Tests.Platform.Data;
using RootMas.Tests.Support;
using Wait = RootMas.Tests.Support.Wait;

namespace RootMas.Tests.Faults;

/// <summary>F7 where it is worst: the connection to PostgreSQL is cut while it works on a batch whose last statement is the commit.</summary>
public sealed class BatchCutTests() : OnDatabase(DatabaseKind.Postgres)
{
    private const int Clients = 6;

    private static readonly TeamSnapshot Solo = TestTeams.Of(PatternKind.Direct, ["solo"]);

    /// <summary>No upkeep comes in between, and no lease ends.</summary>
    private static readonly RunsOptions Patient = new() { Lease = TimeSpan.FromHours(1), Renewal = TimeSpan.FromHours(1) };

    /// <summary>Of the load.</summary>
    private int _ended;

    [PostgresFact]
    public async Task A_batch_of_which_only_the_beginning_arrived_is_written_once_in_the_end()
    {
        await using var world = await CutWorld.StartAsync();
        var run = await world.Harness.OwnedAsync();
        for (var i = 1; i <= 4; i++)
        {
            world.Proxy.CutNextCommit(CutAt.Within);
            var batch = run.Batch(RunStatus.Running, Asked($"m{i}")) with { Ledger = [Paid(run.Id), Paid(run.Id)] }; // more than a step, which is one statement
            Assert.Equal(AppendOutcome.Appended, (await world.Harness.Store.AppendAsync(batch, default)).Outcome);
            Assert.Equal(i, world.Proxy.Cuts);
        }

        Assert.Equal([1L, 2, 3, 4, 5, 6], (await world.Harness.LogAsync(run.Id)).Select(static e => e.Seq));
    }

    /// <summary>The server has all of the batch and stands before a lock in it, so the second try asks whether the first went through before anybody can know.</summary>
    [PostgresFact]
    public async Task A_batch_that_the_server_goes_on_with_after_its_client_is_gone_counts_once()
    {
        await using var world = await CutWorld.StartAsync();
        var run = await world.Harness.OwnedAsync();
        await using var other = new NpgsqlConnection(world.Server.ConnectionString(world.Name));
        await other.OpenAsync();
        for (var i = 1; i <= 2; i++)
        {
            await using var held = await other.BeginTransactionAsync();
            await using (var hold = new NpgsqlCommand("LOCK TABLE run_events IN SHARE MODE", other, held))
            {
                await hold.ExecuteNonQueryAsync();
            }

            var appending = run.AppendAsync(RunStatus.Running, Asked($"m{i}")).AsTask();
            await BlockedAsync(world, 1);
            world.Proxy.CutAll();
            await BlockedAsync(world, 2);
            await held.RollbackAsync();
            Assert.Equal(AppendOutcome.Appended, (await appending).Outcome);
        }

        Assert.Equal([1L, 2, 3, 4], (await world.Harness.LogAsync(run.Id)).Select(static e => e.Seq));
    }

    /// <summary>Created before anything of it starts, as with an <c>Idempotency-Key</c>.</summary>
    [PostgresFact]
    public async Task A_new_run_whose_commit_was_not_answered_is_accepted_and_begins_at_once()
    {
        await using var world = await CutWorld.StartAsync(Patient);
        await world.Harness.StartAsync();
        world.Proxy.CutNextCommit(CutAt.After);
        var accepted = await world.Harness.RunAsync(Solo, "hi");
        Assert.Equal((1, RunStatus.Running), (world.Proxy.Cuts, accepted.Status));
        var run = await world.Harness.WaitForAsync(accepted.RunId, static r => r.Status.IsFinal());
        Assert.Equal((RunStatus.Completed, 1), (run.Status, run.Attempt));
    }

    [PostgresFact]
    public async Task A_claim_whose_commit_was_not_answered_is_gone_on_with()
    {
        await using var world = await CutWorld.StartAsync(Patient);
        var h = world.Harness;
        await h.StartAsync();
        await using var other = new RunsHarness(database: h.Test); // takes no runs
        var id = (await other.RunAsync(Solo, "hi")).RunId;
        var ready = (await h.Ownership.RowAsync(id, default))!.Ready;
        world.Proxy.CutNextCommit(CutAt.After);
        h.Worker.Enqueue(ready);
        await Wait.UntilAsync(() => world.Proxy.Cuts == 1);
        var run = await h.WaitForAsync(id, static r => r.Status.IsFinal());
        Assert.Equal((RunStatus.Completed, 1), (run.Status, run.Attempt));
    }

    [PostgresFact]
    public async Task Under_load_nothing_is_lost_nothing_is_doubled_and_the_invariants_hold()
    {
        var server = await PostgresServer.SharedAsync();
        var database = await server.NewDatabaseAsync(migrated: false);
        await using var way = new CuttingProxy(server.Port);
        await using var world = await FaultWorld.StartAsync(ClusterLoad.Script, (server, database), way: way);
        using var enough = new CancellationTokenSource();
        var load = Enumerable.Range(0, Clients).Select(i => Task.Run(() => AskAsync(world, i, enough.Token))).ToList();
        foreach (var when in (CutAt[])[CutAt.Before, CutAt.Within, CutAt.After, CutAt.Within, CutAt.After, CutAt.Before, CutAt.Within, CutAt.After])
        {
            var (cuts, ended) = (way.Cuts, Volatile.Read(ref _ended));
            way.CutNextCommit(when);
            await UntilAsync(load, () => way.Cuts > cuts, "A commit was cut");
            way.CutAll(); // and whatever the others are at
            await UntilAsync(load, () => Volatile.Read(ref _ended) >= ended + 3, "Runs ended"); // a run that never gets on between cuts would be given up
        }

        await enough.CancelAsync();
        var puts = (await Task.WhenAll(load)).Sum();
        Assert.Equal(8, way.Cuts);
        foreach (var id in world.Checker.Accepted)
        {
            await world.WaitAsync(id, "completed");
        }

        Assert.Equal(puts, world.Sim.ToolCounts["idempotent"].Effects);
        world.Checker.UnaccountedCalls = 8 * Clients * 4; // calls under way at a cut whose request was not yet written
        await world.Checker.CheckAsync();
        await server.DropAsync(database);
    }

    /// <summary>Asks until it is enough; each request has its key and is repeated until it is answered. Returns how many of the runs put something somewhere.</summary>
    private async Task<int> AskAsync(FaultWorld world, int client, CancellationToken enough)
    {
        var puts = 0;
        for (var i = 0; !enough.IsCancellationRequested; i++)
        {
            var isPut = (client + i) % 3 == 0;
            object body = isPut ? new { message = "put it there", agent = "multi_tool" } : (client + i) % 3 == 1 ? new { message = "ask three" } : new { message = $"hello {i}", team = "solo" };
            var id = await AcceptedAsync(world, body, $"{client}-{i}");
            puts += isPut ? 1 : 0;
            lock (world.Checker)
            {
                world.Checker.Accepted.Add(id);
            }

            await Wait.UntilAsync(static at => IsOverAsync(at.world, at.id), (world, id), "The run ended");
            Interlocked.Increment(ref _ended);
        }

        return puts;
    }

    /// <summary>Says yes to what the run asks for. An answer that was lost, or is none, is no answer: it is looked at again.</summary>
    private static async Task<bool> IsOverAsync(FaultWorld world, string id)
    {
        var run = await world.RunAsync(id);
        if (run.GetProperty("status") is not { ValueKind: JsonValueKind.String } status)
        {
            return false; // a problem document
        }

        if (status.GetString() == "waiting_approval")
        {
            using var list = await world.Server.Http.GetAsync($"/api/v1/approvals?run={id}");
            if (list.IsSuccessStatusCode && JsonElement.Parse(await list.Content.ReadAsStringAsync()).GetProperty("items") is var items && items.GetArrayLength() > 0)
            {
                var decision = new { decision = "approve", arguments_hash = items[0].GetProperty("arguments_hash").GetString() };
                using var said = await world.Server.Http.PostAsJsonAsync($"/api/v1/approvals/{items[0].GetProperty("id").GetString()}", decision);
            }
        }

        return status.GetString() is "completed" or "failed";
    }

    private static async Task<string> AcceptedAsync(FaultWorld world, object body, string key)
    {
        while (true)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(body), Headers = { { "Idempotency-Key", key }, { "Prefer", "wait=0" } } };
            using var response = await world.Server.Http.SendAsync(request);
            var answer = await response.Content.ReadAsStringAsync();
            if (response.IsSuccessStatusCode)
            {
                return JsonElement.Parse(answer).GetProperty("run_id").GetString()!;
            }

            Assert.True(response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.Conflict, $"{(int)response.StatusCode} {answer} {string.Join('\n', world.Server.Stdout.Split('\n').Concat(world.Server.Stderr.Split('\n')).Where(static l => l.Contains("\"error\"", StringComparison.Ordinal)).TakeLast(6))}"); // 409: the first of the same key is still at work
        }
    }

    private static Task UntilAsync(List<Task<int>> load, Func<bool> condition, string what) =>
        Wait.UntilAsync(static at => Task.FromResult(at.condition() || at.load.Exists(static l => l.IsFaulted)), (condition, load), what);

    private static async Task BlockedAsync(CutWorld world, int count) => await Wait.UntilAsync(
        static async at => await at.world.Server.ScalarAsync<long>($"SELECT count(*) FROM pg_stat_activity WHERE datname = '{at.world.Name}' AND wait_event_type = 'Lock'", "postgres") >= at.count, (world, count), $"{count} waited for a lock");

    private static LedgerEntry Paid(string run) => new()
    {
        Id = Guid.CreateVersion7().ToString(), RunId = run, RootRunId = run, OwnerId = "alice", Agent = "solo", Purpose = "answer", Provider = "p", Model = "m", Tier = "cheap", Outcome = "ok",
        Usage = TokenUsage.None, Cost = Money.Zero, CreatedAt = DateTimeOffset.UnixEpoch,
    };

    private static ModelRequested Asked(string id) => new(id, "cheap", "v1", "h", "answer", 1);
}
