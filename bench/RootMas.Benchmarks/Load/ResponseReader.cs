using System.Buffers.Text;

namespace RootMas.Benchmarks.Load;

/// <summary>Receives the body of an answer, without chunk framing.</summary>
internal interface IBodySink
{
    void Body(ReadOnlySpan<byte> bytes);
}

/// <summary>Reads one HTTP/1.1 answer incrementally: status, length or chunks, body. No allocation per answer.</summary>
internal sealed class ResponseReader
{
    private readonly byte[] _line = new byte[16 * 1024];
    private int _lineLength;
    private State _state;
    private long _left;
    private bool _chunked;
    private bool _close;

    private enum State
    {
        StatusLine,
        Headers,
        Fixed,
        ChunkSize,
        Chunk,
        ChunkEnd,
        Trailer,
        UntilClose,
        Done,
    }

    public int Status { get; private set; }

    public bool IsDone => _state == State.Done;

    /// <summary>The server closes the connection after this answer.</summary>
    public bool Closes => _close;

    public void Reset()
    {
        _state = State.StatusLine;
        _lineLength = 0;
        _left = -1;
        _chunked = false;
        _close = false;
        Status = 0;
    }

    /// <summary>The connection ended: the end of an answer without length.</summary>
    public void End()
    {
        if (_state != State.UntilClose)
        {
            throw new IOException("the connection was closed in the middle of an answer");
        }

        _state = State.Done;
    }

    public void Feed(ReadOnlySpan<byte> bytes, IBodySink? sink)
    {
        while (!bytes.IsEmpty && _state != State.Done)
        {
            switch (_state)
            {
                case State.Fixed or State.Chunk:
                    var take = (int)Math.Min(_left, bytes.Length);
                    sink?.Body(bytes[..take]);
                    bytes = bytes[take..];
                    _left -= take;
                    if (_left == 0)
                    {
                        _state = _chunked ? State.ChunkEnd : State.Done;
                    }

                    break;
                case State.UntilClose:
                    sink?.Body(bytes);
                    return;
                default:
                    bytes = FeedLine(bytes);
                    break;
            }
        }
    }

    private ReadOnlySpan<byte> FeedLine(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)'\n');
        var part = end < 0 ? bytes : bytes[..end];
        part.CopyTo(_line.AsSpan(_lineLength));
        _lineLength += part.Length;
        if (end < 0)
        {
            return [];
        }

        var line = _line.AsSpan(0, _lineLength).TrimEnd((byte)'\r');
        _lineLength = 0;
        OnLine(line);
        return bytes[(end + 1)..];
    }

    private void OnLine(ReadOnlySpan<byte> line)
    {
        switch (_state)
        {
            case State.StatusLine:
                _ = Utf8Parser.TryParse(line[9..], out int status, out _);
                Status = status;
                _state = State.Headers;
                break;
            case State.Headers when line.IsEmpty:
                _state = AfterHeaders();
                break;
            case State.Headers:
                OnHeader(line);
                break;
            case State.ChunkSize:
                _ = Utf8Parser.TryParse(line, out _left, out _, 'x');
                _state = _left == 0 ? State.Trailer : State.Chunk;
                break;
            case State.ChunkEnd:
                _state = State.ChunkSize;
                break;
            case State.Trailer when line.IsEmpty:
                _state = State.Done;
                break;
        }
    }

    private State AfterHeaders()
    {
        if (Status is 204 or 304)
        {
            return State.Done;
        }

        if (_chunked)
        {
            return State.ChunkSize;
        }

        return _left switch
        {
            0 => State.Done,
            > 0 => State.Fixed,
            _ => State.UntilClose,
        };
    }

    private void OnHeader(ReadOnlySpan<byte> line)
    {
        var colon = line.IndexOf((byte)':');
        if (colon < 0)
        {
            return;
        }

        var name = line[..colon];
        var value = line[(colon + 1)..].Trim((byte)' ');
        if (System.Text.Ascii.EqualsIgnoreCase(name, "content-length"u8))
        {
            _ = Utf8Parser.TryParse(value, out _left, out _);
        }
        else if (System.Text.Ascii.EqualsIgnoreCase(name, "transfer-encoding"u8))
        {
            _chunked = System.Text.Ascii.EqualsIgnoreCase(value, "chunked"u8);
        }
        else if (System.Text.Ascii.EqualsIgnoreCase(name, "connection"u8))
        {
            _close = System.Text.Ascii.EqualsIgnoreCase(value, "close"u8);
        }
    }
}
