using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Migrations;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Backups;

/// <summary>Archives of everything that must not be lost: made by hand, by the clock and before a new schema; verified, kept elsewhere too, restored.</summary>
public static class BackupsSlice
{
    public static WebApplicationBuilder AddBackups(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddSettings<BackupOptions>("Backups");
        BackupSetup.AddProblems(builder.Settings());
        var services = builder.Services;
        services.AddSingleton(static p => new BackupSetup(p.GetRequiredService<SettingsTree>(), p.GetRequiredService<DataDirectory>(), p.GetRequiredService<TimeProvider>(), p.GetRequiredService<OutboundPolicies>()));
        services.AddSingleton<BackupDesk>();
        services.AddSingleton<BackupState>();
        services.AddSingleton<BackupMetrics>();
        services.AddSingleton<BackupService>();
        services.AddSingleton<IBeforeMigration, BackupBeforeMigration>();
        services.AddSingleton<IHealthProbe, BackupProbe>();
        services.AddHostedService<BackupSchedule>();
        return builder;
    }

    public static IEndpointRouteBuilder MapBackups(this IEndpointRouteBuilder routes)
    {
        BackupsApi.Map(routes);
        return routes;
    }
}
