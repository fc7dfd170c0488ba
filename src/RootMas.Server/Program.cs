using RootMas.Server.Agents;
using RootMas.Server.Backups;
using RootMas.Server.Chat;
using RootMas.Server.Identity;
using RootMas.Server.Knowledge;
using RootMas.Server.Models;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;
using RootMas.Server.Runs;
using RootMas.Server.Tools;

namespace RootMas.Server;

public static class Program
{
    public static Task<int> Main(string[] args) => Cli.CommandLine.RunAsync(args);
}

/// <summary>The table of contents: what the server is made of, in the order of the slices.</summary>
public static partial class ServerHost
{
    /// <summary>Everything that the server is made of; nothing is started, and problems in the settings are only collected.</summary>
    public static WebApplicationBuilder Configure(ServerArguments arguments)
    {
        var builder = PlatformSlice.CreateBuilder(arguments);
        builder.AddPlatform();
        builder.AddIdentity();
        builder.AddBackups();
        builder.AddModels();
        builder.AddKnowledge();
        builder.AddTools();
        builder.AddAgents();
        builder.AddRuns();
        builder.AddChat();
        return builder;
    }

    /// <summary>The web application of a configured builder; the caller starts it. Tests change services before: a clock, say. Throws <see cref="SettingsException"/> where the settings allow no start.</summary>
    public static WebApplication Build(WebApplicationBuilder builder)
    {
        builder.CheckSettings();
        var app = builder.Build();
        app.UsePlatform();
        app.UseIdentity();
        app.UseIdempotency();
        var routes = app.MapRoutes();
        routes.MapPlatform();
        routes.MapIdentity();
        routes.MapBackups();
        routes.MapModels();
        routes.MapKnowledge();
        routes.MapAgents();
        routes.MapRuns();
        routes.MapChat();
        app.CheckRoutes();
        return app;
    }
}
