using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform;

/// <summary>The data half of the platform: directory, database, migrations.</summary>
public static class PlatformData
{
    public static WebApplicationBuilder AddPlatformData(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        builder.AddSettings<DatabaseOptions>("Database");
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(_ => new DataDirectory(builder.Settings().DataPath));
        services.AddSingleton(Make);
        services.AddSingleton<IDatabase>(provider => provider.GetRequiredService<SqliteDatabase>());
        services.AddHostedService<DatabaseStart>();
        return builder;
    }

    private static SqliteDatabase Make(IServiceProvider provider)
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

        return new SqliteDatabase(directory.DatabasePath, provider.GetRequiredService<IOptions<DatabaseOptions>>().Value, Prepare, time, loggers.CreateLogger<SqliteDatabase>());
    }

    /// <summary>Opens the database before anything listens, so that a refusal stops the start.</summary>
    private sealed class DatabaseStart(SqliteDatabase database) : IHostedLifecycleService
    {
        public Task StartingAsync(CancellationToken cancellationToken) => database.OpenAsync();

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
