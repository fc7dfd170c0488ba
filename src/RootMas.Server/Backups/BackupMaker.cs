using System.Text.Json;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>Makes an archive in the folder, beside whoever reads and writes.</summary>
internal sealed class BackupMaker(BackupSetup setup)
{
    /// <exception cref="BackupException">It could not be made; nothing of it is left.</exception>
    /// <exception cref="StartupRefusedException">A restore was interrupted: what is there is neither the old nor the new.</exception>
    public async Task<BackupRecord> MakeAsync(string reason, CancellationToken cancellationToken)
    {
        HalfRestored.Refuse(setup.Data);
        var now = setup.Time.GetUtcNow();
        var id = BackupNames.NewId(now);
        now = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerSecond));
        try
        {
            BackupFolder.Sweep(PrivateFiles.Folder(setup.Folder), setup.Time.GetUtcNow());
            using var scratch = new ScratchFolder(setup.Folder, id);
            return await MakeAsync(id, reason, now, scratch.Path, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(BackupFailure.Failed, $"The backup could not be written to {setup.Folder}: {e.Message} Nothing of it was kept; earlier backups are as they were. Look at free space and rights there, or choose another place with Backups:Folder.", e);
        }
    }

    private async Task<BackupRecord> MakeAsync(string id, string reason, DateTimeOffset now, string scratch, CancellationToken cancellationToken)
    {
        var copy = setup.Copy();
        var database = Path.Combine(scratch, "database");
        var facts = await copy.CopyAsync(database, cancellationToken);
        var (files, keys) = await new BackupContent(setup).CollectAsync(id, scratch, cancellationToken);
        files.Insert(0, new ArchiveFile(copy.EntryName, database));
        var manifest = new BackupManifest
        {
            Id = id,
            CreatedAt = now,
            Reason = reason,
            ProgramVersion = ProgramVersion.Text,
            Database = facts,
            Keys = keys,
            Files = await HashAsync(files, cancellationToken),
        };
        var path = Path.Combine(setup.Folder, BackupNames.ArchiveOf(id));
        var (size, sha256) = await ArchiveWriter.WriteAsync(path, JsonSerializer.SerializeToUtf8Bytes(manifest, BackupJson.Options), files, now, cancellationToken);
        var record = BackupRecord.Of(manifest, size, sha256);
        try
        {
            await PrivateFiles.WriteAsync(Path.Combine(setup.Folder, BackupNames.RecordOf(id)), JsonSerializer.SerializeToUtf8Bytes(record, BackupJson.Options), cancellationToken);
            return record;
        }
        catch
        {
            File.Delete(path); // an archive of which nobody knows what it is would be listed, and never be cleared up by count
            throw;
        }
    }

    private static async Task<List<BackupFile>> HashAsync(IEnumerable<ArchiveFile> files, CancellationToken cancellationToken)
    {
        var hashed = new List<BackupFile>();
        foreach (var (name, path) in files)
        {
            var (size, sha256) = await PrivateFiles.HashAsync(path, cancellationToken);
            hashed.Add(new BackupFile(name, size, sha256));
        }

        return hashed;
    }
}

/// <summary>A folder for the time of one piece of work.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public const string Prefix = ".work-";

    public ScratchFolder(string parent, string name) => Path = PrivateFiles.Folder(System.IO.Path.Combine(parent, $"{Prefix}{name}-{Guid.NewGuid():N}"));

    public string Path { get; }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
