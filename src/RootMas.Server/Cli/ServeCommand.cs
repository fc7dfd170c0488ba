using System.CommandLine;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas serve</c>: API, streams and the worker in one process.</summary>
internal static class ServeCommand
{
    public static Command Create()
    {
        var command = new Command("serve", "Run the server.") { CliOptions.UrlsOption };
        command.SetAction((parsed, _) => ServerHost.RunAsync(
            (CliOptions.From(parsed) with { Urls = parsed.GetValue(CliOptions.UrlsOption) }).ToArguments() with { Announce = true }));
        return command;
    }
}
