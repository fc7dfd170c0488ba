using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RootMas.Benchmarks.Load;

/// <summary>One keep-alive connection over a raw socket. A request is prebuilt bytes; connecting again happens when the server closed.</summary>
/// <param name="patience">How long <see cref="Send"/> waits for the next bytes; null: <see cref="Patience"/>.</param>
internal sealed class HttpConnection(Uri address, TimeSpan? patience = null) : IDisposable
{
    /// <summary>What is silent for so long is taken to hang: a bench that waits for ever measures nothing any more.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly byte[] _buffer = new byte[32 * 1024];
    private readonly ResponseReader _reader = new();
    private Socket? _socket;

    /// <summary>Asks for what the cache would answer without work: only its own case wants that.</summary>
    public const string Fresh = "Cache-Control: no-cache\r\n";

    public static byte[] Post(Uri address, string path, string body, string headers = Fresh, string accept = "application/json", string token = "k") =>
        Encoding.UTF8.GetBytes($"POST {path} HTTP/1.1\r\nHost: {address.Authority}\r\nContent-Type: application/json\r\nAccept: {accept}\r\nAuthorization: Bearer {token}\r\n{headers}Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}");

    public static byte[] Get(Uri address, string path, string headers = "", string token = "k") =>
        Encoding.UTF8.GetBytes($"GET {path} HTTP/1.1\r\nHost: {address.Authority}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n");

    public async Task ConnectAsync(CancellationToken cancellationToken = default)
    {
        _socket = NewSocket();
        await _socket.ConnectAsync(EndPoint(), cancellationToken);
    }

    /// <summary>Blocks this thread: for latencies of one connection, free of task switches.</summary>
    public int Send(ReadOnlySpan<byte> request, IBodySink? sink = null)
    {
        if (_socket is null)
        {
            _socket = NewSocket();
            _socket.SendTimeout = _socket.ReceiveTimeout = (int)(patience ?? Patience).TotalMilliseconds;
            _socket.Connect(EndPoint());
        }

        _reader.Reset();
        for (var rest = request; !rest.IsEmpty;)
        {
            rest = rest[_socket.Send(rest)..];
        }

        while (!_reader.IsDone)
        {
            OnReceived(_socket.Receive(_buffer), sink);
        }

        return Finish();
    }

    public async ValueTask<int> SendAsync(ReadOnlyMemory<byte> request, IBodySink? sink = null, CancellationToken cancellationToken = default)
    {
        if (_socket is null)
        {
            await ConnectAsync(cancellationToken);
        }

        _reader.Reset();
        for (var rest = request; !rest.IsEmpty;)
        {
            rest = rest[await _socket!.SendAsync(rest, cancellationToken)..];
        }

        while (!_reader.IsDone)
        {
            OnReceived(await _socket!.ReceiveAsync(_buffer, cancellationToken), sink);
        }

        return Finish();
    }

    public void Dispose()
    {
        _socket?.Dispose();
        _socket = null;
    }

    private void OnReceived(int count, IBodySink? sink)
    {
        if (count == 0)
        {
            _reader.End();
        }
        else
        {
            _reader.Feed(_buffer.AsSpan(0, count), sink);
        }
    }

    private int Finish()
    {
        if (_reader.Closes)
        {
            Dispose();
        }

        return _reader.Status;
    }

    private IPEndPoint EndPoint() => new(IPAddress.Parse(address.Host), address.Port);

    private static Socket NewSocket() => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
}
