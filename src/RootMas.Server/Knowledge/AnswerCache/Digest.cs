using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>A SHA-256.</summary>
internal readonly record struct Digest(UInt128 High, UInt128 Low)
{
    public static Digest Of(ReadOnlySpan<byte> data)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(data, hash);
        return new Digest(BinaryPrimitives.ReadUInt128BigEndian(hash), BinaryPrimitives.ReadUInt128BigEndian(hash[16..]));
    }

    public static Digest Parse(string hex)
    {
        var bytes = Convert.FromHexString(hex);
        return new Digest(BinaryPrimitives.ReadUInt128BigEndian(bytes), BinaryPrimitives.ReadUInt128BigEndian(bytes.AsSpan(16)));
    }

    public void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt128BigEndian(to, High);
        BinaryPrimitives.WriteUInt128BigEndian(to[16..], Low);
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[32];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}

/// <summary>
/// Fields for a <see cref="Digest"/>, one after the other in memory that is used again. Each stands with its tag and its length, so that no two lists of fields give the same bytes.
/// </summary>
internal sealed class DigestFields : IDisposable
{
    private const int LargestKept = 1 << 20;

    [ThreadStatic]
    private static DigestFields? _spare;

    private byte[] _bytes = new byte[1 << 12];
    private int _length;

    private DigestFields()
    {
    }

    /// <summary>For this thread, until it is disposed.</summary>
    public static DigestFields Rent()
    {
        var fields = _spare ?? new DigestFields();
        _spare = null;
        fields.Clear();
        return fields;
    }

    public void Clear() => _length = 0;

    public void Add(byte tag, ReadOnlySpan<char> text) => Add(tag, MemoryMarshal.AsBytes(text));

    /// <summary>Null is another value than each number.</summary>
    public void Add(byte tag, double? number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleLittleEndian(bytes, number ?? 0);
        Add(tag, number is null ? [] : bytes);
    }

    public void Add(byte tag, Digest digest)
    {
        Span<byte> bytes = stackalloc byte[32];
        digest.Write(bytes);
        Add(tag, bytes);
    }

    public void Add(byte tag, ReadOnlySpan<byte> data)
    {
        var needed = _length + 5 + data.Length;
        if (needed > _bytes.Length)
        {
            Array.Resize(ref _bytes, needed * 2);
        }

        _bytes[_length] = tag;
        BinaryPrimitives.WriteInt32LittleEndian(_bytes.AsSpan(_length + 1), data.Length);
        data.CopyTo(_bytes.AsSpan(_length + 5));
        _length = needed;
    }

    /// <summary>Of all fields so far.</summary>
    public Digest ToDigest() => Digest.Of(_bytes.AsSpan(0, _length));

    public void Dispose() => _spare = _bytes.Length <= LargestKept ? this : _spare;
}
