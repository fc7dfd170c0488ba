using RootMas.Server.Backups;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Tests.Support;

namespace RootMas.Tests.Backups;

/// <summary>F19 on SQLite, where a restore is an exchange of files.</summary>
public sealed class BackupsOnSqliteTests() : BackupTests(DatabaseKind.Sqlite)
{
    [Fact]
    public async Task A_restore_that_was_killed_anywhere_is_finished_by_the_next_and_no_server_starts_before()
    {
        await using var source = await Installation.NewAsync();
        source.Settings["Backups:Key"] = "sixteen characters";
        await using (await source.StartAsync())
        {
            // Makes keys and a database.
        }

        var made = await source.BackUpAsync();
        for (var killedAfter = 0; killedAfter <= 4; killedAfter++)
        {
            await using var target = await Installation.NewAsync();
            target.Settings["Backups:Key"] = source.Settings["Backups:Key"];
            await using (await target.StartAsync())
            {
                // Something to be replaced.
            }

            // What a killed restore leaves: the plan, and the first steps of it.
            var staged = Path.Combine(target.Data, $"restore-{made.Id}");
            await target.RestoreAsync(source.ArchiveOf(made), force: true);
            var ready = await target.ContentAsync();
            var replaced = Directory.GetDirectories(target.Data, "replaced-*").Single();
            Directory.CreateDirectory(staged);
            foreach (var name in (string[])["keys", "rootmas.db"])
            {
                Directory.Move(Path.Combine(target.Data, name), Path.Combine(staged, name));
                Directory.Move(Path.Combine(replaced, name), Path.Combine(target.Data, name));
            }

            var mark = new RestoreMark(made.Id, Path.GetFileName(staged), Path.GetFileName(replaced), ["rootmas.db", "keys"], ["rootmas.db-wal", "rootmas.db-shm", "files"]);
            await mark.WriteAsync(new DataDirectory(target.Data), default);
            (string From, string To)[] steps =
            [
                (Path.Combine(target.Data, "rootmas.db"), Path.Combine(replaced, "rootmas.db")), (Path.Combine(staged, "rootmas.db"), Path.Combine(target.Data, "rootmas.db")),
                (Path.Combine(target.Data, "keys"), Path.Combine(replaced, "keys")), (Path.Combine(staged, "keys"), Path.Combine(target.Data, "keys")),
            ];
            foreach (var (from, to) in steps.Take(killedAfter))
            {
                Directory.Move(from, to);
            }

            var refused = await Assert.ThrowsAsync<StartupRefusedException>(() => target.StartAsync());
            Assert.Contains("interrupted midway", refused.Message);
            await RefusedByCommandsAsync(target);
            var result = await target.RestoreAsync(source.ArchiveOf(made));
            Assert.Contains("is finished", Assert.Single(result.Notes));
            Assert.Equal(ready, await target.ContentAsync());
            Assert.True(File.Exists(Path.Combine(result.Aside!, "rootmas.db")));
            Assert.False(Directory.Exists(staged));
            await using var app = await target.StartAsync();
        }
    }

    /// <summary>What is there is neither the old nor the new: no command makes anything of it.</summary>
    private static async Task RefusedByCommandsAsync(Installation half)
    {
        using var cli = half.Cli();
        cli.Environment["ROOTMAS__Database__ConnectionString"] = "postgres://nobody@127.0.0.1:1/none"; // it is not asked
        foreach (var command in (string[][])[["data", "copy", "--from", "sqlite", "--to", "postgres"], ["data", "compact"], ["backup", "create"]])
        {
            Assert.NotEqual(0, await cli.RunAsync(command));
            if (File.Exists(Path.Combine(half.Data, "rootmas.db")))
            {
                Assert.Contains("interrupted midway", cli.Notes.ToString(), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_restore_that_stopped_amid_the_configuration_is_finished_by_the_next_and_no_server_starts_before()
    {
        await using var source = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes keys and a database.
        }

        var archive = source.ArchiveOf(await source.BackUpAsync());
        var (agents, mine) = (Path.Combine(source.Config, "agents.yaml"), Path.Combine(source.Config, "prompts", "mine.md"));
        var old = await File.ReadAllTextAsync(agents);
        await File.AppendAllTextAsync(agents, "\n# changed\n");
        await File.WriteAllTextAsync(mine, "mine");
        var obstacle = Directory.CreateDirectory(Path.Combine(source.Config, "teams.yaml.partial")).FullName; // the file cannot be written, its folder can
        var stopped = await Assert.ThrowsAsync<BackupException>(() => source.RestoreAsync(archive, force: true, withConfig: true));
        Assert.Contains("repeat the same command", stopped.Message, StringComparison.Ordinal);
        Assert.Contains("interrupted midway", (await Assert.ThrowsAsync<StartupRefusedException>(() => source.StartAsync())).Message, StringComparison.Ordinal);

        Directory.Delete(obstacle);
        var result = await source.RestoreAsync(archive, force: true, withConfig: true);
        Assert.Contains("is finished", Assert.Single(result.Notes), StringComparison.Ordinal);
        Assert.Equal(old, await File.ReadAllTextAsync(agents));
        Assert.False(File.Exists(mine));
        Assert.Contains("# changed", await File.ReadAllTextAsync(Path.Combine(result.Aside!, "config", "agents.yaml")), StringComparison.Ordinal);
        Assert.Equal("mine", await File.ReadAllTextAsync(Path.Combine(result.Aside!, "config", "prompts", "mine.md")));
        await using var app = await source.StartAsync();
    }

    [Fact]
    public async Task A_backup_of_the_other_kind_leads_to_data_copy()
    {
        await using var source = await Installation.NewAsync();
        await using (await source.StartAsync())
        {
            // Makes a database.
        }

        var made = await source.BackUpAsync();
        source.Settings["Database:Kind"] = "postgres";
        source.Settings["Database:ConnectionString"] = "postgres://nobody@127.0.0.1:1/none";
        var refused = await Assert.ThrowsAsync<BackupException>(() => source.RestoreAsync(made.Id, force: true));
        Assert.Equal(BackupFailure.Mismatch, refused.Failure);
        Assert.Contains("data copy", refused.Message);
    }

    private protected override async Task ChangeSchemaAsync(Installation installation, string sql)
    {
        await using var connection = new Microsoft.Data.Sqlite.SqliteConnection($"Data Source={installation.Data}/rootmas.db;Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // a test's own text
        command.CommandText = sql;
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }

    private protected override Task AsideHasAsync(Installation installation, RestoreResult result)
    {
        Assert.True(File.Exists(Path.Combine(result.Aside!, "rootmas.db")));
        Assert.NotEqual("", TestDatabaseDump.Of(result.Aside!, "conversations"));
        return Task.CompletedTask;
    }

    private protected override Task ForgetLastMigrationAsync(Installation installation) =>
        ChangeSchemaAsync(installation, "DROP TABLE backup_state; DELETE FROM schema_migrations WHERE name = 'backups'");
}
