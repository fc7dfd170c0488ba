using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Migrations;
using RootMas.Server.Platform.Secrets;

namespace RootMas.Server.Backups;

/// <summary>What a restore may do.</summary>
/// <param name="Force">Something is there already: it is kept aside, and the backup takes its place.</param>
/// <param name="WithConfig">The backup's configuration takes the place of the one that is there, which is kept aside.</param>
/// <param name="WithoutKeys">Leave the keys of the server as they are, whatever the backup has.</param>
/// <param name="SameInstallation">In a new place it is still the installation that the backup is of, which runs nowhere else any more.</param>
/// <param name="EndRuns">Runs that had not ended are cancelled by the server that starts here, rather than gone on with.</param>
internal sealed record RestoreChoices(bool Force, bool WithConfig, bool WithoutKeys, bool SameInstallation = false, bool EndRuns = false);

/// <summary>What was done, for people.</summary>
/// <param name="Aside">Where what was there is now; null: there was nothing.</param>
internal sealed record RestoreResult(string Id, string? Aside, IReadOnlyList<string> Notes);

/// <summary>
/// Puts a backup in the place of an installation on which no server runs. Everything is read, compared and prepared beside it first; then a sign is written, and what follows can be done again from any point.
/// Killed before the sign, the old is untouched; killed after it, no server starts until the restore was repeated.
/// </summary>
internal sealed class BackupRestore(BackupSetup setup, BackupDesk desk)
{
    /// <summary>What a database has beside its file.</summary>
    private static readonly string[] BesideDatabase = ["rootmas.db-wal", "rootmas.db-shm"];

    private DataDirectory Data => setup.Data;

    /// <exception cref="BackupException">It was refused; nothing was changed, or the message says what.</exception>
    public async Task<RestoreResult> RunAsync(string idOrPath, RestoreChoices choices, CancellationToken cancellationToken)
    {
        try
        {
            return await DoAsync(idOrPath, choices, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or StorageUnavailableException)
        {
            throw new BackupException(BackupFailure.Failed, $"The restore stopped: {(e is StorageUnavailableException ? e.InnerException ?? e : e).Message} What was there is as it was, or kept aside; if the exchange had begun, no server starts before it is finished. Look at free space and rights, then repeat the same command.", e);
        }
    }

    private async Task<RestoreResult> DoAsync(string idOrPath, RestoreChoices choices, CancellationToken cancellationToken)
    {
        if (!Data.TryAcquire())
        {
            throw new BackupException(BackupFailure.Busy, $"A server runs on {Data.Path}{(Data.ReadOwner()?.Url is { } url ? $" ({url})" : "")}. Nothing was changed. Stop it, then restore.");
        }

        if (await RestoreMark.ReadAsync(Data, cancellationToken) is { } interrupted && setup.Database.Kind == DatabaseKind.Sqlite)
        {
            await interrupted.FinishAsync(Data, cancellationToken);
            if (interrupted.Id == idOrPath || Path.GetFileName(idOrPath) == BackupNames.ArchiveOf(interrupted.Id))
            {
                return new RestoreResult(interrupted.Id, interrupted.HasAside(Data) ? Data.File(interrupted.Aside) : null, ["The restore that was interrupted is finished."]);
            }
        }

        using var archive = await desk.FetchAsync(idOrPath, cancellationToken);
        await ArchiveSeal.CheckAsync(archive.Path, cancellationToken);
        var manifest = await ArchiveReader.ReadManifestAsync(archive.Path, cancellationToken);
        ArchiveReader.RequireIs(manifest, archive.Path, archive.From?.Id);
        CheckFits(manifest);
        var staged = $"restore-{manifest.Id}";
        if (Directory.Exists(Data.File(staged)))
        {
            Directory.Delete(Data.File(staged), recursive: true); // of an attempt that never got as far as the sign, or of PostgreSQL, which begins again
        }

        try
        {
            return NoteName(await StageAsync(archive.Path, Data.File(staged), choices, cancellationToken), archive.Path);
        }
        catch when (!File.Exists(Data.File(HalfRestored.FileName)) && Directory.Exists(Data.File(staged)))
        {
            Directory.Delete(Data.File(staged), recursive: true);
            throw;
        }
    }

    private async Task<RestoreResult> StageAsync(string archive, string staged, RestoreChoices choices, CancellationToken cancellationToken)
    {
        PrivateFiles.Folder(staged);
        using var dump = setup.Database.Kind == DatabaseKind.Postgres ? new ScratchFolder(PrivateFiles.Folder(setup.Folder), "restore") : null; // a data directory may be small where the database is elsewhere
        var manifest = await ArchiveReader.ExtractAsync(archive, name => dump is not null && name == setup.Postgres().EntryName ? dump.Path : staged, cancellationToken);
        var keys = choices.WithoutKeys ? new Dictionary<string, byte[]>(StringComparer.Ordinal) : await BackupVerifier.OpenKeysAsync(setup, manifest, staged, cancellationToken);
        foreach (var (name, content) in keys)
        {
            var path = Path.Combine(staged, name);
            PrivateFiles.Folder(Path.GetDirectoryName(path)!);
            await PrivateFiles.WriteAsync(path, content, cancellationToken);
        }

        var mark = Plan(manifest, staged);
        return manifest.Database.Kind == DatabaseKind.Sqlite
            ? await SqliteAsync(manifest, mark, staged, (choices, keys), cancellationToken)
            : await PostgresAsync(manifest, mark, (staged, dump!.Path), (choices, keys), cancellationToken);
    }

    private async Task<RestoreResult> SqliteAsync(
        BackupManifest manifest, RestoreMark mark, string staged, (RestoreChoices Choices, IReadOnlyDictionary<string, byte[]> Keys) how, CancellationToken cancellationToken)
    {
        if (!how.Choices.Force && File.Exists(Data.DatabasePath))
        {
            throw NotEmpty($"the database {Data.DatabasePath}");
        }

        var copy = setup.CopyOf(DatabaseKind.Sqlite);
        var replaced = await ReplacedAsync(cancellationToken);
        List<string> found;
        await using (var scratch = await copy.OpenScratchAsync(Path.Combine(staged, copy.EntryName), manifest.Database, cancellationToken))
        {
            var keys = await setup.AuditKeysAsync(how.Keys, scratch.Database, cancellationToken);
            var (problems, _) = await BackupVerifier.CompareAsync(scratch, manifest, keys, cancellationToken);
            if (problems.Count > 0)
            {
                throw new BackupException(BackupFailure.Damaged, $"The backup is not what its source was: {string.Join("; ", problems)}. Nothing was changed. Use another backup.");
            }

            found = await RestoredDatabase.FinishAsync(scratch.Database, manifest, keys, replaced, how.Choices, cancellationToken);
        }

        File.Move(Path.Combine(staged, copy.EntryName), Path.Combine(staged, Path.GetFileName(Data.DatabasePath)));
        var plan = await new RestoredConfig(setup).PlanAsync(staged, how.Choices.WithConfig, cancellationToken);
        var notes = await ExchangeAsync(mark, staged, plan, cancellationToken);
        return Result(manifest, how, [.. notes, .. found], mark.HasAside(Data) ? Data.File(mark.Aside) : null);
    }

    /// <summary>What stands in the place of the embedded database.</summary>
    private async Task<Replaced?> ReplacedAsync(CancellationToken cancellationToken)
    {
        if (!File.Exists(Data.DatabasePath))
        {
            return null;
        }

        try
        {
            return await SqliteCopy.ReplacedAsync(Data.DatabasePath, cancellationToken);
        }
        catch (BackupException)
        {
            return new Replaced(null); // it is damaged: that is why there is a restore
        }
    }

    private async Task<RestoreResult> PostgresAsync(
        BackupManifest manifest, RestoreMark mark, (string Files, string Dump) staged, (RestoreChoices Choices, IReadOnlyDictionary<string, byte[]> Keys) how, CancellationToken cancellationToken)
    {
        var plan = await new RestoredConfig(setup).PlanAsync(staged.Files, how.Choices.WithConfig, cancellationToken);
        var restore = new PostgresRestore(setup, manifest);
        var dump = Path.Combine(staged.Dump, setup.Postgres().EntryName);
        await restore.CheckDumpAsync(dump, cancellationToken);
        var aside = await restore.BeginAsync(how.Choices.Force, cancellationToken);
        List<string> notes;
        try
        {
            await restore.LoadAsync(dump, cancellationToken);
            notes = await ExchangeAsync(mark, staged.Files, plan, cancellationToken);
            notes.AddRange(await restore.EndAsync(how.Keys, how.Choices, cancellationToken));
        }
        catch (BackupException e)
        {
            throw new BackupException(e.Failure, $"{e.Message} The restore had begun: {(aside is null ? "there was nothing in the database before" : $"what was in the database is kept in the schema {aside}")}, and no server starts on it before a restore has come to its end. Repeat the same command when the cause is gone, or restore another backup.", e);
        }

        if (aside is not null)
        {
            notes.Add($"What was in the database is in the schema {aside}. When you need it no more: DROP SCHEMA {aside} CASCADE");
        }

        return Result(manifest, how, notes, mark.HasAside(Data) ? Data.File(mark.Aside) : null);
    }

    /// <summary>All that stands in files, under one sign.</summary>
    private async Task<List<string>> ExchangeAsync(RestoreMark mark, string staged, (ConfigExchange? Exchange, List<string> Notes) config, CancellationToken cancellationToken)
    {
        if (config.Exchange is not null)
        {
            await new RestoredConfig(setup).KeepAsync(Data.File(mark.Aside), cancellationToken);
        }

        var whole = mark with { Config = config.Exchange };
        await whole.WriteAsync(Data, cancellationToken);
        await whole.FinishAsync(Data, cancellationToken);
        return config.Notes;
    }

    private static RestoreResult NoteName(RestoreResult result, string path) => BackupNames.IdOf(Path.GetFileName(path), BackupNames.Archive) is { } named && named != result.Id
        ? result with { Notes = [$"The file is named like the backup {named} and holds {result.Id}: that is what was restored.", .. result.Notes] }
        : result;

    private RestoreMark Plan(BackupManifest manifest, string staged)
    {
        var incoming = new List<string>();
        var outgoing = new List<string>();
        if (manifest.Database.Kind == DatabaseKind.Sqlite)
        {
            incoming.Add(Path.GetFileName(Data.DatabasePath));
            outgoing.AddRange(BesideDatabase);
        }

        if (Directory.Exists(Path.Combine(staged, "keys")))
        {
            incoming.Add("keys"); // without keys in the backup those that are here stay
        }

        (Directory.Exists(Path.Combine(staged, "files")) ? incoming : outgoing).Add("files");
        return new RestoreMark(manifest.Id, Path.GetFileName(staged), $"replaced-{BackupNames.NewId(setup.Time.GetUtcNow())}", incoming, outgoing);
    }

    private void CheckFits(BackupManifest manifest)
    {
        if (manifest.Database.Kind != setup.Database.Kind)
        {
            throw new BackupException(BackupFailure.Mismatch,
                $"The backup is of {Named(manifest.Database.Kind)}, and this installation has {Named(setup.Database.Kind)}. Nothing was changed. Restore it where the kind is the same, then use 'rootmas data copy'.");
        }

        var known = Migration.Embedded(manifest.Database.Kind == DatabaseKind.Sqlite ? "sqlite" : "postgres");
        var applied = manifest.Database.Migrations.Select(static m => new AppliedMigration(m.Number, m.Name, m.Checksum, m.AppliedAt, m.ProgramVersion, m.UsableFrom)).ToList();
        if (MigrationPlan.Of(known, applied).Refusal is { } refusal)
        {
            throw new BackupException(BackupFailure.Newer, $"The backup does not fit this program. {refusal}");
        }
    }

    private static RestoreResult Result(BackupManifest manifest, (RestoreChoices Choices, IReadOnlyDictionary<string, byte[]> Keys) how, List<string> notes, string? aside)
    {
        notes.Add("All sessions and tokens that were in the backup are ended: people sign in again. API keys that were revoked after the backup are valid again: look at 'rootmas api-keys list'.");
        notes.Add("Everything else is as it was at the time of the backup: users who were erased or disabled since, and roles and passwords that were changed since, are back as they were, and so is what was deleted. Erase, disable and change them again: 'rootmas users'.");
        if (!how.Choices.EndRuns)
        {
            notes.Add("Runs that were under way at the time of the backup go on from there when the server starts; what they did afterwards is not known to them.");
        }

        if (how.Keys.Count == 0 && manifest.Keys.HasKeys)
        {
            notes.Add("The keys of the server did not come with the backup; those in the data directory are used, and what is not there is made anew. " + manifest.Keys.Note);
            notes.Add("Where the start is refused because a key is lost for good, start once with ROOTMAS__Keys__Replace=\"master;pepper;refresh;audit.key;secrets.key;idempotency\" and ROOTMAS__Audit__AcceptNewKey=true: secrets that were entered are removed then, passwords have to be set anew, and older rows of the audit log can no longer be verified.");
        }
        else if (how.Keys.Count == 0 && manifest.Keys.Names.Count > 0)
        {
            notes.Add("The settings file was not taken from the backup; the one in the config directory counts, if there is one. " + manifest.Keys.Note);
        }

        return new RestoreResult(manifest.Id, aside, notes);
    }

    private static string Named(DatabaseKind kind) => kind == DatabaseKind.Sqlite ? "SQLite" : "PostgreSQL";

    internal static BackupException NotEmpty(string what) =>
        new(BackupFailure.NotEmpty, $"There is data already: {what}. Nothing was changed. With --force it is kept aside, and the backup takes its place.");
}
