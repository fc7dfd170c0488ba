namespace RootMas.Server.Platform.Http;

/// <summary>A body that was gathered and is read once: what was read is let go, so whoever keeps what they read does not hold it twice.</summary>
internal sealed class PassedBody : Stream
{
    private const int FirstChunk = 1_024;

    /// <summary>Small enough to be no large object.</summary>
    private const int LargestChunk = 64 * 1_024;

    private readonly Queue<byte[]> _chunks = [];
    private byte[] _last = [];
    private long _written;
    private long _read;

    // Used of the last chunk, and read of the first.
    private int _end;
    private int _begin;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    /// <summary>All that was written, read or not.</summary>
    public override long Length => _written;

    public override long Position
    {
        get => _read;
        set => throw new NotSupportedException();
    }

    /// <summary>Bytes of memory that it has.</summary>
    public long Held => _chunks.Sum(static c => (long)c.Length);

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (buffer.Length > 0)
        {
            if (_end == _last.Length)
            {
                _chunks.Enqueue(_last = new byte[Math.Clamp(_written, FirstChunk, LargestChunk)]);
                _end = 0;
            }

            var some = Math.Min(buffer.Length, _last.Length - _end);
            buffer[..some].CopyTo(_last.AsSpan(_end));
            _end += some;
            _written += some;
            buffer = buffer[some..];
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <summary>At most to the end of a chunk.</summary>
    public override int Read(Span<byte> buffer)
    {
        if (_read == _written || buffer.Length == 0)
        {
            return 0;
        }

        var first = _chunks.Peek();
        var there = (_chunks.Count == 1 ? _end : first.Length) - _begin;
        var some = Math.Min(buffer.Length, there);
        first.AsSpan(_begin, some).CopyTo(buffer);
        (_read, _begin) = (_read + some, _begin + some);
        if (some == there)
        {
            _chunks.Dequeue();
            _begin = 0;
            if (_chunks.Count == 0)
            {
                (_last, _end) = ([], 0);
            }
        }

        return some;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        cancellationToken.IsCancellationRequested ? ValueTask.FromCanceled<int>(cancellationToken) : ValueTask.FromResult(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
        // Nothing is held back.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
