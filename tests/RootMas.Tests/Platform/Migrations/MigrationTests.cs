using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;

namespace RootMas.Tests.Platform.Migrations;

public sealed class MigrationTests : IDisposable
{
    private static readonly Migration One = Migration.Of(1, "one", "CREATE TABLE one (id INTEGER PRIMARY KEY); INSERT INTO one VALUES (1);");
    private static readonly Migration Two = Migration.Of(2, "two", "CREATE TABLE two (id INTEGER PRIMARY KEY, one INTEGER REFERENCES one (id));");
    private readonly DirectoryInfo folder = Directory.CreateTempSubdirectory("rootmas-test-");

    private string DatabasePath => Path.Combine(folder.FullName, "rootmas.db");

    [Fact]
    public void The_programs_own_migrations_apply_and_are_remembered()
    {
        var all = Migration.Embedded("sqlite");
        Assert.Equal("platform", all[0].Name);
        Assert.Equal(all.Count, Migrator([.. all]).Migrate().Count);
        Assert.Empty(Migrator([.. all]).Migrate());
        var plan = Migrator([.. all]).Plan();
        Assert.Empty(plan.Pending);
        Assert.Equal(all.Select(m => (m.Number, m.Checksum)), plan.Applied.Select(m => (m.Number, m.Checksum)));
    }

    [Fact]
    public void A_migration_killed_midway_leaves_nothing_and_runs_again()
    {
        Migrator(One).Migrate();
        var broken = Migration.Of(2, "two", Two.Sql + " INSERT INTO one VALUES (2); INSERT INTO nowhere VALUES (1);");
        Assert.Throws<SqliteException>(() => Migrator(One, broken).Migrate());
        Assert.Equal(0, Count("SELECT COUNT(*) FROM sqlite_schema WHERE name = 'two'"));
        Assert.Equal(1, Count("SELECT COUNT(*) FROM one"));
        Assert.Equal([Two], Migrator(One, Two).Migrate());
    }

    [Fact]
    public async Task Of_two_that_start_together_one_migrates()
    {
        for (var round = 0; round < 10; round++)
        {
            var path = Path.Combine(folder.FullName, $"{round}.db");
            using var together = new Barrier(4);
            var applied = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    together.SignalAndWait();
                    return new SqliteMigrator(path, [One, Two], TimeProvider.System, NullLogger<SqliteMigrator>.Instance).Migrate().Count;
                },
                CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            Assert.Equal(2, applied.Sum());
        }
    }

    [Fact]
    public void A_database_newer_than_the_program_is_refused_with_advice_and_stays_untouched()
    {
        Migrator(One, Two).Migrate();
        var before = File.ReadAllBytes(DatabasePath);
        var refused = Assert.Throws<StartupRefusedException>(() => Migrator(One).Migrate());
        Assert.Equal(2, refused.ExitCode);
        Assert.Contains("newer than this program", refused.Message, StringComparison.Ordinal);
        Assert.Contains(ProgramVersion.Text, refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(DatabasePath));
    }

    [Fact]
    public void A_program_of_before_goes_on_where_a_migration_says_that_it_can()
    {
        var tells = Migration.Of(2, "tells", "ALTER TABLE schema_migrations ADD COLUMN usable_from INTEGER;");
        var adds = Migration.Of(3, "adds", "-- usable from 0002\nCREATE TABLE three (id INTEGER PRIMARY KEY);");
        Migrator(One, tells, adds).Migrate();
        Assert.Empty(Migrator(One, tells).Migrate());
        var plan = Migrator(One, tells).Plan();
        Assert.Equal([3], plan.Newer.Select(static m => m.Number));
        Assert.Equal((null, 0), (plan.Refusal, plan.Pending.Count));
        Assert.Contains("0002_tells", Assert.Throws<StartupRefusedException>(() => Migrator(One).Migrate()).Message, StringComparison.Ordinal);
        Migrator(One, tells, adds, Migration.Of(4, "breaks", "DROP TABLE three;")).Migrate();
        Assert.Contains("0004_breaks", Assert.Throws<StartupRefusedException>(() => Migrator(One, tells, adds).Migrate()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void New_migrations_say_whether_programs_of_before_go_on()
    {
        foreach (var migration in Migration.Embedded("sqlite").Concat(Migration.Embedded("postgres")).Where(static m => m.Number > 48))
        {
            Assert.True(
                migration.UsableFrom is not null || migration.Sql.StartsWith("-- not usable before: ", StringComparison.Ordinal),
                $"{migration.Number:0000}_{migration.Name} begins with neither '-- usable from NNNN' (it only adds: a program that knows NNNN goes on) nor '-- not usable before: ' and why.");
        }
    }

    [Fact]
    public void A_changed_migration_is_refused_but_line_ends_do_not_matter()
    {
        Migrator(One).Migrate();
        Assert.Throws<StartupRefusedException>(() => Migrator(Migration.Of(1, "one", One.Sql + " ")).Migrate());
        Assert.Equal(Migration.Of(1, "a", "x\ny").Checksum, Migration.Of(1, "a", "x\r\ny").Checksum);
    }

    [Fact]
    public void A_migration_that_leaves_dangling_rows_is_refused()
    {
        Migrator(One).Migrate();
        var bad = Migration.Of(2, "bad", Two.Sql + " INSERT INTO two VALUES (1, 77);");
        Assert.Throws<StartupRefusedException>(() => Migrator(One, bad).Migrate());
        Assert.Equal([2], Migrator(One, Two).Plan().Pending.Select(m => m.Number));
    }

    [Fact]
    public async Task The_command_plans_without_touching_and_then_applies()
    {
        using var directory = new DataDirectory(folder.FullName);
        var (plan, notes) = (new StringWriter(), new StringWriter());
        Assert.Equal(0, await MigrateCommand.RunAsync(TargetOf(directory), directory, planOnly: true, json: false, plan, notes, default));
        Assert.Contains("0001  platform", plan.ToString(), StringComparison.Ordinal);
        Assert.Contains("pending", plan.ToString(), StringComparison.Ordinal);
        Assert.False(File.Exists(DatabasePath));

        var done = new StringWriter();
        Assert.Equal(0, await MigrateCommand.RunAsync(TargetOf(directory), directory, planOnly: false, json: true, done, notes, default));
        Assert.Contains("\"name\":\"platform\",\"applied_at\":\"", done.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_refuses_a_directory_that_is_in_use()
    {
        using var owner = new DataDirectory(folder.FullName);
        Assert.True(owner.TryAcquire());
        using var second = new DataDirectory(folder.FullName);
        var notes = new StringWriter();
        Assert.Equal(5, await MigrateCommand.RunAsync(TargetOf(second), second, planOnly: false, json: false, TextWriter.Null, notes, default));
        Assert.Contains($"process {Environment.ProcessId}", notes.ToString(), StringComparison.Ordinal);
    }

    public void Dispose() => folder.Delete(recursive: true);

    private static MigrationTarget TargetOf(DataDirectory directory) => MigrationTarget.Of(new DatabaseOptions(), directory, TimeProvider.System, NullLoggerFactory.Instance);

    private SqliteMigrator Migrator(params Migration[] known) => new(DatabasePath, known, TimeProvider.System, NullLogger<SqliteMigrator>.Instance);

    private long Count(string sql)
    {
        using var connection = new SqliteConnection($"Data Source={DatabasePath};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }
}
