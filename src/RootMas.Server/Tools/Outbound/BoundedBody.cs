using System.Buffers;

namespace RootMas.Server.Tools.Outbound;

/// <summary>Reads a body up to a limit and no further: behind a small compressed body may be a huge one.</summary>
internal static class BoundedBody
{
    /// <exception cref="InvalidDataException">It is not compressed as it says.</exception>
    public static async Task<(byte[] Body, bool Truncated)> ReadAsync(Stream stream, int maxBytes, CancellationToken cancellationToken)
    {
        var output = new ArrayBufferWriter<byte>(16 * 1024);
        while (output.WrittenCount < maxBytes)
        {
            var memory = output.GetMemory(16 * 1024);
            var read = await ReadSomeAsync(stream, memory[..Math.Min(memory.Length, maxBytes - output.WrittenCount)], cancellationToken);
            if (read == 0)
            {
                return (output.WrittenSpan.ToArray(), false);
            }

            output.Advance(read);
        }

        var more = new byte[1];
        return (output.WrittenSpan.ToArray(), await ReadSomeAsync(stream, more, cancellationToken) > 0);
    }

    private static async ValueTask<int> ReadSomeAsync(Stream stream, Memory<byte> into, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.ReadAsync(into, cancellationToken);
        }
        catch (InvalidOperationException exception) when (exception is not ObjectDisposedException)
        {
            // What GZipStream and DeflateStream call InvalidDataException, BrotliStream calls so.
            throw new InvalidDataException("The body cannot be decompressed.", exception);
        }
    }
}
