using System.Globalization;

namespace RootMas.Server.Backups;

/// <summary>A backup that was made, and what did not go well although it was.</summary>
internal sealed record BackupOutcome(BackupRecord Record, IReadOnlyList<string> Warnings);

/// <summary>Everything about archives that needs no running server: make, check, copy to the other places, clear up, find.</summary>
internal sealed class BackupDesk(BackupSetup setup)
{
    private readonly BackupFolder _local = new("local", setup.Folder);
    private readonly List<IBackupPlace> _offsite = [.. OffsiteOf(setup)];

    /// <summary>The folder, then the other places.</summary>
    public IReadOnlyList<IBackupPlace> Places => [_local, .. _offsite];

    /// <exception cref="BackupException">It could not be made. What could not be done with it afterwards is a warning.</exception>
    public async Task<BackupOutcome> CreateAsync(string reason, bool verify, CancellationToken cancellationToken)
    {
        var record = await new BackupMaker(setup).MakeAsync(reason, cancellationToken);
        var warnings = new List<string>();
        if (verify)
        {
            record = (await new BackupVerifier(setup).VerifyAsync(_local.PathOf(record.Id), cancellationToken)) is { Record: { } verified } ? verified : record;
            await _local.PutRecordAsync(record, cancellationToken);
            warnings.AddRange(record.Verification?.Problems ?? []);
        }

        foreach (var place in _offsite)
        {
            await TryAsync(place, warnings, p => p.PutAsync(record, _local.PathOf(record.Id), cancellationToken));
        }

        foreach (var place in Places)
        {
            await TryAsync(place, warnings, p => RetainAsync(p, cancellationToken));
        }

        return new BackupOutcome(record, warnings);
    }

    /// <summary>Checks one, wherever it is, and keeps the result beside it everywhere.</summary>
    public async Task<(string Id, BackupRecord? Record, Verification Result)> VerifyAsync(string id, CancellationToken cancellationToken)
    {
        using var fetched = await FetchAsync(id, cancellationToken);
        var (record, result) = await new BackupVerifier(setup).VerifyAsync(fetched.Path, cancellationToken);
        foreach (var place in Places)
        {
            if ((await ListAsync(place, [], cancellationToken)).FirstOrDefault(b => b.Id == id) is { } stored && (record ?? stored.Record) is { } known)
            {
                await place.PutRecordAsync(known with { Verification = result }, cancellationToken);
            }
        }

        return (id, record, result);
    }

    /// <summary>What each place has, newest first; a place that does not answer is a warning.</summary>
    public async Task<(List<StoredBackup> Backups, List<string> Warnings)> ListAsync(CancellationToken cancellationToken)
    {
        var (all, warnings) = (new List<StoredBackup>(), new List<string>());
        foreach (var place in Places)
        {
            all.AddRange(await ListAsync(place, warnings, cancellationToken));
        }

        return ([.. all.OrderByDescending(static b => b.Id, StringComparer.Ordinal)], warnings);
    }

    /// <summary>The archive as a file: that of the folder, or a copy from another place for as long as it is held.</summary>
    /// <param name="idOrPath">An id, <c>latest</c>, or the path of an archive.</param>
    /// <exception cref="BackupException">It is nowhere.</exception>
    public async Task<FetchedArchive> FetchAsync(string idOrPath, CancellationToken cancellationToken)
    {
        if (File.Exists(idOrPath))
        {
            return new FetchedArchive(Path.GetFullPath(idOrPath), null);
        }

        var (all, warnings) = await ListAsync(cancellationToken);
        var found = idOrPath == "latest" ? all.FirstOrDefault() : all.Find(b => b.Id == idOrPath);
        if (found is null)
        {
            throw new BackupException(BackupFailure.NotFound, $"There is no backup {(idOrPath.Length > 100 ? idOrPath[..100] : idOrPath)}. 'rootmas backup list' shows those there are.{string.Concat(warnings.Select(static w => " " + w))}");
        }

        if (found.Place == _local.Name)
        {
            return new FetchedArchive(_local.PathOf(found.Id), null);
        }

        PrivateFiles.Folder(setup.Folder);
        var scratch = new ScratchFolder(setup.Folder, found.Id);
        try
        {
            var target = Path.Combine(scratch.Path, BackupNames.ArchiveOf(found.Id));
            await _offsite.Single(p => p.Name == found.Place).FetchAsync(found.Id, target, cancellationToken);
            return new FetchedArchive(target, scratch);
        }
        catch
        {
            scratch.Dispose();
            throw;
        }
    }

    /// <summary>Deletes by count and age; never the newest, and never the newest verified one.</summary>
    private async Task RetainAsync(IBackupPlace place, CancellationToken cancellationToken)
    {
        foreach (var old in Surplus(await place.ListAsync(cancellationToken), setup.Options, setup.Time.GetUtcNow()))
        {
            await place.DeleteAsync(old.Id, cancellationToken);
        }
    }

    internal static IEnumerable<StoredBackup> Surplus(IReadOnlyList<StoredBackup> backups, BackupOptions options, DateTimeOffset now)
    {
        var newest = backups.OrderByDescending(static b => b.Id, StringComparer.Ordinal).ToList();
        var verified = newest.Find(static b => b.Record?.Verification is { Ok: true });
        return newest.Where((b, i) => i > 0 && b != verified && (i >= options.Keep || now - TimeOf(b.Id) > options.KeepFor));
    }

    internal static DateTimeOffset TimeOf(string id) =>
        DateTimeOffset.ParseExact(id[..16], "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    private static async Task<IReadOnlyList<StoredBackup>> ListAsync(IBackupPlace place, List<string> warnings, CancellationToken cancellationToken)
    {
        IReadOnlyList<StoredBackup> found = [];
        await TryAsync(place, warnings, async p => found = await p.ListAsync(cancellationToken));
        return found;
    }

    /// <summary>A place that fails does not keep the others from being served.</summary>
    private static async Task TryAsync(IBackupPlace place, List<string> warnings, Func<IBackupPlace, Task> work)
    {
        try
        {
            await work(place);
        }
        catch (Exception e) when (e is BackupException or IOException or UnauthorizedAccessException)
        {
            warnings.Add($"{place.Name}: {e.Message}");
        }
    }

    private static IEnumerable<IBackupPlace> OffsiteOf(BackupSetup setup)
    {
        if (setup.Options.OffsiteFolder.Length > 0)
        {
            yield return new BackupFolder("offsite", setup.Tree.Resolve(setup.Options.OffsiteFolder));
        }

        if (setup.Options.S3.IsSet)
        {
            yield return new S3Place(new S3Client(setup.Options.S3, setup.Policies.Get("s3"), setup.Time), setup.Options.S3.Prefix);
        }
    }
}

/// <summary>An archive that can be read, and a copy that goes when it is no longer needed.</summary>
internal sealed class FetchedArchive(string path, IDisposable? copy) : IDisposable
{
    public string Path => path;

    public void Dispose() => copy?.Dispose();
}
