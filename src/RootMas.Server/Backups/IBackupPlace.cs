using System.Text.Json;

namespace RootMas.Server.Backups;

/// <summary>A backup as one place has it.</summary>
/// <param name="Record">Null: only the archive is there.</param>
internal sealed record StoredBackup(string Id, string Place, BackupRecord? Record)
{
    /// <summary>False: another installation keeps its backups in the same place.</summary>
    public bool Own { get; init; } = true;

    /// <summary>Why its record could not be read, although there is one; null: it was read, or there is none. Nobody knows whose it is and what its last check found, so it is not deleted.</summary>
    public string? Unread { get; init; }
}

/// <summary>Where archives lie: a folder, or a bucket.</summary>
internal interface IBackupPlace
{
    /// <summary>For people and answers: local, offsite, s3.</summary>
    string Name { get; }

    /// <summary>Newest first.</summary>
    Task<IReadOnlyList<StoredBackup>> ListAsync(CancellationToken cancellationToken);

    /// <summary>The archive first, so that a record never stands alone.</summary>
    Task PutAsync(BackupRecord record, string archive, CancellationToken cancellationToken);

    Task PutRecordAsync(BackupRecord record, CancellationToken cancellationToken);

    /// <exception cref="BackupException">It is not there.</exception>
    Task FetchAsync(string id, string target, CancellationToken cancellationToken);

    Task DeleteAsync(string id, CancellationToken cancellationToken);
}

/// <summary>A folder of this machine, or one that is mounted.</summary>
internal sealed class BackupFolder(string name, string path) : IBackupPlace
{
    /// <summary>Ends the names of what is not whole yet.</summary>
    public const string Partial = ".partial";

    private static readonly TimeSpan IsForgotten = TimeSpan.FromDays(1);

    public string Name => name;

    /// <summary>
    /// The folder of archives, for one on another disk. That one is never made here: where its disk is not mounted, a folder in its place would be one of this machine, and its copies none.
    /// Nor may it lead to the folder of archives, where each archive would count as its own copy. Null: this is that folder.
    /// </summary>
    public string? ElsewhereThan { get; init; }

    public string PathOf(string id) => Path.Combine(path, BackupNames.ArchiveOf(id));

    /// <summary>Removes what killed processes left behind long ago.</summary>
    public static void Sweep(string path, DateTimeOffset now)
    {
        var old = (now - IsForgotten).UtcDateTime;
        foreach (var file in Directory.EnumerateFiles(path, "*" + Partial).Where(f => File.GetLastWriteTimeUtc(f) < old).ToList())
        {
            File.Delete(file);
        }

        foreach (var folder in Directory.EnumerateDirectories(path, ScratchFolder.Prefix + "*").Where(f => Directory.GetLastWriteTimeUtc(f) < old).ToList())
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public async Task<IReadOnlyList<StoredBackup>> ListAsync(CancellationToken cancellationToken)
    {
        RequireDisk();
        var found = new List<StoredBackup>();
        var files = Directory.Exists(path) ? Directory.EnumerateFiles(path, "*" + BackupNames.Archive) : [];
        foreach (var id in files.Select(static f => BackupNames.IdOf(Path.GetFileName(f), BackupNames.Archive)).OfType<string>().OrderDescending(StringComparer.Ordinal))
        {
            found.Add(await StoredAsync(id, cancellationToken));
        }

        return found;
    }

    public async Task PutAsync(BackupRecord record, string archive, CancellationToken cancellationToken)
    {
        RequireDisk();
        await PrivateFiles.CopyAsync(archive, PathOf(record.Id), cancellationToken);
        await PutRecordAsync(record, cancellationToken);
    }

    public Task PutRecordAsync(BackupRecord record, CancellationToken cancellationToken) =>
        PrivateFiles.WriteAsync(Path.Combine(path, BackupNames.RecordOf(record.Id)), JsonSerializer.SerializeToUtf8Bytes(record, BackupJson.Options), cancellationToken);

    public Task FetchAsync(string id, string target, CancellationToken cancellationToken) => PrivateFiles.CopyAsync(PathOf(id), target, cancellationToken);

    public Task DeleteAsync(string id, CancellationToken cancellationToken)
    {
        File.Delete(Path.Combine(path, BackupNames.RecordOf(id)));
        File.Delete(PathOf(id));
        return Task.CompletedTask;
    }

    private void RequireDisk()
    {
        if (ElsewhereThan is null)
        {
            return;
        }

        if (!Directory.Exists(path))
        {
            throw new BackupException(BackupFailure.Unreachable, $"{path} is not there. Is its disk mounted? The server does not make this folder: make it once, on that disk.");
        }

        if (BackupSetup.IsIn(path, ElsewhereThan))
        {
            throw new BackupException(BackupFailure.Unreachable, $"{path} leads to {ElsewhereThan}, where archives are already, so nothing is copied. Name a folder on another machine's disk in Backups:OffsiteFolder.");
        }
    }

    private async Task<StoredBackup> StoredAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            await using var file = PrivateFiles.Read(Path.Combine(path, BackupNames.RecordOf(id)));
            return new StoredBackup(id, name, BackupRecord.Only(await JsonSerializer.DeserializeAsync<BackupRecord>(file, BackupJson.Options, cancellationToken), id));
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or JsonException)
        {
            return new StoredBackup(id, name, null); // the archive is what counts; a check writes the record anew
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return new StoredBackup(id, name, null) { Unread = e.Message };
        }
    }
}
