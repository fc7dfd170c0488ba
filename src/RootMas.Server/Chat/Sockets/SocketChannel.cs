using System.Buffers;
using System.Net.WebSockets;
using System.Threading.Channels;

namespace RootMas.Server.Chat.Sockets;

/// <summary>
/// One WebSocket as text frames: a reader that never holds more than <see cref="MaxFrameBytes"/>, and one writer behind a bounded queue, so that many runs can write to one socket.
/// A client that does not read fills the queue; then those who send wait, and after <see cref="SendTimeout"/> the socket is dropped.
/// </summary>
public sealed class SocketChannel : IAsyncDisposable
{
    public const int MaxFrameBytes = 64 * 1024;

    /// <summary>RFC 6455 registry (IANA): the server restarts, come back.</summary>
    public const WebSocketCloseStatus ServiceRestart = (WebSocketCloseStatus)1012;

    private static readonly TimeSpan SendTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan CloseTimeout = TimeSpan.FromSeconds(2);

    private readonly WebSocket _socket;
    private readonly CancellationTokenSource _closed;
    private readonly Channel<ReadOnlyMemory<byte>> _outgoing =
        Channel.CreateBounded<ReadOnlyMemory<byte>>(new BoundedChannelOptions(128) { SingleReader = true });
    private readonly Task _writer;
    private readonly CancellationTokenSource _hurry = new();
    private Farewell? _farewell;
    private volatile bool _isEnding;

    public SocketChannel(WebSocket socket, CancellationToken requestAborted)
    {
        _socket = socket;
        _closed = CancellationTokenSource.CreateLinkedTokenSource(requestAborted);
        _writer = WriteAsync();
    }

    /// <summary>Cancelled when the socket ends, for whatever reason.</summary>
    public CancellationToken Closed => _closed.Token;

    /// <summary>Nothing that the client sends counts any more.</summary>
    public bool IsEnding => _isEnding;

    /// <summary>The next text message, in however many fragments it comes; null: the client is gone, closed, or sent something that closes the socket.</summary>
    public async Task<byte[]?> ReceiveAsync()
    {
        byte[]? buffer = null;
        try
        {
            var (length, got) = (0, await _socket.ReceiveAsync(Memory<byte>.Empty, Closed)); // most sockets are silent most of the time: a buffer is for those that speak
            buffer = ArrayPool<byte>.Shared.Rent(MaxFrameBytes);
            while (true)
            {
                length += got.Count;
                if (got.MessageType == WebSocketMessageType.Close)
                {
                    return null;
                }

                if (got.MessageType == WebSocketMessageType.Binary)
                {
                    return Refuse(WebSocketCloseStatus.InvalidMessageType, "Frames are JSON text.");
                }

                if (got.EndOfMessage)
                {
                    return buffer.AsSpan(0, length).ToArray();
                }

                // At the limit one byte more is looked for: what is left of a message in fragments may be an empty one.
                got = await _socket.ReceiveAsync(length < MaxFrameBytes ? buffer.AsMemory(length, MaxFrameBytes - length) : new byte[1], Closed);
                if (length + got.Count > MaxFrameBytes)
                {
                    return Refuse(WebSocketCloseStatus.MessageTooBig, "A frame may have 64 KiB.");
                }
            }
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException)
        {
            return null;
        }
        finally
        {
            if (buffer is not null)
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
    }

    /// <summary>Queues one frame; waits while the client is slow. After the socket's end it does nothing.</summary>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> frame)
    {
        if (_outgoing.Writer.TryWrite(frame))
        {
            return;
        }

        try
        {
            await _outgoing.Writer.WriteAsync(frame, Closed);
        }
        catch (Exception e) when (e is ChannelClosedException or OperationCanceledException)
        {
            // The socket ended; its frames have nobody to go to.
        }
    }

    /// <summary>Says good-bye after the frames queued so far. The first good-bye counts.</summary>
    public void Close(WebSocketCloseStatus status, string reason)
    {
        Interlocked.CompareExchange(ref _farewell, new Farewell(status, reason), null);
        _outgoing.Writer.TryComplete();
    }

    /// <summary>Closes with 1008 because the client's rights ended: what is queued is not sent any more, and a client that does not read is not waited for.</summary>
    public void End(string reason)
    {
        _isEnding = true;
        Close(WebSocketCloseStatus.PolicyViolation, reason);
        _hurry.CancelAfter(CloseTimeout);
    }

    public async ValueTask DisposeAsync()
    {
        _outgoing.Writer.TryComplete();
        await _writer;
        await _closed.CancelAsync();
        _closed.Dispose();
        _hurry.Dispose();
        _socket.Dispose();
    }

    private byte[]? Refuse(WebSocketCloseStatus status, string reason)
    {
        Close(status, reason);
        return null;
    }

    private async Task WriteAsync()
    {
        try
        {
            await foreach (var frame in _outgoing.Reader.ReadAllAsync(Closed))
            {
                if (_isEnding)
                {
                    break;
                }

                using var slow = CancellationTokenSource.CreateLinkedTokenSource(Closed, _hurry.Token);
                slow.CancelAfter(SendTimeout);
                await _socket.SendAsync(frame, WebSocketMessageType.Text, endOfMessage: true, slow.Token);
            }

            await SayGoodbyeAsync();

            // The client's own good-bye ends the reading; a client that owes it is not waited for long.
            _closed.CancelAfter(CloseTimeout);
        }
        catch (Exception e) when (e is WebSocketException or OperationCanceledException or IOException or ObjectDisposedException)
        {
            _outgoing.Writer.TryComplete();
            _socket.Abort();
            await _closed.CancelAsync();
        }
    }

    private async Task SayGoodbyeAsync()
    {
        if (_socket.State is not (WebSocketState.Open or WebSocketState.CloseReceived))
        {
            return;
        }

        using var slow = new CancellationTokenSource(CloseTimeout);
        var (status, reason) = _farewell ?? new Farewell(WebSocketCloseStatus.NormalClosure, "");
        await _socket.CloseOutputAsync(status, reason, slow.Token);
    }

    private sealed record Farewell(WebSocketCloseStatus Status, string Reason);
}
