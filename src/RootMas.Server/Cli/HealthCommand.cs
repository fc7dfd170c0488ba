using System.CommandLine;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas health</c>: asks a running server whether it is ready. For health checks of containers and scripts: it starts nothing and needs no key and no other program.</summary>
internal static class HealthCommand
{
    private static readonly Option<bool> Live = new("--live") { Description = "Only whether the process answers." };
    private static readonly Option<int> Wait = new("--wait") { Description = "Ask again for so many seconds until it is so.", DefaultValueFactory = static _ => 0 };
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    public static Command Create()
    {
        var command = new Command("health", "Ask a running server whether it is ready; exit code 0 says yes.") { Live, Wait };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var terminal = Terminal.Of(parsed);
            var path = parsed.GetValue(Live) ? "/health/live" : "/health/ready";
            var (code, said) = await AskUntilAsync(CliOptions.From(parsed), path, TimeSpan.FromSeconds(parsed.GetValue(Wait)), cancellationToken);
            if (code == ExitCodes.Ok)
            {
                terminal.WriteLine(said);
            }
            else
            {
                terminal.Error(said);
            }

            return code;
        });
        return command;
    }

    private static async Task<(int Code, string Said)> AskUntilAsync(CliOptions options, string path, TimeSpan wait, CancellationToken cancellationToken)
    {
        var time = TimeProvider.System;
        var began = time.GetTimestamp();
        while (true)
        {
            // Its address is looked for each time: a server that starts writes a new one.
            var answer = await AskAsync(AddressOf(options), path, cancellationToken);
            if (answer.Code == ExitCodes.Ok || time.GetElapsedTime(began) >= wait)
            {
                if (answer.Code == ExitCodes.Unreachable)
                {
                    RefuseClosed(options);
                }

                return answer;
            }

            await Task.Delay(Pause, time, cancellationToken);
        }
    }

    private static async Task<(int Code, string Said)> AskAsync(Uri server, string path, CancellationToken cancellationToken)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false, ConnectTimeout = Patience };
        ListenAddress.TakeCertificateOf(server, handler);
        using var http = new HttpClient(handler) { Timeout = Patience };
        try
        {
            using var answer = await http.GetAsync(new Uri(server, path), cancellationToken);
            if (!answer.IsSuccessStatusCode)
            {
                return (ExitCodes.Failed, $"{server} answers {(int)answer.StatusCode} to {path}. See 'rootmas doctor', or {server}health for each part.");
            }

            // A page of a proxy, or of another program that has the port, is 200 too.
            var said = await ApiClient.JsonAsync(answer, cancellationToken);
            return said.Text("status") == "ok" ? (ExitCodes.Ok, "ok") : throw ApiClient.Foreign(answer, "JSON without a status of ours");
        }
        catch (CliException e)
        {
            return (e.ExitCode, e.Message);
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return (ExitCodes.Unreachable, $"{server} does not answer. Is the server running there?");
        }
    }

    /// <summary>The one that is named, else the one that owns the data directory, else where the settings would have it listen.</summary>
    private static Uri AddressOf(CliOptions options)
    {
        var tree = SettingsTree.Read(options.ToArguments());
        if (Named(options, tree) is { } named)
        {
            return Uri.TryCreate(named, UriKind.Absolute, out var address) && address.Scheme is "http" or "https"
                ? address!
                : throw new CliException(ExitCodes.Usage, $"'{named}' is not the address of a server. Give one like http://127.0.0.1:8000.");
        }

        using var data = new DataDirectory(tree.DataPath);
        var urls = tree.Take<ServerOptions>("Server").Urls;
        return ListenAddress.Nearest(Directory.Exists(tree.DataPath) && data.ReadOwner()?.Url is { } url ? [url] : ListenAddress.Split(urls))
            ?? throw new CliException(ExitCodes.Usage, $"Server:Urls is '{urls}': there is nobody to ask. Name an address with --server.");
    }

    private static string? Named(CliOptions options, SettingsTree tree) => options.Server ?? tree.Variables.Get("ROOTMAS_SERVER");

    /// <summary>Whoever may not look into the data directory does not learn where its server listens, and has asked elsewhere.</summary>
    /// <exception cref="StartupRefusedException">That is why nobody answered.</exception>
    private static void RefuseClosed(CliOptions options)
    {
        var tree = SettingsTree.Read(options.ToArguments());
        if (Named(options, tree) is null)
        {
            using var data = new DataDirectory(tree.DataPath);
            data.RefuseClosed();
        }
    }
}
