using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F12 of CHECKS.md where the disk is that of the PostgreSQL server: full for its tables, so that statements fail, and full for its log, so that it goes down.</summary>
public sealed class DiskFaultOnPostgresTests
{
    [PostgresShimFact]
    public async Task A_disk_that_is_full_for_tables_is_told_keeps_everything_and_saving_goes_on_when_there_is_room()
    {
        using var shim = await FaultShim.MakeAsync("/base/");
        await using var postgres = await PostgresServer.StartAsync(durable: true, environment: shim.Environment);
        await using var server = await StartAsync(postgres);
        var kept = new List<string> { "before" };
        Assert.Equal(HttpStatusCode.Created, (await MakeAsync(server, "before")).Status);
        shim.FillDisk();
        var refused = 0;
        for (var i = 0; refused < 5; i++)
        {
            Assert.True(i < 5_000, "the disk never became full");
            var (status, retry) = await MakeAsync(server, $"{i} {new string('x', 150)}");
            if (status == HttpStatusCode.Created)
            {
                kept.Add($"{i}"); // there was room in a page
                continue;
            }

            Assert.Equal((HttpStatusCode.ServiceUnavailable, true), (status, retry));
            refused++;
        }

        Assert.Equal(HttpStatusCode.OK, (await server.Http.GetAsync("/health/live")).StatusCode);
        await TestCluster.UntilAsync(async () => (await server.Http.GetFromJsonAsync<JsonElement>("/health")).GetProperty("checks").GetProperty("database") is var database
            && (database.GetProperty("status").GetString(), database.GetProperty("last_error").GetString()) == ("degraded", "disk_full"), "the database is degraded, for want of room");
        Assert.Equal(HttpStatusCode.OK, (await server.Http.GetAsync("/health/ready")).StatusCode);
        Assert.Equal(kept.Order(StringComparer.Ordinal), (await TitlesAsync(server)).Order(StringComparer.Ordinal));
        shim.MendDisk();
        await TestCluster.UntilAsync(async () => (await MakeAsync(server, "after")).Status == HttpStatusCode.Created, "it saves again by itself");
        kept.Add("after");
        await postgres.StopAsync();
        await postgres.StartAgainAsync();

        // Readiness is kept for a moment and may be from before; a write that is done is not.
        await TestCluster.UntilAsync(async () => (await MakeAsync(server, "again")).Status == HttpStatusCode.Created, "it saves again after the restart");
        kept.Add("again");
        Assert.Equal(kept.Order(StringComparer.Ordinal), (await TitlesAsync(server)).Order(StringComparer.Ordinal));
    }

    [PostgresShimFact]
    public async Task A_disk_that_is_full_for_the_log_takes_PostgreSQL_down_and_nothing_that_was_acknowledged()
    {
        using var shim = await FaultShim.MakeAsync("/pg_wal/");
        await using var postgres = await PostgresServer.StartAsync(durable: true, environment: shim.Environment);
        await using var server = await StartAsync(postgres);
        var kept = new List<string>();
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(HttpStatusCode.Created, (await MakeAsync(server, $"{i}")).Status);
            kept.Add($"{i}");
        }

        shim.FillDisk();
        for (var i = 0; i < 5; i++)
        {
            var (status, retry) = await MakeAsync(server, "lost");
            Assert.Equal((HttpStatusCode.ServiceUnavailable, true), (status, retry));
        }

        Assert.Equal(HttpStatusCode.OK, (await server.Http.GetAsync("/health/live")).StatusCode);
        shim.MendDisk();
        await postgres.CrashAsync(); // what is left of it
        await postgres.StartAgainAsync();
        await TestCluster.UntilAsync(async () => (await MakeAsync(server, "after")).Status == HttpStatusCode.Created, "it saves again by itself");
        Assert.Equal([.. kept, "after"], (await TitlesAsync(server)).Where(static t => t != "lost").Reverse());
    }

    private static async Task<ServerProcess> StartAsync(PostgresServer postgres) => await ServerProcess.StartAsync(new ServerSettings
    {
        Config = Repository.PathOf("config"),
        Environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ROOTMAS__Database__Kind"] = "postgres",
            ["ROOTMAS__Database__ConnectionString"] = postgres.Url(await postgres.NewDatabaseAsync(migrated: true)),
            ["ROOTMAS_MASTER_KEY"] = "cmVsZWFzZWQtbWFzdGVya2V5LW9mLWEtdGVzdC0wMDA=",
        },
    });

    private static async Task<(HttpStatusCode Status, bool HasRetryAfter)> MakeAsync(ServerProcess server, string title)
    {
        using var answer = await server.Http.PostAsJsonAsync("/api/v1/conversations", new { title });
        return (answer.StatusCode, answer.Headers.RetryAfter is not null);
    }

    /// <summary>The first words of all titles, newest first.</summary>
    private static async Task<List<string>> TitlesAsync(ServerProcess server)
    {
        var (titles, cursor) = (new List<string>(), "");
        do
        {
            var page = await server.Http.GetFromJsonAsync<JsonElement>($"/api/v1/conversations?limit=200{(cursor.Length > 0 ? $"&cursor={Uri.EscapeDataString(cursor)}" : "")}");
            titles.AddRange(page.GetProperty("items").EnumerateArray().Select(static c => c.GetProperty("title").GetString()!.Split(' ')[0]));
            cursor = page.GetProperty("next_cursor").GetString() ?? "";
        }
        while (cursor.Length > 0);
        return titles;
    }
}
