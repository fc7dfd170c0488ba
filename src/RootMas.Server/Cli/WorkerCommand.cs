using System.CommandLine;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas worker</c>: advances runs beside servers on the same database. No API; health and metrics on an address of its own.</summary>
internal static class WorkerCommand
{
    private static readonly Option<string?> Urls = new("--urls") { Description = "Addresses of /health and /metrics (default http://127.0.0.1:8001); none: no address." };

    public static Command Create()
    {
        var command = new Command("worker", "Run a process that advances runs, beside servers on the same PostgreSQL database.") { Urls };
        command.SetAction((parsed, _) =>
        {
            var arguments = (CliOptions.From(parsed) with { Urls = parsed.GetValue(Urls) }).ToArguments() with { Announce = true, IsWorker = true };
            Refuse(SettingsTree.Read(arguments));
            return ServerHost.RunAsync(arguments);
        });
        return command;
    }

    /// <exception cref="StartupRefusedException">The embedded database has room for one process: 5 where that one runs, 2 where only the settings do not fit.</exception>
    private static void Refuse(SettingsTree settings)
    {
        if (settings.Take<DatabaseOptions>("Database").Kind != DatabaseKind.Sqlite)
        {
            return;
        }

        using var data = new DataDirectory(settings.DataPath);
        const string Need = "A worker needs a database that processes can share. Set Database:Kind=postgres and Database:ConnectionString for it and for every 'rootmas serve'.";
        throw data.ReadOwner() is { } owner
            ? new StartupRefusedException($"The data directory {data.Path} belongs to process {owner.Pid}{(owner.Url is null ? "" : $" at {owner.Url}")}, which has a worker inside. {Need}", exitCode: 5)
            : new StartupRefusedException($"The embedded database is for one process, and 'rootmas serve' has a worker inside. {Need}");
    }
}
