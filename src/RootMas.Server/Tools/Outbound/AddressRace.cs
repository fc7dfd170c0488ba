using System.Net;
using System.Net.Sockets;
using System.Runtime.ExceptionServices;

namespace RootMas.Server.Tools.Outbound;

/// <summary>Connects to whichever address of a name answers first (RFC 8305): one that is dead, or a family that leads nowhere, does not make the host unreachable.</summary>
internal static class AddressRace
{
    /// <summary>How long an address is waited for alone; an answer from another continent takes less.</summary>
    private static readonly TimeSpan HeadStart = TimeSpan.FromMilliseconds(300);

    /// <exception cref="SocketException">None of them takes the connection.</exception>
    public static async Task<Socket> ConnectAsync(IReadOnlyList<IPAddress> addresses, int port, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var left = new Queue<IPAddress>(Alternating(addresses));
        var tries = new List<Task<Tried>>();
        try
        {
            while (true)
            {
                if (left.TryDequeue(out var next))
                {
                    tries.Add(TryAsync(next, port, ended.Token));
                }

                if (await FirstAsync(tries, left.Count > 0, clock, ended.Token) is not { } first)
                {
                    continue;
                }

                tries.Remove(first);
                var (socket, failure) = await first;
                if (socket is not null)
                {
                    return socket;
                }

                cancellationToken.ThrowIfCancellationRequested(); // by this token, or the handler takes it for a failed connection
                if (tries.Count == 0 && left.Count == 0)
                {
                    ExceptionDispatchInfo.Throw(failure!);
                }
            }
        }
        finally
        {
            await ended.CancelAsync();
            foreach (var other in tries)
            {
                (await other).Socket?.Dispose();
            }
        }
    }

    /// <summary>Null: none has ended, and it is the next one's turn.</summary>
    private static async Task<Task<Tried>?> FirstAsync(List<Task<Tried>> tries, bool isAnotherLeft, TimeProvider clock, CancellationToken cancellationToken)
    {
        var first = Task.WhenAny(tries);
        if (!isAnotherLeft)
        {
            return await first;
        }

        return await Task.WhenAny(first, Task.Delay(HeadStart, clock, cancellationToken)) == first ? await first : null;
    }

    private static async Task<Tried> TryAsync(IPAddress address, int port, CancellationToken cancellationToken)
    {
        Socket? socket = null;
        try
        {
            socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(new IPEndPoint(address, port), cancellationToken);
            return new Tried(socket, null);
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            socket?.Dispose();
            return new Tried(null, exception);
        }
    }

    /// <summary>One of each family in turn, beginning with the one that the resolver prefers.</summary>
    private static IEnumerable<IPAddress> Alternating(IReadOnlyList<IPAddress> addresses) => addresses
        .GroupBy(static a => a.AddressFamily)
        .SelectMany(static (family, place) => family.Select((a, turn) => (Address: a, Turn: turn, Place: place)))
        .OrderBy(static a => a.Turn)
        .ThenBy(static a => a.Place)
        .Select(static a => a.Address);

    private readonly record struct Tried(Socket? Socket, Exception? Failure);
}
