using System.Globalization;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Identity.Limits;

/// <summary>A place that a request took while it was served.</summary>
internal sealed record AttachedStream(Caller Caller, StreamKind Kind);

/// <summary>
/// Counts the event streams and sockets that are open. Attaching is limited in number and not in rate: a browser's EventSource gives up for good at a 429, so nobody who merely comes back often gets one.
/// This process counts what it has open; with Redis what a user has open on all instances counts too (<see cref="SharedStreams"/>). Sockets of strangers, and all sockets of a process, are its own matter.
/// </summary>
public sealed class OpenStreams
{
    private static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);
    private readonly Lock _gate = new();
    private readonly Dictionary<(string User, StreamKind Kind), int> _open = [];
    private readonly LimitOptions _options;
    private readonly ServerOptions _server;
    private readonly SharedStreams? _shared;
    private int _sockets;

    internal OpenStreams(LimitOptions options, ServerOptions server, SharedStreams? shared = null)
    {
        (_options, _server, _shared) = (options, server, shared);
        if (shared is not null)
        {
            shared.Own = OfUsers;
        }
    }

    /// <summary>Null: there is room, and it is taken until <see cref="CloseAsync"/>.</summary>
    /// <param name="isCounted">The socket is open already and counted as a stranger's; now its user is known.</param>
    /// <param name="edge">Of the request that is refused if there is no room: its headers tell of this limit then. Null: it is no request.</param>
    internal async ValueTask<Problem?> TryOpenAsync(Caller caller, StreamKind kind, bool isCounted = false, RequestEdge? edge = null)
    {
        var (name, general) = kind == StreamKind.Socket ? (LimitNames.Sockets, _options.SocketsPerUser) : (LimitNames.Streams, _options.StreamsPerUser);
        var most = caller.OwnNumber(name) ?? general;
        if (TryEnter(caller.UserId, kind, new Bound(name, most, edge), isCounted) is { } full)
        {
            return full;
        }

        if (_shared is null || !_options.Enabled || await _shared.EnterAsync(caller.UserId, kind, most, NumberOf(caller.UserId, kind)) is not { } open)
        {
            return null;
        }

        Leave(caller.UserId, kind, isCounted);
        return TooMany(new Bound(name, most, edge), kind, open);
    }

    /// <summary>For a route whose answer is an event stream only because its body says so: takes a place, which <see cref="AccessMiddleware"/> gives back before the response ends. Null: there was room.</summary>
    internal static async ValueTask<Problem?> AttachAsync(HttpContext context)
    {
        var (streams, caller) = (context.RequestServices.GetRequiredService<OpenStreams>(), context.Caller());
        if (await streams.TryOpenAsync(caller, StreamKind.Events, edge: context.Features.Get<RequestEdge>()) is { } full)
        {
            return full;
        }

        context.Features.Set(new AttachedStream(caller, StreamKind.Events));
        return null;
    }

    internal async ValueTask CloseAsync(Caller caller, StreamKind kind, bool isCounted = false)
    {
        Leave(caller.UserId, kind, isCounted);
        if (_shared is not null && _options.Enabled)
        {
            await _shared.LeaveAsync(caller.UserId, kind);
        }
    }

    /// <summary>A socket whose first frame will say who it is: as many from one address as one user may have.</summary>
    internal Problem? TryOpenStranger(RequestEdge edge) => TryEnter(OwnerOf(edge.Client), StreamKind.Socket, new Bound(LimitNames.Sockets, _options.SocketsPerUser, edge), isCounted: false);

    internal void CloseStranger(ClientOrigin client) => Leave(OwnerOf(client), StreamKind.Socket, isCounted: false);

    /// <summary>No user's id looks like this.</summary>
    private static string OwnerOf(ClientOrigin client) => $"@{client.Network:x}";

    private Problem? TryEnter(string owner, StreamKind kind, Bound bound, bool isCounted)
    {
        lock (_gate)
        {
            var open = _open.GetValueOrDefault((owner, kind));
            if (_options.Enabled && open >= bound.Most)
            {
                return TooMany(bound, kind, open);
            }

            if (kind == StreamKind.Socket && !isCounted && _sockets >= _server.MaxUpgradedConnections)
            {
                return Refuse(bound with { Name = LimitNames.AllSockets, Most = _server.MaxUpgradedConnections }, kind, "The server holds as many sockets as it may (Server:MaxUpgradedConnections).");
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

    private int NumberOf(string owner, StreamKind kind)
    {
        lock (_gate)
        {
            return _open.GetValueOrDefault((owner, kind));
        }
    }

    private List<(string User, StreamKind Kind, int Open)> OfUsers()
    {
        lock (_gate)
        {
            return [.. _open.Where(static o => o.Key.User[0] != '@').Select(static o => (o.Key.User, o.Key.Kind, o.Value))];
        }
    }

    private static Problem TooMany(Bound bound, StreamKind kind, int open) => Refuse(bound, kind,
        $"You have {open} {(kind == StreamKind.Socket ? "sockets" : "event streams")} open, and no more are allowed at once. Close one, or follow several runs over one socket.");

    private static Problem Refuse(Bound bound, StreamKind kind, string why)
    {
        LimitMetrics.Rejected(bound.Name, kind == StreamKind.Socket ? "socket" : "api");
        if (bound.Edge is { } edge)
        {
            edge.RateLimit = new RateLimitState(bound.Most, 0, (long)Retry.TotalSeconds);
        }

        var problem = Problems.TooManyRequests(bound.Name, Retry) with { Detail = $"{why} Nothing was done. Try again in {Retry.TotalSeconds} s." };
        return problem.With("allowed", string.Create(CultureInfo.InvariantCulture, $"{bound.Most} at once"));
    }

    /// <summary>One limit, for whoever comes up against it.</summary>
    /// <param name="Edge">Null: no request does.</param>
    private readonly record struct Bound(string Name, long Most, RequestEdge? Edge);
}
