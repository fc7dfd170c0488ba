using RootMas.Server.Backups;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>F19 on PostgreSQL, where a restore moves tables aside, and programs and rights may be missing.</summary>
public sealed class BackupsOnPostgresTests() : BackupTests(DatabaseKind.Postgres), IOnPostgres
{
    /// <summary>Our own connections trust the machine's authorities; these programs do so only if they are told.</summary>
    [Theory]
    [InlineData(16, "verify-full", "", "system")]
    [InlineData(15, "verify-full", "", "/")]
    [InlineData(16, "verify-ca", "", "/")]
    [InlineData(16, "verify-full", "&sslrootcert=/etc/our-ca.pem", "/etc/our-ca.pem")]
    [InlineData(16, "require", "", "none")]
    public async Task The_programs_trust_whom_our_own_connections_trust(int major, string mode, string also, string trusted)
    {
        using var folder = new TempFolder();
        var program = Path.Combine(folder.Path, "pg_dump");
        await File.WriteAllTextAsync(program, "#!/bin/sh\necho \"trusts ${PGSSLROOTCERT:-none}\" >&2\nexit 1\n");
        FileModes.Set(program, (UnixFileMode)0x1C0);
        var server = PostgresConnection.Single(new DatabaseOptions { Kind = DatabaseKind.Postgres, ConnectionString = $"postgres://u@db.example/rootmas?sslmode={mode}{also}" });
        var said = await Assert.ThrowsAsync<BackupException>(() => PostgresPrograms.RunAsync(new PostgresProgram(program, major, $"{major}.1"), server, [], null, null, default));
        Assert.Contains($"trusts {trusted}", said.Message, StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task A_restore_that_was_killed_midway_starts_no_server_and_is_repeated()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes keys and a database.
        }

        await using (await target.StartAsync())
        {
            // Something to be replaced.
        }

        var made = await source.BackUpAsync();
        var manifest = await ArchiveReader.ReadManifestAsync(source.ArchiveOf(made), default);
        var first = await new PostgresRestore(target.Setup(), manifest).BeginAsync(force: true, default);
        var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => target.StartAsync());
        Assert.Contains("interrupted midway", refused.Message);
        Assert.Equal(0, await target.CountAsync("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'restore_in_progress'"));

        // Killed after loading, too: what was loaded goes, what was there first stays aside.
        using (var folder = new TempFolder())
        {
            await ArchiveReader.ExtractAsync(source.ArchiveOf(made), Path.Combine(folder.Path, "x"), default);
            await new PostgresRestore(target.Setup(), manifest).LoadAsync(Path.Combine(folder.Path, "x", "database", "rootmas.pgdump"), default);
        }

        await Assert.ThrowsAsync<StartupRefusedException>(() => target.StartAsync());
        Assert.Contains("interrupted midway", (await Assert.ThrowsAsync<StartupRefusedException>(() => target.BackUpAsync())).Message, StringComparison.Ordinal);
        var result = await target.RestoreAsync(source.ArchiveOf(made));
        Assert.Contains(result.Notes, n => n.Contains(first!, StringComparison.Ordinal));
        Assert.Equal(await source.ContentAsync("sessions", "audit", "audit_head", "schema_migrations"), await target.ContentAsync("sessions", "audit", "audit_head", "schema_migrations"));
        Assert.Equal(["audit"], await target.RowsAsync($"SELECT tablename FROM pg_tables WHERE schemaname = '{first}' AND tablename = 'audit'"));
    }

    /// <summary>From another machine, as a role of its own: what counts is that somebody works there.</summary>
    [PostgresFact]
    public async Task A_server_that_connects_as_another_role_is_seen_and_nothing_is_moved()
    {
        await using var live = await Installation.NewAsync();
        await using var elsewhere = await Installation.NewAsync();
        await using (await live.StartAsync())
        {
            // Makes a database.
        }

        var archive = live.ArchiveOf(await live.BackUpAsync(verify: false));
        var who = "operator_" + Guid.NewGuid().ToString("N")[..8];
        await live.Server.ExecuteAsync($"CREATE ROLE {who} LOGIN SUPERUSER");
        elsewhere.Settings["Database:ConnectionString"] = live.Server.Url(live.Database).Replace("postgres@", who + "@", StringComparison.Ordinal);
        using var cli = elsewhere.Cli();
        await using (await live.StartAsync())
        {
            Assert.Equal(5, await cli.RunAsync("backup", "restore", archive, "--force"));
            Assert.Contains("A server or worker runs on", cli.Notes.ToString(), StringComparison.Ordinal);
            Assert.Equal(0, await live.CountAsync("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rootmas_replaced_%'"));
            Assert.Equal(1, await live.CountAsync("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename = 'users'"));
        }

        await cli.DoAsync("backup", "restore", archive, "--force");
        await live.Server.ExecuteAsync($"REASSIGN OWNED BY {who} TO postgres", live.Database);
        await live.Server.ExecuteAsync($"DROP OWNED BY {who}", live.Database);
        await live.Server.ExecuteAsync($"DROP ROLE {who}");
    }

    [PgBouncerFact]
    public async Task Through_a_pooler_backups_are_made_checked_and_restored_beside_what_it_keeps_open()
    {
        await using var installation = await Installation.NewAsync();
        await using var strict = await PgBouncer.StartAsync(installation.Server, installation.Database);
        await using var bouncer = await PgBouncer.StartAsync(installation.Server);
        installation.Settings["Database:ConnectionString"] = $"postgres://postgres@127.0.0.1:{bouncer.Port}/{installation.Database}";
        await using (await installation.StartAsync())
        {
            // Makes keys and a database, and leaves the pooler's connections open.
        }

        var made = await installation.BackUpAsync();
        Assert.True(made.Verification!.Ok);
        Assert.NotEqual(0, await installation.CountAsync("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"));
        await installation.RestoreAsync(made.Id, force: true);

        // One that leads to the installation's database alone.
        installation.Settings["Database:ConnectionString"] = $"postgres://postgres@127.0.0.1:{strict.Port}/{installation.Database}";
        var (record, warnings) = await installation.Desk().CreateAsync("manual", verify: true, default);
        Assert.Null(record.Verification);
        Assert.Contains("Name * in its list of databases", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task What_is_made_while_no_server_runs_counts_as_a_servers_does()
    {
        await using var installation = await Installation.NewAsync();
        await using (await installation.StartAsync())
        {
            // Makes keys and a database.
        }

        using var cli = installation.Cli();
        await cli.DoAsync("backup", "create", "--no-verify");
        Assert.Equal(["last_success"], await installation.RowsAsync("SELECT name FROM backup_state"));
    }

    [PostgresFact]
    public async Task The_audit_key_is_found_in_the_database_which_the_master_key_opens()
    {
        await using var source = await Installation.NewAsync();
        await using var target = await Installation.NewAsync();
        source.Settings["Backups:Key"] = target.Settings["Backups:Key"] = "correct horse battery staple";
        await using (await source.StartAsync())
        {
            // Makes keys, a database and the first rows of the log.
        }

        Assert.False(File.Exists(Path.Combine(source.Data, "keys", "audit.key")));
        Assert.Equal(1, await source.CountAsync("SELECT count(*) FROM shared_keys WHERE name = 'audit.key' AND sealed IS NOT NULL"));
        using var cli = source.Cli();
        await cli.DoAsync("audit", "verify");

        // Every row was checked with the key, and a row that was changed is found: by the backup's check, and by the command.
        var made = await source.BackUpAsync();
        Assert.Empty(made.Verification!.Notes);
        await target.RestoreAsync(source.ArchiveOf(made));
        Assert.Equal(1, await target.CountAsync("SELECT count(*) FROM audit WHERE action = 'backup.restore'"));
        using (var restored = target.Cli())
        {
            await restored.DoAsync("audit", "verify");
        }

        await ChangeSchemaAsync(source, "ALTER TABLE audit DISABLE TRIGGER USER; UPDATE audit SET action = 'other' WHERE id = 1");
        Assert.Equal(1, await cli.RunAsync("audit", "verify", "--json"));
        Assert.Contains("row 1 (other) was changed", cli.Output.ToString(), StringComparison.Ordinal);
        Assert.False((await source.Desk().CreateAsync("manual", verify: true, default)).Record.Verification!.Ok);

        // Without the master key nobody can tell.
        File.Delete(Path.Combine(source.Data, "keys", "master"));
        Assert.Equal(3, await cli.RunAsync("audit", "verify"));
        Assert.Contains("ROOTMAS_MASTER_KEY", cli.Notes.ToString(), StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task Missing_programs_and_rights_are_said_clearly()
    {
        await using var source = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes a database.
        }

        using var empty = new TempFolder();
        source.Settings["Backups:PostgresPrograms"] = empty.Path;
        var missing = await Assert.ThrowsAsync<BackupException>(() => source.BackUpAsync());
        Assert.Equal(BackupFailure.Unable, missing.Failure);
        Assert.Contains("postgresql-client", missing.Message);
        source.Settings.Remove("Backups:PostgresPrograms");

        var good = await source.BackUpAsync();
        var who = "limited_" + Guid.NewGuid().ToString("N")[..8];
        await source.Server.ExecuteAsync($"CREATE ROLE {who} LOGIN; GRANT pg_read_all_data TO {who}; GRANT CREATE ON DATABASE {source.Database} TO {who}");
        source.Settings["Database:ConnectionString"] = source.Server.Url(source.Database).Replace("postgres@", who + "@", StringComparison.Ordinal);
        var (record, warnings) = await source.Desk().CreateAsync("manual", verify: true, default);
        Assert.Null(record.Verification);
        Assert.Equal(BackupFailure.Unable, (await Assert.ThrowsAsync<BackupException>(() => source.Desk().VerifyAsync(good.Id, default))).Failure);
        Assert.True((await source.Desk().ListAsync(default)).Backups.Single(b => b.Id == good.Id).Record!.Verification!.Ok);
        Assert.Contains(warnings, static w => w.Contains("CREATEDB", StringComparison.Ordinal));
        Assert.True(File.Exists(source.ArchiveOf(record)));

        // What the check of another installation left behind is not ours to remove, and hinders nothing.
        var left = "rootmas_verify_1000000000_" + who.Split('_')[^1];
        await source.Server.ExecuteAsync($"ALTER ROLE {who} CREATEDB");
        await source.Server.ExecuteAsync($"CREATE DATABASE {left}");
        Assert.True((await source.Desk().VerifyAsync(good.Id, default)).Result.Ok);
        await source.Server.ExecuteAsync($"DROP DATABASE {left}");
        await source.Server.ExecuteAsync($"DROP OWNED BY {who}; REVOKE CREATE ON DATABASE {source.Database} FROM {who}", source.Database);
        await source.Server.ExecuteAsync($"DROP ROLE {who}");
    }

    [PostgresFact]
    public async Task A_pg_restore_that_fails_says_nothing_against_the_archive_and_a_dump_that_is_none_does()
    {
        await using var source = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes a database.
        }

        var good = await source.BackUpAsync();
        using var programs = new TempFolder();
        var fake = Path.Combine(programs.Path, "pg_restore");
        await File.WriteAllTextAsync(fake, "#!/bin/sh\n[ \"$1\" != --version ] || { echo 'pg_restore (PostgreSQL) 99.1'; exit 0; }\necho 'could not connect: out of memory' >&2\nexit 1\n");
        FileModes.Set(fake, FileModes.Private | UnixFileMode.UserExecute);
        source.Settings["Backups:PostgresPrograms"] = programs.Path;
        var failed = await Assert.ThrowsAsync<BackupException>(() => source.Desk().VerifyAsync(good.Id, default));
        Assert.Equal(BackupFailure.Unable, failed.Failure);
        Assert.Contains("out of memory", failed.Message, StringComparison.Ordinal);
        Assert.True((await source.Desk().ListAsync(default)).Backups.Single().Record!.Verification!.Ok);
        source.Settings.Remove("Backups:PostgresPrograms");

        // Its checksum is right, and it is no dump: pg_restore says so, and that is a finding.
        using var folder = new TempFolder();
        var (dump, archive) = (Path.Combine(folder.Path, "dump"), Path.Combine(folder.Path, BackupNames.ArchiveOf(good.Id)));
        await File.WriteAllTextAsync(dump, new string('x', 5_000));
        var (size, sha256) = await PrivateFiles.HashAsync(dump, default);
        var manifest = await ArchiveReader.ReadManifestAsync(source.ArchiveOf(good), default) with { Files = [new BackupFile("database/rootmas.pgdump", size, sha256)], Keys = new SealedPart(false, [], "") };
        await ArchiveWriter.WriteAsync(
            archive, System.Text.Json.JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Options), [new ArchiveFile("database/rootmas.pgdump", dump)], manifest.CreatedAt, default);
        var (_, result) = await new BackupVerifier(source.Setup()).VerifyAsync(archive, null, default);
        Assert.Contains("cannot be read", Assert.Single(result.Problems), StringComparison.Ordinal);
    }

    [PostgresFact]
    public async Task A_restore_without_its_program_changes_nothing_and_one_that_fails_midway_says_where_the_old_database_is()
    {
        await using var source = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes a database.
        }

        var made = await source.BackUpAsync();
        using var programs = new TempFolder();
        source.Settings["Backups:PostgresPrograms"] = programs.Path;
        var missing = await Assert.ThrowsAsync<BackupException>(() => source.RestoreAsync(made.Id, force: true));
        Assert.Contains("Nothing was done", missing.Message, StringComparison.Ordinal);
        await using (await source.StartAsync())
        {
            // It is as it was.
        }

        var fake = Path.Combine(programs.Path, "pg_restore");
        await File.WriteAllTextAsync(fake, "#!/bin/sh\n[ \"$1\" != --version ] || { echo 'pg_restore (PostgreSQL) 99.1'; exit 0; }\ncat >/dev/null\n[ \"$1\" = --list ] && exit 0\necho 'could not extend file: No space left on device' >&2\nexit 1\n");
        FileModes.Set(fake, FileModes.Private | UnixFileMode.UserExecute);
        var midway = await Assert.ThrowsAsync<BackupException>(() => source.RestoreAsync(made.Id, force: true));
        Assert.Contains("No space left", midway.Message, StringComparison.Ordinal);
        Assert.Matches("kept in the schema rootmas_replaced_[0-9a-z_]+, and no server starts", midway.Message);
        await Assert.ThrowsAsync<StartupRefusedException>(() => source.StartAsync());
        source.Settings.Remove("Backups:PostgresPrograms");
        await source.RestoreAsync(made.Id, force: true);
        await using (await source.StartAsync())
        {
            // It goes on.
        }
    }

    [PostgresFact]
    public async Task A_restore_unpacks_the_dump_beside_the_archives_for_the_data_directory_may_be_small()
    {
        await using var source = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes a database.
        }

        using var elsewhere = new TempFolder();
        source.Settings["Backups:Folder"] = Path.Combine(elsewhere.Path, "backups");
        var made = await source.BackUpAsync();
        var real = await new PostgresPrograms("", Environment.GetEnvironmentVariable("PATH")).FindAsync("pg_restore", 1, default);
        var (watched, seen) = (Path.Combine(elsewhere.Path, "pg_restore"), Path.Combine(elsewhere.Path, "seen"));
        await File.WriteAllTextAsync(watched, $"#!/bin/sh\nfind '{source.Data}' '{elsewhere.Path}' -name rootmas.pgdump >>'{seen}'\nexec '{real.Path}' \"$@\"\n");
        FileModes.Set(watched, FileModes.Private | UnixFileMode.UserExecute);
        source.Settings["Backups:PostgresPrograms"] = elsewhere.Path;
        await source.RestoreAsync(made.Id, force: true);
        var dumps = (await File.ReadAllLinesAsync(seen)).Distinct(StringComparer.Ordinal).ToList();
        Assert.StartsWith(Path.Combine(elsewhere.Path, "backups") + "/", Assert.Single(dumps), StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateDirectories(Path.Combine(elsewhere.Path, "backups")));
    }

    [PostgresFact]
    public async Task Of_several_instances_one_makes_the_scheduled_backup()
    {
        await using var one = await Installation.NewAsync();
        await using var two = await Installation.NewAsync();
        two.Settings["Database:ConnectionString"] = one.Settings["Database:ConnectionString"];
        two.Settings["Backups:Folder"] = one.Backups;
        var clock = new ManualTimeProvider(new DateTimeOffset(DateTime.UtcNow.Date.AddDays(2).AddHours(4), TimeSpan.Zero)); // an hour after the time of the plan, so the next one is due after 23 hours
        one.Settings["Backups:Scheduled"] = two.Settings["Backups:Scheduled"] = "true";
        await using (await one.StartAsync())
        {
            // The schema, so that both start on the same.
        }

        foreach (var key in Directory.EnumerateFiles(Path.Combine(one.Data, "keys")))
        {
            new DataDirectory(two.Data).Create();
            Directory.CreateDirectory(Path.Combine(two.Data, "keys"));
            File.Copy(key, Path.Combine(two.Data, "keys", Path.GetFileName(key)));
        }

        // Time goes on while they start: a start may have to try something again after a moment.
        var (starting, startingToo) = (one.StartAsync(o => o.Clock = clock), two.StartAsync(o => o.Clock = clock));
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromMilliseconds(200));
            return starting.IsCompleted && startingToo.IsCompleted;
        });
        await using var first = await starting;
        await using var second = await startingToo;
        await Wait.UntilAsync(() =>
        {
            clock.Advance(TimeSpan.FromSeconds(1));
            return first.Get<BackupMetrics>().Times?.Verified is not null || second.Get<BackupMetrics>().Times?.Verified is not null;
        });
        var waited = 0;
        await Wait.UntilAsync(() =>
        {
            // Some hours in all.
            clock.Advance(++waited % 10 == 0 && waited < 1_000 ? TimeSpan.FromMinutes(6) : TimeSpan.Zero);
            return first.Get<BackupMetrics>().Times?.Verified is not null && second.Get<BackupMetrics>().Times?.Verified is not null;
        });
        Assert.Single(Directory.EnumerateFiles(one.Backups, "*.tar.gz"));
    }

    private protected override Task ChangeSchemaAsync(Installation installation, string sql) => installation.Server.ExecuteAsync(sql, installation.Database);

    private protected override async Task AsideHasAsync(Installation installation, RestoreResult result)
    {
        var schema = Assert.Single(await installation.RowsAsync("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rootmas_replaced_%'"));
        Assert.Contains(result.Notes, n => n.Contains(schema, StringComparison.Ordinal));
        Assert.Equal(1, await installation.CountAsync($"SELECT count(*) FROM {schema}.conversations"));
    }

    private protected override Task ForgetLastMigrationAsync(Installation installation) =>
        ChangeSchemaAsync(installation, "DROP TABLE backup_state; DELETE FROM schema_migrations WHERE name = 'backups'");
}
