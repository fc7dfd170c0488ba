using System.Globalization;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>Ends with an error where an archive unpacks to more than it may, in all or at once.</summary>
/// <param name="atOnce">Bytes that may be read from one <see cref="Begin"/> to the next.</param>
internal sealed class BoundedStream(Stream inner, long limit, long atOnce) : Stream
{
    private long _read;
    private long _begun;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => _read;
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        var got = inner.Read(buffer, offset, count);
        _read += got;
        return _read > limit ? throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The archive unpacks to more than {limit} bytes."))
            : _read - _begun > atOnce ? throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The archive has a tag, or a gap between two, of more than {atOnce} bytes."))
            : got;
    }

    /// <summary>Whoever reads begins with something new: what they read for it must not be too much at once.</summary>
    public void Begin() => _begun = _read;

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }
}
