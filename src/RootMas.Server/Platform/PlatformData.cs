using Microsoft.Extensions.DependencyInjection.Extensions;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Migrations;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform;

/// <summary>The data half of the platform: directory, database, migrations, outbox, idempotency.</summary>
public static class PlatformData
{
    public static WebApplicationBuilder AddPlatformData(this WebApplicationBuilder builder)
    {
        var options = builder.AddSettings<DatabaseOptions>("Database");
        var folder = builder.Settings().DataPath;
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(_ => new DataDirectory(folder));
        AddDatabase(services, options);
        services.AddSingleton<Outbox.Outbox>();
        services.AddSingleton<IdempotencyStore>();
        services.AddHostedService<DatabaseStart>();
        services.AddHostedService<OutboxDispatcher>();
        services.AddHostedService<IdempotencyPruning>();
        return builder;
    }

    /// <summary>Call after identity: keys belong to an owner.</summary>
    public static WebApplication UseIdempotency(this WebApplication app)
    {
        app.UseMiddleware<IdempotencyMiddleware>();
        return app;
    }

    private static void AddDatabase(IServiceCollection services, DatabaseOptions options)
    {
        if (options.Kind == DatabaseKind.Sqlite)
        {
            services.AddSingleton<IDatabase>(provider => MakeSqlite(provider, options));
            return;
        }

        services.AddSingleton(provider => MakePostgres(provider, options));
        services.AddSingleton<IDatabase>(static provider => provider.GetRequiredService<PostgresDatabase>());
        services.AddSingleton<IPresence>(provider => new PostgresPresence(provider.GetRequiredService<IDatabase>(), options));
    }

    private static SqliteDatabase MakeSqlite(IServiceProvider provider, DatabaseOptions options)
    {
        var directory = provider.GetRequiredService<DataDirectory>();
        var time = provider.GetRequiredService<TimeProvider>();
        var loggers = provider.GetRequiredService<ILoggerFactory>();
        var migrator = new SqliteMigrator(directory.DatabasePath, Migration.Embedded("sqlite"), time, loggers.CreateLogger<SqliteMigrator>());
        void Prepare()
        {
            directory.Acquire();
            migrator.Migrate();
        }

        return new SqliteDatabase(directory.DatabasePath, options, Prepare, time, loggers.CreateLogger<SqliteDatabase>());
    }

    private static PostgresDatabase MakePostgres(IServiceProvider provider, DatabaseOptions options)
    {
        var directory = provider.GetRequiredService<DataDirectory>();
        var time = provider.GetRequiredService<TimeProvider>();
        var loggers = provider.GetRequiredService<ILoggerFactory>();
        var target = MigrationTarget.Of(options, directory, time, loggers);
        async Task PrepareAsync(CancellationToken cancellationToken)
        {
            directory.Acquire(); // keys and files are local and have one owner
            await target.Migrate(cancellationToken);
        }

        return new PostgresDatabase(options, PrepareAsync, time, loggers.CreateLogger<PostgresDatabase>());
    }

    /// <summary>Opens the database before anything listens, so that a refusal stops the start.</summary>
    private sealed class DatabaseStart(IDatabase database) : IHostedLifecycleService
    {
        public Task StartingAsync(CancellationToken cancellationToken) => database.OpenAsync();

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
