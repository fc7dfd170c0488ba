namespace RootMas.Server.Backups;

/// <summary>A backup: what it holds, where it lies, and what its last check found.</summary>
public sealed record BackupView
{
    /// <summary>Its id, which begins with the time that it was made (UTC).</summary>
    /// <example>20260131T030000Z-5f1d7a</example>
    public required string Id { get; init; }

    /// <summary>When it was made.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Where it lies: local, offsite, s3.</summary>
    /// <example>["local","s3"]</example>
    public required IReadOnlyList<string> Places { get; init; }

    /// <summary>Why it was made: manual, scheduled, migration. Null: nothing is known but the archive.</summary>
    /// <example>scheduled</example>
    public string? Reason { get; init; }

    /// <summary>Version of the program that made it.</summary>
    /// <example>0.1.0</example>
    public string? ProgramVersion { get; init; }

    /// <summary>Kind of the database: sqlite or postgres.</summary>
    /// <example>sqlite</example>
    public string? Database { get; init; }

    /// <summary>Number of the newest migration in it.</summary>
    public int? SchemaVersion { get; init; }

    /// <summary>Rows of all tables.</summary>
    public long? Rows { get; init; }

    /// <summary>Size of the archive in bytes.</summary>
    public long? Size { get; init; }

    /// <summary>SHA-256 of the archive, lower-case hex.</summary>
    /// <example>9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08</example>
    public string? Sha256 { get; init; }

    /// <summary>False: another installation keeps its backups in the same place. It is listed, but never cleared up from here.</summary>
    public required bool Own { get; init; }

    /// <summary>Whether the keys of the server are in it, encrypted with the operator's key. Null: there are none to put into it (settings or the database hold them), or nothing is known.</summary>
    public bool? HasKeys { get; init; }

    /// <summary>When it was last restored into a scratch database and compared.</summary>
    public DateTimeOffset? VerifiedAt { get; init; }

    /// <summary>What came of that; null: it was never verified.</summary>
    public bool? Valid { get; init; }

    /// <summary>What is wrong with it, or did not go well when it was made.</summary>
    public required IReadOnlyList<string> Problems { get; init; }

    /// <summary>What a restore will mean, and what could not be looked at.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    internal static BackupView Of(string id, IReadOnlyList<string> places, BackupRecord? record, IReadOnlyList<string>? warnings = null, bool own = true) => new()
    {
        Id = id,
        Own = own,
        CreatedAt = record?.CreatedAt ?? BackupNames.TimeOf(id),
        Places = places,
        Reason = record?.Reason,
        ProgramVersion = record?.ProgramVersion,
        Database = record?.Kind.ToString().ToLowerInvariant(),
        SchemaVersion = record?.SchemaVersion,
        Rows = record?.Rows,
        Size = record?.Size,
        Sha256 = record?.Sha256,
        HasKeys = record?.Keys is { HasKeys: true } keys ? keys.Included : null,
        VerifiedAt = record?.Verification?.At,
        Valid = record?.Verification?.Ok,
        Problems = [.. (record?.Verification?.Problems ?? []).Union(warnings ?? [], StringComparer.Ordinal)],
        Notes = record is null ? [] : [.. (record.Verification?.Notes ?? []).Union([record.Keys.Note], StringComparer.Ordinal)],
    };

    /// <summary>An archive that was named by its file. Where neither its inside nor its name tells which backup it is, it is called as the file is.</summary>
    internal static BackupView OfFile(string path, BackupRecord? record)
    {
        var name = Path.GetFileName(path);
        return (record?.Id ?? BackupNames.IdOf(name, BackupNames.Archive)) is { } id
            ? Of(id, [], record)
            : new BackupView { Id = name, Own = true, CreatedAt = new DateTimeOffset(File.GetLastWriteTimeUtc(path)), Places = [], Problems = [], Notes = [] };
    }

    /// <summary>One view per backup, newest first, with all its places.</summary>
    internal static IReadOnlyList<BackupView> Of(IEnumerable<StoredBackup> stored) =>
        [.. stored.GroupBy(static s => s.Id, StringComparer.Ordinal).OrderByDescending(static g => g.Key, StringComparer.Ordinal)
            .Select(static g => Of(g.Key, [.. g.Select(static s => s.Place)], g.Select(static s => s.Record).FirstOrDefault(static r => r is not null), own: g.All(static s => s.Own)))];
}

/// <summary>Backups, newest first.</summary>
public sealed record BackupList
{
    /// <summary>This page's backups.</summary>
    public required IReadOnlyList<BackupView> Items { get; init; }

    /// <summary>Give it as cursor to read on; null: this is the last page.</summary>
    public string? NextCursor { get; init; }

    /// <summary>Places that could not be read, and why.</summary>
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <summary>A backup to make.</summary>
public sealed record NewBackup
{
    /// <summary>Restore it into a scratch database afterwards and compare. Default: true.</summary>
    public bool Verify { get; init; } = true;
}
