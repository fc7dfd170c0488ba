using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;

namespace RootMas.Server.Backups;

/// <summary>Reads archives. They come from outside: nothing is written beside the folder, and nothing that the manifest does not announce.</summary>
internal static class ArchiveReader
{
    private const int LargestManifest = 16 * 1024 * 1024;
    private const int BufferBytes = 1 << 17;

    /// <exception cref="BackupException">It is no archive of ours, or of a later form.</exception>
    public static Task<BackupManifest> ReadManifestAsync(string path, CancellationToken cancellationToken) =>
        ReadAsync(path, static (_, manifest, _) => Task.FromResult(manifest), cancellationToken);

    /// <summary>Everything into a folder, each file compared with the manifest.</summary>
    /// <exception cref="BackupException">It is not what the manifest says.</exception>
    public static Task<BackupManifest> ExtractAsync(string path, string folder, CancellationToken cancellationToken) => ExtractAsync(path, _ => folder, cancellationToken);

    /// <summary>As above, into one of several folders.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="folderOf">Where the entry of a name goes.</param>
    /// <param name="cancellationToken">Stops it between two pieces.</param>
    public static Task<BackupManifest> ExtractAsync(string path, Func<string, string> folderOf, CancellationToken cancellationToken) => ReadAsync(
        path,
        async (tar, manifest, stop) =>
        {
            foreach (var file in manifest.Files)
            {
                if (!IsInside(file.Name) || await tar.GetNextEntryAsync(copyData: false, stop) is not { EntryType: TarEntryType.RegularFile } entry || entry.Name != file.Name)
                {
                    throw Damaged(path, $"{file.Name} is not where the manifest says");
                }

                await ExtractAsync(path, entry, file, System.IO.Path.Combine(folderOf(file.Name), file.Name), stop);
            }

            return await tar.GetNextEntryAsync(copyData: false, stop) is null ? manifest : throw Damaged(path, "it holds more than its manifest says");
        },
        cancellationToken);

    /// <summary>What lies under the name of a backup must be that backup: another one would be restored, or its record written, in its place.</summary>
    /// <param name="id">Which one was fetched; null: a file that was named, whatever it is called.</param>
    /// <exception cref="BackupException">It is another one.</exception>
    public static void RequireIs(BackupManifest manifest, string path, string? id)
    {
        if (id is not null && manifest.Id != id)
        {
            throw Damaged(path, $"it is the backup {manifest.Id}, copied or renamed");
        }
    }

    private static async Task<BackupManifest> ReadAsync(string path, Func<TarReader, BackupManifest, CancellationToken, Task<BackupManifest>> read, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = PrivateFiles.Read(path);
            await using var gzip = new GZipStream(file, CompressionMode.Decompress);
            await using var tar = new TarReader(gzip);
            return await read(tar, await ManifestAsync(path, tar, cancellationToken), cancellationToken);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or FormatException or JsonException)
        {
            throw Damaged(path, "it cannot be read", e);
        }
    }

    private static async Task<BackupManifest> ManifestAsync(string path, TarReader tar, CancellationToken cancellationToken)
    {
        if (await tar.GetNextEntryAsync(copyData: false, cancellationToken) is not { EntryType: TarEntryType.RegularFile, Name: BackupManifest.EntryName, Length: <= LargestManifest, DataStream: { } content })
        {
            throw Damaged(path, "it does not begin with a manifest");
        }

        var manifest = await JsonSerializer.DeserializeAsync<BackupManifest>(content, BackupJson.Options, cancellationToken) ?? throw Damaged(path, "its manifest is empty");
        if (manifest.Format != BackupManifest.CurrentFormat)
        {
            throw new BackupException(BackupFailure.Newer, $"{System.IO.Path.GetFileName(path)} has the form {manifest.Format}, made by version {manifest.ProgramVersion}; this program reads form {BackupManifest.CurrentFormat}. Nothing was changed. Use that version.");
        }

        // It becomes part of paths, and of the record's name.
        return manifest.Id is { } id && BackupNames.IsId(id) ? manifest : throw Damaged(path, "its manifest names no backup");
    }

    private static async Task ExtractAsync(string path, TarEntry entry, BackupFile file, string target, CancellationToken cancellationToken)
    {
        PrivateFiles.Folder(System.IO.Path.GetDirectoryName(target)!);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        long length = 0;
        await using (var to = PrivateFiles.Create(target))
        {
            var buffer = new byte[BufferBytes];
            while (entry.DataStream is { } content && await content.ReadAsync(buffer, cancellationToken) is > 0 and var read)
            {
                length += read;
                if (length > file.Size)
                {
                    break;
                }

                hash.AppendData(buffer, 0, read);
                await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }

            await PrivateFiles.FlushToDiskAsync(to, cancellationToken);
        }

        if (length != file.Size || Convert.ToHexStringLower(hash.GetHashAndReset()) != file.Sha256)
        {
            throw Damaged(path, $"{file.Name} is not what the manifest says");
        }
    }

    /// <summary>Relative, without a way out.</summary>
    private static bool IsInside(string name) => !name.Contains('\\', StringComparison.Ordinal) && name.Split('/').All(static part => part is not ("" or "." or "..") && !part.Contains('\0', StringComparison.Ordinal));

    private static BackupException Damaged(string path, string what, Exception? inner = null) =>
        new(BackupFailure.Damaged, $"{System.IO.Path.GetFileName(path)} is damaged: {what}. Nothing was changed. Use another backup, or another copy of this one.", inner);
}
