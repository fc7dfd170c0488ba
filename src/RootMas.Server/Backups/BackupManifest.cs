using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>The first entry of an archive: what it holds, and how to tell that it is all there.</summary>
internal sealed record BackupManifest
{
    /// <summary>A later program that writes another form raises it; an older one refuses that.</summary>
    public const int CurrentFormat = 1;

    public const string EntryName = "manifest.json";

    public int Format { get; init; } = CurrentFormat;

    public required string Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>manual, scheduled, migration, replaced.</summary>
    public required string Reason { get; init; }

    public required string ProgramVersion { get; init; }

    public required DatabaseFacts Database { get; init; }

    public required SealedPart Keys { get; init; }

    /// <summary>Every other entry, in the archive's order.</summary>
    public required IReadOnlyList<BackupFile> Files { get; init; }
}

/// <summary>An entry.</summary>
/// <param name="Sha256">Lower-case hex.</param>
internal sealed record BackupFile(string Name, long Size, string Sha256);

/// <summary>What was encrypted with the operator's key, or left out because there is none.</summary>
/// <param name="Names">Files, relative to the data directory (keys/…) or the config directory (config/…).</param>
/// <param name="Note">For people: what it means for a restore.</param>
internal sealed record SealedPart(bool Included, IReadOnlyList<string> Names, string Note)
{
    /// <summary>There are keys among them, not only settings.</summary>
    [JsonIgnore]
    public bool HasKeys => Names.Any(static n => n.StartsWith(BackupContent.KeyPrefix, StringComparison.Ordinal));
}

/// <summary>The database as it was copied, read from the same snapshot.</summary>
internal sealed record DatabaseFacts
{
    public required DatabaseKind Kind { get; init; }

    /// <summary>Of SQLite or the PostgreSQL server.</summary>
    public required string ServerVersion { get; init; }

    /// <summary>Of pg_dump.</summary>
    public string? ToolVersion { get; init; }

    /// <summary>PostgreSQL: the schema that holds the tables.</summary>
    public string? Schema { get; init; }

    public required IReadOnlyList<SchemaStep> Migrations { get; init; }

    /// <summary>Rows of each table.</summary>
    public required IReadOnlyDictionary<string, long> Tables { get; init; }

    /// <summary>End of the audit chain, NUMBER:MAC; null: it has no audit log yet.</summary>
    public string? AuditHead { get; init; }

    /// <summary>See <see cref="BackupRecord.Installation"/>.</summary>
    [JsonIgnore]
    public string? Installation => Migrations.Count == 0 ? null : InstallationOf(Migrations.MinBy(static m => m.Number)!.AppliedAt);

    /// <summary>When its database was made tells installations apart, to the microsecond: see <see cref="InstallationId"/>; older archives say it too.</summary>
    public static string InstallationOf(DateTimeOffset made) => InstallationId.Of(made);
}

/// <summary>An applied migration.</summary>
/// <param name="UsableFrom">The oldest program that can work on the schema after it, see <see cref="Platform.Migrations.Migration.UsableFrom"/>; null: none but those that know it, or an older version wrote the archive.</param>
internal sealed record SchemaStep(int Number, string Name, string Checksum, DateTimeOffset AppliedAt, string ProgramVersion, int? UsableFrom = null);

/// <summary>What a check found.</summary>
/// <param name="Problems">Empty: the backup was restored into a scratch database and is what its source was.</param>
/// <param name="Notes">What could not be looked at, and what a restore will mean.</param>
internal sealed record Verification(DateTimeOffset At, IReadOnlyList<string> Problems, IReadOnlyList<string> Notes)
{
    public bool Ok => Problems.Count == 0;
}

/// <summary>The file beside an archive: enough to list it without reading it, and the result of its last check.</summary>
internal sealed record BackupRecord
{
    public required string Id { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required string Reason { get; init; }

    public required string ProgramVersion { get; init; }

    public required DatabaseKind Kind { get; init; }

    /// <summary>Number of the newest migration.</summary>
    public required int SchemaVersion { get; init; }

    public required long Rows { get; init; }

    public string? AuditHead { get; init; }

    public required SealedPart Keys { get; init; }

    /// <summary>Of the archive.</summary>
    public required long Size { get; init; }

    /// <summary>Of the whole archive, lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>Which installation it is of, 16 hex digits; null: an older version wrote the record.</summary>
    public string? Installation { get; init; }

    public Verification? Verification { get; init; }

    /// <summary>Whether an installation may take it for one of its own.</summary>
    public bool IsOf(string? installation) => Installation is null || Installation == installation;

    /// <summary>Null: it is another backup's, which says nothing about the archive that it lies beside.</summary>
    public static BackupRecord? Only(BackupRecord? read, string id) => read?.Id == id ? read : null;

    public static BackupRecord Of(BackupManifest manifest, long size, string sha256) => new()
    {
        Id = manifest.Id,
        CreatedAt = manifest.CreatedAt,
        Reason = manifest.Reason,
        ProgramVersion = manifest.ProgramVersion,
        Kind = manifest.Database.Kind,
        SchemaVersion = manifest.Database.Migrations.Select(static m => m.Number).DefaultIfEmpty().Max(),
        Rows = manifest.Database.Tables.Values.Sum(),
        AuditHead = manifest.Database.AuditHead,
        Keys = manifest.Keys,
        Size = size,
        Sha256 = sha256,
        Installation = manifest.Database.Installation,
    };
}

/// <summary>Names of backups and of their files. An id sorts by time.</summary>
internal static partial class BackupNames
{
    public const string Archive = ".tar.gz";
    public const string Record = ".json";
    private const string Prefix = "rootmas-";
    private const string TimeForm = "yyyyMMdd'T'HHmmss'Z'";
    private const int TimeLength = 16;

    /// <summary>Behind the second ten bits of milliseconds and fourteen of chance: those of one second sort by time too.</summary>
    public static string NewId(DateTimeOffset now) =>
        $"{now.UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture)}-{((now.Millisecond << 14) | RandomNumberGenerator.GetInt32(1 << 14)).ToString("x6", CultureInfo.InvariantCulture)}";

    public static string ArchiveOf(string id) => Prefix + id + Archive;

    public static string RecordOf(string id) => Prefix + id + Record;

    /// <summary>Its form, and a time that there is: whatever passes can be asked for its time.</summary>
    public static bool IsId(string text) => Id().IsMatch(text) && TryTimeOf(text, out _);

    public static DateTimeOffset TimeOf(string id) => TryTimeOf(id, out var time) ? time : throw new FormatException($"'{id}' is no id of a backup.");

    /// <summary>The id in the name of an archive or record; null: it is neither.</summary>
    public static string? IdOf(string fileName, string ending) =>
        fileName.StartsWith(Prefix, StringComparison.Ordinal) && fileName.EndsWith(ending, StringComparison.Ordinal) && IsId(fileName[Prefix.Length..^ending.Length])
            ? fileName[Prefix.Length..^ending.Length]
            : null;

    private static bool TryTimeOf(string id, out DateTimeOffset time)
    {
        time = default;
        return id.Length > TimeLength && DateTimeOffset.TryParseExact(id.AsSpan(0, TimeLength), TimeForm, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time);
    }

    [GeneratedRegex(@"^[0-9]{8}T[0-9]{6}Z-[0-9a-f]{6}\z", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Id();
}

internal static class BackupJson
{
    public static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new System.Text.Json.Serialization.JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
        WriteIndented = true,
    };
}
