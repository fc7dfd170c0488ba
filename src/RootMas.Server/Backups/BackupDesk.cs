namespace RootMas.Server.Backups;

/// <summary>A backup that was made, and what did not go well although it was.</summary>
internal sealed record BackupOutcome(BackupRecord Record, IReadOnlyList<string> Warnings);

/// <summary>Everything about archives that needs no running server: make, check, copy to the other places, clear up, find.</summary>
internal sealed class BackupDesk(BackupSetup setup)
{
    /// <summary>The reason of those that are made before the schema is changed.</summary>
    public const string Migration = "migration";

    private static readonly TimeSpan MomentsAgo = TimeSpan.FromMinutes(10);

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
                var (read, result) = await new BackupVerifier(setup).VerifyAsync(_local.PathOf(record.Id), record.Id, cancellationToken);
                record = (read ?? record) with { Verification = result };
                warnings.AddRange(result.Problems);
                await local.PutRecordAsync(record, cancellationToken);
            });
        }

        var elsewhere = new HashSet<string>(StringComparer.Ordinal);
        foreach (var place in _offsite)
        {
            await TryAsync(place, warnings, p => p.PutAsync(record, _local.PathOf(record.Id), cancellationToken));
            if (record.Reason != Migration)
            {
                await TryAsync(place, warnings, async p => elsewhere.UnionWith(await CatchUpAsync(p, record, cancellationToken))); // a start does not wait for that
            }
        }

        foreach (var place in Places)
        {
            await TryAsync(place, warnings, p => RetainAsync(p, record, elsewhere, cancellationToken));
        }

        return new BackupOutcome(record, warnings);
    }

    /// <summary>A server whose migration fails comes back again and again: from another backup moments after the first one nothing is to be gained.</summary>
    /// <param name="schema">Number of the newest migration that was applied.</param>
    /// <returns>The newest one here, if it was made before the same migration, moments ago, and is whole; null: one is to be made.</returns>
    public async Task<string?> JustMadeBeforeMigrationAsync(int schema, CancellationToken cancellationToken)
    {
        var (installation, now) = (await InstallationAsync(cancellationToken), setup.Time.GetUtcNow());
        try
        {
            var newest = ByTime(await _local.ListAsync(cancellationToken), now).FirstOrDefault();
            return newest?.Record is { Reason: Migration, Installation: not null } record && record.SchemaVersion == schema && record.IsOf(installation) && (now - record.CreatedAt).Duration() <= MomentsAgo
                && await ArchiveSeal.CheckAsync(_local.PathOf(newest.Id), cancellationToken) == record.Sha256
                    ? newest.Id
                    : null;
        }
        catch (Exception e) when (e is BackupException or IOException or UnauthorizedAccessException)
        {
            return null; // it is damaged, or cannot be read: another one is made, or says why not
        }
    }

    /// <summary>Checks one, wherever it is, and keeps the result beside the copy that was read: of the others it says nothing.</summary>
    /// <exception cref="BackupException">It is nowhere, or could not be looked at. Nothing was written.</exception>
    public async Task<(string Id, BackupRecord? Record, Verification Result)> VerifyAsync(string id, CancellationToken cancellationToken)
    {
        using var fetched = await FetchAsync(id, cancellationToken);
        var (record, result) = await new BackupVerifier(setup).VerifyAsync(fetched.Path, fetched.From?.Id, cancellationToken);
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
        var found = idOrPath == "latest" ? Latest(all, setup.Time.GetUtcNow()) : all.Find(b => b.Id == idOrPath);
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
    private static StoredBackup? Latest(List<StoredBackup> all, DateTimeOffset now)
    {
        var newest = ByTime(all, now).FirstOrDefault(static b => b.Own);
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

    /// <summary>Sends what another place should have and has not, because it was away when that was made.</summary>
    /// <returns>What lies there now.</returns>
    private async Task<IEnumerable<string>> CatchUpAsync(IBackupPlace place, BackupRecord made, CancellationToken cancellationToken)
    {
        var all = await place.ListAsync(cancellationToken);
        var there = all.Where(b => MayDelete(b, made.Installation));
        // An archive whose record never came (the connection broke between the two) is not there yet: nobody knows what it is or that it is verified.
        var ids = all.Where(static b => b.Record is not null || b.Unread is not null).Select(static b => b.Id).ToHashSet(StringComparer.Ordinal);
        var missing = (await _local.ListAsync(cancellationToken)).Where(b => b.Id != made.Id && b.Record?.Installation == made.Installation && !ids.Contains(b.Id)).ToList();

        // What would be cleared up there at once is not sent.
        foreach (var backup in missing.Except(Surplus([.. there, .. missing], setup.Options, setup.Time.GetUtcNow())).Reverse())
        {
            await place.PutAsync(backup.Record!, _local.PathOf(backup.Id), cancellationToken);
            ids.Add(backup.Id);
        }

        return ids;
    }

    /// <summary>Deletes by count and age; never the newest, and never the newest verified one. What another installation keeps in the same place is not ours to delete. A backup before a migration only clears up its own kind.</summary>
    /// <param name="elsewhere">What lies in another place too, of which fewer may be kept here.</param>
    private async Task RetainAsync(IBackupPlace place, BackupRecord made, HashSet<string> elsewhere, CancellationToken cancellationToken)
    {
        var own = (await place.ListAsync(cancellationToken)).Where(b => MayDelete(b, made.Installation)).ToList();
        var (options, now) = (setup.Options, setup.Time.GetUtcNow());
        var surplus = made.Reason == Migration ? Repeated(own, made) : Surplus(own, options, now);
        if (made.Reason != Migration && place == _local && options.KeepLocal > 0)
        {
            surplus = surplus.Union(Surplus(own, options with { Keep = Math.Min(options.Keep, options.KeepLocal) }, now).Where(b => elsewhere.Contains(b.Id)));
        }

        foreach (var old in surplus.Where(b => b.Id != made.Id).ToList())
        {
            await place.DeleteAsync(old.Id, cancellationToken);
        }
    }

    private static bool MayDelete(StoredBackup backup, string? installation) => backup.Unread is null && (backup.Record is null || backup.Record.IsOf(installation));

    /// <summary>Those without a record are not counted, and go by age alone: nobody knows whose they are.</summary>
    internal static IEnumerable<StoredBackup> Surplus(IReadOnlyList<StoredBackup> backups, BackupOptions options, DateTimeOffset now)
    {
        var newest = ByTime(backups, now).ToList();
        var known = newest.FindAll(static b => b.Record is not null);
        var verified = newest.Find(static b => b.Record?.Verification is { Ok: true });
        return newest.Where((b, i) => i > 0 && b != verified && (known.IndexOf(b) >= options.Keep || now - BackupNames.TimeOf(b.Id) > options.KeepFor));
    }

    /// <summary>A start that fails at the same migration makes one after the other: the first and the last of them are kept.</summary>
    private static IEnumerable<StoredBackup> Repeated(IEnumerable<StoredBackup> backups, BackupRecord made) =>
        backups.Where(b => b.Id != made.Id && b.Record is { Reason: Migration, Verification: null } r && r.SchemaVersion == made.SchemaVersion).OrderBy(static b => b.Id, StringComparer.Ordinal).Skip(1);

    /// <summary>Newest first. What a clock made that was ahead counts as older than everything: when it really was made nobody knows.</summary>
    private static IEnumerable<StoredBackup> ByTime(IEnumerable<StoredBackup> backups, DateTimeOffset now) =>
        backups.OrderBy(b => BackupTimes.IsAhead(BackupNames.TimeOf(b.Id), now)).ThenByDescending(static b => b.Id, StringComparer.Ordinal);

    private static async Task<IReadOnlyList<StoredBackup>> ListAsync(IBackupPlace place, List<string> warnings, CancellationToken cancellationToken)
    {
        IReadOnlyList<StoredBackup> found = [];
        await TryAsync(place, warnings, async p => found = await p.ListAsync(cancellationToken));
        warnings.AddRange(found.Where(static b => b.Unread is not null).Select(b => $"{place.Name}: what is known about {b.Id} cannot be read: {b.Unread}"));
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
            var warning = $"{place.Name}: {e.Message}";
            if (!warnings.Exists(w => w == warning)) // each step there fails alike
            {
                warnings.Add(warning);
            }
        }
    }

    private static IEnumerable<IBackupPlace> OffsiteOf(BackupSetup setup)
    {
        if (setup.Options.OffsiteFolder.Length > 0)
        {
            yield return new BackupFolder("offsite", setup.Tree.Resolve(setup.Options.OffsiteFolder)) { ElsewhereThan = setup.Folder };
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
