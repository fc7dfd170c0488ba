using System.Formats.Tar;
using System.IO.Compression;

namespace RootMas.Server.Backups;

/// <summary>A file that goes into an archive.</summary>
internal sealed record ArchiveFile(string Name, string Path);

/// <summary>Writes <c>tar.gz</c>, manifest first, and the seal at its end.</summary>
internal static class ArchiveWriter
{
    private const UnixFileMode Mode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Under another name, to the disk, then renamed: what has the archive's name is whole.</summary>
    /// <returns>Size and SHA-256 of the archive.</returns>
    public static async Task<(long Size, string Sha256)> WriteAsync(string path, byte[] manifest, IReadOnlyList<ArchiveFile> files, DateTimeOffset time, CancellationToken cancellationToken)
    {
        var partial = path + BackupFolder.Partial;
        try
        {
            string sha256;
            long size;
            await using (var file = PrivateFiles.Create(partial))
            await using (var hashing = new HashingStream(file))
            {
                await using (var gzip = new GZipStream(hashing, CompressionLevel.Fastest, leaveOpen: true))
                await using (var tar = new TarWriter(gzip, TarEntryFormat.Pax, leaveOpen: true))
                {
                    await AddAsync(tar, BackupManifest.EntryName, new MemoryStream(manifest), time, cancellationToken);
                    foreach (var (name, source) in files)
                    {
                        await AddAsync(tar, name, PrivateFiles.Read(source), time, cancellationToken);
                    }
                }

                await hashing.WriteAsync(ArchiveSeal.Of(hashing.Sha256), cancellationToken);
                (size, sha256) = (hashing.Length, Convert.ToHexStringLower(hashing.Sha256));
                await PrivateFiles.FlushToDiskAsync(file, cancellationToken);
            }

            File.Move(partial, path);
            return (size, sha256);
        }
        finally
        {
            File.Delete(partial);
        }
    }

    private static async Task AddAsync(TarWriter tar, string name, Stream content, DateTimeOffset time, CancellationToken cancellationToken)
    {
        await using var source = content;
        await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { Mode = Mode, ModificationTime = time, DataStream = source }, cancellationToken);
    }
}
