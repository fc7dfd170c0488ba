using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>Restores an archive into a scratch database and looks whether it is what its source was: checksums, integrity, rows of each table, the audit chain, and whether the keys in it can be read.</summary>
internal sealed class BackupVerifier(BackupSetup setup)
{
    /// <summary>Damage is a finding, not an exception; what says nothing about the archive (rights, programs, another key, a server or disk that is away) is an exception, not a finding.</summary>
    /// <param name="path">The archive.</param>
    /// <param name="id">The backup that it must be; null: a file that was named, whatever it is called.</param>
    /// <returns>The record to be kept beside the archive; null: it is so damaged that nothing is known about it.</returns>
    /// <exception cref="BackupException">It could not be looked at. What its last check found is as true as before.</exception>
    public async Task<(BackupRecord? Record, Verification Result)> VerifyAsync(string path, string? id, CancellationToken cancellationToken)
    {
        BackupRecord? record = null;
        try
        {
            PrivateFiles.Folder(setup.Folder);
            using var scratch = new ScratchFolder(setup.Folder, "verify");
            var sha256 = await ArchiveSeal.CheckAsync(path, cancellationToken);
            var first = await ArchiveReader.ReadManifestAsync(path, cancellationToken);
            ArchiveReader.RequireIs(first, path, id);
            record = BackupRecord.Of(first, new FileInfo(path).Length, sha256);
            var manifest = await ArchiveReader.ExtractAsync(path, scratch.Path, cancellationToken);
            var result = await CheckAsync(manifest, scratch.Path, cancellationToken);
            return (record with { Verification = result }, result);
        }
        catch (BackupException e) when (e.Failure is BackupFailure.Damaged)
        {
            var result = new Verification(setup.Time.GetUtcNow(), [e.Message], []);
            return (record is null ? null : record with { Verification = result }, result);
        }
        catch (Exception e) when (e is BackupException { Failure: BackupFailure.Failed } or not (BackupException or OperationCanceledException))
        {
            throw new BackupException(BackupFailure.Unable, $"{Path.GetFileName(path)} could not be checked: {e.Message} It is as it was, and so is what its last check found. Look at free space and rights in {setup.Folder}, and at the database server, then verify it again.", e);
        }
    }

    /// <summary>Keys and configuration with secrets; empty: the archive has none.</summary>
    /// <exception cref="BackupException">The operator's key is another one, or is not given.</exception>
    public static async Task<IReadOnlyDictionary<string, byte[]>> OpenKeysAsync(BackupSetup setup, BackupManifest manifest, string folder, CancellationToken cancellationToken)
    {
        if (!manifest.Keys.Included)
        {
            return new Dictionary<string, byte[]>(StringComparer.Ordinal);
        }

        var key = setup.Key ?? throw new BackupException(BackupFailure.OtherKey,
            $"The keys in this backup are encrypted, and no key is given to read them. Nothing was changed. Give the one that was in use when it was made, by {BackupSetup.KeyVariable} or {BackupSetup.KeyVariable}_FILE.");
        return SealedFiles.Open(key, manifest.Id, await File.ReadAllBytesAsync(Path.Combine(folder, SealedFiles.EntryName), cancellationToken));
    }

    /// <summary>Compares an open copy with its manifest, and walks its audit chain.</summary>
    public static async Task<(List<string> Problems, List<string> Notes)> CompareAsync(ScratchDatabase scratch, BackupManifest manifest, IReadOnlyList<AuditKey> keys, CancellationToken cancellationToken)
    {
        List<string> problems = [.. scratch.Problems, .. DatabaseReading.Differences(manifest.Database, scratch.Facts)], notes = [];
        if (manifest.Database.AuditHead is not { } text)
        {
            return (problems, notes);
        }

        if (scratch.Problems.Count > 0)
        {
            return (problems, ["the audit log was not walked, for the database itself is damaged"]);
        }

        var check = await new AuditVerifier(new AuditStore(scratch.Database), keys) { PassesOverOtherKeys = true }.RunAsync(HeadOf(text), cancellationToken);
        problems.AddRange(check.Problems.Select(static p => "audit log: " + p));
        if (check.OfOtherKeys > 0)
        {
            notes.Add($"{check.OfOtherKeys} rows of the audit log were made with a key that is not here, so only their order and the end of the log were compared");
        }

        return (problems, notes);
    }

    private async Task<Verification> CheckAsync(BackupManifest manifest, string folder, CancellationToken cancellationToken)
    {
        var keys = await OpenKeysAsync(setup, manifest, folder, cancellationToken);
        var copy = setup.CopyOf(manifest.Database.Kind);
        await using var scratch = await copy.OpenScratchAsync(Path.Combine(folder, copy.EntryName), manifest.Database, cancellationToken);
        var (problems, notes) = await CompareAsync(scratch, manifest, await setup.AuditKeysAsync(keys, scratch.Database, cancellationToken), cancellationToken);
        if (!manifest.Keys.Included && manifest.Keys.Names.Count > 0)
        {
            notes.Add(manifest.Keys.Note);
        }

        return new Verification(setup.Time.GetUtcNow(), problems, notes);
    }

    private static AuditHead HeadOf(string text) => text.Split(':') is [var id, var mac] ? new AuditHead(long.Parse(id, System.Globalization.CultureInfo.InvariantCulture), mac) : new AuditHead(0, "");
}
