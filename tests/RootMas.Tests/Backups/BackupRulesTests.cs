using System.Globalization;
using System.Net;
using System.Text.Json;
using RootMas.Server.Backups;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Cli;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>What is kept, what is due, what is shown, and what the command line answers.</summary>
public sealed class BackupRulesTests
{
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public BackupRulesTests() => TestDatabase.Kind = DatabaseKind.Sqlite;

    [Fact]
    public void The_newest_and_the_newest_verified_archive_are_never_deleted_and_no_more_than_wanted_are_kept()
    {
        for (var seed = 0; seed < 2_000; seed++)
        {
            var random = new Random(seed);
            var options = new BackupOptions { Keep = random.Next(1, 6), KeepFor = TimeSpan.FromDays(random.Next(1, 20)) };
            var stored = Enumerable.Range(0, random.Next(12)).Select(_ => Stored(Now - TimeSpan.FromHours(random.Next(1, 1_000)), random.Next(3) == 0)).ToList();
            var gone = BackupDesk.Surplus(stored, options, Now).ToList();
            var left = stored.Except(gone).OrderByDescending(static s => s.Id, StringComparer.Ordinal).ToList();
            var newest = stored.OrderByDescending(static s => s.Id, StringComparer.Ordinal).ToList();
            Assert.Equal(newest.FirstOrDefault(), left.FirstOrDefault());
            Assert.Equal(newest.Find(IsVerified), left.Find(IsVerified));
            Assert.True(left.Count <= options.Keep + 1, $"seed {seed}");
            Assert.All(left.Skip(1).Where(s => s != newest.Find(IsVerified)), s => Assert.True(Now - BackupNames.TimeOf(s.Id) <= options.KeepFor));
        }
    }

    [Theory]
    [InlineData("2026-03-01T02:59:59Z", "03:00:00", "1.00:00:00", "2026-03-01T03:00:00Z")]
    [InlineData("2026-03-01T03:00:00Z", "03:00:00", "1.00:00:00", "2026-03-02T03:00:00Z")]
    [InlineData("2026-02-20T17:00:00Z", "03:00:00", "1.00:00:00", "2026-02-21T03:00:00Z")]
    [InlineData("2026-03-01T10:10:00Z", "00:30:00", "06:00:00", "2026-03-01T12:30:00Z")]
    public void What_is_due_follows_from_the_newest_backup(string last, string at, string every, string due) => Assert.Equal(
        DateTimeOffset.Parse(due, CultureInfo.InvariantCulture),
        BackupSchedule.DueAfter(DateTimeOffset.Parse(last, CultureInfo.InvariantCulture), new BackupOptions { At = TimeSpan.Parse(at, CultureInfo.InvariantCulture), Every = TimeSpan.Parse(every, CultureInfo.InvariantCulture) }));

    [Fact]
    public async Task The_server_makes_and_verifies_the_nightly_backup_and_metrics_and_health_show_it()
    {
        var clock = new ManualTimeProvider();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Clock = clock;
            o.Settings["Backups:Scheduled"] = "true";
        });
        Assert.Equal("healthy", await HealthAsync(app));
        var first = await MetricsAsync(app);
        Assert.DoesNotContain("rootmas_backups_last_success_seconds", first);
        Assert.Contains("rootmas_backups_made_total{outcome=\"failed\",reason=\"scheduled\"} 0\n", first);
        Assert.Contains("rootmas_backups_checked_total{outcome=\"failed\"} 0\n", first);
        var nothing = Path.Combine(app.Data, "backups");
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromMinutes(30)); // to the night, as fast as the server follows
            return app.Get<BackupMetrics>().Times?.Verified is not null;
        });
        var made = (await app.GetJsonAsync("/api/v1/backups")).GetProperty("items").EnumerateArray().Last();
        Assert.Equal("scheduled", made.GetProperty("reason").GetString());
        Assert.True(made.GetProperty("valid").GetBoolean());
        Assert.True(made.GetProperty("created_at").GetDateTimeOffset() >= new DateTimeOffset(2026, 3, 2, 3, 0, 0, TimeSpan.Zero));
        Assert.NotEmpty(Directory.EnumerateFiles(nothing));
        var metrics = await MetricsAsync(app);
        Assert.Contains("rootmas_backups_last_success_seconds ", metrics);
        Assert.Contains("rootmas_backups_last_verified_seconds ", metrics);
        Assert.Contains("rootmas_backups_age_seconds ", metrics);
        Assert.Matches("rootmas_backups_made_total{outcome=\"ok\",reason=\"scheduled\"} [1-9]", metrics);
    }

    [Fact]
    public async Task Backups_that_do_not_come_are_seen_in_health_and_metrics()
    {
        var clock = new ManualTimeProvider();
        await using var app = await TestApp.StartAsync(o =>
        {
            o.Clock = clock;
            o.Settings["Backups:Scheduled"] = "true";
            o.Settings["Backups:Folder"] = "/proc/nowhere";
        });
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromHours(1));
            return app.Get<BackupService>().LastProblem is not null;
        });
        clock.Advance(TimeSpan.FromDays(2));

        // A look that was on its way when the clock jumped found its time over, and is believed for a moment.
        await Wait.UntilAsync(
            async a =>
            {
                clock.Advance(TimeSpan.FromMinutes(1));
                return await HealthAsync(a) == "degraded";
            },
            app, "The backups were not seen as degraded");
        var metrics = await MetricsAsync(app);
        Assert.Matches("rootmas_backups_made_total{outcome=\"failed\",reason=\"scheduled\"} [1-9]", metrics);
        Assert.Matches("rootmas_backups_verified_age_seconds [1-9]", metrics); // since the installation: none was ever verified
        using var refused = await app.PostAsync("/api/v1/backups", "{}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);

        // Another instance makes the next one: the problem is over here too. A try of this one that was due at that minute may fail after it, and is the last word then.
        await Wait.UntilAsync(
            async a =>
            {
                clock.Advance(TimeSpan.FromMinutes(1));
                await a.Get<BackupState>().KeepAsync(Stored(clock.GetUtcNow(), verified: true).Record!, made: true, also: null, default);
                await a.Get<BackupService>().RefreshAsync();
                return a.Get<BackupService>().LastProblem is null;
            },
            app, "The problem was not over");
        await using var off = await TestApp.StartAsync();
        Assert.Equal("not_configured", await HealthAsync(off));
    }

    [Fact]
    public async Task What_a_clock_made_that_was_ahead_neither_stops_backups_nor_outlives_those_that_come()
    {
        await using var installation = await Installation.NewAsync();
        installation.Settings["Backups:Keep"] = "1";
        await using (var app = await installation.StartAsync(static o => o.Clock = new ManualTimeProvider(Now.AddYears(1))))
        {
            await app.PostJsonAsync("/api/v1/backups", new { verify = true }, HttpStatusCode.Created);
        }

        installation.Settings["Backups:Scheduled"] = "true";
        installation.Settings["Backups:Folder"] = "/proc/nowhere";
        await using (var app = await installation.StartAsync(static o => o.Clock = new ManualTimeProvider(Now)))
        {
            Assert.Equal("degraded", await HealthAsync(app));
            await Wait.UntilAsync(async a => (await MetricsAsync(a)).Contains("rootmas_backups_age_seconds ", StringComparison.Ordinal), app, "The age was not told");
            Assert.Matches("rootmas_backups_age_seconds [1-9]", await MetricsAsync(app));
        }

        // Now one is due at once, and it is not taken for an old one.
        installation.Settings.Remove("Backups:Folder");
        await using (var app = await installation.StartAsync(static o => o.Clock = new ManualTimeProvider(Now)))
        {
            await Wait.UntilAsync(() => app.Get<BackupMetrics>().Times is { Success: { } made, Verified: { } verified } && made <= Now && verified <= Now);
            var items = (await app.GetJsonAsync("/api/v1/backups")).GetProperty("items").EnumerateArray().ToList();
            Assert.Equal(Now, Assert.Single(items).GetProperty("created_at").GetDateTimeOffset());
        }
    }

    [Fact]
    public async Task Two_at_once_are_one_and_a_refusal_and_a_foreign_id_is_not_found()
    {
        await using var app = await TestApp.StartAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            using var answer = await app.PostAsync("/api/v1/backups", """{"verify":true}""");
            return answer.StatusCode;
        }));
        Assert.Contains(HttpStatusCode.Created, answers);
        Assert.All(answers, static s => Assert.True(s is HttpStatusCode.Created or HttpStatusCode.Conflict));
        foreach (var id in (string[])["latest", "..%2F..%2Fetc%2Fpasswd", "20260101T000000Z-abcdef"])
        {
            using var answer = await app.PostAsync($"/api/v1/backups/{id}/verify", "{}");
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        var page = await app.GetJsonAsync("/api/v1/backups?limit=1");
        var next = page.GetProperty("next_cursor");
        Assert.Equal(answers.Count(static s => s == HttpStatusCode.Created) > 1, next.ValueKind == JsonValueKind.String);
    }

    [Fact]
    public async Task The_command_works_with_and_without_a_server_and_says_how_it_ended()
    {
        await using var installation = await Installation.NewAsync();
        using var cli = installation.Cli();
        Assert.Equal(3, await cli.RunAsync("backup", "create"));
        Assert.Equal(3, await cli.RunAsync("backup", "restore", "latest"));
        await using (await installation.StartAsync())
        {
            var made = JsonElement.Parse(await cli.DoAsync("backup", "create", "--json"));
            Assert.True(made.GetProperty("valid").GetBoolean());
            Assert.Contains("Backups:Key is not set", cli.Notes.ToString());
            Assert.Contains("is whole", await cli.DoAsync("backup", "verify"));
            Assert.Equal(5, await cli.RunAsync("backup", "restore", "latest", "--force"));
            Assert.Contains("Stop it", cli.Notes.ToString());
        }

        await cli.DoAsync("backup", "create", "--no-verify");
        var rows = (await cli.DoAsync("backup", "list")).Trim().Split('\n');
        Assert.Equal(["never", "yes"], rows.Select(static r => r.Split('\t')[^1] == "never" ? "never" : "yes"));
        Assert.All(rows, static r => Assert.Equal("keys: no", r.Split('\t')[^2]));
        using (var person = new CliSession(installation.Data) { IsPerson = true })
        {
            var table = await person.DoAsync("backup", "list");
            Assert.Contains("keys: no", table, StringComparison.Ordinal);
            Assert.DoesNotContain("Keys", table, StringComparison.Ordinal); // it was said twice
        }

        var archive = Directory.EnumerateFiles(installation.Backups, "*.tar.gz").Order(StringComparer.Ordinal).First();
        Assert.Equal(FileModes.Private, FileModes.Of(archive));
        Assert.Contains("is whole", await cli.DoAsync("backup", "verify", archive));
        Assert.Equal(5, await cli.RunAsync("backup", "restore", archive));
        Assert.Contains("Restored", await cli.DoAsync("backup", "restore", archive, "--force"));
        Assert.Contains("sign in again", cli.Notes.ToString());

        var bytes = await File.ReadAllBytesAsync(archive);
        bytes[^70] ^= 1;
        await File.WriteAllBytesAsync(archive, bytes);
        Assert.Equal(1, await cli.RunAsync("backup", "verify", archive));
        Assert.Contains("not what was written", cli.Notes.ToString());
        Assert.Equal(1, await cli.RunAsync("backup", "restore", archive, "--force"));

        // Nothing is known of it but its file, so that is what it is called.
        var copy = Path.Combine(installation.Root, "from-a-stick.tar.gz");
        File.Copy(archive, copy);
        Assert.Equal(1, await cli.RunAsync("backup", "verify", copy));
        Assert.Equal($"{copy} cannot be relied on.", cli.Output.ToString().Trim());
        Assert.Equal(1, await cli.RunAsync("backup", "verify", copy, "--json"));
        Assert.Equal("from-a-stick.tar.gz", JsonElement.Parse(cli.Output.ToString()).GetProperty("id").GetString());
        Assert.Equal(2, await cli.RunAsync("backup", "restore"));
    }

    [Fact]
    public async Task Secrets_of_the_settings_file_go_the_way_of_the_keys_and_config_is_left_alone_unless_asked_for()
    {
        await using var installation = await Installation.NewAsync();
        await using (await installation.StartAsync())
        {
            // Makes a database.
        }

        var settings = Path.Combine(installation.Config, "settings.yaml");
        await File.WriteAllTextAsync(settings, "backups:\n  key: a key of more than sixteen\n");
        await installation.BackUpAsync();
        var archive = Directory.EnumerateFiles(installation.Backups, "*.tar.gz").Single();
        var manifest = await ArchiveReader.ReadManifestAsync(archive, default);
        Assert.DoesNotContain(manifest.Files, static f => f.Name == "config/settings.yaml");
        Assert.Contains("config/settings.yaml", manifest.Keys.Names);

        await File.WriteAllTextAsync(Path.Combine(installation.Config, "prompts", "mine.md"), "mine");
        var agents = Path.Combine(installation.Config, "agents.yaml");
        await File.AppendAllTextAsync(agents, "\n# changed\n");
        var left = await installation.RestoreAsync(archive, force: true);
        Assert.Contains(left.Notes, static n => n.Contains("agents.yaml", StringComparison.Ordinal) && n.Contains("--with-config", StringComparison.Ordinal));
        Assert.Contains("# changed", await File.ReadAllTextAsync(agents));
        string[] notOurs = ["rootmas.env", "server.pem", "tls/key.pem", "notes.txt"]; // no backup holds them
        foreach (var name in notOurs)
        {
            var path = Path.Combine(installation.Config, name);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            await File.WriteAllTextAsync(path, name);
        }

        var taken = await installation.RestoreAsync(archive, force: true, withConfig: true);
        foreach (var name in notOurs)
        {
            Assert.Equal(name, await File.ReadAllTextAsync(Path.Combine(installation.Config, name)));
            Assert.False(File.Exists(Path.Combine(taken.Aside!, "config", name)));
        }

        Assert.DoesNotContain("# changed", await File.ReadAllTextAsync(agents));
        Assert.False(File.Exists(Path.Combine(installation.Config, "prompts", "mine.md")));
        Assert.Contains("# changed", await File.ReadAllTextAsync(Path.Combine(taken.Aside!, "config", "agents.yaml")));
    }

    [Fact]
    public void Keys_are_missing_only_where_there_were_some()
    {
        static bool? HasKeys(bool included, params string[] names)
        {
            var stored = Stored(DateTimeOffset.UnixEpoch, verified: true);
            return BackupView.Of([stored with { Record = stored.Record! with { Keys = new SealedPart(included, names, "") } }])[0].HasKeys;
        }

        Assert.True(HasKeys(true, "keys/pepper"));
        Assert.False(HasKeys(false, "keys/pepper"));
        Assert.Null(HasKeys(false));
        Assert.Null(HasKeys(false, "config/settings.yaml")); // no keys: settings or the database hold them
        Assert.False(HasKeys(false, "config/settings.yaml", "keys/pepper"));
    }

    [Fact]
    public async Task A_settings_file_that_is_left_out_is_told_as_that_and_not_as_keys()
    {
        await using var installation = await Installation.NewAsync();
        await using (await installation.StartAsync())
        {
            // Makes keys and a database.
        }

        var settings = Path.Combine(installation.Config, "settings.yaml");
        await File.WriteAllTextAsync(settings, "tools:\n  search:\n    api_key: hunter2\n");
        var both = (await installation.BackUpAsync()).Keys.Note;
        Assert.Contains("the keys of the server are not in this archive", both, StringComparison.Ordinal);
        Assert.Contains("config/settings.yaml has secrets in it", both, StringComparison.Ordinal);

        Directory.Delete(Path.Combine(installation.Data, "keys"), recursive: true); // as where settings or the database hold them
        var made = await installation.BackUpAsync(verify: false);
        Assert.Equal(["config/settings.yaml"], made.Keys.Names);
        Assert.StartsWith("config/settings.yaml has secrets in it", made.Keys.Note, StringComparison.Ordinal);
        Assert.DoesNotContain("keys of the server", made.Keys.Note, StringComparison.Ordinal);

        var notes = (await installation.RestoreAsync(installation.ArchiveOf(made), force: true)).Notes;
        Assert.Contains(notes, static n => n.StartsWith("The settings file was not taken from the backup", StringComparison.Ordinal));
        Assert.DoesNotContain(notes, static n => n.Contains("keys of the server", StringComparison.Ordinal));

        using var cli = installation.Cli();
        await cli.RunAsync("doctor");
        Assert.Contains($"· backup key: {settings} has secrets in it", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("backup key: keys are not", cli.Output.ToString(), StringComparison.Ordinal);
    }

    private static bool IsVerified(StoredBackup backup) => backup.Record?.Verification is { Ok: true };

    private static StoredBackup Stored(DateTimeOffset at, bool verified)
    {
        var id = BackupNames.NewId(at);
        return new StoredBackup(id, "local", new BackupRecord
        {
            Id = id, CreatedAt = at, Reason = "manual", ProgramVersion = "1", Kind = DatabaseKind.Sqlite, SchemaVersion = 1, Rows = 1, Size = 1, Sha256 = "", Keys = new SealedPart(false, [], ""),
            Verification = verified ? new Verification(at, [], []) : null,
        });
    }

    private static async Task<string> HealthAsync(TestApp app)
    {
        using var answer = await app.Client.GetAsync("/health");
        return JsonElement.Parse(await answer.Content.ReadAsStringAsync()).GetProperty("services").GetProperty("backups").GetString()!;
    }

    private static Task<string> MetricsAsync(TestApp app) => app.Client.GetStringAsync("/metrics");
}
