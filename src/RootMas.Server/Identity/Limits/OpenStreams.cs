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
    /// <param name="isCounted">The socket is open already and counted as a stranger's; now its user is known.</param>
    internal Problem? TryOpen(Caller caller, StreamKind kind, bool isCounted = false)
    {
        var (name, general) = kind == StreamKind.Socket ? (LimitNames.Sockets, options.SocketsPerUser) : (LimitNames.Streams, options.StreamsPerUser);
        return TryEnter(caller.UserId, kind, name, caller.OwnNumber(name) ?? general, isCounted);
    }

    internal void Close(Caller caller, StreamKind kind, bool isCounted = false) => Leave(caller.UserId, kind, isCounted);

    /// <summary>A socket whose first frame will say who it is: as many from one address as one user may have.</summary>
    internal Problem? TryOpenStranger(ClientOrigin client) => TryEnter(OwnerOf(client), StreamKind.Socket, LimitNames.Sockets, options.SocketsPerUser, isCounted: false);

    internal void CloseStranger(ClientOrigin client) => Leave(OwnerOf(client), StreamKind.Socket, isCounted: false);

    /// <summary>No user's id looks like this.</summary>
    private static string OwnerOf(ClientOrigin client) => $"@{client.Network:x}";

    private Problem? TryEnter(string owner, StreamKind kind, string name, int most, bool isCounted)
    {
        lock (_gate)
        {
            var open = _open.GetValueOrDefault((owner, kind));
            if (options.Enabled && open >= most)
            {
                return Refuse(name, kind,
                    $"You have {open} {(kind == StreamKind.Socket ? "sockets" : "event streams")} open, and no more are allowed at once. Close one, or follow several runs over one socket.");
            }

            if (kind == StreamKind.Socket && !isCounted && _sockets >= server.MaxUpgradedConnections)
            {
                return Refuse(LimitNames.AllSockets, kind, "The server holds as many sockets as it may (Server:MaxUpgradedConnections).");
            }

            _open[(owner, kind)] = open + 1;
            _sockets += kind == StreamKind.Socket && !isCounted ? 1 : 0;
            return null;
        }
    }

    private void Leave(string owner, StreamKind kind, bool isCounted)
    {
        lock (_gate)
        {
            if (--_open[(owner, kind)] is 0)
            {
                _open.Remove((owner, kind));
            }

            _sockets -= kind == StreamKind.Socket && !isCounted ? 1 : 0;
        }
    }

    private static Problem Refuse(string limit, StreamKind kind, string why)
    {
        LimitMetrics.Rejected(limit, kind == StreamKind.Socket ? "socket" : "api");
        return Problems.TooManyRequests(limit, Retry) with { Detail = $"{why} Nothing was done. Try again in {Retry.TotalSeconds} s." };
    }
}
