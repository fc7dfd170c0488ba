using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Backups;

/// <summary>What happens before the schema of a database that has data is changed.</summary>
public enum BeforeMigration
{
    /// <summary>A backup is made; if that fails, nothing is changed and the start is refused.</summary>
    Required,

    /// <summary>A backup is made if it can be; if it cannot, the log says why, and the change goes on.</summary>
    WhenPossible,

    /// <summary>None is made: somebody else sees to it.</summary>
    Never,
}

/// <summary>Backups. Section <c>Backups</c>.</summary>
public sealed record BackupOptions : IValidatableObject
{
    public const int ShortestKey = 16;

    /// <summary>The server makes backups by itself, and verifies each.</summary>
    public bool Scheduled { get; init; } = true;

    /// <summary>Time of day (UTC) of the scheduled backup.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "23:59:59")]
    public TimeSpan At { get; init; } = TimeSpan.FromHours(3);

    /// <summary>Time between two scheduled backups. Whole days keep to <c>At</c>; shorter ones are counted from it.</summary>
    [Range(typeof(TimeSpan), "00:05:00", "31.00:00:00")]
    public TimeSpan Every { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Where archives are kept; relative to the working directory. Empty: <c>backups</c> in the data directory. Better is another disk.</summary>
    public string Folder { get; init; } = "";

    /// <summary>Most archives that are kept in each place. The newest verified one is never deleted.</summary>
    [Range(1, 10_000)]
    public int Keep { get; init; } = 14;

    /// <summary>Most archives that are kept in the folder of those that also lie elsewhere, for a small disk here. 0: as <c>Keep</c>.</summary>
    [Range(0, 10_000)]
    public int KeepLocal { get; init; }

    /// <summary>Age beyond which archives are deleted. The newest verified one is never deleted.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "3650.00:00:00")]
    public TimeSpan KeepFor { get; init; } = TimeSpan.FromDays(30);

    /// <summary>The operator's key, at least 16 characters: keys of the server go into the archive encrypted with it. Empty: they are left out, and a restore elsewhere cannot read what they protect. Also <c>ROOTMAS_BACKUP_KEY</c>, <c>ROOTMAS_BACKUP_KEY_FILE</c>.</summary>
    [Secret]
    public string Key { get; init; } = "";

    /// <summary>A backup before the schema of a database with data is changed. <c>Required</c>: without one the start is refused. <c>WhenPossible</c>: the log says why there is none. <c>Never</c>.</summary>
    public BeforeMigration BeforeMigration { get; init; } = BeforeMigration.Required;

    /// <summary>PostgreSQL only: folder of pg_dump and pg_restore. Empty: those of the path and of /usr/lib/postgresql are looked at.</summary>
    public string PostgresPrograms { get; init; } = "";

    /// <summary>A second folder, on another machine's disk: every archive is copied there. It must be there, for the server does not make it. Empty: none.</summary>
    public string OffsiteFolder { get; init; } = "";

    /// <summary>Storage with an S3-compatible interface: every archive is copied there too.</summary>
    public S3Options S3 { get; init; } = new();

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Key.Length is > 0 and < ShortestKey)
        {
            yield return new ValidationResult($"is too short; legal: at least {ShortestKey} characters (openssl rand -base64 32)", [nameof(Key)]);
        }

        foreach (var (name, problem) in S3.Problems())
        {
            yield return new ValidationResult(problem, [$"{nameof(S3)}:{name}"]);
        }
    }
}

/// <summary>A bucket.</summary>
public sealed record S3Options
{
    /// <summary>Address of the service, as in https://s3.eu-central-1.amazonaws.com. Empty: none is used.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>The bucket, which must exist.</summary>
    public string Bucket { get; init; } = "";

    /// <summary>The region that requests are signed for.</summary>
    public string Region { get; init; } = "us-east-1";

    /// <summary>Put before each name, as in rootmas/.</summary>
    [RegularExpression("[A-Za-z0-9_./-]*")]
    public string Prefix { get; init; } = "";

    /// <summary>Id of the access key.</summary>
    [Secret]
    public string KeyId { get; init; } = "";

    /// <summary>The access key's secret.</summary>
    [Secret]
    public string Secret { get; init; } = "";

    /// <summary>Size from which an archive is sent in parts, and of each part, in MiB.</summary>
    [Range(5, 64)]
    public int PartMegabytes { get; init; } = 16;

    public bool IsSet => Endpoint is not null;

    internal IEnumerable<(string Name, string Problem)> Problems()
    {
        if (Endpoint is null)
        {
            yield break;
        }

        if (!Endpoint.IsAbsoluteUri || Endpoint.Scheme is not ("http" or "https") || Endpoint.UserInfo.Length > 0 || Endpoint.PathAndQuery != "/")
        {
            yield return (nameof(Endpoint), "is no address of a service; legal: https://s3.example.org, with a port if need be, without path and password");
        }

        foreach (var (name, value) in new[] { (nameof(Bucket), Bucket), (nameof(Region), Region), (nameof(KeyId), KeyId), (nameof(Secret), Secret) })
        {
            if (value.Length == 0)
            {
                yield return (name, "is needed with Endpoint");
            }
        }
    }
}
