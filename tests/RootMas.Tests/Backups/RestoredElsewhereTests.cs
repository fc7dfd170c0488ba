using System.Net;
using RootMas.LlmSimulator;
using RootMas.Server.Backups;
using RootMas.Server.Cli;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>What surrounds a restored database. Whose queues and backups it has: in the place that it was made in it is the installation that it was, and in another place one of its own, unless whoever restores says that it is the same (decision 47). And its configuration.</summary>
public abstract class RestoredElsewhereTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Own = "own now";
    private const string Key = "sixteen characters";

    [DatabaseFact]
    public async Task In_its_place_a_restored_installation_is_the_one_that_it_was()
    {
        await using var source = await MadeAsync();
        var (id, backup) = (await IdAsync(source), await source.BackUpAsync(verify: false));
        var result = await source.RestoreAsync(backup.Id, force: true);
        Assert.Equal(id, await IdAsync(source));
        Assert.DoesNotContain(result.Notes, static n => n.Contains(Own, StringComparison.Ordinal));
    }

    [DatabaseTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task In_a_new_place_it_is_one_of_its_own_unless_it_is_said_to_be_the_same(bool same)
    {
        await using var source = await MadeAsync();
        await using var target = await Installation.NewAsync();
        target.Settings["Backups:Key"] = Key;
        var (id, backup) = (await IdAsync(source), await source.BackUpAsync(verify: false));
        var result = await target.RestoreAsync(source.ArchiveOf(backup), same: same);
        Assert.Equal(same, await IdAsync(target) == id);
        Assert.Equal(same, !result.Notes.Any(static n => n.Contains(Own, StringComparison.Ordinal)));

        // It starts, and stays what it is.
        var own = await IdAsync(target);
        await using (var app = await target.StartAsync())
        {
            Assert.Equal(own, await InstallationId.ReadAsync(app.Get<IDatabase>(), default));
        }

        Assert.Equal(own, (await target.BackUpAsync(verify: false)).Installation);
    }

    /// <summary>What the notes of the restore say works as it stands there.</summary>
    [DatabaseFact]
    public async Task Without_its_keys_it_starts_once_what_they_made_is_given_up()
    {
        await using var source = await MadeAsync();
        await using (var app = await source.StartAsync())
        {
            await PutSecretAsync(app);
        }

        await using var target = await Installation.NewAsync();
        target.Settings["Backups:Key"] = Key;
        var result = await target.RestoreAsync(source.ArchiveOf(await source.BackUpAsync(verify: false)), withoutKeys: true);
        var advice = Assert.Single(result.Notes, static n => n.Contains("ROOTMAS__Keys__Replace=", StringComparison.Ordinal));
        await Assert.ThrowsAsync<StartupRefusedException>(() => target.StartAsync());
        await using (var app = await target.StartAsync(o => (o.Settings["Keys:Replace"], o.Settings["Audit:AcceptNewKey"]) = (advice.Split('"')[1], "true")))
        {
            Assert.Empty((await app.GetJsonAsync("/api/v1/secrets")).GetProperty("items").EnumerateArray());
            var gone = Assert.Single(await app.AuditAsync(), static r => r.Action == "secret.delete");
            Assert.Equal("openai", gone.Target);
            Assert.Contains("key_lost", gone.After, StringComparison.Ordinal);
            await PutSecretAsync(app);
        }

        await using var again = await target.StartAsync();
        Assert.Equal("sk-kept", again.Get<SecretVault>().Find("openai"));
    }

    [DatabaseFact]
    public async Task In_the_place_of_another_installation_it_is_neither_of_the_two()
    {
        await using var source = await MadeAsync();
        await using var target = await MadeAsync();
        var (id, other, backup) = (await IdAsync(source), await IdAsync(target), await source.BackUpAsync(verify: false));
        await target.RestoreAsync(source.ArchiveOf(backup), force: true);
        Assert.DoesNotContain(await IdAsync(target), (string[])[id, other]);
    }

    /// <summary>Which one it is, is read by itself.</summary>
    [DatabaseTheory]
    [InlineData("users")]
    [InlineData("audit_head")]
    public async Task In_the_place_of_another_one_that_is_damaged_it_is_neither_of_the_two(string table)
    {
        await using var source = await MadeAsync();
        await using var target = await MadeAsync();
        var (id, other, backup) = (await IdAsync(source), await IdAsync(target), await source.BackUpAsync(verify: false));
        await target.ExecuteAsync($"ALTER TABLE {table} RENAME TO {table}_gone");
        await target.RestoreAsync(source.ArchiveOf(backup), force: true);
        Assert.DoesNotContain(await IdAsync(target), (string[])[id, other]);
    }

    [DatabaseFact]
    public async Task A_configuration_that_cannot_be_written_is_said_before_anything_is_changed()
    {
        await using var source = await MadeAsync();
        var archive = source.ArchiveOf(await source.BackUpAsync());
        var before = await source.ContentAsync();
        Directory.Delete(source.Config, recursive: true);
        Directory.CreateSymbolicLink(source.Config, "/proc/nowhere");
        var refused = await Assert.ThrowsAsync<BackupException>(() => source.RestoreAsync(archive, force: true, withConfig: true));
        Assert.Equal(BackupFailure.Unable, refused.Failure);
        Assert.Contains("--with-config", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, await source.ContentAsync());
        Assert.Empty(Directory.EnumerateFileSystemEntries(source.Data, "re*"));

        // Where it was not asked for, the rest is restored and that is told.
        Assert.Contains((await source.RestoreAsync(archive, force: true)).Notes, static n => n.Contains("was not put into", StringComparison.Ordinal));
    }

    [DatabaseFact]
    public async Task Whom_something_was_taken_from_since_the_backup_is_named_where_the_database_of_before_knows_it()
    {
        await using var source = await MadeAsync();
        string erased;
        await using (var app = await source.StartAsync())
        {
            erased = await app.AddUserAsync("erika");
            foreach (var name in (string[])["dora", "ruth", "paul", "same"])
            {
                await app.AddUserAsync(name);
            }
        }

        var backup = await source.BackUpAsync(verify: false);
        await using (var app = await source.StartAsync())
        {
            using var erasing = await app.SendAsync(HttpMethod.Delete, $"/api/v1/users/{erased}", null, ("If-Match", "*"));
            Assert.True(erasing.IsSuccessStatusCode, await erasing.Content.ReadAsStringAsync());
            await app.Get<IDatabase>().WriteAsync(
                static async session =>
                {
                    foreach (var change in (string[])["disabled_at = 1 where username = 'dora'", "role = 'readonly' where username = 'ruth'", "password_changed_at = password_changed_at + 1 where username = 'paul'"])
                    {
                        await session.Prepared($"update users set {change}").RunAsync();
                    }

                    return true;
                },
                default);
        }

        var notes = (await source.RestoreAsync(backup.Id, force: true)).Notes;
        Assert.Contains(notes, static n => n.Contains("dora (disabled); erika (erased); paul (another password); ruth (role readonly instead of user).", StringComparison.Ordinal));
        Assert.Contains(notes, static n => n.Contains("erased or disabled since", StringComparison.Ordinal));

        // What stands there now is the backup: nothing was taken from anybody since.
        Assert.DoesNotContain((await source.RestoreAsync(backup.Id, force: true)).Notes, static n => n.Contains("erika", StringComparison.Ordinal));
    }

    /// <summary>Its source goes on with them: a drill must not do it a second time.</summary>
    [DatabaseTheory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Runs_of_the_archive_are_cancelled_before_they_ask_anything_if_that_is_asked_for(bool end)
    {
        await using var source = await MadeAsync();
        await using var target = await Installation.NewAsync();
        target.Settings["Backups:Key"] = Key;
        var (runs, archive) = await WithUnfinishedRunsAsync(source);
        var result = await target.RestoreAsync(archive, endRuns: end);
        Assert.Contains(result.Notes, n => n.StartsWith("3 unfinished runs", StringComparison.Ordinal) && n.Contains("--end-runs", StringComparison.Ordinal) == !end);
        Assert.Equal(end ? 3 : 0, await target.CountAsync("SELECT count(*) FROM run_inbox WHERE key = 'cancel'"));
        Assert.Equal(end ? 1 : 2, await target.CountAsync("SELECT count(*) FROM memory_jobs"));
        if (!end)
        {
            return; // they go on: BackupTests
        }

        await using var sim = await Simulator.StartAsync("default: { text: \"Asked again.\" }");
        await using var app = await target.StartAsync(o => (o.Environment["OPENAI_BASE_URL"], o.Environment["OPENAI_API_KEY"]) = (sim.OpenAiUrl, "sk-simulator"));
        foreach (var run in runs)
        {
            await Wait.UntilAsync(static async at => (await at.app.GetJsonAsync($"/api/v1/runs/{at.run}")).Text("status") == "cancelled", (app, run), "The run was not cancelled");
        }

        Assert.Empty(sim.Calls);
    }

    /// <summary>One that waits for a person, one at its model and one in the queue, and an archive of that moment.</summary>
    private static async Task<(List<string> Runs, string Archive)> WithUnfinishedRunsAsync(Installation source)
    {
        await using var sim = await Simulator.StartAsync("""
            rules:
              - match: { last_user: "Ask me", last_role: user }
                answer: { tool_calls: [ { name: ask_user, arguments: { question: "Where to?" } } ] }
            default: { text: "Here is the answer." }
            """);
        await using var app = await source.StartAsync(o =>
        {
            (o.Environment["OPENAI_BASE_URL"], o.Environment["OPENAI_API_KEY"]) = (sim.OpenAiUrl, "sk-simulator");
            o.Settings["Runs:Parallelism"] = "1";
        });
        List<string> runs = [(await app.PostJsonAsync("/api/v1/chat", new { message = "Ask me", team = "solo" }, HttpStatusCode.Accepted)).Text("run_id")!];
        var hold = sim.Hold(new HoldSpec { At = HoldPoint.Before });
        for (var i = 0; i < 2; i++)
        {
            var conversation = (await app.PostJsonAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).Text("id")!;
            runs.Add((await app.PostJsonAsync($"/api/v1/conversations/{conversation}/runs", new { message = "A question" }, HttpStatusCode.Accepted)).Text("run_id")!);
            await hold.Reached;
        }

        Assert.Equal(["queued", "running", "waiting_input"], (await source.RowsAsync("SELECT status FROM runs WHERE ended_at IS NULL")).Order(StringComparer.Ordinal));
        await app.Get<IDatabase>().WriteAsync(
            static async session =>
            {
                foreach (var (run, due) in ((string, DateTimeOffset)[])[("ended", session.Now.AddDays(1)), ("skipped", MemoryQueue.Never)])
                {
                    await session.Prepared("INSERT INTO memory_jobs (run_id, owner_id, conversation_id, message_id, due_at, created_at) SELECT @run, id, @run, @run, @due, @now FROM users LIMIT 1")
                        .Set("run", run).Set("due", due).Set("now", session.Now).RunAsync();
                }

                return true;
            },
            default);
        var made = await app.PostJsonAsync("/api/v1/backups", new { }, HttpStatusCode.Created);
        sim.ReleaseAll();
        return (runs, Path.Combine(source.Backups, BackupNames.ArchiveOf(made.Text("id")!)));
    }

    private static async Task<Installation> MadeAsync()
    {
        var installation = await Installation.NewAsync();
        installation.Settings["Backups:Key"] = Key;
        await using (await installation.StartAsync())
        {
            // Makes keys and a database.
        }

        return installation;
    }

    private static async Task PutSecretAsync(TestApp app)
    {
        using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/openai", """{"value":"sk-kept"}""");
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
    }

    private static async Task<string> IdAsync(Installation installation) => InstallationId.Of(UnixTime.FromMicros(await installation.CountAsync(InstallationId.MadeAt)));
}

public sealed class RestoredElsewhereOnSqliteTests() : RestoredElsewhereTests(DatabaseKind.Sqlite);

public sealed class RestoredElsewhereOnPostgresTests() : RestoredElsewhereTests(DatabaseKind.Postgres), IOnPostgres;
