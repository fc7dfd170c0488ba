using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging.Console;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Caching;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.OpenApi;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Resilience;
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
        builder.Services.AddHostedService<SettingsNotice>(); // first: a start that fails may do so for a misspelt name
        builder.AddHttp(server);
        builder.AddTelemetry(server);
        builder.AddResilience();
        builder.AddRedis();
        builder.AddPlatformData();
        builder.AddBroker();
        builder.AddCaching();
        builder.AddHealth();
        builder.AddApiDescription();
        builder.Services.AddSingleton<Dashboard>();
        builder.Services.AddSingleton<Sampling>();
        builder.Services.AddHostedService(static p => p.GetRequiredService<Sampling>());
        builder.Services.AddSingleton(_ => new WebFiles(WebFiles.Folder));
        builder.Services.AddHostedService<ServerAnnouncement>();
        builder.Services.AddSingleton<ISystemdNotifier, SystemdNotifier>();
        builder.Services.AddHostedService<SystemdNotice>();
        builder.Services.AddHostedService<QuietMemory>();
        var settings = builder.Settings();
        foreach (var problem in UnsafeSettings.Problems(new(server, settings.Take<TelemetryOptions>("Telemetry"), settings.DataPath, settings.Variables) { Redis = settings.Take<RedisOptions>("Redis") }))
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
        app.Services.PublishGauges();
        app.UseMiddleware<EdgeMiddleware>();
        app.UseMiddleware<HeadRequests>();
        app.Use(WebPages.NowhereAsync);
        app.UseRouting();
        app.UseMiddleware<TimedBodies>();
        return app;
    }

    public static IEndpointRouteBuilder MapPlatform(this IEndpointRouteBuilder routes)
    {
        routes.MapHealth();
        routes.MapTelemetry();
        routes.MapDocs();
        routes.MapSettings();
        routes.MapWeb();
        return routes;
    }

    /// <summary>What a process without an API answers.</summary>
    public static IEndpointRouteBuilder MapPlatformOfWorker(this IEndpointRouteBuilder routes)
    {
        routes.MapHealth();
        routes.MapMetrics();
        return routes;
    }

    private static void AddHealth(this WebApplicationBuilder builder)
    {
        builder.AddSettings<HealthOptions>("Health");
        builder.Services.AddSingleton<HealthMonitor>();
        builder.Services.AddHostedService<HealthWatch>();
        builder.Services.AddSingleton<BackgroundJobs>();
        builder.Services.AddSingleton<DiskProbe>();
        builder.Services.AddSingleton<IHealthProbe>(static p => p.GetRequiredService<DiskProbe>());
        builder.Services.AddSingleton<IHealthProbe>(static p => new ScheduleProbe(
            p.GetRequiredService<BackgroundJobs>(), new Lazy<IReadOnlyList<SupervisedService>>(() => [.. p.GetServices<IHostedService>().OfType<SupervisedService>()])));
        builder.Services.AddSingleton<IHealthProbe, DatabaseProbe>();
        if (builder.Settings().Take<DatabaseOptions>("Database").Kind == DatabaseKind.Postgres)
        {
            builder.Services.AddSingleton<IHealthProbe, PostgresProbe>();
        }
        else
        {
            builder.Services.AddSingleton<IHealthProbe>(new AbsentProbe("postgres", "not needed on one machine: the embedded database is used"));
        }
    }

    /// <summary>What looks at parts of this server whenever metrics are read.</summary>
    private static void PublishGauges(this IServiceProvider services)
    {
        var meter = services.GetRequiredService<ServerMeter>();
        services.GetRequiredService<HealthMonitor>().Publish(meter);
        services.GetRequiredService<BackgroundJobs>().Publish(meter);
        services.GetRequiredService<DiskProbe>().Publish(meter);
        services.GetRequiredService<Sampling>().Publish(meter);
        services.GetService<ServerCertificate>()?.Publish(meter);
        services.GetService<PostgresDatabase>()?.Publish(meter);
        foreach (var publish in services.GetServices<GaugeSource>())
        {
            publish(meter);
        }

        meter.Observe("rootmas.build.info", "", "1, with the version of the program as a label.", static () => [new Reading(1, "version", ProgramVersion.Text)]);
    }

    private static void AddHttp(this WebApplicationBuilder builder, ServerOptions server)
    {
        var isDeaf = ListenAddress.IsNone(server) && builder.Settings().IsWorker;
        var problems = isDeaf ? [] : ListenAddress.Problems(server).ToList();
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
        if (isDeaf)
        {
            builder.Services.AddSingleton<IServer, NoServer>();
        }

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
