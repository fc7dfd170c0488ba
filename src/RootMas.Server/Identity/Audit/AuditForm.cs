using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace RootMas.Server.Identity.Audit;

/// <summary>One stored row. Members in the order of the canonical form.</summary>
public sealed record AuditRow
{
    public required long Id { get; init; }

    /// <summary>UTC microseconds.</summary>
    public required long At { get; init; }

    public required string Action { get; init; }

    public required string Outcome { get; init; }

    public string? ActorId { get; init; }

    public string? ActorName { get; init; }

    public string? Credential { get; init; }

    public string? SessionId { get; init; }

    public string? TargetKind { get; init; }

    public string? TargetId { get; init; }

    public string? Before { get; init; }

    public string? After { get; init; }

    public string? Address { get; init; }

    public string? RequestId { get; init; }
}

/// <summary>
/// The bytes that a row's mac is made over: version, mac of the row before, then each member as length and UTF-8 bytes. Lengths make it unambiguous: no two different rows have the same bytes.
/// A later version adds a case here; rows say which one they were made with.
/// </summary>
internal static class AuditForm
{
    public const int Version = 1;

    /// <summary>What stands before the first row.</summary>
    public static readonly byte[] Origin = new byte[32];

    private const uint Absent = uint.MaxValue;

    public static byte[] Canonical(AuditRow row, ReadOnlySpan<byte> before)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        bytes.Write([(byte)Version]);
        bytes.Write(before);
        Number(bytes, row.Id);
        Number(bytes, row.At);
        foreach (var text in (ReadOnlySpan<string?>)
            [row.Action, row.Outcome, row.ActorId, row.ActorName, row.Credential, row.SessionId, row.TargetKind, row.TargetId, row.Before, row.After, row.Address, row.RequestId])
        {
            Text(bytes, text);
        }

        return bytes.WrittenSpan.ToArray();
    }

    private static void Number(ArrayBufferWriter<byte> bytes, long number) => Text(bytes, number.ToString(CultureInfo.InvariantCulture));

    private static void Text(ArrayBufferWriter<byte> bytes, string? text)
    {
        var length = text is null ? Absent : (uint)Encoding.UTF8.GetByteCount(text);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.GetSpan(4), length);
        bytes.Advance(4);
        if (text is { Length: > 0 })
        {
            bytes.Advance(Encoding.UTF8.GetBytes(text, bytes.GetSpan((int)length)));
        }
    }
}
