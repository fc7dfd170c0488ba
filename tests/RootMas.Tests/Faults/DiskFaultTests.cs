using System.Net;
using System.Net.Http.Json;
using Microsoft.Data.Sqlite;
using RootMas.LlmSimulator;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F12 of CHECKS.md: a real process whose disk is full, or fails from time to time.</summary>
public sealed class DiskFaultTests
{
    [ShimFact]
    public async Task A_full_disk_is_told_keeps_everything_and_goes_on_when_there_is_room()
    {
        using var shim = await FaultShim.MakeAsync();
        await using var server = await ServerProcess.StartAsync(new ServerSettings { Config = Repository.PathOf("config"), Environment = shim.Environment });
        var before = await MakeAsync(server, "before");
        Assert.Equal(HttpStatusCode.Created, before.Status);
        shim.FillDisk();
        for (var i = 0; i < 5; i++)
        {
            var refused = await MakeAsync(server, "lost");
            Assert.Equal((HttpStatusCode.ServiceUnavailable, true), (refused.Status, refused.HasRetryAfter));
        }

        using (var told = await server.Http.PostAsJsonAsync("/api/v1/conversations", new { title = "lost" }))
        {
            var problem = await ProblemAssert.IsProblemAsync(told, 503, "storage_unavailable");
            Assert.Equal("disk_full", problem.GetProperty("reason").GetString());
            Assert.Contains("disk is full", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.OK, (await server.Http.GetAsync("/health/live")).StatusCode);
        await TestCluster.UntilAsync(async () => (await DatabaseHealthAsync(server)).Contains("disk_full", StringComparison.Ordinal), "health names the full disk");
        Assert.Equal(["before"], await TitlesAsync(server));

        shim.MendDisk();
        await TestCluster.UntilAsync(async () => (await MakeAsync(server, "after")).Status == HttpStatusCode.Created, "it saves again by itself");
        await TestCluster.UntilAsync(async () => (await DatabaseHealthAsync(server)).Contains("\"healthy\"", StringComparison.Ordinal), "health is well again");
        Assert.Equal(["after", "before"], await TitlesAsync(server));
        Assert.Equal(0, await server.TerminateAsync());
        CheckFile(server);
    }

    [ShimFact]
    public async Task With_a_part_of_all_calls_failing_what_was_acknowledged_is_there_and_the_file_is_whole()
    {
        using var shim = await FaultShim.MakeAsync();
        await using var server = await ServerProcess.StartAsync(new ServerSettings { Config = Repository.PathOf("config"), Environment = shim.Environment });
        shim.FailCalls(5);
        var answers = new List<(string Title, HttpStatusCode Status)>();
        // Few calls, since writes share commits: until one was met.
        for (var round = 0; round < 40 || (round < 90 && answers.TrueForAll(static a => a.Status == HttpStatusCode.Created)); round++)
        {
            answers.AddRange(await Task.WhenAll(Enumerable.Range(0, 2).Select(async i =>
            {
                var title = $"{round}-{i}";
                return (title, (await MakeAsync(server, title)).Status);
            })));
        }

        shim.MendDisk();
        Assert.All(answers, static a => Assert.Contains(a.Status, new[] { HttpStatusCode.Created, HttpStatusCode.ServiceUnavailable }));
        Assert.Contains(answers, static a => a.Status == HttpStatusCode.ServiceUnavailable);
        await TestCluster.UntilAsync(async () => (await MakeAsync(server, "last")).Status == HttpStatusCode.Created, "it saves again by itself");
        await server.KillAsync(); // and what is there is there after a crash too
        CheckFile(server);
        await server.StartAgainAsync();
        var titles = await TitlesAsync(server);
        Assert.Empty(answers.Where(static a => a.Status == HttpStatusCode.Created).Select(static a => a.Title).Except(titles));
        Assert.Equal(titles.Count, titles.Distinct().Count());
    }

    private static async Task<(HttpStatusCode Status, bool HasRetryAfter)> MakeAsync(ServerProcess server, string title)
    {
        using var answer = await server.Http.PostAsJsonAsync("/api/v1/conversations", new { title });
        return (answer.StatusCode, answer.Headers.RetryAfter is not null);
    }

    /// <summary>Of the database alone: what else failed for want of room is shown for minutes.</summary>
    private static async Task<string> DatabaseHealthAsync(ServerProcess server) =>
        (await server.Http.GetFromJsonAsync<System.Text.Json.JsonElement>("/health")).GetProperty("checks").GetProperty("database").GetRawText();

    private static async Task<List<string>> TitlesAsync(ServerProcess server)
    {
        var page = await server.Http.GetFromJsonAsync<System.Text.Json.JsonElement>("/api/v1/conversations?limit=200");
        return [.. page.GetProperty("items").EnumerateArray().Select(static c => c.GetProperty("title").GetString()!)];
    }

    private static void CheckFile(ServerProcess server)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(server.Data, "rootmas.db")};Pooling=False");
        connection.Open();
        using var check = connection.CreateCommand();
        check.CommandText = "PRAGMA integrity_check";
        Assert.Equal("ok", check.ExecuteScalar());
    }
}
