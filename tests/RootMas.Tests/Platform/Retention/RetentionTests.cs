using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.LlmSimulator;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Runs;
using RootMas.Tests.Chat;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Retention;

public sealed class RetentionOnSqliteTests() : RetentionTests(DatabaseKind.Sqlite);

public sealed class RetentionOnPostgresTests() : RetentionTests(DatabaseKind.Postgres), IOnPostgres;

/// <summary>What is old goes, and nothing else: unfinished runs, kept messages, audit and ledger stay whole.</summary>
public abstract class RetentionTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Script = """
        rules:
          - match: { tool_called: calculator }
            answer: { text: "It is {{tool_result}}." }
          - match: { last_user: "Ask me", last_role: user }
            answer: { tool_calls: [ { name: ask_user, arguments: { question: "Where to?" } } ] }
        default: { tool_calls: [ { name: calculator, arguments: { expression: "6*7" } } ] }
        """;

    [DatabaseFact]
    public async Task Logs_of_finished_runs_go_and_the_run_its_answer_and_its_messages_stay()
    {
        await using var world = await WorldAsync("RunLogs");
        var answer = await world.AskAsync(new { message = "Six times seven", team = "solo" });
        var (run, conversation) = (answer.GetProperty("run_id").GetString()!, answer.GetProperty("conversation_id").GetString()!);
        var (status, parked) = await world.TryAskAsync(new { message = "Ask me", team = "solo" });
        Assert.Equal(HttpStatusCode.Accepted, status);
        var waiting = parked.GetProperty("run_id").GetString()!;
        var untouched = await CountAsync(world, waiting);
        var before = await world.EventsAsync(run);
        var ledger = await ScalarAsync(world, "SELECT count(*) FROM usage_ledger");

        var pruner = world.App.Get<RetentionPruner>();
        Assert.Equal(1, Of("run_logs", await pruner.LookAsync(CancellationToken.None)));
        Assert.Equal(1, Of("run_logs", await pruner.PruneAsync(CancellationToken.None)));
        Assert.Equal(0, Of("run_logs", await pruner.PruneAsync(CancellationToken.None)));

        var view = await world.App.GetJsonAsync($"/api/v1/runs/{run}");
        Assert.Equal(("completed", true, "It is 6*7 = 42."), (view.GetProperty("status").GetString(), view.GetProperty("log_pruned").GetBoolean(), view.GetProperty("answer").GetProperty("text").GetString()));
        var after = await world.EventsAsync(run);
        Assert.Equal(["message.completed", "run.completed"], after.Select(static e => e.Type));
        Assert.Equal(before.TakeLast(2).Select(static e => (e.Id, e.Data.GetRawText())), after.Select(static e => (e.Id, e.Data.GetRawText())));
        Assert.Equal(2, (await world.MessagesAsync(conversation)).Count);
        Assert.Equal(ledger, await ScalarAsync(world, "SELECT count(*) FROM usage_ledger"));

        using var again = await world.App.SendAsync(HttpMethod.Post, $"/api/v1/runs/{run}/retry");
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.Contains("log_pruned", await again.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        // What waits has lost nothing, and goes on.
        Assert.Equal(untouched, await CountAsync(world, waiting));
        Assert.False((await world.App.GetJsonAsync($"/api/v1/runs/{waiting}")).GetProperty("log_pruned").GetBoolean());
        await world.AskAsync(new { message = "Rome", conversation_id = parked.GetProperty("conversation_id").GetString() });
        Assert.Equal("completed", await world.StatusAsync(waiting));

        // The conversation goes on from its kept messages.
        await world.AskAsync(new { message = "And again?", conversation_id = conversation });
        Assert.Contains("rootmas_retention_pruned_total{kind=\"run_logs\"}", await world.App.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task Archived_conversations_go_with_their_runs_and_living_ones_stay()
    {
        await using var world = await WorldAsync("ArchivedConversations");
        var (gone, kept, busy) = (await TalkAsync(world, "Six times seven"), await TalkAsync(world, "Six times seven"), await TalkAsync(world, "Ask me"));
        await ArchiveAsync(world, gone.Conversation);
        await ArchiveAsync(world, busy.Conversation);
        var audit = await ScalarAsync(world, "SELECT count(*) FROM audit");

        Assert.Equal(1, Of("archived_conversations", await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None)));
        Assert.Equal(HttpStatusCode.NotFound, (await world.App.Client.GetAsync($"/api/v1/conversations/{gone.Conversation}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await world.App.Client.GetAsync($"/api/v1/runs/{gone.Run}")).StatusCode);
        foreach (var table in (string[])["run_events", "run_contexts", "run_inbox"])
        {
            Assert.Equal(0, await ScalarAsync(world, $"SELECT count(*) FROM {table} WHERE run_id = '{gone.Run}'"));
        }

        Assert.Equal(0, await ScalarAsync(world, $"SELECT count(*) FROM messages WHERE conversation_id = '{gone.Conversation}'"));
        Assert.True(await ScalarAsync(world, $"SELECT count(*) FROM usage_ledger WHERE run_id = '{gone.Run}'") > 0);
        Assert.Equal(audit, await ScalarAsync(world, "SELECT count(*) FROM audit"));
        Assert.Equal("completed", await world.StatusAsync(kept.Run));
        Assert.Equal("waiting_input", await world.StatusAsync(busy.Run));
    }

    /// <summary>A run that was started again is named by no message until it answers, and by none at all when it never does.</summary>
    [DatabaseFact]
    public async Task An_archived_conversation_stays_while_a_retried_run_works_there_and_takes_it_along_then()
    {
        await using var world = await WorldAsync("ArchivedConversations");
        var (conversation, run) = await TalkAsync(world, "Six times seven");
        var hold = world.Sim.Hold(new HoldSpec { At = HoldPoint.Before });
        var again = (await world.App.PostJsonAsync($"/api/v1/runs/{run}/retry", new { }, HttpStatusCode.Accepted)).GetProperty("id").GetString()!;
        await hold.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        await ArchiveAsync(world, conversation);
        var pruner = world.App.Get<RetentionPruner>();
        Assert.Equal(0, Of("archived_conversations", await pruner.LookAsync(CancellationToken.None)));
        Assert.Equal(0, Of("archived_conversations", await pruner.PruneAsync(CancellationToken.None)));
        Assert.Equal("running", await world.StatusAsync(again));

        using var cancelled = await world.App.PostAsync($"/api/v1/runs/{again}/cancel", "{}");
        Assert.True(cancelled.IsSuccessStatusCode, await cancelled.Content.ReadAsStringAsync());
        await world.EventsAsync(again);
        Assert.Equal(0, await ScalarAsync(world, $"SELECT count(*) FROM messages WHERE run_id = '{again}'"));
        Assert.Equal(1, Of("archived_conversations", await pruner.PruneAsync(CancellationToken.None)));
        Assert.Equal(0, await ScalarAsync(world, $"SELECT count(*) FROM runs WHERE conversation_id = '{conversation}'"));
        Assert.Equal(0, await CountAsync(world, again));
    }

    /// <summary>A program sends the whole conversation with each request: it is not in the log, and goes with it.</summary>
    [DatabaseFact]
    public async Task What_a_request_brought_as_its_conversation_goes_with_the_log_also_where_that_went_before()
    {
        await using var world = await WorldAsync("RunLogs");
        var (before, now) = (await CompleteAsync(world), await CompleteAsync(world));
        Assert.Equal(2, await ScalarAsync(world, "SELECT count(*) FROM run_contexts WHERE history IS NOT NULL"));
        await world.App.Get<IDatabase>().WriteAsync(async session => await session.Prepared("UPDATE runs SET log_pruned_at = @now WHERE id = @id").Set("now", session.Now).Set("id", before).RunAsync(), CancellationToken.None); // as a version before left it
        Assert.Equal(1, Of("run_logs", await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None)));
        Assert.Equal(0, await ScalarAsync(world, "SELECT count(*) FROM run_contexts WHERE history IS NOT NULL"));
        Assert.Equal(2, await ScalarAsync(world, $"SELECT count(*) FROM run_contexts WHERE run_id IN ('{before}', '{now}')"));
    }

    /// <summary>A server that is restarted each night would never come to the end of a large table otherwise.</summary>
    [DatabaseFact]
    public async Task What_versions_before_left_goes_within_one_pass_however_many_pages_it_is()
    {
        await using var world = await WorldAsync("RunLogs");
        for (var i = 0; i < 3; i++)
        {
            await CompleteAsync(world);
        }

        var database = world.App.Get<IDatabase>();
        await database.WriteAsync(static async session => await session.Prepared("UPDATE runs SET log_pruned_at = @now").Set("now", session.Now).RunAsync(), CancellationToken.None);
        using var pruner = new RetentionPruner(
            new RetentionOptions(), [RunRetention.Logs(TimeSpan.FromMilliseconds(1), new NoAnswerCache(), page: 1)], database, world.App.Get<BackgroundJobs>(), TimeProvider.System, NullLogger<RetentionPruner>.Instance);
        Assert.Equal(0, Of("run_logs", await pruner.PruneAsync(CancellationToken.None)));
        Assert.Equal(0, await ScalarAsync(world, "SELECT count(*) FROM run_contexts WHERE history IS NOT NULL"));
        Assert.Equal(3, await ScalarAsync(world, "SELECT count(*) FROM run_contexts"));
    }

    [DatabaseFact]
    public async Task A_shared_run_that_goes_with_its_conversation_is_not_shared_any_more_and_the_audit_log_says_so()
    {
        await using var world = await WorldAsync("ArchivedConversations");
        var gone = await TalkAsync(world, "Six times seven");
        using var shared = await world.App.PostAsync($"/api/v1/runs/{gone.Run}/share", "{}");
        Assert.True(shared.IsSuccessStatusCode, await shared.Content.ReadAsStringAsync());
        await KeepAnswerAsync(world, gone.Conversation);
        await ArchiveAsync(world, gone.Conversation);
        Assert.Equal(1, Of("archived_conversations", await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None)));
        var row = Assert.Single(await world.App.AuditAsync(), static r => r.Action == "run.unshare");
        Assert.Equal(gone.Run, row.Target);
        Assert.Contains("retention", row.After, StringComparison.Ordinal);
        await Wait.UntilAsync(static async w => await ScalarAsync(w, "SELECT (SELECT count(*) FROM cached_questions) + (SELECT count(*) FROM cached_answers)") == 0, world, "What was kept of it stays");
    }

    [DatabaseFact]
    public async Task A_long_pass_is_many_short_transactions_and_ends()
    {
        await using var world = await WorldAsync("RunLogs", o => o.Settings["Retention:Batch"] = "2");
        var runs = new List<string>();
        for (var i = 0; i < 5; i++)
        {
            runs.Add((await TalkAsync(world, "Six times seven")).Run);
        }

        Assert.Equal(5, Of("run_logs", await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None)));
        foreach (var run in runs)
        {
            Assert.Equal(2, await CountAsync(world, run));
        }
    }

    [DatabaseFact]
    public async Task Kept_answers_end_with_what_is_removed_and_old_dead_letters_go()
    {
        await using var world = await WorldAsync("ArchivedConversations", static o => o.Settings["Retention:DeadLetters"] = "1.00:00:00");
        var gone = await TalkAsync(world, "Six times seven");
        await ArchiveAsync(world, gone.Conversation);
        await world.App.Get<IDatabase>().WriteAsync(
            static async session =>
            {
                foreach (var (id, age) in ((string, int)[])[("old", 2), ("new", 0)])
                {
                    await session.Prepared("INSERT INTO dead_letters (id, kind, reason, deliveries, created_at) VALUES (@id, 'message', 'r', 1, @at)").Set("id", id).Set("at", session.Now.AddDays(-age)).RunAsync();
                }

                return true;
            },
            CancellationToken.None);
        Assert.Contains(gone.Conversation, await world.App.Client.GetStringAsync("/api/v1/conversations?archived=true"), StringComparison.Ordinal); // kept from now on
        var pruned = await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None);
        Assert.Equal((1, 1), (Of("archived_conversations", pruned), Of("dead_letters", pruned)));
        Assert.DoesNotContain(gone.Conversation, await world.App.Client.GetStringAsync("/api/v1/conversations?archived=true"), StringComparison.Ordinal);
        Assert.Equal(1, await ScalarAsync(world, "SELECT count(*) FROM dead_letters WHERE id = 'new'"));
    }

    [DatabaseFact]
    public async Task Health_and_alerts_see_the_pruner_the_sweep_and_the_backup()
    {
        await using var world = await WorldAsync("RunLogs", static o => o.Settings["Backups:Scheduled"] = "true");
        var jobs = world.App.Get<BackgroundJobs>();
        await Wait.UntilAsync(() => jobs.All.Any(static j => j is { Name: "queue-sweep", LastSuccess: not null }));
        Assert.Superset(new HashSet<string>(["retention", "queue-sweep", "backup", "idempotency-pruning", "audit-upkeep"], StringComparer.Ordinal), jobs.All.Select(static j => j.Name).ToHashSet(StringComparer.Ordinal));
        Assert.Contains("rootmas_job_last_success_timestamp_seconds{background_job=\"retention\"}", await world.App.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task By_default_nothing_goes()
    {
        await using var world = await ChatWorld.StartAsync(Script);
        var (_, run) = await TalkAsync(world, "Six times seven");
        var before = await CountAsync(world, run);

        // Kept answers are no records: they have their own time, and go when it is over.
        var pruned = (await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None)).Where(static p => p.Kind != "cached_answers");
        Assert.All(pruned, static p => Assert.Equal((TimeSpan.Zero, 0), (p.Keep, p.Count)));
        Assert.Equal(before, await CountAsync(world, run));
    }

    [PostgresFact]
    public async Task One_instance_at_a_time_prunes()
    {
        if (TestDatabase.Kind == DatabaseKind.Sqlite)
        {
            return;
        }

        await using var world = await WorldAsync("RunLogs");
        await TalkAsync(world, "Six times seven");
        await using (var other = new Npgsql.NpgsqlConnection((await PostgresServer.SharedAsync()).ConnectionString(new Uri(world.App.Postgres!).AbsolutePath.Trim('/'))))
        {
            await other.OpenAsync();
            await using var transaction = await other.BeginTransactionAsync();
            await using var take = new Npgsql.NpgsqlCommand($"SELECT pg_advisory_xact_lock({RetentionPruner.LockKey})", other, transaction);
            await take.ExecuteNonQueryAsync();
            Assert.Equal(0, Of("run_logs", await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None)));
        }

        Assert.Equal(1, Of("run_logs", await world.App.Get<RetentionPruner>().PruneAsync(CancellationToken.None)));
    }

    [DatabaseFact]
    public async Task The_command_shows_before_it_removes()
    {
        if (TestDatabase.Kind == DatabaseKind.Postgres)
        {
            return; // the command is the same; its database is the file of the data directory
        }

        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        await using (var world = await ChatWorld.StartAsync(Script, data: data))
        {
            await TalkAsync(world, "Six times seven");
        }

        using var cli = new CliSession(data);
        cli.Environment["ROOTMAS__Retention__RunLogs"] = "00:00:00.001";
        Assert.Equal("run_logs\t0 days\t1", Line(await cli.DoAsync("data", "prune", "--dry-run")));
        Assert.Equal("run_logs\t0 days\t1", Line(await cli.DoAsync("data", "prune")));
        Assert.Equal("run_logs\t0 days\t0", Line(await cli.DoAsync("data", "prune", "--dry-run")));
        Assert.Contains("MiB now", await cli.DoAsync("data", "compact"), StringComparison.Ordinal);
        cli.Environment["ROOTMAS__Retention__Ledger"] = "7.00:00:00";
        Assert.Equal(2, await cli.RunAsync("data", "prune"));
        Assert.Contains("Retention:Ledger", cli.Notes.ToString(), StringComparison.Ordinal);
    }

    private static string Line(string output) => output.Split('\n').Single(static l => l.StartsWith("run_logs", StringComparison.Ordinal)).Trim();

    private static Task<ChatWorld> WorldAsync(string what, Action<TestAppOptions>? more = null) => ChatWorld.StartAsync(Script, configure: o =>
    {
        o.Settings[$"Retention:{what}"] = "00:00:00.001";
        more?.Invoke(o);
    });

    private static async Task<(string Conversation, string Run)> TalkAsync(ChatWorld world, string message)
    {
        var (_, answer) = await world.TryAskAsync(new { message, team = "solo" });
        return (answer.GetProperty("conversation_id").GetString()!, answer.GetProperty("run_id").GetString()!);
    }

    /// <summary>A request of the OpenAI-compatible API with the conversation before it. The id of its run.</summary>
    private static async Task<string> CompleteAsync(ChatWorld world)
    {
        object[] messages = [new { role = "user", content = "Six times seven" }, new { role = "assistant", content = "42." }, new { role = "user", content = "Again" }];
        await world.AskAsync(new { model = "solo", messages }, "/v1/chat/completions");
        return (await world.App.Get<IDatabase>().ReadAsync(static session => session.Prepared("SELECT max(id) FROM runs").StringAsync(), CancellationToken.None))!;
    }

    /// <summary>An answer that was kept of what was asked in the conversation, for as long as it may be.</summary>
    private static Task<bool> KeepAnswerAsync(ChatWorld world, string conversation) => world.App.Get<IDatabase>().WriteAsync(
        async session =>
        {
            var id = Guid.CreateVersion7().ToString();
            await session.Prepared("INSERT INTO cached_answers (id, owner_id, agent, prompt_version, documents, body, cost_micro_usd, created_at, expires_at) VALUES (@id, 'o', 'a', 'p', '', @body, 1, 1, 9000000000000000)").Set("id", id).Set("body", "{}"u8.ToArray()).RunAsync();
            await session.Prepared("INSERT INTO cached_questions (id, answer_id, owner_id, partition, request, question, marks, embedder, created_at, conversation_id) VALUES (@id, @id, 'o', 'p', 'r', 'q', '', 'e', 1, @conversation)").Set("id", id).Set("conversation", conversation).RunAsync();
            return true;
        },
        CancellationToken.None);

    private static async Task ArchiveAsync(ChatWorld world, string conversation)
    {
        using var now = await world.App.Client.GetAsync($"/api/v1/conversations/{conversation}");
        using var answer = await world.App.SendAsync(HttpMethod.Patch, $"/api/v1/conversations/{conversation}", """{"archived":true}""", ("If-Match", now.Headers.ETag!.ToString()));
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        await Task.Delay(TimeSpan.FromMilliseconds(20)); // older than the millisecond for which it is kept
    }

    private static Task<long> CountAsync(ChatWorld world, string run) => ScalarAsync(world, $"SELECT count(*) FROM run_events WHERE run_id = '{run}'");

    private static async Task<long> ScalarAsync(ChatWorld world, string sql) => await world.App.Get<IDatabase>().ReadAsync(session => session.Prepared(sql).Int64Async(), CancellationToken.None) ?? 0;

    private static long Of(string kind, IReadOnlyList<Pruned> all) => all.Single(p => p.Kind == kind).Count;
}
