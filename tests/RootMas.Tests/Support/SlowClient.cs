using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RootMas.Tests.Support;

/// <summary>A client that is as slow as a test wants it to be: a bare socket with the smallest receive buffer, which sends and reads only what it is told to.</summary>
internal sealed class SlowClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, ReceiveBufferSize = 2_048 };

    public static async Task<SlowClient> ConnectAsync(Uri server)
    {
        var client = new SlowClient();
        await client._socket.ConnectAsync(IPAddress.Loopback, server.Port);
        return client;
    }

    /// <summary>A request's head; without the last empty line it is not complete.</summary>
    public static string Head(Uri server, string method, string path, params string[] headers) =>
        $"{method} {path} HTTP/1.1\r\nHost: {server.Authority}\r\n{string.Concat(headers.Select(static h => h + "\r\n"))}";

    public async Task SendAsync(string text)
    {
        using var limit = new CancellationTokenSource(Patience);
        await _socket.SendAsync(Encoding.ASCII.GetBytes(text), limit.Token);
    }

    /// <summary>Sends the same request again and again and reads nothing, until neither side takes more. Gives back how many bytes of requests went out.</summary>
    public async Task<int> FloodAsync(string request, int times)
    {
        var bytes = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(request, times)));
        var sent = await _socket.SendAsync(bytes); // the first ones go out however late this comes to its turn
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            while (sent < bytes.Length)
            {
                sent += await _socket.SendAsync(bytes.AsMemory(sent), limit.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The server takes no more, or has hung up already: that is what the test looks at next.
        }

        return sent;
    }

    /// <summary>One byte at each interval, until the server hangs up or all is sent. True: it hung up.</summary>
    public async Task<bool> DripAsync(string text, TimeSpan interval)
    {
        using var timer = new PeriodicTimer(interval);
        try
        {
            foreach (var letter in Encoding.ASCII.GetBytes(text))
            {
                await timer.WaitForNextTickAsync();
                if (_socket.Poll(0, SelectMode.SelectRead))
                {
                    return true;
                }

                await _socket.SendAsync(new[] { letter });
            }
        }
        catch (SocketException)
        {
            return true;
        }

        return false;
    }

    /// <summary>Whatever is there next, as text; empty: the server has hung up.</summary>
    public async Task<string> ReadAsync()
    {
        using var limit = new CancellationTokenSource(Patience);
        var buffer = new byte[16 * 1024];
        try
        {
            return Encoding.UTF8.GetString(buffer, 0, await _socket.ReceiveAsync(buffer, limit.Token));
        }
        catch (SocketException)
        {
            return "";
        }
    }

    /// <summary>Reads until the text is there.</summary>
    public async Task<string> ReadUntilAsync(string end)
    {
        var text = new StringBuilder();
        while (!text.ToString().Contains(end, StringComparison.Ordinal))
        {
            var more = await ReadAsync();
            Assert.False(more.Length == 0, $"the server hung up after: {text}");
            text.Append(more);
        }

        return text.ToString();
    }

    /// <summary>Waits, without reading what was sent before, until the server has hung up; then counts what it had sent.</summary>
    public async Task<long> DroppedAsync()
    {
        // A peer that resets the connection makes a write fail; until then single spaces between requests are nothing.
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            while (await timer.WaitForNextTickAsync(limit.Token))
            {
                if (_socket.Poll(0, SelectMode.SelectError) || _socket.Send("\r\n"u8, SocketFlags.None) == 0)
                {
                    break;
                }
            }
        }
        catch (SocketException)
        {
            // It has hung up.
        }

        var read = 0L;
        for (string more; (more = await ReadAsync()).Length > 0; read += more.Length)
        {
        }

        return read;
    }

    public void Dispose() => _socket.Dispose();
}
