using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.LlmSimulator;
using RootMas.Runtime.Runs;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F13 of CHECKS.md: the clock of a real process an hour ahead, behind, a day ahead, and jumping while runs wait and work: of the embedded database, and on PostgreSQL, where the server's clock counts.</summary>
public sealed class ClockFaultTests
{
    private const string Slow = """
        rules:
          - match: { last_role: user, last_user: "later" }
            times: 3
            answer: { fault: { kind: status, status: 503 } }
        default: { text: "one two three four five six", tokens_per_second: 6 }
        """;

    [ShimFact]
    public async Task With_the_embedded_database_no_jump_of_the_clock_costs_a_run()
    {
        using var shim = await FaultShim.MakeAsync();
        await using var sim = await Simulator.StartAsync();
        sim.Use(Slow);
        await using var server = await ServerProcess.StartAsync(With(sim, shim, null));
        var runs = await AskAsync(server, 6);
        foreach (var ahead in (TimeSpan[])[TimeSpan.FromHours(1), TimeSpan.FromHours(-1), TimeSpan.FromDays(1)])
        {
            shim.SetClock(ahead);
            runs.AddRange(await AskAsync(server, 3));
        }

        await CheckAsync(server, runs);
    }

    [PostgresShimFact]
    public async Task Processes_whose_clocks_differ_by_a_day_take_no_run_from_each_other()
    {
        var postgres = await PostgresServer.SharedAsync();
        var database = await postgres.NewDatabaseAsync(migrated: true);
        using var ahead = await FaultShim.MakeAsync();
        using var behind = await FaultShim.MakeAsync();
        ahead.SetClock(TimeSpan.FromDays(1));
        behind.SetClock(TimeSpan.FromHours(-1));
        await using var sim = await Simulator.StartAsync();
        sim.Use(Slow);
        await using var one = await ServerProcess.StartAsync(With(sim, ahead, postgres.Url(database)));
        await using var two = await ServerProcess.StartAsync(With(sim, behind, postgres.Url(database)));
        var (first, second) = (await AskAsync(one, 5), await AskAsync(two, 5));
        first.AddRange(await AskOnAsync(one));
        second.AddRange(await AskOnAsync(two));
        ahead.SetClock(TimeSpan.FromHours(-1)); // and they jump, in opposite directions
        behind.SetClock(TimeSpan.FromHours(1));
        first.AddRange(await AskAsync(one, 3));
        second.AddRange(await AskAsync(two, 3));
        await CheckAsync(one, first);
        await CheckAsync(two, second);

        // The second one is an hour ahead by now: a call that may be repeated in half an hour may not be repeated there either.
        await AskForReviewAsync(postgres, database, second[^1], DateTimeOffset.UtcNow.AddMinutes(30));
        using var refused = await two.Http.PostAsJsonAsync($"/api/v1/runs/{second[^1]}/resolve", new { call_id = "call_1", outcome = "repeat" });
        Assert.Contains("repeat_too_early", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await postgres.DropAsync(database);
    }

    /// <summary>The day of a budget is the database's: otherwise a process whose clock is a day ahead has a whole budget of its own.</summary>
    [PostgresShimFact]
    public async Task Processes_whose_clocks_differ_by_a_day_have_one_budget_between_them()
    {
        var postgres = await PostgresServer.SharedAsync();
        var database = await postgres.NewDatabaseAsync(migrated: true);
        using var right = await FaultShim.MakeAsync();
        using var ahead = await FaultShim.MakeAsync();
        ahead.SetClock(TimeSpan.FromDays(1));
        await using var sim = await Simulator.StartAsync("""default: { text: "done", usage: { input: 100, output: 10 } }""");
        using var config = new TempFolder();
        foreach (var file in Directory.EnumerateFiles(Repository.PathOf("config"), "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(config.Path, Path.GetRelativePath(Repository.PathOf("config"), file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }

        await File.WriteAllTextAsync(Path.Combine(config.Path, "models.yaml"), $$"""
            providers: { sim: { base_url: "{{sim.OpenAiUrl}}" } }
            models: { priced: { provider: sim, price: { input: 0, output: 100 } } }
            tiers: { cheap: [priced], standard: [priced], premium: [priced] }
            """);
        await using var one = await ServerProcess.StartAsync(WithBudget(sim, right, postgres.Url(database), config.Path));
        await using var two = await ServerProcess.StartAsync(WithBudget(sim, ahead, postgres.Url(database), config.Path));
        Assert.Equal("completed", (await EndAsync(two, Assert.Single(await AskAsync(two, 1)))).GetProperty("status").GetString());
        var days = new List<string?>();
        foreach (var server in (ServerProcess[])[one, two, one])
        {
            days.Add((await GetAsync(server, "/api/v1/budgets")).GetProperty("day").GetString());
        }

        Assert.Contains(days[1], (string?[])[days[0], days[2]]); // before and after it: the day may end in between
        Assert.Equal(0, await postgres.ScalarAsync<long>("SELECT count(*) FROM usage_ledger WHERE created_at > extract(epoch FROM now() + interval '1 hour') * 1000000", database));

        JsonElement last;
        do
        {
            last = await EndAsync(one, Assert.Single(await AskAsync(one, 1)));
        }
        while (last.GetProperty("status").GetString() == "completed");

        Assert.Equal("model_budget", last.GetProperty("error_code").GetString());
        Assert.Equal(9_000, await postgres.ScalarAsync<long>("SELECT sum(cost_micro_usd)::bigint FROM usage_ledger", database)); // 0.001 is left, and the shortest answer may cost 0.0016
        var other = await EndAsync(two, Assert.Single(await AskAsync(two, 1)));
        Assert.Equal(("failed", "model_budget"), (other.GetProperty("status").GetString(), other.GetProperty("error_code").GetString()));
        await postgres.DropAsync(database);
    }

    /// <summary>0.01 US dollars a day; an answer costs 0.001.</summary>
    private static ServerSettings WithBudget(Simulator sim, FaultShim shim, string postgres, string config)
    {
        var settings = With(sim, shim, postgres);
        return settings with
        {
            Config = config,
            Environment = new Dictionary<string, string>(settings.Environment, StringComparer.Ordinal) { ["ROOTMAS__Budgets__All"] = "0.01", ["ROOTMAS__Budgets__MostOutput"] = "256" },
        };
    }

    private static async Task<JsonElement> EndAsync(ServerProcess server, string id)
    {
        JsonElement run = default;
        await TestCluster.UntilAsync(async () => (run = await GetAsync(server, $"/api/v1/runs/{id}")).GetProperty("status").GetString() is "completed" or "failed" or "cancelled", $"run {id} has ended");
        return run;
    }

    private static ServerSettings With(Simulator sim, FaultShim shim, string? postgres)
    {
        var settings = ServerSettings.With(sim);
        var environment = new Dictionary<string, string>(settings.Environment, StringComparer.Ordinal)
        {
            ["ROOTMAS_MASTER_KEY"] = "cmVsZWFzZWQtbWFzdGVya2V5LW9mLWEtdGVzdC0wMDA=",
            ["ROOTMAS__Runs__MaxBackoff"] = "00:00:02",
        };
        foreach (var (name, value) in shim.Environment)
        {
            environment[name] = value;
        }

        if (postgres is not null)
        {
            environment["ROOTMAS__Database__Kind"] = "postgres";
            environment["ROOTMAS__Database__ConnectionString"] = postgres;
        }

        return settings with { Config = Repository.PathOf("config"), Environment = environment };
    }

    private static async Task<List<string>> AskAsync(ServerProcess server, int count) =>
        [.. await Task.WhenAll(Enumerable.Range(0, count).Select(async i => RunOf(await SendAsync(server, new { message = i == 0 ? "later" : $"run {i}", team = "solo" }))))];

    /// <summary>Runs that are stored before they start: the second message of a conversation, and one with a key.</summary>
    private static async Task<string[]> AskOnAsync(ServerProcess server)
    {
        var begun = await SendAsync(server, new { message = "begin", team = "solo" });
        var next = await SendAsync(server, new { message = "go on", team = "solo", conversation_id = begun.GetProperty("conversation_id").GetString() });
        var once = await SendAsync(server, new { message = "only once", team = "solo" }, key: Guid.NewGuid().ToString());
        return [RunOf(begun), RunOf(next), RunOf(once)];
    }

    private static string RunOf(JsonElement sent) => sent.GetProperty("run_id").GetString()!;

    private static async Task<JsonElement> SendAsync(ServerProcess server, object message, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(message) };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        }

        using var answer = await server.Http.SendAsync(request);
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        Assert.True(answer.StatusCode is HttpStatusCode.Accepted or HttpStatusCode.OK, body.ToString());
        return body;
    }

    /// <summary>As if the run's worker had been lost in the middle of a call that acts.</summary>
    private static async Task AskForReviewAsync(PostgresServer postgres, string database, string run, DateTimeOffset repeatAfter)
    {
        var seq = await postgres.ScalarAsync<long>($"SELECT last_seq + 1 FROM runs WHERE id = '{run}'", database);
        var review = new RunNeedsReview(1, "send", "Nobody knows whether it acted.", repeatAfter) { RunId = run, Seq = seq, CreatedAt = DateTimeOffset.UtcNow };
        await postgres.ExecuteAsync($"""
            INSERT INTO run_events (run_id, seq, type, json, created_at) SELECT id, {seq}, 'run.needs_review', decode('{Convert.ToHexString(RunJson.Serialize(review))}', 'hex'), created_at FROM runs WHERE id = '{run}';
            UPDATE runs SET status = 'needs_review', ended_at = NULL, last_seq = {seq} WHERE id = '{run}'
            """, database);
    }

    private static async Task CheckAsync(ServerProcess server, List<string> runs)
    {
        foreach (var id in runs)
        {
            var run = await EndAsync(server, id);
            Assert.True(run.GetProperty("status").GetString() == "completed", run.ToString());
            var events = (await GetAsync(server, $"/api/v1/runs/{id}/events?limit=200")).GetProperty("items").EnumerateArray().ToList();
            Assert.Equal(Enumerable.Range(1, events.Count), events.Select(static e => e.GetProperty("seq").GetInt32()));

            // Nobody lost a run: it is begun once, and once more for each time that it waited for. And nothing that waited for a time was woken twice.
            var waited = events.Count(static e => e.GetProperty("type").GetString() == "timer.started");
            Assert.Equal(waited, events.Count(static e => e.GetProperty("type").GetString() == "timer.fired"));
            Assert.Equal(Enumerable.Range(1, waited + 1), events.Where(static e => e.GetProperty("type").GetString() == "run.started").Select(static e => e.GetProperty("attempt").GetInt32()));
            Assert.DoesNotContain(events, static e => e.GetProperty("type").GetString() == "model.failed" && e.GetRawText().Contains("worker_lost", StringComparison.Ordinal));
            Assert.Single(events, static e => e.GetProperty("type").GetString() == "run.completed");
        }
    }

    private static async Task<JsonElement> GetAsync(ServerProcess server, string path)
    {
        using var answer = await server.Http.GetAsync(path);
        return JsonElement.Parse(await answer.Content.ReadAsStringAsync());
    }
}
