using RootMas.Server.Identity;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server;

/// <summary>Runs the server until it is told to stop.</summary>
public static partial class ServerHost
{
    /// <summary>All settings as a start would see them, for <c>config print</c> and <c>config check</c>.</summary>
    public static SettingsTree ReadSettings(ServerArguments arguments) => Configure(arguments).Settings();

    /// <summary>The web application; the caller starts it.</summary>
    /// <exception cref="SettingsException">The settings do not allow a start.</exception>
    public static WebApplication Build(ServerArguments arguments) => arguments.IsWorker ? BuildWorker(Configure(arguments)) : Build(Configure(arguments));

    /// <summary>The same program without its API: it advances runs, and tells how it is.</summary>
    /// <exception cref="SettingsException">The settings do not allow a start.</exception>
    public static WebApplication BuildWorker(WebApplicationBuilder builder)
    {
        builder.CheckSettings();
        var app = builder.Build();
        app.UsePlatform();
        app.UseIdentity();
        app.MapRoutes().MapPlatformOfWorker();
        app.CheckRoutes();
        return app;
    }

    /// <summary>Runs <c>serve</c> or <c>worker</c>. Exit codes as API.md lists them.</summary>
    public static async Task<int> RunAsync(ServerArguments arguments)
    {
        try
        {
            await using var app = Build(arguments);
            await app.RunAsync();
            return 0;
        }
        catch (SettingsException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 2;
        }
        catch (StartupRefusedException e)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return e.ExitCode;
        }
        catch (IOException e) when (e.InnerException is Microsoft.AspNetCore.Connections.AddressInUseException)
        {
            await Console.Error.WriteLineAsync($"{e.Message} Another program listens there: stop it, or choose another address with --urls.");
            return 5;
        }
    }
}
