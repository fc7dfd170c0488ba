using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RootMas.Benchmarks.Load;

/// <summary>Many connections that stay open after the head of their answer has come. What comes later stays in the kernel's buffers.</summary>
internal sealed class OpenConnections : IDisposable
{
    private const int AtOnce = 64;
    private readonly List<Socket> _sockets = [];

    public int Count => _sockets.Count;

    public string? Error { get; private set; }

    /// <param name="expect">How a right answer begins, such as <c>HTTP/1.1 200</c>.</param>
    public static async Task<OpenConnections> OpenAsync(Uri address, byte[] request, int count, string expect, TimeSpan atMost)
    {
        var open = new OpenConnections();
        using var limit = new CancellationTokenSource(atMost);
        var endpoint = new IPEndPoint(IPAddress.Parse(address.Host), address.Port);
        await Parallel.ForEachAsync(Enumerable.Range(0, count), new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (_, _) =>
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 8192 };
            try
            {
                await socket.ConnectAsync(endpoint, limit.Token);
                await socket.SendAsync(request, limit.Token);
                var buffer = new byte[2048];
                var received = await socket.ReceiveAsync(buffer, limit.Token);
                var head = Encoding.UTF8.GetString(buffer, 0, received);
                open.Keep(head.StartsWith(expect, StringComparison.Ordinal) ? null : head[..Math.Min(200, head.Length)], socket);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                open.Keep(e.Message, socket);
            }
        });
        return open;
    }

    public void Dispose()
    {
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }
    }

    private void Keep(string? error, Socket socket)
    {
        lock (_sockets)
        {
            if (error is null)
            {
                _sockets.Add(socket);
                return;
            }

            Error ??= error;
        }

        socket.Dispose();
    }
}
