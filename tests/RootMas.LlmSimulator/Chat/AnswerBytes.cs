using System.Buffers;
using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace RootMas.LlmSimulator;

internal enum Slot
{
    /// <summary>12 digits, zero-padded.</summary>
    CallNumber,

    /// <summary>Unix seconds, 10 digits.</summary>
    Created,

    /// <summary>10 bytes, padded with blanks, which JSON allows.</summary>
    InputTokens,

    TotalTokens,
}

/// <summary>The bytes of an answer, built once; what differs per call (number, time, tokens) is patched into a copy.</summary>
internal sealed class AnswerBytes
{
    private static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
    private readonly ArrayBufferWriter<byte> _buffer = new(1024);
    private readonly List<(int At, Slot Slot)> _slots = [];
    private readonly List<int> _frames = [];

    public int Length => _buffer.WrittenCount;

    /// <summary>End of each frame of a stream.</summary>
    public IReadOnlyList<int> Frames => _frames;

    /// <summary>Set by the builder: output tokens, for the patched total.</summary>
    public int OutputTokens { get; set; }

    public int? FixedInputTokens { get; set; }

    /// <summary>Of a whole answer with a pace: how many frames its stream would have.</summary>
    public int StreamedFrames { get; set; }

    public AnswerBytes Raw(ReadOnlySpan<byte> utf8)
    {
        _buffer.Write(utf8);
        return this;
    }

    public AnswerBytes Number(int value)
    {
        Utf8Formatter.TryFormat(value, _buffer.GetSpan(11), out var written);
        _buffer.Advance(written);
        return this;
    }

    public AnswerBytes Text(string value)
    {
        _buffer.Write("\""u8);
        _buffer.Write(JsonEncodedText.Encode(value, Encoder).EncodedUtf8Bytes);
        _buffer.Write("\""u8);
        return this;
    }

    public AnswerBytes Put(Slot slot)
    {
        _slots.Add((Length, slot));
        var width = slot == Slot.CallNumber ? 12 : 10;
        _buffer.GetSpan(width)[..width].Fill((byte)' ');
        _buffer.Advance(width);
        return this;
    }

    public void EndFrame() => _frames.Add(Length);

    /// <summary>Writes the patched bytes to <paramref name="target"/>, which is at least <see cref="Length"/> long.</summary>
    public void CopyTo(Span<byte> target, long call, long created, int requestBytes)
    {
        _buffer.WrittenSpan.CopyTo(target);
        var input = FixedInputTokens ?? Math.Max(1, requestBytes / 4);
        foreach (var (at, slot) in _slots)
        {
            _ = slot switch
            {
                Slot.CallNumber => Utf8Formatter.TryFormat(call, target[at..], out _, new StandardFormat('D', 12)),
                Slot.Created => Utf8Formatter.TryFormat(created, target[at..], out _, new StandardFormat('D', 10)),
                Slot.InputTokens => Utf8Formatter.TryFormat(input, target[at..], out _),
                _ => Utf8Formatter.TryFormat(input + OutputTokens, target[at..], out _),
            };
        }
    }
}
