using System.Text.Json;

namespace RootMas.Server.Backups;

/// <summary>Archives in a bucket, each with its record beside it.</summary>
internal sealed class S3Place(S3Client client, string prefix) : IBackupPlace
{
    public string Name => "s3";

    public async Task<IReadOnlyList<StoredBackup>> ListAsync(CancellationToken cancellationToken)
    {
        var names = (await client.ListAsync(prefix, cancellationToken)).Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Select(n => n[prefix.Length..]).ToHashSet(StringComparer.Ordinal);
        var found = new List<StoredBackup>();
        foreach (var id in names.Select(static n => BackupNames.IdOf(n, BackupNames.Archive)).OfType<string>().OrderDescending(StringComparer.Ordinal))
        {
            found.Add(new StoredBackup(id, Name, names.Contains(BackupNames.RecordOf(id)) ? await RecordAsync(id, cancellationToken) : null));
        }

        return found;
    }

    public async Task PutAsync(BackupRecord record, string archive, CancellationToken cancellationToken)
    {
        await client.UploadAsync(prefix + BackupNames.ArchiveOf(record.Id), archive, cancellationToken);
        await PutRecordAsync(record, cancellationToken);
    }

    public Task PutRecordAsync(BackupRecord record, CancellationToken cancellationToken) =>
        client.PutAsync(prefix + BackupNames.RecordOf(record.Id), JsonSerializer.SerializeToUtf8Bytes(record, BackupJson.Options), cancellationToken);

    public Task FetchAsync(string id, string target, CancellationToken cancellationToken) => client.DownloadAsync(prefix + BackupNames.ArchiveOf(id), target, cancellationToken);

    public async Task DeleteAsync(string id, CancellationToken cancellationToken)
    {
        await client.DeleteAsync(prefix + BackupNames.RecordOf(id), cancellationToken);
        await client.DeleteAsync(prefix + BackupNames.ArchiveOf(id), cancellationToken);
    }

    private async Task<BackupRecord?> RecordAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            return BackupRecord.Only(JsonSerializer.Deserialize<BackupRecord>(await client.GetAsync(prefix + BackupNames.RecordOf(id), cancellationToken), BackupJson.Options), id);
        }
        catch (Exception e) when (e is JsonException or BackupException { Failure: BackupFailure.NotFound })
        {
            return null; // the archive is what counts; a check writes the record anew
        }
    }
}
