using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace RootMas.Server.Platform.Moving;

/// <summary>What a column holds; both databases have the same four.</summary>
internal enum CopyKind
{
    Integer,
    Real,
    Text,
    Bytes,
}

internal sealed record CopyColumn(string Name, CopyKind Kind);

/// <param name="Sequence">The column whose numbers the database gives; null: none.</param>
internal sealed record CopyTable(string Name, IReadOnlyList<CopyColumn> Columns, string? Sequence)
{
    /// <summary>Names as SQL writes them: some are words of the language.</summary>
    public string ColumnList => string.Join(", ", Columns.Select(static c => $"\"{c.Name}\""));
}

/// <summary>A table that was copied: rows and hash are those of both sides.</summary>
/// <param name="Table">Its name.</param>
/// <param name="Rows">How many.</param>
/// <param name="Hash">Of all rows, whatever their order: equal tables have equal hashes in both databases.</param>
public sealed record CopiedTable(string Table, long Rows, string Hash);

/// <summary>
/// Count and hash of rows in any order, in constant memory: the SHA-256 of each row's canonical bytes, added up modulo 2^256. Databases order text, and rows without an order, in their own ways.
/// </summary>
internal sealed class RowDigest
{
    private readonly IncrementalHash _row = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly ulong[] _sum = new ulong[4];
    private readonly byte[] _hash = new byte[32];

    public long Rows { get; private set; }

    public void Add(IReadOnlyList<object?> row)
    {
        foreach (var value in row)
        {
            AddValue(value);
        }

        _row.GetHashAndReset(_hash);
        UInt128 carry = 0;
        for (var i = 0; i < _sum.Length; i++)
        {
            carry += (UInt128)_sum[i] + BinaryPrimitives.ReadUInt64LittleEndian(_hash.AsSpan(i * 8));
            _sum[i] = (ulong)carry;
            carry >>= 64;
        }

        Rows++;
    }

    public CopiedTable Of(string table)
    {
        var bytes = new byte[32];
        for (var i = 0; i < _sum.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(i * 8), _sum[i]);
        }

        return new CopiedTable(table, Rows, Convert.ToHexStringLower(bytes));
    }

    /// <summary>Kind and length come first, so that no two rows have the same bytes.</summary>
    private void AddValue(object? value)
    {
        var (kind, bytes) = value switch
        {
            null => ((byte)0, []),
            long number => ((byte)1, Bytes(number)),
            double number => ((byte)2, Bytes(BitConverter.DoubleToInt64Bits(number))),
            string text => ((byte)3, Encoding.UTF8.GetBytes(text)),
            byte[] blob => ((byte)4, blob),
            _ => throw new InvalidOperationException($"A value of type {value.GetType()} is not copied."),
        };
        Span<byte> head = stackalloc byte[5];
        head[0] = kind;
        BinaryPrimitives.WriteInt32BigEndian(head[1..], bytes.Length);
        _row.AppendData(head);
        _row.AppendData(bytes);
    }

    private static byte[] Bytes(long number)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        return bytes;
    }
}
