using System.Net;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;
using RootMas.Tests.Identity.Audit;
using RootMas.Tests.Support;

namespace RootMas.Tests.Runs.Queue;

/// <summary>What operators see of the queue, and what they do with dead letters.</summary>
public abstract class QueueApiTests(DatabaseKind kind) : OnDatabase(kind)
{
    [DatabaseFact]
    public async Task A_run_that_was_given_up_is_a_dead_letter_and_goes_on_when_it_is_redriven()
    {
        await using var app = await TestApp.StartAsync();
        var lost = await GiveUpAsync(app);
        Assert.Equal(1, (await app.GetJsonAsync("/api/v1/queue")).GetProperty("dead_letters").GetInt64());
        var letter = Assert.Single((await app.GetJsonAsync("/api/v1/queue/dead")).GetProperty("items").EnumerateArray().ToList());
        Assert.Equal(("run", lost), (letter.Text("kind"), letter.Text("run_id")));

        var before = await app.LastRowAsync();
        var again = await app.PostJsonAsync($"/api/v1/queue/dead/{letter.Text("id")}/redrive", new { }, HttpStatusCode.Accepted);
        var run = await EndAsync(app, again.Text("run_id"));
        Assert.Equal(("completed", lost), (run.Text("status"), run.Text("retry_of")));
        var row = Assert.Single(await app.NewRowsAsync(before));
        Assert.Equal(("queue.redrive", letter.Text("id")), (row.Text("action"), row.Text("target_id")));
        Assert.Empty((await app.GetJsonAsync("/api/v1/queue/dead")).GetProperty("items").EnumerateArray());
        using var gone = await app.SendAsync(HttpMethod.Post, $"/api/v1/queue/dead/{letter.Text("id")}/redrive", "{}");
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
    }

    /// <summary>Two operators at once: one does it, the other is told that it is gone, and nothing is done twice.</summary>
    [DatabaseFact]
    public async Task Of_two_who_take_one_dead_letter_at_once_one_is_told_that_it_is_gone()
    {
        await using var app = await TestApp.StartAsync();
        for (var i = 0; i < 4; i++)
        {
            var lost = await GiveUpAsync(app);
            var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
            {
                using var answer = await app.SendAsync(HttpMethod.Post, $"/api/v1/queue/dead/{lost}/redrive", "{}");
                return answer.StatusCode;
            }));
            Assert.Equal([HttpStatusCode.Accepted, HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.NotFound], answers.Order());
            var again = (await app.GetJsonAsync("/api/v1/runs?limit=50")).GetProperty("items").EnumerateArray().Count(r => r.TryGetProperty("retry_of", out var of) && of.GetString() == lost);
            Assert.Equal(1, again);
        }
    }

    [DatabaseFact]
    public async Task A_dead_letter_that_is_redriven_and_purged_at_once_is_one_of_both()
    {
        await using var app = await TestApp.StartAsync();
        for (var i = 0; i < 4; i++)
        {
            var lost = await GiveUpAsync(app);
            var answers = await Task.WhenAll(new[] { (HttpMethod.Post, "/redrive"), (HttpMethod.Delete, "") }.Select(async (to, _) =>
            {
                using var answer = await app.SendAsync(to.Item1, $"/api/v1/queue/dead/{lost}{to.Item2}", to.Item1 == HttpMethod.Post ? "{}" : null);
                return answer.StatusCode;
            }));
            Assert.Contains((answers[0], answers[1]), new[] { (HttpStatusCode.Accepted, HttpStatusCode.NotFound), (HttpStatusCode.NotFound, HttpStatusCode.NoContent) });
        }
    }

    [DatabaseFact]
    public async Task A_run_that_its_owner_retried_is_no_dead_letter_any_more()
    {
        await using var app = await TestApp.StartAsync();
        var lost = await GiveUpAsync(app);
        var again = (await app.PostJsonAsync($"/api/v1/runs/{lost}/retry", new { }, HttpStatusCode.Accepted)).Text("id");
        Assert.Equal(0, (await app.GetJsonAsync("/api/v1/queue")).GetProperty("dead_letters").GetInt64());
        await EndAsync(app, again);

        // As an instance of an earlier version left it: found out when somebody would do the work once more.
        await app.Services.GetRequiredService<IDatabase>().WriteAsync(
            async session => await session.Prepared("INSERT INTO dead_letters (id, kind, run_id, owner_id, reason, deliveries, created_at) SELECT id, 'run', id, owner_id, 'x', 3, 0 FROM runs WHERE id = @id").Set("id", lost).RunAsync(),
            default);
        var before = await app.LastRowAsync();
        using var refused = await app.SendAsync(HttpMethod.Post, $"/api/v1/queue/dead/{lost}/redrive", "{}");
        await ProblemAssert.IsProblemAsync(refused, 409, "retried_already");
        Assert.Equal("queue.redrive", Assert.Single(await app.NewRowsAsync(before)).Text("action")); // a letter was deleted
        Assert.Equal(again, Assert.Single((await app.GetJsonAsync("/api/v1/runs?limit=50")).GetProperty("items").EnumerateArray(), r => r.TryGetProperty("retry_of", out var of) && of.GetString() == lost).Text("id"));
        Assert.Empty((await app.GetJsonAsync("/api/v1/queue/dead")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_letter_whose_log_is_gone_is_refused_by_name_and_stays()
    {
        await using var app = await TestApp.StartAsync();
        var lost = await GiveUpAsync(app);
        await app.Services.GetRequiredService<IDatabase>().WriteAsync(async session => await session.Prepared("UPDATE runs SET log_pruned_at = @at WHERE id = @id").Set("at", session.Now).Set("id", lost).RunAsync(), default);
        using var refused = await app.SendAsync(HttpMethod.Post, $"/api/v1/queue/dead/{lost}/redrive", "{}");
        await ProblemAssert.IsProblemAsync(refused, 409, "log_pruned");
        Assert.Single((await app.GetJsonAsync("/api/v1/queue/dead")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_purged_dead_letter_is_gone_and_its_run_stays()
    {
        await using var app = await TestApp.StartAsync();
        var lost = await GiveUpAsync(app);
        var before = await app.LastRowAsync();
        using var purged = await app.SendAsync(HttpMethod.Delete, $"/api/v1/queue/dead/{lost}", null);
        Assert.Equal(HttpStatusCode.NoContent, purged.StatusCode);
        Assert.Equal("queue.purge", Assert.Single(await app.NewRowsAsync(before)).Text("action"));
        Assert.Equal("failed", (await app.GetJsonAsync($"/api/v1/runs/{lost}")).Text("status"));
        using var again = await app.SendAsync(HttpMethod.Delete, $"/api/v1/queue/dead/{lost}", null);
        Assert.Equal(HttpStatusCode.NotFound, again.StatusCode);
    }

    [DatabaseFact]
    public async Task Dead_letters_come_in_pages_newest_first()
    {
        await using var app = await TestApp.StartAsync();
        var database = app.Services.GetRequiredService<IDatabase>();
        await database.WriteAsync(
            static async session =>
            {
                for (var i = 0; i < 5; i++)
                {
                    await session.Prepared("INSERT INTO dead_letters (id, kind, reason, body, deliveries, created_at) VALUES (@id, 'message', 'x', 'nonsense', 1, 0)").Set("id", $"m{i}").RunAsync();
                }
            },
            default);
        var first = await app.GetJsonAsync("/api/v1/queue/dead?limit=3");
        var second = await app.GetJsonAsync($"/api/v1/queue/dead?limit=3&cursor={first.Text("next_cursor")}");
        Assert.Equal(["m4", "m3", "m2", "m1", "m0"], first.GetProperty("items").EnumerateArray().Concat(second.GetProperty("items").EnumerateArray()).Select(static i => i.Text("id")));

        // A letter of a run has the run's id: one that was begun long ago is given up last.
        await database.WriteAsync(
            static async session => await session.Prepared("INSERT INTO dead_letters (id, kind, reason, deliveries, created_at) VALUES ('a-run-of-before', 'run', 'x', 3, 1)").RunAsync(),
            default);
        var newest = await app.GetJsonAsync("/api/v1/queue/dead?limit=1");
        Assert.Equal("a-run-of-before", Assert.Single(newest.GetProperty("items").EnumerateArray()).Text("id"));
        var next = await app.GetJsonAsync($"/api/v1/queue/dead?limit=1&cursor={newest.Text("next_cursor")}");
        Assert.Equal("m4", Assert.Single(next.GetProperty("items").EnumerateArray()).Text("id"));
        foreach (var cursor in (string[])[Paging.CursorOf("m3"), Paging.CursorOf("then", "m3")])
        {
            using var old = await app.Client.GetAsync($"/api/v1/queue/dead?cursor={cursor}");
            Assert.Equal(HttpStatusCode.BadRequest, old.StatusCode);
        }

        using var refused = await app.SendAsync(HttpMethod.Post, "/api/v1/queue/dead/m1/redrive", "{}");
        Assert.Equal(HttpStatusCode.Conflict, refused.StatusCode);
        Assert.Contains("unreadable", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    /// <summary>A run whose workers died with it so often that the next one gives it up. Returns its id.</summary>
    private static async Task<string> GiveUpAsync(TestApp app)
    {
        var signals = app.Services.GetRequiredService<RunSignals>();
        var store = app.Services.GetRequiredService<RunStore>();
        var database = app.Services.GetRequiredService<IDatabase>();
        var stored = app.Services.GetRequiredService<AgentCatalog>().SnapshotFor("solo", null).Snapshot!;
        var id = Guid.CreateVersion7().ToString();
        var run = new NewRun
        {
            RunId = id,
            OwnerId = (await database.ReadAsync(static session => session.Prepared("SELECT id FROM users WHERE is_local = 1").StringAsync(), default))!,
            RootRunId = id,
            Team = stored.Snapshot.Team.Name,
            EntryAgent = stored.Snapshot.Team.Entry,
            SnapshotHash = stored.Hash,
            Input = "What is 2 + 2?",
            CreatedAt = DateTimeOffset.UtcNow,
        };
        var first = new RunAppend
        {
            RunId = id, Attempt = 1, ExpectedSeq = 0, Events = RunClosing.Record(id, run.EntryAgent, 0, [NewRuns.Queued(run, stored.Snapshot)], run.CreatedAt), BatchId = Guid.CreateVersion7(),
        };

        // Inserted behind the worker's back, as crashes left it. Of a worker that is gone it would be taken over between the two writes.
        var worker = app.Services.GetRequiredService<RunOwnership>().Worker.Name;
        await store.CreateAsync(new RunCreation { Run = run, Snapshot = stored, Worker = worker, Lease = TimeSpan.FromHours(1) }, first, default);
        await database.WriteAsync(
            async session =>
            {
                await session.Prepared("UPDATE runs SET status = 'queued', worker = NULL, lease_until = NULL, crashes = 3, stalled = 6 WHERE id = @id").Set("id", id).RunAsync();
                await signals.Dispatch.AnnounceAsync(session, new ReadyRun(id, run.OwnerId, IsRoot: true, IsFresh: false, Suspicion: 1));
            },
            default);
        var end = await EndAsync(app, id);
        Assert.Equal(("failed", "worker_lost"), (end.Text("status"), end.Text("error_code")));
        return id;
    }

    private static async Task<JsonElement> EndAsync(TestApp app, string id)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            var run = await app.GetJsonAsync($"/api/v1/runs/{id}");
            if (run.Text("status") is "completed" or "failed" or "cancelled")
            {
                return run;
            }

            await Task.Delay(10, limit.Token);
        }
    }
}

public sealed class QueueApiOnSqliteTests() : QueueApiTests(DatabaseKind.Sqlite);

public sealed class QueueApiOnPostgresTests() : QueueApiTests(DatabaseKind.Postgres), IOnPostgres;
