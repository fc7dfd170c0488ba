using System.CommandLine;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>What every command understands.</summary>
internal sealed record CliOptions(CliConsole Console, string? Server, string? Data, string? Config, string? Urls)
{
    public static readonly Option<string?> ServerOption = new("--server") { Description = "Address of a server (default: the one that owns the data directory, else in this process).", Recursive = true };
    public static readonly Option<string?> DataOption = new("--data") { Description = "Data directory: database, keys, files (default ./data).", Recursive = true };
    public static readonly Option<string?> ConfigOption = new("--config") { Description = "Directory of agents, teams, models and prompts (default ./config).", Recursive = true };
    public static readonly Option<string?> UrlsOption = new("--urls") { Description = "Addresses to listen on (default http://127.0.0.1:8000)." };
    public static readonly Option<bool> JsonOption = new("--json") { Description = "Print JSON." };

    public static CliOptions From(ParseResult parsed) =>
        new(CliConsole.Of(parsed), parsed.GetValue(ServerOption), parsed.GetValue(DataOption), parsed.GetValue(ConfigOption), null);

    public ServerArguments ToArguments() => new() { Data = Data, Config = Config, Urls = Urls, Environment = Console.Environment, WorkingDirectory = Console.WorkingDirectory };
}
