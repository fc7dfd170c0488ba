using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Console;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.OpenApi;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Platform.Telemetry;
using RootMas.Server.Platform.Web;

namespace RootMas.Server.Platform;

/// <summary>The ground the other slices stand on: settings, HTTP conventions, telemetry, health.</summary>
public static class PlatformSlice
{
    /// <summary>An empty builder with our settings and nothing read behind our back.</summary>
    public static WebApplicationBuilder CreateBuilder(ServerArguments arguments)
    {
        var tree = SettingsTree.Read(arguments);
        var server = tree.Take<ServerOptions>("Server");
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions
        {
            ApplicationName = "rootmas",
            EnvironmentName = server.Environment,
            ContentRootPath = tree.WorkingDirectory,
        });
        builder.AddSettingsTree(tree);
        builder.Services.AddSingleton(arguments);
        if (arguments.IsEmbedded)
        {
            builder.Services.AddSingleton<IHostLifetime, EmbeddedLifetime>();
            builder.Logging.AddFilter<ConsoleLoggerProvider>(static level => level >= LogLevel.Error);
        }

        return builder;
    }

    public static WebApplicationBuilder AddPlatform(this WebApplicationBuilder builder)
    {
        var server = builder.AddSettings<ServerOptions>("Server");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddHttp(server);
        builder.AddTelemetry(server);
        builder.AddPlatformData();
        builder.AddHealth();
        builder.AddApiDescription();
        builder.Services.AddSingleton<Dashboard>();
        builder.Services.AddSingleton(_ => new WebFiles(WebFiles.Folder));
        builder.Services.AddHostedService<ServerAnnouncement>();
        var settings = builder.Settings();
        foreach (var problem in UnsafeSettings.Problems(new(server, settings.Take<TelemetryOptions>("Telemetry"), settings.DataPath, settings.Variables)))
        {
            settings.AddProblem(problem);
        }

        return builder;
    }

    /// <summary>What every request passes before its route is known. Call first.</summary>
    public static WebApplication UsePlatform(this WebApplication app)
    {
        // They count from their making on, so they are made before the first request.
        app.Services.GetRequiredService<PrometheusMetrics>();
        app.Services.GetRequiredService<Dashboard>();
        app.UseMiddleware<EdgeMiddleware>();
        app.UseRouting();
        return app;
    }

    public static IEndpointRouteBuilder MapPlatform(this IEndpointRouteBuilder routes)
    {
        routes.MapHealth();
        routes.MapTelemetry();
        routes.MapDocs();
        routes.MapWeb();
        return routes;
    }

    private static void AddHealth(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<HealthMonitor>();
        builder.Services.AddSingleton<IHealthProbe, DatabaseProbe>();
        builder.Services.AddSingleton<IHealthProbe>(new AbsentProbe("redis", "not needed on one machine: caches and limits are in memory"));
        if (builder.Settings().Take<DatabaseOptions>("Database").Kind == DatabaseKind.Postgres)
        {
            builder.Services.AddSingleton<IHealthProbe, PostgresProbe>();
        }
        else
        {
            builder.Services.AddSingleton<IHealthProbe>(new AbsentProbe("postgres", "not needed on one machine: the embedded database is used"));
        }

        builder.Services.AddSingleton<IHealthProbe>(new AbsentProbe("rabbitmq", "not needed on one machine: runs are handed over in process"));
    }

    private static void AddHttp(this WebApplicationBuilder builder, ServerOptions server)
    {
        var problems = ListenAddress.Problems(server).ToList();
        if (server.Certificate.Path is { Length: > 0 } && ServerCertificate.Problem(server.Certificate) is { } unreadable)
        {
            problems.Add(unreadable);
        }

        problems.ForEach(builder.Settings().AddProblem);
        if (problems.Count == 0 && server.Certificate.Path is { Length: > 0 })
        {
            builder.Services.AddSingleton(p => new ServerCertificate(server.Certificate, p.GetRequiredService<TimeProvider>(), p.GetRequiredService<ILogger<ServerCertificate>>()));
            builder.Services.AddHostedService(static p => p.GetRequiredService<ServerCertificate>());
        }

        builder.AddClientOrigins(server);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, server));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = server.ShutdownTimeout);
        builder.Services.AddRouting();
        builder.Services.AddSingleton<OriginPolicy>();
        builder.Services.AddSingleton<HttpsPolicy>();
        builder.Services.ConfigureHttpJsonOptions(json => StrictJson.Configure(json.SerializerOptions));
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
    }

    private static void Configure(KestrelServerOptions kestrel, ServerOptions server)
    {
        kestrel.AddServerHeader = false;

        // A line ends with CR LF and nothing else: what ends it at a bare LF, and a proxy that does not, see different requests.
        AppContext.SetSwitch("Microsoft.AspNetCore.Server.Kestrel.DisableHttp1LineFeedTerminators", true);
        ConnectionLimits.Apply(kestrel.Limits, server);
        ListenAddress.Listen(kestrel, server.Urls, kestrel.ApplicationServices.GetService<ServerCertificate>());
    }
}

/// <summary>The command that embeds the server decides when it ends; it has handlers for signals of its own.</summary>
internal sealed class EmbeddedLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
