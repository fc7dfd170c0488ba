using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace RootMas.Tests.Support;

/// <summary>When to cut a connection that just asked for a commit.</summary>
public enum CutAt
{
    /// <summary>The server never hears of it.</summary>
    Before,

    /// <summary>The server has what stands before it in the same batch, and is at work on that.</summary>
    Within,

    /// <summary>The server has done it, its answer is lost.</summary>
    After,
}

/// <summary>What becomes of traffic on its way.</summary>
public enum Traffic
{
    Flows,

    /// <summary>Connections end, new ones are refused.</summary>
    Refused,

    /// <summary>Nothing arrives and nothing is refused, as when a cable is pulled; what was sent arrives when it flows again.</summary>
    Held,

    /// <summary>The server hears everything, its answers do not arrive.</summary>
    AnswersHeld,
}

/// <summary>A way to a server that can be cut at the worst moments, held up or made slow.</summary>
public sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<TcpClient, TcpClient> pairs = new();
    private volatile int target;
    private readonly Task accepting;
    private object? cut; // a CutAt; taken by one connection only, however many commit at once
    private volatile Road road = new(Traffic.Flows, TimeSpan.Zero);

    public CuttingProxy(int target)
    {
        this.target = target;
        listener.Start();
        accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)listener.LocalEndpoint).Port;

    /// <summary>Commits that were cut.</summary>
    public int Cuts { get; private set; }

    /// <summary>Cuts the next commit, once.</summary>
    public void CutNextCommit(CutAt when) => cut = when;

    /// <summary>From now on, also for the connections that are open.</summary>
    /// <param name="delay">Of what flows, each way.</param>
    public void Let(Traffic traffic, TimeSpan delay = default)
    {
        var before = road;
        road = new Road(traffic, delay);
        before.Changed.TrySetResult();
        if (traffic == Traffic.Refused)
        {
            CutAll();
        }
    }

    /// <summary>Cuts all connections; new ones lead to another server, as after a fail-over.</summary>
    public void LeadTo(int port)
    {
        target = port;
        CutAll();
    }

    /// <summary>Cuts all connections as they are.</summary>
    public void CutAll()
    {
        foreach (var (one, other) in pairs)
        {
            one.Dispose();
            other.Dispose();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        Let(Traffic.Refused);
        await accepting;
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                client.NoDelay = true;
                _ = CarryAsync(client);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // the end
        }
    }

    private async Task CarryAsync(TcpClient client)
    {
        var server = new TcpClient { NoDelay = true };
        try
        {
            if (road.Traffic == Traffic.Refused)
            {
                throw new IOException("refused");
            }

            await server.ConnectAsync(IPAddress.Loopback, target, stop.Token);
        }
        catch (Exception exception) when (exception is SocketException or IOException or OperationCanceledException)
        {
            // The server is not there: its client sees a connection that ends at once.
            client.Dispose();
            server.Dispose();
            return;
        }

        pairs[client] = server;
        var answered = new TaskCompletionSource();
        await Task.WhenAll(
            CopyAsync(server, client, bytes => answered.Task.IsCompleted, isAnswer: true),
            CopyAsync(client, server, bytes => false, isAnswer: false, answered));
    }

    private async Task WaitForRoadAsync(bool isAnswer)
    {
        while (road is { Traffic: Traffic.Held or Traffic.AnswersHeld } now && (isAnswer || now.Traffic == Traffic.Held))
        {
            await now.Changed.Task.WaitAsync(stop.Token);
        }

        if (road.Delay > TimeSpan.Zero)
        {
            await Task.Delay(road.Delay, stop.Token);
        }
    }

    /// <param name="swallow">Whether what was read is not passed on, and the connection ends.</param>
    /// <param name="awaitsAnswer">Set before a commit is passed on whose answer shall be lost; null for the way back.</param>
    private async Task CopyAsync(TcpClient from, TcpClient to, Func<ReadOnlyMemory<byte>, bool> swallow, bool isAnswer, TaskCompletionSource? awaitsAnswer = null)
    {
        var buffer = new byte[64 * 1024];
        var commits = new Commits();
        try
        {
            while (await from.GetStream().ReadAsync(buffer, stop.Token) is > 0 and var count)
            {
                if (awaitsAnswer is not null && commits.At(buffer.AsSpan(0, count)) is >= 0 and var commit && Interlocked.Exchange(ref cut, null) is CutAt when)
                {
                    Cuts++;
                    if (when == CutAt.Within)
                    {
                        await to.GetStream().WriteAsync(buffer.AsMemory(0, commit), stop.Token);
                    }

                    if (when != CutAt.After)
                    {
                        break;
                    }

                    awaitsAnswer.SetResult();
                }

                if (swallow(buffer.AsMemory(0, count)))
                {
                    break;
                }

                await WaitForRoadAsync(isAnswer);
                await to.GetStream().WriteAsync(buffer.AsMemory(0, count), stop.Token);
            }
        }
        catch (Exception exception) when (exception is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // cut
        }

        pairs.TryRemove(from, out _);
        from.Dispose();
        to.Dispose();
    }

    /// <summary>
    /// Where commits are asked for on one connection: by their text, or by the name under which it has prepared them (PostgreSQL's protocol, messages Parse and Bind).
    /// A step of a run outside of a transaction is its own commit.
    /// </summary>
    private sealed class Commits
    {
        private readonly List<byte[]> commits = [];
        private readonly List<byte[]> steps = [];
        private bool isOpen;

        /// <returns>-1: nowhere.</returns>
        public int At(ReadOnlySpan<byte> sent)
        {
            isOpen |= sent.IndexOf("BEGIN TRANSACTION"u8) >= 0 || sent.IndexOf("BEGIN ISOLATION"u8) >= 0;
            var (commit, step) = (Find(sent, "\0COMMIT\0"u8, commits), Find(sent, "\0WITH advanced AS"u8, steps));
            var wasOpen = isOpen;
            commit = commit < 0 ? sent.IndexOf("Q\0\0\0\u000bCOMMIT\0"u8) : commit; // by itself, as a simple query
            isOpen &= commit < 0 && sent.IndexOf("ROLLBACK"u8) < 0;
            return commit >= 0 || wasOpen ? commit : step;
        }

        private static int Find(ReadOnlySpan<byte> sent, ReadOnlySpan<byte> text, List<byte[]> prepared)
        {
            var at = sent.IndexOf(text);
            if (at > 0)
            {
                var begin = at;
                while (begin > 0 && ((char)sent[begin - 1] is '_' or (>= 'a' and <= 'z') or (>= '0' and <= '9')))
                {
                    begin--;
                }

                if (begin < at)
                {
                    prepared.Add([0, .. sent[begin..at], 0]);
                }

                return begin;
            }

            foreach (var name in prepared)
            {
                if (sent.IndexOf(name) is >= 0 and var found)
                {
                    return found;
                }
            }

            return -1;
        }
    }

    private sealed record Road(Traffic Traffic, TimeSpan Delay)
    {
        public TaskCompletionSource Changed { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
