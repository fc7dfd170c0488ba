using Microsoft.AspNetCore.Server.Kestrel.Core;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

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
        return builder;
    }

    public static WebApplicationBuilder AddPlatform(this WebApplicationBuilder builder)
    {
        var server = builder.AddSettings<ServerOptions>("Server");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.AddHttp(server);
        return builder;
    }

    /// <summary>What every request passes before its route is known. Call first.</summary>
    public static WebApplication UsePlatform(this WebApplication app)
    {
        app.UseMiddleware<EdgeMiddleware>();
        app.UseRouting();
        return app;
    }

    public static IEndpointRouteBuilder MapPlatform(this IEndpointRouteBuilder routes)
    {
        return routes;
    }

    private static void AddHttp(this WebApplicationBuilder builder, ServerOptions server)
    {
        foreach (var problem in ListenAddress.Problems(server.Urls))
        {
            builder.Settings().AddProblem(problem);
        }

        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, server));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = server.ShutdownTimeout);
        builder.Services.AddRouting();
        builder.Services.AddSingleton<OriginPolicy>();
        builder.Services.ConfigureHttpJsonOptions(json => StrictJson.Configure(json.SerializerOptions));
        builder.Services.Configure<RouteHandlerOptions>(routes => routes.ThrowOnBadRequest = true);
    }

    private static void Configure(KestrelServerOptions kestrel, ServerOptions server)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = server.MaxBodyBytes;
        kestrel.Limits.MaxConcurrentConnections = server.MaxConnections;
        kestrel.Limits.MaxConcurrentUpgradedConnections = server.MaxConnections;
        kestrel.Limits.RequestHeadersTimeout = server.HeaderTimeout;
        kestrel.Limits.MaxRequestHeadersTotalSize = 32 * 1024;
        kestrel.Limits.MaxRequestLineSize = 8 * 1024;
        if (!ListenAddress.Problems(server.Urls).Any())
        {
            ListenAddress.Listen(kestrel, server.Urls);
        }
    }
}
