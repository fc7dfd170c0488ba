using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Data.Sqlite;
using RootMas.Tests.Support;

namespace RootMas.Tests.Cli;

/// <summary><c>rootmas audit</c> and <c>rootmas secrets</c> as an operator uses them.</summary>
public sealed class AuditCommandTests
{
    private static readonly ServerSettings Plain = new() { Environment = new Dictionary<string, string> { ["ROOTMAS_CONFIG"] = Repository.PathOf("config") } };

    [Fact]
    public async Task Verify_finds_what_was_done_to_the_file_and_ends_with_1()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var (missing, _, _) = await ServerProcess.RunAsync(Plain, null, "audit", "verify", "--data", data);
        var (set, _, notes) = await ServerProcess.RunAsync(Plain, "canary-value\n", "secrets", "set", "mine", "--data", data);
        Assert.True(set == 0, notes);
        var (good, stdout, _) = await ServerProcess.RunAsync(Plain, null, "audit", "verify", "--json", "--data", data);
        var head = JsonDocument.Parse(stdout).RootElement.GetProperty("head").GetString()!;
        await CutAsync(data);
        var (quiet, _, _) = await ServerProcess.RunAsync(Plain, null, "audit", "verify", "--data", data);
        var (cut, _, found) = await ServerProcess.RunAsync(Plain, null, "audit", "verify", "--data", data, "--head", head);
        var (nonsense, _, _) = await ServerProcess.RunAsync(Plain, null, "audit", "verify", "--data", data, "--head", "nonsense");
        var (folderAsKey, _, said) = await ServerProcess.RunAsync(Plain, null, "audit", "verify", "--data", data, "--old-key", folder.Path);

        Assert.Equal((3, 0, 0, 1, 2, 2), (missing, good, quiet, cut, nonsense, folderAsKey));
        Assert.Contains($"{folder.Path} is a folder", said, StringComparison.Ordinal);
        Assert.DoesNotContain("chmod", said, StringComparison.Ordinal);
        Assert.Contains("the log was cut", found, StringComparison.Ordinal);
    }

    /// <summary>Also where a file of an earlier installation without PostgreSQL still lies in the data directory: what it says is not what was asked.</summary>
    [PostgresFact]
    public async Task Verify_reads_the_database_that_the_server_uses()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var (earlier, _, _) = await ServerProcess.RunAsync(Plain, "canary-value\n", "secrets", "set", "mine", "--data", data);
        var postgres = await PostgresServer.SharedAsync();
        var database = await postgres.NewDatabaseAsync(migrated: false);
        try
        {
            var settings = Plain with
            {
                Environment = new Dictionary<string, string>(Plain.Environment) { ["ROOTMAS__Database__Kind"] = "postgres", ["ROOTMAS__Database__ConnectionString"] = postgres.Url(database) },
            };
            var (set, _, notes) = await ServerProcess.RunAsync(settings, "canary-value\n", "secrets", "set", "mine", "--data", data);
            Assert.True(set == 0, notes);
            var (good, _, _) = await ServerProcess.RunAsync(settings, null, "audit", "verify", "--data", data);
            await postgres.ExecuteAsync("ALTER TABLE audit DISABLE TRIGGER USER; UPDATE audit SET action = 'nothing.happened' WHERE action = 'secret.set'", database);
            var (changed, _, found) = await ServerProcess.RunAsync(settings, null, "audit", "verify", "--data", data);
            var (ofTheFile, _, _) = await ServerProcess.RunAsync(Plain, null, "audit", "verify", "--data", data);

            Assert.Equal((0, 0, 1, 0), (earlier, good, changed, ofTheFile));
            Assert.Contains("was changed", found, StringComparison.Ordinal);
        }
        finally
        {
            await postgres.DropAsync(database);
        }
    }

    [Fact]
    public async Task Secrets_come_from_stdin_are_listed_without_values_and_leave_rows()
    {
        using var folder = new TempFolder();
        var data = Path.Combine(folder.Path, "data");
        var (first, _, _) = await ServerProcess.RunAsync(Plain, "canary-one\n", "secrets", "set", "mine", "--data", data);
        var (second, _, _) = await ServerProcess.RunAsync(Plain, "canary-two\n", "secrets", "set", "mine", "--data", data);
        var (nothing, _, _) = await ServerProcess.RunAsync(Plain, "", "secrets", "set", "mine", "--data", data);
        var (large, _, refusal) = await ServerProcess.RunAsync(Plain, new string('x', 16_001) + "\n", "secrets", "set", "mine", "--data", data);
        var (listed, list, _) = await ServerProcess.RunAsync(Plain, null, "secrets", "list", "--data", data);
        var (removed, _, _) = await ServerProcess.RunAsync(Plain, null, "secrets", "remove", "mine", "--data", data);
        var (gone, _, _) = await ServerProcess.RunAsync(Plain, null, "secrets", "remove", "mine", "--data", data);
        var (audited, rows, _) = await ServerProcess.RunAsync(Plain, null, "audit", "list", "--action", "secret.", "--json", "--data", data);

        Assert.Equal((0, 0, 2, 2, 0, 0, 3, 0), (first, second, nothing, large, listed, removed, gone, audited));
        Assert.Equal("The value has 16,001 characters, and a secret has at most 16,000. Nothing was sent.\n", refusal);
        Assert.StartsWith("mine\t", list, StringComparison.Ordinal);
        Assert.DoesNotContain("canary", list + rows, StringComparison.Ordinal);
        Assert.Equal(["secret.delete", "secret.set", "secret.set"], JsonDocument.Parse(rows).RootElement.GetProperty("items").EnumerateArray().Select(static r => r.GetProperty("action").GetString()));
    }

    [Fact]
    public async Task What_operators_are_told_to_watch_is_shown_by_the_commands_that_they_are_told()
    {
        await using var app = await TestApp.StartAsync();
        using var alice = await app.AsAsync("alice");
        await alice.GetAsync("/api/v1/users", HttpStatusCode.Forbidden);
        using var nobody = app.NewClient(null);
        using var wrong = await nobody.PostAsJsonAsync("/api/v1/auth/login", new { username = "alice", password = "not this one" });
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);

        using var cli = new CliSession(app.Data);
        var shown = "";
        foreach (var command in File.ReadLines(Repository.PathOf("docs", "security.md")).Single(static l => l.StartsWith("- [ ] Watch ", StringComparison.Ordinal)).Split('`').Where(static c => c.StartsWith("rootmas ", StringComparison.Ordinal)))
        {
            shown += await cli.DoAsync(command.Split(' ')[1..]);
        }

        Assert.Contains("\taccess.denied\tdenied\talice\t", shown, StringComparison.Ordinal);
        Assert.Contains("\tauth.login_failed\tfailed\t", shown, StringComparison.Ordinal);
        var failed = Assert.Single((await cli.DoAsync("audit", "list", "--action", "auth.login_failed")).Split('\n', StringSplitOptions.RemoveEmptyEntries)).Split('\t');
        Assert.Equal("127.0.0.1", failed[5]); // which is to be blocked
    }

    /// <summary>Removes the last row, and the head with it, as somebody with the file can.</summary>
    private static async Task CutAsync(string data)
    {
        await using var connection = new SqliteConnection($"Data Source={Path.Combine(data, "rootmas.db")};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = """
            drop trigger audit_no_delete; drop trigger audit_head_no_return;
            delete from audit where id = (select max(id) from audit);
            update audit_head set last_id = (select max(id) from audit), mac = (select mac from audit order by id desc limit 1);
            """;
        await command.ExecuteNonQueryAsync();
    }
}
