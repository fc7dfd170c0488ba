using RootMas.Server.Platform.Data;

namespace RootMas.Server.Platform.Migrations;

/// <summary>A database that can be brought up to date, whichever it is.</summary>
/// <param name="Place">For people, without secrets.</param>
/// <param name="Plan">Looks only.</param>
/// <param name="Migrate">Applies what is pending. Call as owner of the data directory.</param>
public sealed record MigrationTarget(string Place, Func<CancellationToken, Task<MigrationPlan>> Plan, Func<CancellationToken, Task<IReadOnlyList<Migration>>> Migrate)
{
    public static MigrationTarget Of(DatabaseOptions options, DataDirectory directory, TimeProvider time, ILoggerFactory loggers)
    {
        if (options.Kind == DatabaseKind.Postgres)
        {
            var postgres = new PostgresMigrator(options, Migration.Embedded("postgres"), time, loggers.CreateLogger<PostgresMigrator>());
            return new MigrationTarget(PostgresConnection.Describe(options), postgres.PlanAsync, postgres.MigrateAsync);
        }

        var sqlite = new SqliteMigrator(directory.DatabasePath, Migration.Embedded("sqlite"), time, loggers.CreateLogger<SqliteMigrator>());
        return new MigrationTarget(directory.DatabasePath, _ => Task.FromResult(sqlite.Plan()), _ => Task.FromResult(sqlite.Migrate()));
    }
}
