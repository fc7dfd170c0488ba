using System.Globalization;

namespace RootMas.Server.Backups;

/// <summary>A backup that was made, and what did not go well although it was.</summary>
internal sealed record BackupOutcome(BackupRecord Record, IReadOnlyList<string> Warnings);

/// <summary>Everything about archives that needs no running server: make, check, copy to the other places, clear up, find.</summary>
internal sealed class BackupDesk(BackupSetup setup)
{
    private readonly BackupFolder _local = new("local", setup.Folder);
    private readonly List<IBackupPlace> _offsite = [.. OffsiteOf(setup)];
    private string? _installation;

    /// <summary>The folder, then the other places.</summary>
    public IReadOnlyList<IBackupPlace> Places => [_local, .. _offsite];

    /// <exception cref="BackupException">It could not be made. What could not be done with it afterwards, its check too, is a warning.</exception>
    public async Task<BackupOutcome> CreateAsync(string reason, bool verify, CancellationToken cancellationToken)
    {
        var record = await new BackupMaker(setup).MakeAsync(reason, cancellationToken);
        var warnings = new List<string>();
        if (verify)
        {
            await TryAsync(_local, warnings, async local =>
            {
                var (read, result) = await new BackupVerifier(setup).VerifyAsync(_local.PathOf(record.Id), cancellationToken);
                record = (read ?? record) with { Verification = result };
                warnings.AddRange(result.Problems);
                await local.PutRecordAsync(record, cancellationToken);
            });
        }

        foreach (var place in _offsite)
        {
            await TryAsync(place, warnings, p => p.PutAsync(record, _local.PathOf(record.Id), cancellationToken));
        }

        foreach (var place in Places)
        {
            await TryAsync(place, warnings, p => RetainAsync(p, record.Installation, cancellationToken));
        }

        return new BackupOutcome(record, warnings);
    }

    /// <summary>Checks one, wherever it is, and keeps the result beside the copy that was read: of the others it says nothing.</summary>
    /// <exception cref="BackupException">It is nowhere, or could not be looked at. Nothing was written.</exception>
    public async Task<(string Id, BackupRecord? Record, Verification Result)> VerifyAsync(string id, CancellationToken cancellationToken)
    {
        using var fetched = await FetchAsync(id, cancellationToken);
        var (record, result) = await new BackupVerifier(setup).VerifyAsync(fetched.Path, cancellationToken);
        if (fetched.From is { } from && (record ?? from.Record) is { } known)
        {
            await Places.Single(p => p.Name == from.Place).PutRecordAsync(known with { Verification = result }, cancellationToken);
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

        var own = all.Exists(static b => b.Record?.Installation is not null) ? await InstallationAsync(cancellationToken) : null;
        return ([.. all.Select(b => b with { Own = own is null || b.Record is null || b.Record.IsOf(own) }).OrderByDescending(static b => b.Id, StringComparer.Ordinal)], warnings);
    }

    /// <summary>The archive as a file: that of the folder, or a copy from another place for as long as it is held.</summary>
    /// <param name="idOrPath">An id, <c>latest</c>, or the path of an archive.</param>
    /// <exception cref="BackupException">It is nowhere, or which one is meant cannot be told.</exception>
    public async Task<FetchedArchive> FetchAsync(string idOrPath, CancellationToken cancellationToken)
    {
        if (File.Exists(idOrPath))
        {
            return new FetchedArchive(Path.GetFullPath(idOrPath), null, null);
        }

        var (all, warnings) = await ListAsync(cancellationToken);
        var found = idOrPath == "latest" ? Latest(all) : all.Find(b => b.Id == idOrPath);
        if (found is null)
        {
            throw new BackupException(BackupFailure.NotFound, $"There is no backup {(idOrPath.Length > 100 ? idOrPath[..100] : idOrPath)}. 'rootmas backup list' shows those there are.{string.Concat(warnings.Select(static w => " " + w))}");
        }

        if (found.Place == _local.Name)
        {
            return new FetchedArchive(_local.PathOf(found.Id), found, null);
        }

        PrivateFiles.Folder(setup.Folder);
        var scratch = new ScratchFolder(setup.Folder, found.Id);
        try
        {
            var target = Path.Combine(scratch.Path, BackupNames.ArchiveOf(found.Id));
            await _offsite.Single(p => p.Name == found.Place).FetchAsync(found.Id, target, cancellationToken);
            return new FetchedArchive(target, found, scratch);
        }
        catch
        {
            scratch.Dispose();
            throw;
        }
    }

    /// <summary>Of what lies in the places, the newest that is this installation's. Where there is no database yet, everything in them must be of one installation.</summary>
    /// <exception cref="BackupException">There are only others', or several installations' and no telling which is meant.</exception>
    private static StoredBackup? Latest(List<StoredBackup> all)
    {
        var newest = all.Find(static b => b.Own);
        var installations = all.Where(static b => b.Own).Select(static b => b.Record?.Installation).OfType<string>().Distinct(StringComparer.Ordinal).Count();
        return (newest is null && all.Count > 0) || installations > 1
            ? throw new BackupException(BackupFailure.Mismatch, $"{(newest is null ? "All backups there are of another installation" : "Backups of several installations are there")}, so 'latest' is not taken. Nothing was changed. 'rootmas backup list' shows them: name the one that is meant by its id.")
            : newest;
    }

    /// <summary>Of the database that is here; null: there is none, or it cannot be read, which a restore may be about to mend.</summary>
    private async Task<string?> InstallationAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _installation ??= await setup.Copy().MadeAtAsync(cancellationToken) is { } made ? DatabaseFacts.InstallationOf(made) : null;
        }
        catch (BackupException)
        {
            return null;
        }
    }

    /// <summary>Deletes by count and age; never the newest, and never the newest verified one. What another installation keeps in the same place is not ours to delete.</summary>
    private async Task RetainAsync(IBackupPlace place, string? installation, CancellationToken cancellationToken)
    {
        var own = (await place.ListAsync(cancellationToken)).Where(b => b.Record is null || b.Record.IsOf(installation)).ToList();
        var options = setup.Options;
        if (place == _local && _offsite.Count > 0 && options.KeepLocal > 0)
        {
            options = options with { Keep = Math.Min(options.Keep, options.KeepLocal) };
        }

        foreach (var old in Surplus(own, options, setup.Time.GetUtcNow()))
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
/// <param name="from">Which one of which place it is; null: a file that was named.</param>
internal sealed class FetchedArchive(string path, StoredBackup? from, IDisposable? copy) : IDisposable
{
    public string Path => path;

    public StoredBackup? From => from;

    public void Dispose() => copy?.Dispose();
}
