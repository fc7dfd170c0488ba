using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace RootMas.Tests.Support;

/// <summary>When to cut a connection that just asked for a commit.</summary>
public enum CutAt
{
    /// <summary>The server never hears of it.</summary>
    Before,

    /// <summary>The server has done it, its answer is lost.</summary>
    After,
}

/// <summary>A way to a server that can be cut at the worst moments.</summary>
public sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<TcpClient, TcpClient> pairs = new();
    private readonly int target;
    private readonly Task accepting;
    private CutAt? cut;

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
        CutAll();
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
                var server = new TcpClient { NoDelay = true };
                client.NoDelay = true;
                await server.ConnectAsync(IPAddress.Loopback, target, stop.Token);
                pairs[client] = server;
                var answered = new TaskCompletionSource();
                _ = CopyAsync(server, client, bytes => answered.Task.IsCompleted);
                _ = CopyAsync(client, server, bytes => false, answered);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // the end
        }
    }

    /// <param name="swallow">Whether what was read is not passed on, and the connection ends.</param>
    /// <param name="awaitsAnswer">Set before a commit is passed on whose answer shall be lost; null for the way back.</param>
    private async Task CopyAsync(TcpClient from, TcpClient to, Func<ReadOnlyMemory<byte>, bool> swallow, TaskCompletionSource? awaitsAnswer = null)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.GetStream().ReadAsync(buffer, stop.Token) is > 0 and var count)
            {
                if (awaitsAnswer is not null && cut is { } when && buffer.AsSpan(0, count).IndexOf("COMMIT\0"u8) >= 0)
                {
                    cut = null;
                    Cuts++;
                    if (when == CutAt.Before)
                    {
                        break;
                    }

                    awaitsAnswer.SetResult();
                }

                if (swallow(buffer.AsMemory(0, count)))
                {
                    break;
                }

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
}
