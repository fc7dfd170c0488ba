using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity.Limits;

/// <summary>
/// Counts the event streams and sockets that are open. Attaching is limited in number and not in rate: a browser's EventSource gives up for good at a 429, so nobody who merely comes back often gets one.
/// </summary>
public sealed class OpenStreams(LimitOptions options, ServerOptions server)
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private readonly Dictionary<(string User, StreamKind Kind), int> _open = [];
    private int _sockets;

    /// <summary>Null: there is room, and it is taken until <see cref="Close"/>.</summary>
    internal Problem? TryOpen(Caller caller, StreamKind kind)
    {
        var (name, general) = kind == StreamKind.Socket ? (LimitNames.Sockets, options.SocketsPerUser) : (LimitNames.Streams, options.StreamsPerUser);
        var most = options.Enabled ? caller.OwnNumber(name) ?? general : int.MaxValue;
        lock (_gate)
        {
            var open = _open.GetValueOrDefault((caller.UserId, kind));
            if (open >= most)
            {
                return Refuse(name, kind,
                    $"You have {open} {(kind == StreamKind.Socket ? "sockets" : "event streams")} open, and no more are allowed at once. Close one, or follow several runs over one socket.");
            }

            if (kind == StreamKind.Socket && _sockets >= server.MaxUpgradedConnections)
            {
                return Refuse(LimitNames.AllSockets, kind, "The server holds as many sockets as it may (Server:MaxUpgradedConnections).");
            }

            _open[(caller.UserId, kind)] = open + 1;
            _sockets += kind == StreamKind.Socket ? 1 : 0;
            return null;
        }
    }

    internal void Close(Caller caller, StreamKind kind)
    {
        lock (_gate)
        {
            var key = (caller.UserId, kind);
            if (--_open[key] is 0)
            {
                _open.Remove(key);
            }

            _sockets -= kind == StreamKind.Socket ? 1 : 0;
        }
    }

    private static Problem Refuse(string limit, StreamKind kind, string why)
    {
        LimitMetrics.Rejected(limit, kind == StreamKind.Socket ? "socket" : "api");
        return Problems.TooManyRequests(limit, Retry) with { Detail = $"{why} Nothing was done. Try again in {Retry.TotalSeconds} s." };
    }
}
