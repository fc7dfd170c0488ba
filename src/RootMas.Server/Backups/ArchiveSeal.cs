using System.Security.Cryptography;

namespace RootMas.Server.Backups;

/// <summary>
/// The end of an archive: an empty gzip member whose header carries the SHA-256 of every byte before it. tar and gzip read over it, so an archive can be opened by hand;
/// we compare the whole end byte by byte, so a single flipped bit anywhere in the file is seen, also where compression would not notice.
/// </summary>
internal static class ArchiveSeal
{
    public const int Bytes = 58;

    private const int BufferBytes = 1 << 17;

    public static byte[] Of(ReadOnlySpan<byte> sha256) =>
    [
        0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, // gzip, deflate, with an extra field, no time, unknown system
        36, 0, (byte)'R', (byte)'M', 32, 0, .. sha256, // the extra field: name, length, value
        3, 0, 0, 0, 0, 0, 0, 0, 0, 0, // nothing, its CRC, its length
    ];

    /// <summary>Reads the whole file. Returns its SHA-256 as hex.</summary>
    /// <exception cref="BackupException">It is not what was written.</exception>
    public static async Task<string> CheckAsync(string path, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, BufferBytes, FileOptions.Asynchronous | FileOptions.SequentialScan);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var left = file.Length - Bytes;
        var buffer = new byte[BufferBytes];
        while (left > 0)
        {
            var read = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), cancellationToken);
            if (read == 0)
            {
                break;
            }

            hash.AppendData(buffer, 0, read);
            left -= read;
        }

        var expected = Of(hash.GetCurrentHash());
        var end = new byte[Bytes];
        if (left != 0 || await file.ReadAtLeastAsync(end, Bytes, throwOnEndOfStream: false, cancellationToken) != Bytes || !end.AsSpan().SequenceEqual(expected))
        {
            throw new BackupException(BackupFailure.Damaged, $"{Path.GetFileName(path)} is not what was written: it was cut off or changed. Nothing was done with it. Use another backup, or another copy of this one.");
        }

        hash.AppendData(end);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>Writes through, and knows the hash of what was written.</summary>
internal sealed class HashingStream(Stream inner) : Stream
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private long _length;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _length;

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException();
    }

    /// <summary>Of everything so far.</summary>
    public byte[] Sha256 => _hash.GetCurrentHash();

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _hash.AppendData(buffer);
        _length += buffer.Length;
        inner.Write(buffer);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        _hash.AppendData(buffer.Span);
        _length += buffer.Length;
        return inner.WriteAsync(buffer, cancellationToken);
    }

    public override void Flush() => inner.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    /// <summary>The stream below is not ours.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _hash.Dispose();
        }

        base.Dispose(disposing);
    }
}
