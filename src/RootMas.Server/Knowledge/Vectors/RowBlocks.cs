using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>
/// Rows of equal width that grow without moving what is there, in blocks of 1,024; the first block starts small, because most partitions are. One writes at a time, any number reads beside: a reader sees every row below a count that it read before.
/// </summary>
internal sealed class RowBlocks<T>(int width)
    where T : unmanaged
{
    private const int Shift = 10;
    private const int RowsPerBlock = 1 << Shift;
    private const int Smallest = 8;

    /// <summary>Bytes that memory hands over at once.</summary>
    private const int Line = 64;

    /// <summary>So many lines of a row are asked for beforehand: the processor sees the rest coming once it reads.</summary>
    private const int LinesAhead = 8;

    private T[][] _blocks = [[]];

    public int Width => width;

    /// <summary>Bytes that are taken.</summary>
    public long Bytes => Volatile.Read(ref _blocks).Sum(static b => (long)b.Length) * Unsafe.SizeOf<T>();

    public Span<T> this[int row] => Volatile.Read(ref _blocks)[row >> Shift].AsSpan((row & (RowsPerBlock - 1)) * width, width);

    /// <summary>Asks memory for the row and does not wait for it. What is asked for in vain costs nothing but its place in the processor's cache.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public unsafe void Prefetch(int row)
    {
        if (Sse.IsSupported)
        {
            ref var start = ref Unsafe.As<T, byte>(ref MemoryMarshal.GetReference(this[row]));
            var length = Math.Min(width * sizeof(T), LinesAhead * Line);
            for (var at = 0; at < length; at += Line)
            {
                Sse.Prefetch0(Unsafe.AsPointer(ref Unsafe.AddByteOffset(ref start, (nuint)at)));
            }
        }
    }

    /// <summary>Makes room for the row.</summary>
    public Span<T> Grow(int row)
    {
        var block = row >> Shift;
        if (block == _blocks.Length)
        {
            Volatile.Write(ref _blocks, [.. _blocks, new T[RowsPerBlock * width]]);
        }

        var needed = ((row & (RowsPerBlock - 1)) + 1) * width;
        if (_blocks[block].Length < needed)
        {
            var larger = new T[Math.Min(Math.Max(Math.Max(needed, Smallest * width), _blocks[block].Length * 2), RowsPerBlock * width)];
            _blocks[block].CopyTo(larger, 0);
            Volatile.Write(ref _blocks[block], larger);
        }

        return this[row];
    }

    /// <summary>The rows as one run of bytes, block by block.</summary>
    public async Task WriteAsync(Stream stream, int rows, CancellationToken cancellationToken)
    {
        for (var row = 0; row < rows; row += RowsPerBlock)
        {
            var block = _blocks[row >> Shift];
            var length = Math.Min(rows - row, RowsPerBlock) * width;
            var bytes = MemoryMarshal.AsBytes(block.AsSpan(0, length)).ToArray();
            await stream.WriteAsync(bytes, cancellationToken);
        }
    }

    /// <exception cref="EndOfStreamException">There is less.</exception>
    public async Task ReadAsync(Stream stream, int rows, CancellationToken cancellationToken)
    {
        for (var row = 0; row < rows; row += RowsPerBlock)
        {
            var length = Math.Min(rows - row, RowsPerBlock) * width;
            var bytes = new byte[length * Unsafe.SizeOf<T>()];
            await stream.ReadExactlyAsync(bytes, cancellationToken);
            Grow(row + (length / width) - 1);
            MemoryMarshal.Cast<byte, T>(bytes).CopyTo(_blocks[row >> Shift]);
        }
    }
}
