using System.Buffers.Binary;
using System.Security.Cryptography;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>
/// A partition with its graph as a file, so that a start does not build it again: head, ids, stamps, marks, rows, links, and the SHA-256 of all that. It can be lost at any time: whatever does not fit the database is read or built anew.
/// </summary>
internal static class HnswFile
{
    /// <summary>Ends the name of a file that is being written.</summary>
    public const string Unfinished = ".new";

    private const int HeadLength = 48;

    /// <summary>What it is, and the version of its form.</summary>
    private static ReadOnlySpan<byte> Magic => "RMHNSW02"u8;

    /// <summary>The form before. Its 32 bits a number may be rounded ones: of a partition that had been large enough for 8.</summary>
    private static ReadOnlySpan<byte> OldMagic => "RMHNSW01"u8;

    /// <summary>Only a content with a graph, and nobody inserts into it meanwhile.</summary>
    public static async Task WriteAsync(string path, PartitionContent content, CancellationToken cancellationToken)
    {
        var graph = content.Graph ?? throw new InvalidOperationException("Only a graph is kept.");
        var temporary = path + Unfinished;
        await using (var file = Open(temporary, FileMode.Create, FileAccess.Write))
        {
            using var hash = SHA256.Create();
            var hashed = new CryptoStream(file, hash, CryptoStreamMode.Write, leaveOpen: true);
            await using (hashed)
            {
                await WriteAsync(hashed, content, graph, cancellationToken);
                await hashed.FlushFinalBlockAsync(cancellationToken);
            }

            await file.WriteAsync(hash.Hash, cancellationToken);
            await file.FlushAsync(cancellationToken);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Null: there is none, or it is damaged or of another kind.</summary>
    public static async Task<PartitionContent?> ReadAsync(string path, int dimension, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        try
        {
            await using var file = Open(path, FileMode.Open, FileAccess.Read);
            return await IsWholeAsync(file, cancellationToken) ? await ReadAsync(file, dimension, cancellationToken) : null;
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return null; // what is derived is derived again
        }
    }

    /// <summary>The entries of which it keeps vectors, with their stamps; removed ones too, whose stamp is null. Null: it cannot be read.</summary>
    public static async Task<List<(Guid Id, long? Stamp)>?> ListAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = Open(path, FileMode.Open, FileAccess.Read);
            var head = new byte[HeadLength];
            await file.ReadExactlyAsync(head, cancellationToken);
            var count = BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(20));
            var (ids, stamps, alive) = (new RowBlocks<Guid>(1), new RowBlocks<long>(1), new RowBlocks<byte>(1));
            if (count < 0)
            {
                return null;
            }

            await ids.ReadAsync(file, count, cancellationToken);
            await stamps.ReadAsync(file, count, cancellationToken);
            await alive.ReadAsync(file, count, cancellationToken);
            return [.. Enumerable.Range(0, count).Select(row => (ids[row][0], alive[row][0] == 0 ? (long?)null : stamps[row][0]))];
        }
        catch (EndOfStreamException)
        {
            return null;
        }
    }

    private static async Task WriteAsync(Stream stream, PartitionContent content, HnswGraph graph, CancellationToken cancellationToken)
    {
        var count = graph.Count;
        var head = new byte[HeadLength];
        Magic.CopyTo(head);
        int[] numbers = [content.Rows.Dimension, HnswGraph.Links, content.Rows.IsExact ? 0 : 1, count, graph.EntryPoint.Row, graph.EntryPoint.Level, graph.Layers.UpperCount];
        for (var i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(head.AsSpan(8 + (4 * i)), numbers[i]);
        }

        await stream.WriteAsync(head, cancellationToken);
        await content.AllIds.WriteAsync(stream, count, cancellationToken);
        await content.Stamps.WriteAsync(stream, count, cancellationToken);
        await content.Alive.WriteAsync(stream, count, cancellationToken);
        await content.Rows.SaveAsync(stream, count, cancellationToken);
        await graph.Layers.SaveAsync(stream, count, cancellationToken);
    }

    private static async Task<PartitionContent?> ReadAsync(Stream stream, int dimension, CancellationToken cancellationToken)
    {
        var head = new byte[HeadLength];
        await stream.ReadExactlyAsync(head, cancellationToken);
        int Number(int i) => BinaryPrimitives.ReadInt32LittleEndian(head.AsSpan(8 + (4 * i)));
        var count = Number(3);
        var isKnown = head.AsSpan().StartsWith(Magic) || (head.AsSpan().StartsWith(OldMagic) && Number(2) != 0);
        if (!isKnown || Number(0) != dimension || Number(1) != HnswGraph.Links || Number(4) < 0 || Number(4) >= count)
        {
            return null;
        }

        var content = new PartitionContent(Number(2) == 0 ? new FloatRows(dimension) : new ByteRows(dimension));
        await content.AllIds.ReadAsync(stream, count, cancellationToken);
        await content.Stamps.ReadAsync(stream, count, cancellationToken);
        await content.Alive.ReadAsync(stream, count, cancellationToken);
        await content.Rows.LoadAsync(stream, count, cancellationToken);
        content.Index(count);
        var graph = new HnswGraph(content.Rows);
        await graph.Layers.LoadAsync(stream, count, Number(6), cancellationToken);
        if (HnswGraph.LevelOf(Number(4)) != Number(5))
        {
            return null;
        }

        graph.Restore(count, Number(4), Number(5));
        content.Graph = graph;
        return content;
    }

    private static async Task<bool> IsWholeAsync(FileStream file, CancellationToken cancellationToken)
    {
        var length = file.Length - SHA256.HashSizeInBytes;
        if (length < HeadLength)
        {
            return false;
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[1 << 20];
        for (var left = length; left > 0;)
        {
            var read = await file.ReadAsync(buffer.AsMemory(0, (int)Math.Min(left, buffer.Length)), cancellationToken);
            if (read == 0)
            {
                return false;
            }

            hash.AppendData(buffer, 0, read);
            left -= read;
        }

        var kept = new byte[SHA256.HashSizeInBytes];
        await file.ReadExactlyAsync(kept, cancellationToken);
        file.Position = 0;
        return kept.AsSpan().SequenceEqual(hash.GetHashAndReset());
    }

    private static FileStream Open(string path, FileMode mode, FileAccess access)
    {
        var how = new FileStreamOptions { Mode = mode, Access = access, BufferSize = 1 << 20, Options = FileOptions.Asynchronous | FileOptions.SequentialScan };
        if (!OperatingSystem.IsWindows() && mode != FileMode.Open)
        {
            how.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite; // as everything in the data directory
        }

        return new FileStream(path, how);
    }
}
