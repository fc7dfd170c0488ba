using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform;

/// <summary>Tells others where this process listens: in the data directory, in the log, and to whoever started it.</summary>
internal sealed partial class ServerAnnouncement(IServer server, DataDirectory data, ServerArguments arguments, ILogger<ServerAnnouncement> logger) : LifecycleService
{
    public override async Task StartedAsync(CancellationToken cancellationToken)
    {
        var addresses = server.Features.Get<IServerAddressesFeature>()?.Addresses ?? [];
        data.Announce(ListenAddress.Nearest(addresses)?.GetLeftPart(UriPartial.Authority));
        var listed = addresses.Count > 0 ? string.Join(", ", addresses) : "no address";
        LogListening(ProgramVersion.Text, listed, data.Path);
        if (arguments.Announce)
        {
            await Console.Error.WriteLineAsync($"Root-MAS {(arguments.IsWorker ? "worker " : "")}{ProgramVersion.Text} is ready on {listed} (data in {data.Path}). Ctrl-C stops it.");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Root-MAS {Version} listens on {Addresses}, data in {Data}")]
    private partial void LogListening(string version, string addresses, string data);
}
