using System.Buffers;
using System.Globalization;
using System.Text;

namespace RootMas.Server.Knowledge.Documents.Extraction;

/// <summary>Takes text in UTF-8, and ends with an error where there is too much of it: indented, one byte deep inside of a JSON file becomes a line of a hundred.</summary>
internal sealed class BoundedBytes(int maxCharacters) : IBufferWriter<byte>
{
    /// <summary>Most of one character.</summary>
    private const int BytesPerCharacter = 4;

    private readonly ArrayBufferWriter<byte> _bytes = new();

    public string Text => Encoding.UTF8.GetString(_bytes.WrittenSpan);

    public void Advance(int count) => _bytes.Advance(count);

    /// <exception cref="ExtractionException">There is too much already. Said here and not when it is written: a writer that is ended afterwards has nothing left to write then.</exception>
    public Memory<byte> GetMemory(int sizeHint = 0) => _bytes.WrittenCount <= (long)maxCharacters * BytesPerCharacter
        ? _bytes.GetMemory(sizeHint)
        : throw ExtractionException.TooLarge(string.Create(CultureInfo.InvariantCulture, $"The JSON becomes more than {maxCharacters} characters of text when it is laid out in lines."));

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
}
