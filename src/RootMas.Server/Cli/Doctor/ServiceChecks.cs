using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;
using RabbitMQ.Client;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Resilience;
using StackExchange.Redis;

namespace RootMas.Server.Cli.Doctor;

/// <summary>PostgreSQL with its tools, Redis, RabbitMQ: reachable from here, which version, and is the clock the same. Only what is configured is asked.</summary>
internal static partial class ServiceChecks
{
    private const int OldestPostgres = 14;
    private const int ReservedConnections = 3;
    private static readonly Version OldestRedis = new(6, 2);
    private static readonly Version OldestRabbit = new(3, 10);
    private static readonly TimeSpan Skew = TimeSpan.FromSeconds(2);

    public static async Task<List<Finding>> AllAsync(Patient patient, CancellationToken cancellationToken)
    {
        var findings = new List<Finding>();
        var database = patient.Tree.Take<DatabaseOptions>("Database");
        if (database.Kind == DatabaseKind.Postgres)
        {
            await PostgresAsync(database, patient.Clock, findings, cancellationToken);
        }

        if (patient.Tree.Take<RedisOptions>("Redis") is { IsUsed: true } redis)
        {
            findings.Add(await RedisAsync(redis, patient.Tree.Take<ResilienceOptions>("Resilience").Redis));
        }

        if (patient.Tree.Take<BrokerOptions>("RabbitMq") is { IsUsed: true } broker)
        {
            findings.Add(await RabbitAsync(broker, cancellationToken));
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

    private static async Task PostgresAsync(DatabaseOptions options, TimeProvider clock, List<Finding> findings, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = new NpgsqlConnection(PostgresConnection.Single(options));
            await connection.OpenAsync(cancellationToken);
            var before = clock.GetUtcNow();
            await using var command = new NpgsqlCommand("select clock_timestamp(), current_setting('max_connections')::int, pg_is_in_recovery()", connection);
            await using var row = await command.ExecuteReaderAsync(cancellationToken);
            await row.ReadAsync(cancellationToken);
            var (now, most, standby) = (new DateTimeOffset(row.GetDateTime(0)), row.GetInt32(1), row.GetBoolean(2));
            var after = clock.GetUtcNow();
            var version = connection.PostgreSqlVersion;
            findings.Add(standby ? Finding.Bad("postgresql", $"version {version}, a standby that takes no writes", "Name the primary in Database:ConnectionString.")
                : version.Major >= OldestPostgres ? Finding.Ok("postgresql", $"version {version}, {PostgresConnection.Describe(options)}")
                : Finding.Bad("postgresql", $"version {version}", $"Version {OldestPostgres} or later is needed."));
            if (options.PoolMax + 1 > most - ReservedConnections)
            {
                findings.Add(Finding.Note("postgresql connections", $"Database:PoolMax is {options.PoolMax}, and the server allows {most} to all", "Lower PoolMax, or raise max_connections; all instances together must fit."));
            }

            findings.Add(Clock("PostgreSQL", now, before, after, TimeSpan.Zero));
            findings.Add(await DumpAsync(version.Major, cancellationToken));
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or System.Net.Sockets.SocketException)
        {
            findings.Add(Finding.Bad("postgresql", $"{PostgresConnection.Describe(options)} does not let us in: {PostgresErrors.ClassOf(e)}", "Is it started, is the address right, do user and password fit (pg_hba.conf)?"));
        }
    }

    /// <summary>Backups need pg_dump of the server's version or a later one.</summary>
    private static async Task<Finding> DumpAsync(int serverMajor, CancellationToken cancellationToken)
    {
        const string What = "pg_dump";
        var hint = $"Install postgresql-client-{serverMajor} (Debian) or later: without it there are no backups of PostgreSQL.";
        if (FindDump() is not { } path)
        {
            return Finding.Note(What, "is not installed", hint);
        }

        using var process = Process.Start(new ProcessStartInfo(path, "--version") { RedirectStandardOutput = true, UseShellExecute = false })!;
        var said = await process.StandardOutput.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return VersionNumber().Match(said) is { Success: true } match && int.Parse(match.Value, CultureInfo.InvariantCulture) is var major && major >= serverMajor
            ? Finding.Ok(What, $"version {major}")
            : Finding.Note(What, $"{said.Trim()} is older than the server", hint);
    }

    private static string? FindDump()
    {
        const string Debian = "/usr/lib/postgresql";
        var newest = Directory.Exists(Debian) ? Directory.EnumerateDirectories(Debian).OrderByDescending(static d => double.TryParse(Path.GetFileName(d), CultureInfo.InvariantCulture, out var v) ? v : 0).Select(static d => Path.Combine(d, "bin")) : [];
        return newest.Concat(["/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]).Select(static d => Path.Combine(d, "pg_dump")).FirstOrDefault(File.Exists);
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

    private static async Task<Finding> RabbitAsync(BrokerOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var factory = new ConnectionFactory { Uri = new Uri(options.Uri), RequestedConnectionTimeout = options.ConfirmTimeout, AutomaticRecoveryEnabled = false, ClientProvidedName = "rootmas doctor" };
            await using var connection = await factory.CreateConnectionAsync(cancellationToken);
            var text = connection.ServerProperties?.TryGetValue("version", out var value) == true && value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : "";
            return !Version.TryParse(text.Split('-', '+')[0], out var version) ? Finding.Note("rabbitmq server", "answers, and does not tell its version", "Version 3.10 or later is needed, for quorum queues.")
                : version >= OldestRabbit ? Finding.Ok("rabbitmq server", $"version {version}")
                : Finding.Bad("rabbitmq server", $"version {version}", $"Version {OldestRabbit} or later is needed, for quorum queues.");
        }
        catch (Exception e) when (e is RabbitMQ.Client.Exceptions.BrokerUnreachableException or RabbitMQ.Client.Exceptions.OperationInterruptedException or TimeoutException)
        {
            return Finding.Bad("rabbitmq server", $"cannot be used: {(e.InnerException ?? e).GetType().Name}", "Is it started, are address, user, password and virtual host right? Without it runs are found in the database, a moment later.");
        }
    }

    [GeneratedRegex(@"\d+", RegexOptions.None, 1_000)]
    private static partial Regex VersionNumber();
}
