using System.Buffers;

namespace RootMas.Server.Models.OpenAi;

/// <summary>
/// The bytes of an answer as payloads: the <c>data:</c> lines of an event stream (WHATWG HTML, server-sent events), or one whole JSON body.
/// Which of the two it is, the first byte says: servers answer a streaming request with a plain body, and mislabel either.
/// </summary>
internal sealed class AnswerStream(Stream body) : IDisposable
{
    /// <summary>Longest line, and largest whole body.</summary>
    private const int MaxPayload = 16 * 1024 * 1024;

    /// <summary>Most pieces are some hundred bytes; each open answer holds a buffer for as long as it takes. It grows with what is longer.</summary>
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(1024);
    private int _start;
    private int _end;
    private int _scanned;
    private Form _form;
    private bool _ended;

    private enum Form
    {
        Unknown,
        Events,
        Whole,
    }

    /// <summary>The stream said <c>[DONE]</c>.</summary>
    public bool SaidDone { get; private set; }

    /// <summary>The answer was one JSON body.</summary>
    public bool IsWhole => _form == Form.Whole;

    /// <summary>Reads more bytes. False: there are no more.</summary>
    public async ValueTask<bool> FillAsync(CancellationToken cancellationToken)
    {
        if (_ended)
        {
            return false;
        }

        if (_end == _buffer.Length)
        {
            MakeRoom();
        }

        var read = await body.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
        _end += read;
        _ended = read == 0;
        return !_ended;
    }

    /// <summary>The next complete payload among the bytes read so far; valid until the next call.</summary>
    public bool TryRead(out ReadOnlySpan<byte> payload)
    {
        payload = default;
        if (SaidDone || (_form == Form.Unknown && !FindForm()))
        {
            return false;
        }

        if (_form == Form.Whole)
        {
            if (!_ended || _start == _end)
            {
                return false;
            }

            payload = _buffer.AsSpan(_start, _end - _start);
            _start = _end;
            return true;
        }

        while (TryReadLine(out var line))
        {
            if (line.StartsWith("data:"u8) && Trim(line[5..]) is { Length: > 0 } data)
            {
                SaidDone = data.SequenceEqual("[DONE]"u8);
                payload = data;
                return !SaidDone;
            }
        }

        return false;
    }

    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }

    private static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> line)
    {
        var start = line.IndexOfAnyExcept((byte)' ', (byte)'\r');
        return start < 0 ? default : line[start..(line.LastIndexOfAnyExcept((byte)' ', (byte)'\r') + 1)];
    }

    private bool FindForm()
    {
        var seen = _buffer.AsSpan(_start, _end - _start);
        if (seen.StartsWith("\uFEFF"u8))
        {
            _start += 3;
            seen = seen[3..];
        }

        var first = seen.IndexOfAnyExcept(" \r\n\t"u8);
        if (first < 0)
        {
            return false;
        }

        _form = IsField(seen[first..]) ? Form.Events : Form.Whole;
        return true;
    }

    /// <summary>Lines of an event stream begin with a field name or a colon.</summary>
    private static bool IsField(ReadOnlySpan<byte> line) =>
        line[0] == ':' || "data:"u8.StartsWith(line[..Math.Min(5, line.Length)]) || "event:"u8.StartsWith(line[..Math.Min(6, line.Length)]) ||
        "id:"u8.StartsWith(line[..Math.Min(3, line.Length)]) || "retry:"u8.StartsWith(line[..Math.Min(6, line.Length)]);

    private bool TryReadLine(out ReadOnlySpan<byte> line)
    {
        var from = Math.Max(_start, _scanned);
        var end = _buffer.AsSpan(from, _end - from).IndexOf((byte)'\n');
        if (end >= 0)
        {
            line = _buffer.AsSpan(_start, from + end - _start);
            _start = from + end + 1;
            _scanned = _start;
            return true;
        }

        _scanned = _end;
        if (_ended && _start < _end)
        {
            // The last line may lack its end.
            line = _buffer.AsSpan(_start, _end - _start);
            _start = _end;
            return true;
        }

        line = default;
        return false;
    }

    private void MakeRoom()
    {
        var length = _end - _start;
        if (length >= MaxPayload)
        {
            throw new EndpointException(FailureKind.InvalidAnswer, $"A piece of the answer is longer than {MaxPayload} bytes.");
        }

        var target = _start >= _buffer.Length / 2 ? _buffer : ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
        _buffer.AsSpan(_start, length).CopyTo(target);
        if (!ReferenceEquals(target, _buffer))
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = target;
        }

        _scanned = Math.Max(0, _scanned - _start);
        _start = 0;
        _end = length;
    }
}
