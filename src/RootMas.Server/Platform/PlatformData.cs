using Microsoft.Extensions.DependencyInjection.Extensions;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Platform.Migrations;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform;

/// <summary>The data half of the platform: directory, database, migrations, outbox, idempotency.</summary>
public static class PlatformData
{
    public static WebApplicationBuilder AddPlatformData(this WebApplicationBuilder builder)
    {
        OutboxMetrics.Create();
        IdempotencyMetrics.Create();
        var options = builder.AddSettings<DatabaseOptions>("Database");
        var folder = builder.Settings().DataPath;
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(_ => new DataDirectory(folder));
        AddDatabase(services, options);
        AddKeys(builder, options);
        services.TryAddSingleton<IClusterBus, LocalBus>();
        services.AddSingleton(static p => Instance.New(p.GetRequiredService<ServerArguments>().IsWorker ? "worker" : "serve"));
        services.AddSingleton<ChangeFeed>();
        services.AddSingleton<Outbox.Outbox>();
        services.AddSingleton<IdempotencyStore>();
        services.AddSingleton<KeysAtWork>();
        services.AddSingleton<IdempotencyKeeping>();
        services.AddSingleton(p => new MigrationGuard(
            MigrationTarget.Of(options, p.GetRequiredService<DataDirectory>(), p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILoggerFactory>()),
            p.GetRequiredService<DataDirectory>(), p.GetServices<IBeforeMigration>()));
        services.AddHostedService<DatabaseStart>();
        services.AddHostedService(static p => p.GetRequiredService<ChangeFeed>());
        if (options.Kind == DatabaseKind.Postgres)
        {
            services.AddHostedService(static p => p.GetRequiredService<InstanceRegistry>());
        }

        services.AddHostedService<OutboxDispatcher>();
        services.AddHostedService<IdempotencyPruning>();
        services.AddHostedService<IdempotencyReturns>();
        builder.AddSettings<RetentionOptions>("Retention");
        services.AddSingleton<RetentionPruner>();
        services.AddHostedService(static p => p.GetRequiredService<RetentionPruner>());
        services.AddSingleton<ISampled, DataSamples>();
        return builder;
    }

    /// <summary>Call after identity: keys belong to an owner.</summary>
    public static WebApplication UseIdempotency(this WebApplication app)
    {
        app.UseMiddleware<IdempotencyMiddleware>();
        return app;
    }

    private static void AddKeys(WebApplicationBuilder builder, DatabaseOptions options)
    {
        var keys = builder.AddSettings<KeysOptions>("Keys");
        var masters = MasterKeys.Read(builder.Settings().Variables);
        var services = builder.Services;
        services.AddSingleton(new SharedKey(IdempotencyMiddleware.HashKey, "a setting", null));
        services.AddSingleton(p => new KeyRing(
            new KeySources([.. p.GetServices<SharedKey>()], masters, keys.Replace, new DataDirectoryKeys(p.GetRequiredService<DataDirectory>())), options.Kind == DatabaseKind.Postgres));
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
        services.AddSingleton<InstanceFacts>();
        services.AddSingleton(static p => new InstanceRegistry(
            p.GetRequiredService<IDatabase>(), p.GetRequiredService<IPresence>(), p.GetRequiredService<Instance>(), p.GetRequiredService<InstanceFacts>(),
            p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<InstanceRegistry>>()));
        services.AddSingleton<IHealthProbe, InstancesProbe>();
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
            HalfRestored.Refuse(directory);
            migrator.Migrate();
        }

        return new SqliteDatabase(directory.DatabasePath, options, Prepare, time, loggers.CreateLogger<SqliteDatabase>());
    }

    private static PostgresDatabase MakePostgres(IServiceProvider provider, DatabaseOptions options)
    {
        var directory = provider.GetRequiredService<DataDirectory>();
        var time = provider.GetRequiredService<TimeProvider>();
        var loggers = provider.GetRequiredService<ILoggerFactory>();
        var keys = provider.GetRequiredService<KeyRing>();
        var target = MigrationTarget.Of(options, directory, time, loggers);
        async Task PrepareAsync(CancellationToken cancellationToken)
        {
            // Its files are local and have one owner, which the guard makes us; what others need too is in the database.
            await provider.GetRequiredService<MigrationGuard>().PassAsync(cancellationToken);
            await target.Migrate(cancellationToken);
            await keys.LoadAsync(options, cancellationToken);
        }

        return new PostgresDatabase(options, PrepareAsync, time, loggers.CreateLogger<PostgresDatabase>(), outbound: provider.GetService<OutboundPolicies>()) { RefusesStandby = true };
    }

    /// <summary>Opens the database before anything listens, so that a refusal stops the start.</summary>
    private sealed class DatabaseStart(IDatabase database, MigrationGuard guard) : LifecycleService
    {
        public override async Task StartingAsync(CancellationToken cancellationToken)
        {
            if (database.Kind == DatabaseKind.Sqlite)
            {
                await guard.PassAsync(cancellationToken); // PostgreSQL asks while it waits for its server
            }

            await database.OpenAsync();
        }
    }
}
