using System.Globalization;
using System.Net;
using Microsoft.Extensions.DependencyInjection;
using RootMas.LlmSimulator;
using RootMas.Server.Backups;
using RootMas.Server.Cli;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Secrets;
using RootMas.Tests.Chat;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>F19 of CHECKS.md: a backup is whole or it is noticed, and a restore gives what the source was or changes nothing.</summary>
public abstract class BackupTests(DatabaseKind kind) : OnDatabase(kind)
{
    private const string Key = "correct horse battery staple";

    /// <summary>What a restore itself adds to: sessions end, the audit log gets a row.</summary>
    private static readonly string[] Touched = ["sessions", "audit", "audit_head", "schema_migrations"];

    /// <summary>A key that is a file: with the embedded database all of them are, on PostgreSQL the one that opens the others.</summary>
    private static string KeyInAFile => TestDatabase.Kind == DatabaseKind.Sqlite ? "pepper" : MasterKeys.Name;

    [DatabaseFact]
    public async Task A_restored_installation_equals_its_source_and_serves()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        source.Settings["Backups:Key"] = target.Settings["Backups:Key"] = Key;
        Directory.CreateDirectory(Path.Combine(source.Config, "imported"));
        await File.WriteAllTextAsync(Path.Combine(source.Config, "imported", "registry.json"), "{}");
        await File.WriteAllTextAsync(Path.Combine(source.Config, ".env"), "OPENAI_API_KEY=sk-left-out");
        string document;
        await using (var app = await source.StartAsync())
        {
            await app.PostJsonAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created);
            using var uploaded = await app.Client.PostAsync("/api/v1/documents?name=ferry.txt", new StringContent("The ferry leaves at seven."));
            Assert.True(uploaded.StatusCode == HttpStatusCode.Created, await uploaded.Content.ReadAsStringAsync());
            document = System.Text.Json.JsonElement.Parse(await uploaded.Content.ReadAsStringAsync()).Text("id")!;
            using var put = await app.SendAsync(HttpMethod.Put, "/api/v1/secrets/openai", """{"value":"sk-kept"}""");
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
            await SetUpAsync(app);
        }

        Directory.CreateDirectory(Path.Combine(source.Data, "files", "a"));
        await File.WriteAllTextAsync(Path.Combine(source.Data, "files", "a", "upload.txt"), "an upload");
        var made = await source.BackUpAsync();
        Assert.True(made.Verification!.Ok);
        Assert.True(made.Keys.Included);

        Directory.Delete(target.Config, recursive: true);
        var result = await target.RestoreAsync(source.ArchiveOf(made));
        Assert.Null(result.Aside);
        Assert.Equal(await source.ContentAsync(Touched), await target.ContentAsync(Touched));
        var rows = await source.RowsAsync("SELECT * FROM audit ORDER BY id");
        var restored = await target.RowsAsync("SELECT * FROM audit ORDER BY id");
        Assert.Equal(rows, restored.Take(rows.Count));
        Assert.Contains("backup.restore", Assert.Single(restored.Skip(rows.Count)));
        Assert.Equal(0, await target.CountAsync("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"));
        Assert.Equal("an upload", await File.ReadAllTextAsync(Path.Combine(target.Data, "files", "a", "upload.txt")));
        Assert.Equal(await File.ReadAllTextAsync(Path.Combine(source.Config, "agents.yaml")), await File.ReadAllTextAsync(Path.Combine(target.Config, "agents.yaml")));
        Assert.True(File.Exists(Path.Combine(target.Config, "imported", "registry.json")));
        Assert.False(File.Exists(Path.Combine(target.Config, ".env")));
        foreach (var key in Directory.EnumerateFiles(Path.Combine(source.Data, "keys")))
        {
            Assert.Equal(await File.ReadAllTextAsync(key), await File.ReadAllTextAsync(Path.Combine(target.Data, "keys", Path.GetFileName(key))));
            Assert.Equal(FileModes.Private, FileModes.Of(Path.Combine(target.Data, "keys", Path.GetFileName(key))));
        }

        await using var again = await target.StartAsync();
        Assert.Equal("openai", (await again.GetJsonAsync("/api/v1/secrets")).GetProperty("items")[0].GetProperty("name").GetString());
        Assert.Contains("leaves at seven", (await again.GetJsonAsync($"/api/v1/documents/{document}/text")).Text("text"), StringComparison.Ordinal);
        using var login = await again.PostAsync("/api/v1/auth/login", $$"""{"username":"root","password":"{{Key}} 7"}""");
        Assert.Equal(HttpStatusCode.OK, login.StatusCode);
        Assert.Empty((await new AuditVerifier(again.Get<AuditStore>(), [again.Get<AuditKey>()]).RunAsync(null, default)).Problems);
    }

    [DatabaseFact]
    public async Task A_backup_under_load_is_one_moment_of_its_source()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        await using var app = await source.StartAsync();
        using var stop = new CancellationTokenSource();
        var first = new TaskCompletionSource();
        var writers = Enumerable.Range(0, 4).Select(w => WriteAsync(app, w, first, stop.Token)).ToArray();
        await first.Task;
        var made = await app.PostJsonAsync("/api/v1/backups", new { verify = true }, HttpStatusCode.Created);
        var atTheEnd = await CountOfWritesAsync(app);
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        Assert.True(made.GetProperty("valid").GetBoolean(), made.ToString());

        // Both halves of each write, and none that came later.
        await target.RestoreAsync(Path.Combine(source.Backups, BackupNames.ArchiveOf(made.GetProperty("id").GetString()!)));
        var (settings, audit) = (await target.CountAsync("SELECT count(*) FROM settings_seen WHERE name LIKE 'load:%'"), await target.CountAsync("SELECT count(*) FROM audit WHERE action = 'test.load'"));
        Assert.Equal(settings, audit);
        Assert.InRange(settings, 1, atTheEnd);
        Assert.Equal(1, await source.CountAsync("SELECT count(*) FROM audit WHERE action = 'backup.create'"));
    }

    [DatabaseFact]
    public async Task A_flipped_byte_or_a_missing_end_is_found_and_never_restored()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // A start is enough to have something in every part.
        }

        var made = await source.BackUpAsync();
        var whole = await File.ReadAllBytesAsync(source.ArchiveOf(made));
        var damaged = Path.Combine(source.Root, BackupNames.ArchiveOf(made.Id));
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        int[] places = [.. Enumerable.Range(0, 40), .. Enumerable.Range(whole.Length - ArchiveSeal.Bytes, ArchiveSeal.Bytes), .. Enumerable.Range(0, 100).Select(_ => random.Next(whole.Length))];
        foreach (var place in places)
        {
            var bytes = (byte[])whole.Clone();
            bytes[place] ^= (byte)(1 << random.Next(8));
            await File.WriteAllBytesAsync(damaged, bytes);
            var (_, result) = await new BackupVerifier(source.Setup()).VerifyAsync(damaged, null, default);
            Assert.False(result.Ok, $"byte {place} of {whole.Length}, seed {seed}");
        }

        foreach (var length in (int[])[0, 1, ArchiveSeal.Bytes, whole.Length / 2, whole.Length - ArchiveSeal.Bytes, whole.Length - 1])
        {
            await File.WriteAllBytesAsync(damaged, whole.AsMemory(0, length));
            var (_, result) = await new BackupVerifier(source.Setup()).VerifyAsync(damaged, null, default);
            Assert.False(result.Ok, $"cut at {length}");
        }

        Assert.Equal(BackupFailure.Damaged, await target.RefusalAsync(damaged));
        Assert.False(File.Exists(Path.Combine(target.Data, "rootmas.db")));
        Assert.Empty(Directory.EnumerateDirectories(target.Data, "restore-*"));
    }

    [DatabaseFact]
    public async Task What_is_there_is_only_replaced_by_force_and_kept_aside()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        source.Settings["Backups:Key"] = target.Settings["Backups:Key"] = Key;
        await using (await source.StartAsync())
        {
            // Makes keys and a database.
        }

        string key;
        await using (var app = await target.StartAsync())
        {
            await app.PostJsonAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created);
            key = await File.ReadAllTextAsync(Path.Combine(target.Data, "keys", KeyInAFile));
        }

        var made = source.ArchiveOf(await source.BackUpAsync());
        var before = await target.ContentAsync();
        Assert.Equal(BackupFailure.NotEmpty, await target.RefusalAsync(made));
        Assert.Equal(before, await target.ContentAsync());

        await using (await target.StartAsync())
        {
            Assert.Equal(BackupFailure.Busy, await target.RefusalAsync(made, force: true));
        }

        var result = await target.RestoreAsync(made, force: true);
        Assert.Equal(await source.ContentAsync(Touched), await target.ContentAsync(Touched));
        Assert.Equal(key, await File.ReadAllTextAsync(Path.Combine(result.Aside!, "keys", KeyInAFile)));
        await AsideHasAsync(target, result);
        await using var again = await target.StartAsync();
        Assert.Empty((await again.GetJsonAsync("/api/v1/conversations")).GetProperty("items").EnumerateArray());
    }

    [DatabaseFact]
    public async Task A_backup_that_does_not_fit_is_refused_with_the_reason()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        source.Settings["Backups:Key"] = Key;
        await using (await source.StartAsync())
        {
            // Makes keys and a database.
        }

        var made = source.ArchiveOf(await source.BackUpAsync());
        Assert.Equal(BackupFailure.OtherKey, await target.RefusalAsync(made));
        target.Settings["Backups:Key"] = Key + "!";
        Assert.Equal(BackupFailure.OtherKey, await target.RefusalAsync(made));
        Assert.Equal(BackupFailure.NotFound, await target.RefusalAsync("20260101T000000Z-abcdef"));

        target.Settings["Backups:Key"] = Key;
        await ChangeSchemaAsync(source, "INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version) VALUES (9999, 'future', 'x', 0, '99.0.0')");
        var newer = await Assert.ThrowsAsync<BackupException>(async () => await target.RestoreAsync(source.ArchiveOf(await source.BackUpAsync())));
        Assert.Equal(BackupFailure.Newer, newer.Failure);
        Assert.Contains("99.0.0", newer.Message);
        Assert.False(File.Exists(target.Data + "/rootmas.db"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(target.Data).Select(Path.GetFileName).Except(["lock", "owner.json", "backups"]));
    }

    [DatabaseFact]
    public async Task A_backup_of_a_newer_schema_to_which_something_was_only_added_is_restored_as_a_start_on_it_is_allowed()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        source.Settings["Backups:Key"] = target.Settings["Backups:Key"] = Key;
        await using (await source.StartAsync())
        {
            // Makes keys and a database.
        }

        await ChangeSchemaAsync(source, "INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version, usable_from) VALUES (9998, 'added', 'x', 0, '98.0.0', 48)");
        var archive = source.ArchiveOf(await source.BackUpAsync());
        await target.RestoreAsync(archive);
        await using (var app = await target.StartAsync())
        {
            Assert.Empty((await app.GetJsonAsync("/api/v1/conversations")).GetProperty("items").EnumerateArray());
        }

        // One more that says it of a program newer than this one.
        await ChangeSchemaAsync(source, "INSERT INTO schema_migrations (number, name, checksum, applied_at, program_version, usable_from) VALUES (9999, 'changed', 'x', 0, '99.0.0', 9999)");
        var newer = await Assert.ThrowsAsync<BackupException>(async () => await target.RestoreAsync(source.ArchiveOf(await source.BackUpAsync()), force: true));
        Assert.Equal(BackupFailure.Newer, newer.Failure);
        Assert.Contains("9999_changed", newer.Message, StringComparison.Ordinal);
    }

    [DatabaseFact]
    public async Task A_run_that_was_under_way_goes_on_after_the_restore()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        source.Settings["Backups:Key"] = target.Settings["Backups:Key"] = Key;
        string run;
        string archive;
        await using (var sim = await Simulator.StartAsync("default: { text: \"Here is the answer.\" }"))
        {
            var hold = sim.Hold(new HoldSpec { At = HoldPoint.Before });
            await using var app = await source.StartAsync(o => (o.Environment["OPENAI_BASE_URL"], o.Environment["OPENAI_API_KEY"]) = (sim.OpenAiUrl, "sk-simulator"));
            var conversation = (await app.PostJsonAsync("/api/v1/conversations", new { team = "solo" }, HttpStatusCode.Created)).Text("id")!;
            run = (await app.PostJsonAsync($"/api/v1/conversations/{conversation}/runs", new { message = "A question" }, HttpStatusCode.Accepted)).Text("run_id")!;
            await hold.Reached;
            var made = await app.PostJsonAsync("/api/v1/backups", new { }, HttpStatusCode.Created);
            archive = Path.Combine(source.Backups, BackupNames.ArchiveOf(made.Text("id")!));
            sim.ReleaseAll();
        }

        await target.RestoreAsync(archive);
        await using var after = await Simulator.StartAsync("default: { text: \"Here is the answer.\" }");
        await using var again = await target.StartAsync(o => (o.Environment["OPENAI_BASE_URL"], o.Environment["OPENAI_API_KEY"]) = (after.OpenAiUrl, "sk-simulator"));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/runs/{run}/events?after=0");
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var stream = await again.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("run.completed", (await SseEvent.ReadAllAsync(stream)).Last(static e => e.Type.StartsWith("run.", StringComparison.Ordinal)).Type);
        Assert.Equal("completed", (await again.GetJsonAsync($"/api/v1/runs/{run}")).Text("status")!);
    }

    [DatabaseFact]
    public async Task A_new_schema_comes_only_after_a_backup_of_the_old_one()
    {
        await using var installation = await Installation.NewAsync();
        await using (await installation.StartAsync())
        {
            // Makes the database.
        }

        await ForgetLastMigrationAsync(installation);
        installation.Settings["Backups:Folder"] = "/proc/nowhere";
        var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => installation.StartAsync());
        Assert.Contains("The database was not changed", refused.Message);
        Assert.Contains("BeforeMigration", refused.Message);
        Assert.Equal(0, await installation.CountAsync("SELECT count(*) FROM schema_migrations WHERE name = 'backups'"));

        installation.Settings["Backups:BeforeMigration"] = "WhenPossible";
        await using (await installation.StartAsync())
        {
            Assert.Equal(1, await installation.CountAsync("SELECT count(*) FROM schema_migrations WHERE name = 'backups'"));
        }

        await ForgetLastMigrationAsync(installation);
        installation.Settings.Remove("Backups:Folder");
        installation.Settings.Remove("Backups:BeforeMigration");
        await using (await installation.StartAsync())
        {
            var made = Assert.Single((await installation.Desk().ListAsync(default)).Backups);
            Assert.Equal("migration", made.Record!.Reason);
            Assert.Equal(0, (await ArchiveReader.ReadManifestAsync(installation.ArchiveOf(made.Record), default)).Database.Migrations.Count(static m => m.Name == "backups"));
        }

        // The same by hand, after another one.
        await ForgetLastMigrationAsync(installation);
        await installation.BackUpAsync(verify: false);
        using var cli = installation.Cli();
        await cli.DoAsync("migrate");
        Assert.Equal(["migration", "manual", "migration"], (await installation.Desk().ListAsync(default)).Backups.Select(static b => b.Record!.Reason));
    }

    [DatabaseFact]
    public async Task A_migration_that_fails_at_each_start_does_not_fill_the_folder_nor_clear_up_what_is_there()
    {
        await using var installation = await Installation.NewAsync();
        await using (await installation.StartAsync())
        {
            // Makes the database.
        }

        installation.Settings["Backups:Keep"] = "2";
        List<string> before = [(await installation.BackUpAsync()).Id, (await installation.BackUpAsync(verify: false)).Id];
        await ChangeSchemaAsync(installation, "DELETE FROM schema_migrations WHERE name = 'backups'"); // its table is there already, so it fails
        for (var start = 0; start < 4; start++)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => installation.StartAsync());
        }

        var all = (await installation.Desk().ListAsync(default)).Backups;
        Assert.Equal(["migration", "manual", "manual"], all.Select(static b => b.Record!.Reason));
        Assert.Equal(before, all.Skip(1).Select(static b => b.Id).Reverse());

        // One that is damaged is no reason to make none; of those of one schema the first and the last stay.
        for (var start = 0; start < 3; start++)
        {
            var last = (await installation.Desk().ListAsync(default)).Backups[0];
            await File.WriteAllBytesAsync(installation.ArchiveOf(last.Record!), [1]);
            await Assert.ThrowsAnyAsync<Exception>(() => installation.StartAsync());
        }

        all = (await installation.Desk().ListAsync(default)).Backups;
        Assert.Equal(["migration", "migration", "manual", "manual"], all.Select(static b => b.Record!.Reason));
        Assert.Equal(before, all.Skip(2).Select(static b => b.Id).Reverse());
    }

    [DatabaseFact]
    public async Task A_key_of_the_audit_log_that_is_not_there_is_a_note_and_not_a_finding()
    {
        await using var source = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes keys and a database.
        }

        var made = await source.BackUpAsync();
        Assert.False(made.Keys.Included);
        Assert.Contains($"keys/{KeyInAFile}", made.Keys.Names);
        Assert.Contains("Backups:Key is not set", made.Keys.Note);
        KeyFile.Write(new DataDirectory(source.Data), TestDatabase.Kind == DatabaseKind.Sqlite ? AuditKey.FileName : MasterKeys.Name, System.Security.Cryptography.RandomNumberGenerator.GetBytes(32), overwrite: true);
        var (_, _, result) = await source.Desk().VerifyAsync(made.Id, default);
        Assert.True(result.Ok, string.Join("; ", result.Problems));
        Assert.Contains(result.Notes, static n => n.Contains("a key that is not here", StringComparison.Ordinal));
    }

    private protected abstract Task ChangeSchemaAsync(Installation installation, string sql);

    private protected abstract Task AsideHasAsync(Installation installation, RestoreResult result);

    private protected abstract Task ForgetLastMigrationAsync(Installation installation);

    private static async Task SetUpAsync(TestApp app)
    {
        var token = (await File.ReadAllTextAsync(Path.Combine(app.Data, "setup-token"))).Trim();
        using var setup = await app.PostAsync("/api/v1/auth/setup", $$"""{"setup_token":"{{token}}","username":"root","password":"{{Key}} 7"}""");
        Assert.True(setup.IsSuccessStatusCode, await setup.Content.ReadAsStringAsync());
    }

    private static async Task WriteAsync(TestApp app, int writer, TaskCompletionSource first, CancellationToken stop)
    {
        var (database, audit) = (app.Services.GetRequiredService<IDatabase>(), app.Services.GetRequiredService<AuditLog>());
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var name = string.Create(CultureInfo.InvariantCulture, $"load:{writer}:{i}");
            await database.WriteAsync(
                async session =>
                {
                    await session.Prepared("insert into settings_seen (name, value) values (@name, @value)").Set("name", name).Set("value", new string('x', 500)).RunAsync();
                    await audit.AppendAsync(session, new AuditEntry { Action = "test.load", TargetId = name });
                },
                default);
            first.TrySetResult();
            await Task.Delay(5, CancellationToken.None); // enough of a load; what it writes is copied and verified
        }
    }

    private static async Task<long> CountOfWritesAsync(TestApp app) =>
        await app.Services.GetRequiredService<IDatabase>().ReadAsync(static s => s.Prepared("select count(*) from audit where action = 'test.load'").Int64Async(), default) ?? 0;
}
