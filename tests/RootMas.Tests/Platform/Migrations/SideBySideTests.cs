using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using RootMas.Tests.Support;

namespace RootMas.Tests.Platform.Migrations;

/// <summary>
/// A rolling upgrade as it happens: the release before, built from its commit, and this program work on one database at the same time. In the long form only, since it builds a whole program;
/// what every run of the tests checks instead is the schema (<see cref="ReleasedSchemaTests"/>).
/// </summary>
public sealed class SideBySideTests
{
    [PreviousReleaseFact]
    public async Task The_release_before_and_this_one_work_on_one_database_and_go_on_with_each_others_conversations()
    {
        using var folder = new TempFolder();
        var before = await BuildAsync(folder.Path);
        var postgres = await PostgresServer.SharedAsync();
        var database = await postgres.NewDatabaseAsync(migrated: false);
        await using (var old = await ServerProcess.StartAsync(On(postgres.Url(database), Path.Combine(folder.Path, "config")) with { Program = before }))
        {
            var first = await AskAsync(old, null);
            await EndAsync(old, first.Run);
            await using var now = await ServerProcess.StartAsync(On(postgres.Url(database), Repository.PathOf("config"))); // brings the schema up to date beneath the other
            var runs = new List<string> { first.Run };
            for (var round = 0; round < 5; round++)
            {
                var asked = await Task.WhenAll(AskAsync(old, null), AskAsync(now, null), AskAsync(old, null), AskAsync(now, null));
                runs.AddRange(asked.Select(static a => a.Run));
                runs.Add((await AskAsync(now, first.Conversation)).Run);
                runs.Add((await AskAsync(old, first.Conversation)).Run);
            }

            foreach (var run in runs)
            {
                await EndAsync(old, run);
                await EndAsync(now, run);
            }

            Assert.Equal(0, await old.TerminateAsync());
            await EndAsync(now, (await AskAsync(now, first.Conversation)).Run);
        }

        await postgres.DropAsync(database);
    }

    private static ServerSettings On(string url, string config) => new()
    {
        Config = config,
        Environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["ROOTMAS__Database__Kind"] = "postgres",
            ["ROOTMAS__Database__ConnectionString"] = url,
            ["ROOTMAS__Models__ProbeOllama"] = "false",
            ["ROOTMAS_MASTER_KEY"] = "cmVsZWFzZWQtbWFzdGVya2V5LW9mLWEtdGVzdC0wMDA=",
        },
    };

    private static async Task<(string Run, string Conversation)> AskAsync(ServerProcess server, string? conversation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/chat") { Content = JsonContent.Create(new { message = "What is 6 times 7?", team = "solo", conversation_id = conversation }) };
        request.Headers.TryAddWithoutValidation("Prefer", "wait=0");
        using var answer = await server.Http.SendAsync(request);
        var body = JsonElement.Parse(await answer.Content.ReadAsStringAsync());
        Assert.True(answer.IsSuccessStatusCode, body.ToString());
        return (body.GetProperty("run_id").GetString()!, body.GetProperty("conversation_id").GetString()!);
    }

    private static async Task EndAsync(ServerProcess server, string id)
    {
        JsonElement run = default;
        await TestCluster.UntilAsync(async () => (run = await server.Http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{id}")).GetProperty("status").GetString() is "completed" or "failed", $"run {id} has ended");
        Assert.True(run.GetProperty("status").GetString() == "completed", run.ToString());
        var events = (await server.Http.GetFromJsonAsync<JsonElement>($"/api/v1/runs/{id}/events?limit=200")).GetProperty("items").EnumerateArray().ToList();
        Assert.Equal(Enumerable.Range(1, events.Count), events.Select(static e => e.GetProperty("seq").GetInt32()));
    }

    private static async Task<string> BuildAsync(string folder)
    {
        await RunAsync("/bin/sh", "-c", $"git -C '{Repository.Root}' archive {PreviousReleaseFactAttribute.Commit} | tar -x -C '{folder}'");
        await RunAsync("dotnet", "build", Path.Combine(folder, "src", "RootMas.Server"), "-c", "Release", "-v", "q", "-p:RunAnalyzers=false");
        return Directory.GetFiles(Path.Combine(folder, "src", "RootMas.Server", "bin", "Release"), "rootmas.dll", SearchOption.AllDirectories).First();
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (said, wrong) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {await said}\n{await wrong}");
    }
}

/// <summary>In the long form, where the commit of the release before is at hand.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class PreviousReleaseFactAttribute : FactAttribute
{
    /// <summary>Version 0.1.0 is not tagged yet: the commit in which its database was dumped stands for it. After a release: its tag.</summary>
    public const string Commit = "d82708d";

    public PreviousReleaseFactAttribute() => Skip = PostgresServer.Missing ?? (!TestLength.IsLong ? "builds a whole program: ./rootmas test --long" : HasCommit() ? null : $"the commit {Commit} is not here: git fetch --unshallow");

    private static bool HasCommit()
    {
        try
        {
            using var git = Process.Start(new ProcessStartInfo("git", ["-C", Repository.Root, "cat-file", "-e", Commit]) { UseShellExecute = false, RedirectStandardError = true })!;
            git.WaitForExit();
            return git.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false; // no git
        }
    }
}
