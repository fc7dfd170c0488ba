using System.Globalization;
using Npgsql;
using RootMas.Server.Backups;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Documents.Extraction;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Settings;
using StackExchange.Redis;

namespace RootMas.Server.Cli.Doctor;

/// <summary>PostgreSQL with its tools, Redis, RabbitMQ: reachable from here, which version, and is the clock the same; programs and places beside them. Only what is configured is asked.</summary>
internal static class ServiceChecks
{
    private const int OldestPostgres = 14;
    private const int ReservedConnections = 3;
    private const string Unit = "/etc/systemd/system/rootmas.service";
    private const string OfTheUnit = "The service may write there only if its unit says so: ReadWritePaths, see docs/backups.md.";
    private static readonly Version OldestRedis = new(6, 2);
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(2);

    public static async Task<List<Finding>> AllAsync(Patient patient, CancellationToken cancellationToken)
    {
        List<Finding> findings = [.. Offsite(patient.Tree), .. BackupKey(patient.Tree), Pdf(patient.Tree)];
        var database = patient.Tree.Take<DatabaseOptions>("Database");
        if (database.Kind == DatabaseKind.Postgres)
        {
            await PostgresAsync(patient, database, findings, cancellationToken);
        }

        if (patient.Tree.Take<RedisOptions>("Redis") is { IsUsed: true } redis)
        {
            findings.Add(await RedisAsync(redis, patient.Tree.Take<ResilienceOptions>("Resilience").Redis));
        }

        if (patient.Tree.Take<BrokerOptions>("RabbitMq") is { IsUsed: true } broker)
        {
            findings.AddRange(await BrokerChecks.AllAsync(broker, database, cancellationToken));
        }

        return findings;
    }

    /// <param name="theirs">The other's clock, read between two looks at ours.</param>
    public static Finding Clock(string whose, DateTimeOffset theirs, DateTimeOffset before, DateTimeOffset after, TimeSpan grain)
    {
        // Within the time that asking took, and what the other cannot tell apart, clocks count as equal.
        var skew = theirs + grain < before ? before - theirs - grain : theirs > after ? theirs - after : TimeSpan.Zero;
        return skew <= Skew
            ? Finding.Ok("clock", $"as that of {whose}")
            : Finding.Note("clock", string.Create(CultureInfo.InvariantCulture, $"{skew.TotalSeconds:0.#} s {(theirs < before ? "ahead of" : "behind")} that of {whose}"), "Keep the clocks of all machines together (chrony, systemd-timesyncd): tokens expire too early or too late, and logs are hard to read.");
    }

    private static async Task PostgresAsync(Patient patient, DatabaseOptions options, List<Finding> findings, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await PostgresConnection.OpenAsync(options, writes: false, cancellationToken);
            var before = patient.Clock.GetUtcNow();
            await using var command = new NpgsqlCommand("select clock_timestamp(), current_setting('max_connections')::int, case when pg_is_in_recovery() then 'a standby that takes no writes' when current_setting('transaction_read_only')::boolean then 'set to take no writes (default_transaction_read_only)' end", connection);
            await using var row = await command.ExecuteReaderAsync(cancellationToken);
            await row.ReadAsync(cancellationToken);
            var (now, most, closed) = (new DateTimeOffset(row.GetDateTime(0)), row.GetInt32(1), row.StringOrNull(2));
            var after = patient.Clock.GetUtcNow();
            var version = connection.PostgreSqlVersion;
            findings.Add(closed is not null ? Finding.Bad("postgresql", $"version {version}, {closed}", "Name the primary in Database:ConnectionString, or let the database take writes.")
                : version.Major >= OldestPostgres ? Finding.Ok("postgresql", $"version {version}, {PostgresConnection.Describe(options)}")
                : Finding.Bad("postgresql", $"version {version}", $"Version {OldestPostgres} or later is needed."));
            if (options.PoolMax + 1 > most - ReservedConnections)
            {
                findings.Add(Finding.Note("postgresql connections", $"Database:PoolMax is {options.PoolMax}, and the server allows {most} to all", "Lower PoolMax, or raise max_connections; all instances together must fit."));
            }

            findings.Add(Clock("PostgreSQL", now, before, after, TimeSpan.Zero));
            findings.Add(await DumpAsync(patient.Tree, options, version.Major, cancellationToken));
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
        {
            var kind = PostgresErrors.ClassOf(e);
            findings.Add(Finding.Bad("postgresql", $"{PostgresConnection.Describe(options)} does not let us in: {kind}", kind == PostgresErrors.StartupParameter ? PostgresErrors.StartAdvice(kind) : "Is it started, is the address right, do user and password fit (pg_hba.conf)?"));
        }
    }

    /// <summary>Backups need pg_dump of the server's version or a later one; they look for it in the same places. It logs in by itself, so it is tried: an empty dump.</summary>
    private static async Task<Finding> DumpAsync(SettingsTree tree, DatabaseOptions options, int serverMajor, CancellationToken cancellationToken)
    {
        const string What = "pg_dump";
        try
        {
            var program = await new PostgresPrograms(tree.Take<BackupOptions>("Backups").PostgresPrograms, tree.Variables.Get("PATH")).FindAsync(What, serverMajor, cancellationToken);
            await PostgresPrograms.RunAsync(program, PostgresConnection.Single(options), ["--schema-only", "--exclude-schema=*", "--no-password"], null, null, cancellationToken);
            return Finding.Ok(What, $"version {program.Version}, {program.Path}");
        }
        catch (BackupException e) when (e.Failure == BackupFailure.Failed)
        {
            return Finding.Bad(What, "the server does not let it in, so there are no backups of PostgreSQL", e.Message);
        }
        catch (BackupException e)
        {
            return Finding.Note(What, "none that fits, so there are no backups of PostgreSQL", e.Message);
        }
    }

    /// <summary>Whether archives survive this machine. The bucket is not asked: <c>rootmas backup list</c> does.</summary>
    private static IEnumerable<Finding> Offsite(SettingsTree tree)
    {
        const string What = "off-site backups";
        var options = tree.Take<BackupOptions>("Backups");
        if (options.Folder.Length > 0 && File.Exists(Unit))
        {
            yield return Finding.Ok("backups", tree.Resolve(options.Folder)) with { Hint = OfTheUnit };
        }

        if (options.OffsiteFolder.Length > 0)
        {
            var (folder, archives) = (tree.Resolve(options.OffsiteFolder), BackupSetup.FolderOf(tree, options));
            yield return !Directory.Exists(folder)
                ? Finding.Note(What, $"{folder} is not there", "Is its disk mounted? The server does not make this folder, so that a disk that is missing is noticed: make it once, on that disk.")
                : FileOwner.ShareDisk(folder, Existing(archives))
                    ? Finding.Note(What, $"{folder} is on the same disk as {archives}: what takes the one takes the other", "Is the disk mounted that it should be on? Name a folder on that disk, not the one that it is mounted at: this one is there without it.")
                    : Finding.Ok(What, folder) with { Hint = File.Exists(Unit) ? OfTheUnit : "" };
        }

        if (options.S3.Endpoint is { } endpoint)
        {
            yield return Finding.Ok(What, $"bucket {options.S3.Bucket} at {endpoint.Host}; 'rootmas backup list' asks it");
        }
        else if (options.OffsiteFolder.Length == 0)
        {
            yield return Finding.Note(What, "none: archives are on this machine only", "Name Backups:OffsiteFolder or Backups:S3:Endpoint (docs/backups.md).");
        }
    }

    /// <summary>A folder that is yet to be made will be on the disk of the next one above it.</summary>
    private static string Existing(string folder) => Directory.Exists(folder) || Path.GetDirectoryName(folder) is not { } above ? folder : Existing(above);

    /// <summary>Without the operator's key an archive cannot bring back what the server's keys protect, and a check of it still finds it whole.</summary>
    private static IEnumerable<Finding> BackupKey(SettingsTree tree)
    {
        const string What = "backup key";
        using var data = new DataDirectory(tree.DataPath);
        var setup = BackupCommand.SetupOf(tree, data);
        var content = new BackupContent(setup);
        if (setup.Key is null && HasKeys(content))
        {
            yield return Finding.Note(What, "keys are not in backups: one that is restored elsewhere lets nobody in with their password, and has no secrets that were entered", HintFor(data.File("keys")));
        }

        if (setup.Key is null && content.SettingsHoldSecrets)
        {
            var file = Path.Combine(tree.ConfigPath, BackupContent.SettingsFile);
            yield return Finding.Note(What, $"{file} has secrets in it, so it is not in backups", HintFor(file));
        }

        static string HintFor(string path) => $"Set {BackupSetup.KeyVariable} (docs/backups.md), or keep a copy of {path} elsewhere.";
    }

    private static bool HasKeys(BackupContent content)
    {
        try
        {
            return content.HasKeys;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // keys that this user may not look at: the data directory's own check says it
        }
    }

    private static Finding Pdf(SettingsTree tree)
    {
        const string What = "pdftotext";
        var named = tree.Take<DocumentsOptions>("Knowledge:Documents").PdfProgram;
        return PdfReader.Find(named) is { } path
            ? Finding.Ok(What, path)
            : Finding.Note(What, named.Length > 0 ? $"{named} is not there" : "is not installed", "PDF files cannot be read without it. Install poppler-utils (Debian), or name the program in Knowledge:Documents:PdfProgram.");
    }

    private static async Task<Finding> RedisAsync(RedisOptions options, OutboundSettings policy)
    {
        const string Hint = "Is it started, are address, password and TLS right? Without it the server works: limits are stricter, caches cold.";
        try
        {
            using var connection = await ConnectionMultiplexer.ConnectAsync(RedisAddress.Of(options, policy, withMessages: false));
            var info = (string?)await connection.GetDatabase().ExecuteAsync("INFO", "server") ?? "";
            var text = info.Split('\n').FirstOrDefault(static l => l.StartsWith("redis_version:", StringComparison.Ordinal))?["redis_version:".Length..].Trim() ?? "";
            return !Version.TryParse(text, out var version) ? Finding.Note("redis server", "answers, and does not tell its version", "Version 6.2 or later is needed.")
                : version >= OldestRedis ? Finding.Ok("redis server", $"version {version}")
                : Finding.Bad("redis server", $"version {version}", $"Version {OldestRedis} or later is needed.");
        }
        catch (Exception e) when (e is RedisException or TimeoutException or System.Net.Sockets.SocketException)
        {
            return Finding.Bad("redis server", $"cannot be used: {RedisErrors.ClassOf(e)}", Hint);
        }
    }
}
