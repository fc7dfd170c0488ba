using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Faults;

/// <summary>F12 of CHECKS.md while a backup is made or restored: a real server, or the real command, for which there is no room where it writes.</summary>
public sealed class DiskFaultInBackupTests
{
    /// <summary>Where there is no room: in the copy of the database, in the archive, in the record beside it.</summary>
    public static TheoryData<string> PlacesOfCreate => ["/database", ".tar.gz.partial", ".json."];

    /// <summary>Where there is no room: in what is unpacked, in the log of the unpacked database, in the sign of the exchange.</summary>
    public static TheoryData<string> PlacesOfRestore => ["/restore-", "/database/rootmas.db-wal", "restoring.json"];

    [ShimTheory]
    [MemberData(nameof(PlacesOfCreate))]
    public async Task A_backup_for_which_a_server_finds_no_room_is_told_and_none_and_the_next_one_is_good(string path)
    {
        using var shim = await FaultShim.MakeAsync(path);
        await using var server = await StartAsync(shim);
        await MadeAsync(server);
        var (before, success) = (FilesOf(server), await MetricAsync(server, "rootmas_backups_last_success_seconds"));
        shim.FillDisk();
        using (var refused = await server.Http.PostAsJsonAsync("/api/v1/backups", new { verify = true }))
        {
            var problem = await ProblemAssert.IsProblemAsync(refused, 503, "backup_failed");
            Assert.NotNull(refused.Headers.RetryAfter);
            TellsAll(problem.GetProperty("detail").GetString()!);
        }

        Assert.Equal(before, FilesOf(server));
        Assert.Single(await ListAsync(server));
        Assert.Equal(1, await MetricAsync(server, """rootmas_backups_made_total{outcome="failed",reason="manual"}"""));
        Assert.Equal(success, await MetricAsync(server, "rootmas_backups_last_success_seconds"));
        await TestCluster.UntilAsync(async () => await HealthAsync(server) is ("degraded", var said) && said.Contains("the last attempt had a problem", StringComparison.Ordinal), "health tells of the failure");
        shim.MendDisk();
        await MadeAsync(server);
        Assert.Equal(2, (await ListAsync(server)).Count(static b => b.GetProperty("valid").GetBoolean()));
        await TestCluster.UntilAsync(async () => (await HealthAsync(server)).Status == "healthy", "health is well again");
    }

    [ShimTheory]
    [MemberData(nameof(PlacesOfCreate))]
    public async Task A_backup_for_which_the_command_finds_no_room_is_told_and_none_and_the_next_one_is_good(string path)
    {
        using var shim = await FaultShim.MakeAsync(path);
        await using var server = await StartAsync(shim);
        await server.TerminateAsync();
        shim.FillDisk();
        var (code, _, said) = await CommandAsync(shim, server, "create");
        Assert.Equal(1, code);
        TellsAll(said);
        Assert.Empty(FilesOf(server));
        shim.MendDisk();
        Assert.Equal(0, (await CommandAsync(shim, server, "create")).ExitCode);
        Assert.Equal((0, true), await CommandAsync(shim, server, "verify") is var verified ? (verified.ExitCode, verified.Stdout.Contains("is whole", StringComparison.Ordinal)) : default);
    }

    [ShimFact]
    public async Task A_backup_for_whose_check_there_is_no_room_is_kept_and_not_counted_as_verified()
    {
        using var shim = await FaultShim.MakeAsync("/.work-verify");
        await using var server = await StartAsync(shim);
        shim.FillDisk();
        using (var made = await server.Http.PostAsJsonAsync("/api/v1/backups", new { verify = true }))
        {
            Assert.Equal(HttpStatusCode.Created, made.StatusCode);
            TellsAll(Assert.Single(JsonElement.Parse(await made.Content.ReadAsStringAsync()).GetProperty("problems").EnumerateArray()).GetString()!);
        }

        Assert.Equal(2, FilesOf(server).Count); // the archive and its record
        var kept = Assert.Single(await ListAsync(server));
        Assert.Equal(JsonValueKind.Null, kept.GetProperty("verified_at").ValueKind);
        Assert.Equal(1, await MetricAsync(server, """rootmas_backups_made_total{outcome="warnings",reason="manual"}"""));
        Assert.Null(await MetricAsync(server, "rootmas_backups_last_verified_seconds"));
        shim.MendDisk();
        var later = JsonElement.Parse(await (await server.Http.PostAsJsonAsync($"/api/v1/backups/{kept.GetProperty("id").GetString()}/verify", new { })).Content.ReadAsStringAsync());
        Assert.True(later.GetProperty("valid").GetBoolean(), later.ToString());
    }

    [ShimTheory]
    [MemberData(nameof(PlacesOfRestore))]
    public async Task A_restore_for_which_there_is_no_room_is_told_and_keeps_what_is_there_and_works_once_there_is(string path)
    {
        using var shim = await FaultShim.MakeAsync(path);
        await using var server = await StartAsync(shim);
        await TitleAsync(server, "before");
        await MadeAsync(server);
        await TitleAsync(server, "since");
        Assert.Equal(0, await server.TerminateAsync());
        var before = EntriesOf(server);
        shim.FillDisk();
        var (code, _, said) = await CommandAsync(shim, server, "restore", "latest", "--force");
        Assert.Equal(1, code);
        TellsAll(said);
        Assert.Equal(before, EntriesOf(server));
        shim.MendDisk();
        await server.StartAgainAsync();
        Assert.Equal(["since", "before"], await TitlesAsync(server));
        Assert.Equal(0, await server.TerminateAsync());
        (code, _, said) = await CommandAsync(shim, server, "restore", "latest", "--force");
        Assert.True(code == 0, said);
        await server.StartAgainAsync();
        Assert.Equal(["before"], await TitlesAsync(server));
    }

    /// <summary>A server that makes backups by itself, but not within half a day.</summary>
    private static Task<ServerProcess> StartAsync(FaultShim shim) => ServerProcess.StartAsync(new ServerSettings
    {
        Config = Repository.PathOf("config"),
        Environment = new Dictionary<string, string>(shim.Environment, StringComparer.Ordinal)
        {
            ["ROOTMAS__Backups__Scheduled"] = "true",
            ["ROOTMAS__Backups__At"] = DateTimeOffset.UtcNow.AddHours(12).ToString("HH:mm:ss", CultureInfo.InvariantCulture),
        },
    });

    private static Task<(int ExitCode, string Stdout, string Stderr)> CommandAsync(FaultShim shim, ServerProcess server, params string[] arguments) => ServerProcess.RunAsync(
        new ServerSettings { Environment = shim.Environment }, null, ["backup", .. arguments, "--data", server.Data, "--config", Repository.PathOf("config")]);

    /// <summary>What happened, what was kept, what to do next; and nothing that only a programmer reads.</summary>
    private static void TellsAll(string said)
    {
        Assert.Matches("full|No space left", said);
        Assert.Matches("[Nn]othing|as it was|as they were", said);
        Assert.Contains("free space", said, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("Exception", said, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", said, StringComparison.Ordinal);
    }

    private static async Task MadeAsync(ServerProcess server)
    {
        using var made = await server.Http.PostAsJsonAsync("/api/v1/backups", new { verify = true });
        var answer = await made.Content.ReadAsStringAsync();
        Assert.True(made.StatusCode == HttpStatusCode.Created && JsonElement.Parse(answer).GetProperty("valid").GetBoolean(), answer);
    }

    private static async Task<List<JsonElement>> ListAsync(ServerProcess server) =>
        [.. (await server.Http.GetFromJsonAsync<JsonElement>("/api/v1/backups")).GetProperty("items").EnumerateArray()];

    /// <summary>Null: there is no such series yet.</summary>
    private static async Task<double?> MetricAsync(ServerProcess server, string series)
    {
        var line = (await server.Http.GetStringAsync("/metrics")).Split('\n').FirstOrDefault(l => l.StartsWith(series + " ", StringComparison.Ordinal));
        return line is null ? null : double.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
    }

    private static async Task<(string Status, string Said)> HealthAsync(ServerProcess server)
    {
        var backups = (await server.Http.GetFromJsonAsync<JsonElement>("/health")).GetProperty("checks").GetProperty("backups");
        return (backups.GetProperty("status").GetString()!, backups.GetRawText());
    }

    private static List<string> FilesOf(ServerProcess server) => Directory.Exists(Path.Combine(server.Data, "backups"))
        ? [.. Directory.EnumerateFileSystemEntries(Path.Combine(server.Data, "backups"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)]
        : [];

    /// <summary>Of the data directory, the folder of backups included; a log that SQLite makes and takes away is not looked at.</summary>
    private static List<string> EntriesOf(ServerProcess server) =>
        [.. Directory.EnumerateFileSystemEntries(server.Data, "*", SearchOption.AllDirectories).Where(static e => !e.EndsWith("-wal", StringComparison.Ordinal) && !e.EndsWith("-shm", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static async Task TitleAsync(ServerProcess server, string title)
    {
        using var made = await server.Http.PostAsJsonAsync("/api/v1/conversations", new { title });
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
    }

    private static async Task<List<string>> TitlesAsync(ServerProcess server) =>
        [.. (await server.Http.GetFromJsonAsync<JsonElement>("/api/v1/conversations")).GetProperty("items").EnumerateArray().Select(static c => c.GetProperty("title").GetString()!)];
}
