using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F12 of CHECKS.md where the disk cannot be read from time to time: the database, its log, and every other file of the data directory. Without the memory map, in which such a page ends the process.</summary>
public sealed class DiskReadFaultTests
{
    private const int Clients = 4;

    private const string Script = """
        rules:
          - name: call
            match: { last_role: user, last_user: "put it there" }
            answer: { tool_calls: [ { name: http_request, arguments: { method: POST, url: "BASE/_tool/idempotent", json: { n: 1 } } } ] }
          - name: done
            match: { last_role: tool }
            answer: { text: "It is done." }
        default: { text: "An answer in a few words." }
        """;

    private readonly ConcurrentBag<string> _accepted = [];
    private readonly ConcurrentBag<(string Key, object Body)> _refused = [];
    private int _answered;
    private int _failed;

    [ShimFact]
    public async Task With_a_part_of_all_reads_failing_the_errors_are_told_and_everything_accepted_is_done_afterwards()
    {
        using var shim = await FaultShim.MakeAsync("/rootmas-test-"); // what the server's data directory begins with
        await using var world = await FaultWorld.StartAsync(Script, environment: new Dictionary<string, string>(shim.Environment, StringComparer.Ordinal)
        {
            ["ROOTMAS__Database__MapMegabytes"] = "0",
            ["ROOTMAS__Database__CacheMegabytes"] = "1",
        });
        shim.FailReads(5);
        for (var round = 0; round < 40 || (round < 400 && (_failed == 0 || _answered == 0)); round++)
        {
            await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => AskAsync(world, $"{client}-{round}", client == 0)));
        }

        Assert.False(world.Server.HasExited, world.Server.Stderr);
        Assert.Equal(HttpStatusCode.OK, (await world.Server.Http.GetAsync("/health/live")).StatusCode);
        shim.MendDisk();
        Assert.NotEqual(0, _failed);
        Assert.NotEqual(0, _answered);

        // What was not confirmed may have been done: the same key gives its run, or begins it.
        foreach (var (key, body) in _refused)
        {
            _accepted.Add(await AcceptedAsync(world, key, body));
        }

        foreach (var id in _accepted)
        {
            await EndAsync(world, id);
        }

        Assert.Equal(_accepted.Order(StringComparer.Ordinal), Rows(world, "SELECT id FROM runs WHERE id = root_run_id ORDER BY id"));
        world.Checker.Accepted.AddRange(_accepted);
        world.Checker.UnaccountedCalls = _refused.Count; // a model may be asked before the run's first commit fails
        await world.Checker.CheckAsync();
        Assert.Equal(0, await world.Server.TerminateAsync());
        Assert.Equal(["ok"], Rows(world, "PRAGMA integrity_check"));
    }

    /// <summary>A message, and looks at what is there.</summary>
    private async Task AskAsync(FaultWorld world, string key, bool puts)
    {
        object body = puts ? new { message = "put it there", agent = "multi_tool" } : new { message = $"hello {key}", team = "solo" };
        using var asked = await SendAsync(world, key, body);
        if (await IsAnswerAsync(asked))
        {
            _accepted.Add(JsonElement.Parse(await asked.Content.ReadAsStringAsync()).GetProperty("run_id").GetString()!);
        }
        else
        {
            _refused.Add((key, body));
        }

        foreach (var path in (string[])["/api/v1/conversations?limit=20", "/api/v1/approvals", .. _accepted.Take(1).Select(static id => $"/api/v1/runs/{id}/events")])
        {
            using var read = await world.Server.Http.GetAsync(path);
            await IsAnswerAsync(read);
        }
    }

    /// <summary>Else it is a problem document that says what the product says of a storage that fails, and nothing of its inside.</summary>
    private async Task<bool> IsAnswerAsync(HttpResponseMessage response)
    {
        if (response.IsSuccessStatusCode)
        {
            Interlocked.Increment(ref _answered);
            return true;
        }

        Interlocked.Increment(ref _failed);
        await ProblemAssert.IsProblemAsync(response, 503, "storage_unavailable");
        Assert.NotNull(response.Headers.RetryAfter);
        var text = await response.Content.ReadAsStringAsync();
        Assert.All((string[])["SQLite", "SELECT", "INSERT", "rootmas.db"], inside => Assert.DoesNotContain(inside, text, StringComparison.OrdinalIgnoreCase));
        return false;
    }

    private static async Task<string> AcceptedAsync(FaultWorld world, string key, object body)
    {
        var id = "";
        await TestCluster.UntilAsync(
            async () =>
            {
                using var response = await SendAsync(world, key, body);
                var answer = JsonElement.Parse(await response.Content.ReadAsStringAsync());
                Assert.True(response.IsSuccessStatusCode || response.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.Conflict, answer.ToString()); // 409: the first of the same key is still at work
                id = response.IsSuccessStatusCode ? answer.GetProperty("run_id").GetString()! : "";
                return id.Length > 0;
            },
            $"{key} is accepted");
        return id;
    }

    private static async Task<HttpResponseMessage> SendAsync(FaultWorld world, string key, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(body), Headers = { { "Idempotency-Key", key }, { "Prefer", "wait=0" } } };
        return await world.Server.Http.SendAsync(request);
    }

    private static async Task EndAsync(FaultWorld world, string id)
    {
        if ((await world.WaitAsync(id, "completed", "waiting_approval")).GetProperty("status").GetString() == "waiting_approval")
        {
            await world.ApproveAsync(id);
            await world.WaitAsync(id, "completed");
        }
    }

    private static List<string> Rows(FaultWorld world, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(world.Server.Data, "rootmas.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a test's own text
        command.CommandText = sql;
#pragma warning restore CA2100
        using var row = command.ExecuteReader();
        List<string> rows = [];
        while (row.Read())
        {
            rows.Add(row.GetString(0));
        }

        return rows;
    }
}
