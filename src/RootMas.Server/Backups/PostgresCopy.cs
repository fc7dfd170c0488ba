using System.Data;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Backups;

/// <summary>
/// A PostgreSQL database, by pg_dump in its custom form. The dump and the counts beside it read the same exported snapshot, so they agree although others write. Only the schema with our tables is taken:
/// what else stands in the database is not ours.
/// </summary>
internal sealed class PostgresCopy(DatabaseOptions options, PostgresPrograms programs, TimeProvider time, OutboundPolicies policies) : IDatabaseCopy
{
    private const string ScratchPrefix = "rootmas_verify_";
    private static readonly TimeSpan ScratchIsForgotten = TimeSpan.FromDays(1);

    /// <summary>What pg_restore says of a file that is none of its own.</summary>
    private static readonly string[] OfTheFile = ["valid archive", "magic string", "file header", "end of file"];

    private const string Tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename";

    public string EntryName => "database/rootmas.pgdump";

    private NpgsqlConnectionStringBuilder Server => PostgresConnection.Single(options);

    public Task<DatabaseFacts> CopyAsync(string path, CancellationToken cancellationToken) => ToldAsync(async () =>
    {
        await using var connection = await OpenAsync(Server, policies, cancellationToken);

        // No migration begins until the copy is made, and none is half-way: it would wait for what this transaction has read, and pg_dump for it, in a circle that the server cannot see. Ends with the connection.
        await DatabaseReading.ExecuteAsync(connection, null, $"SELECT pg_advisory_lock_shared({HalfRestored.MigrationLock.ToString(CultureInfo.InvariantCulture)})", cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
        if (await DatabaseReading.ScalarAsync(connection, transaction, $"SELECT to_regclass('{HalfRestored.Table}') IS NOT NULL", cancellationToken) is true)
        {
            throw HalfRestored.Refusal();
        }

        var snapshot = (string)(await DatabaseReading.ScalarAsync(connection, transaction, "SELECT pg_export_snapshot()", cancellationToken))!;
        var schema = await SchemaAsync(connection, transaction, cancellationToken);
        var program = await programs.FindAsync("pg_dump", connection.PostgreSqlVersion.Major, cancellationToken);
        var facts = await FactsAsync(connection, transaction, schema, cancellationToken);
        await using (var file = PrivateFiles.Create(path))
        {
            await PostgresPrograms.RunAsync(
                program, Server, ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--no-password", $"--snapshot={snapshot}", $"--schema={Pattern(schema)}"], null, file, cancellationToken);
        }

        return facts with { ToolVersion = program.Version };
    });

    public Task<DateTimeOffset?> MadeAtAsync(CancellationToken cancellationToken) => ToldAsync(async () =>
    {
        await using var connection = await OpenAsync(Server, policies, cancellationToken);
        return await DatabaseReading.ScalarAsync(connection, null, "SELECT to_regclass('schema_migrations') IS NOT NULL", cancellationToken) is true
            ? await DatabaseReading.MadeAtAsync(connection, cancellationToken)
            : null;
    });

    public Task<ScratchDatabase> OpenScratchAsync(string path, DatabaseFacts facts, CancellationToken cancellationToken) => ToldAsync(async () =>
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{ScratchPrefix}{time.GetUtcNow().ToUnixTimeSeconds()}_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}");
        await MakeAsync(name, cancellationToken);
        try
        {
            var scratch = PostgresConnection.Single(options);
            scratch.Database = name;
            await using var connection = await OpenMadeAsync(scratch, cancellationToken);
            var schema = facts.Schema ?? "public";
            if (schema != "public")
            {
                await DatabaseReading.ExecuteAsync(connection, null, $"CREATE SCHEMA {Quoted(schema)}", cancellationToken);
            }

            await LoadScratchAsync(path, scratch, facts, cancellationToken);
            await DatabaseReading.ExecuteAsync(connection, null, $"SET search_path = {Quoted(schema)}", cancellationToken);
            var found = await FactsAsync(connection, null, schema, cancellationToken);
            scratch.SearchPath = schema == "public" ? scratch.SearchPath : Quoted(schema); // sent with the start of a session, which a pooler refuses
            var database = new PostgresDatabase(options with { ConnectionString = scratch.ConnectionString, PoolMin = 0, PoolMax = 2 }, static _ => Task.CompletedTask, time, NullLogger<PostgresDatabase>.Instance, outbound: policies);
            return new ScratchDatabase(database, found, [], () => new ValueTask(DropAsync(name)));
        }
        catch
        {
            await DropAsync(name);
            throw;
        }
    });

    /// <summary>Loads a dump into the (empty) schema of a database, in one transaction: all of it or nothing.</summary>
    public async Task LoadAsync(string path, NpgsqlConnectionStringBuilder server, DatabaseFacts facts, CancellationToken cancellationToken)
    {
        var program = await programs.FindAsync("pg_restore", MajorOf(facts.ToolVersion ?? facts.ServerVersion), cancellationToken);
        await using var file = PrivateFiles.Read(path);
        await PostgresPrograms.RunAsync(
            program, server,
            ["--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password", $"--schema={facts.Schema ?? "public"}", $"--dbname={server.Database}"], file, null, cancellationToken);
    }

    /// <summary>Before anything is changed: the program that loads it is there, and reads it.</summary>
    /// <exception cref="BackupException">It is not, or it does not.</exception>
    public async Task RequireLoadableAsync(string path, NpgsqlConnectionStringBuilder server, DatabaseFacts facts, CancellationToken cancellationToken)
    {
        if (await ContentsProblemAsync(path, server, facts, cancellationToken) is { } problem)
        {
            throw new BackupException(BackupFailure.Damaged, $"The dump in it cannot be read: {problem} Nothing was changed. Use another backup.");
        }
    }

    /// <summary>The dump is byte for byte the one that was written, so what keeps it from being loaded is the machine, unless pg_restore cannot read even its table of contents and says that of the file.</summary>
    private async Task LoadScratchAsync(string path, NpgsqlConnectionStringBuilder server, DatabaseFacts facts, CancellationToken cancellationToken)
    {
        try
        {
            await LoadAsync(path, server, facts, cancellationToken);
        }
        catch (BackupException e) when (e.Failure == BackupFailure.Failed)
        {
            if (await ContentsProblemAsync(path, server, facts, cancellationToken) is { } problem)
            {
                throw new BackupException(BackupFailure.Damaged, $"The dump in it cannot be read: {problem}", e);
            }

            throw;
        }
    }

    private async Task<string?> ContentsProblemAsync(string path, NpgsqlConnectionStringBuilder server, DatabaseFacts facts, CancellationToken cancellationToken)
    {
        var program = await programs.FindAsync("pg_restore", MajorOf(facts.ToolVersion ?? facts.ServerVersion), cancellationToken);
        try
        {
            await PostgresPrograms.RunAsync(program, server, ["--list", path], null, null, cancellationToken); // by name: it ends with the table of contents, and would not read on
            return null;
        }
        catch (BackupException e) when (e.Failure == BackupFailure.Failed)
        {
            return OfTheFile.Any(words => e.Message.Contains(words, StringComparison.Ordinal)) ? e.Message : null;
        }
    }

    public static async Task<string> SchemaAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, CancellationToken cancellationToken) =>
        await DatabaseReading.ScalarAsync(connection, transaction, "SELECT current_schema()", cancellationToken) as string
        ?? throw new BackupException(BackupFailure.Mismatch, "The connection's search path leads to no schema that exists. Nothing was done. Check Database:ConnectionString.");

    public static async Task<DatabaseFacts> FactsAsync(NpgsqlConnection connection, NpgsqlTransaction? transaction, string schema, CancellationToken cancellationToken)
    {
        var tables = await DatabaseReading.ListAsync(connection, transaction, Tables, static row => row.GetString(0), cancellationToken);
        return await DatabaseReading.FactsAsync(connection, DatabaseKind.Postgres, [.. tables.Where(static t => t != HalfRestored.Table)], transaction, cancellationToken) with { Schema = schema };
    }

    /// <summary>A connection without time-outs: counting, copying and moving take as long as they take.</summary>
    public static Task<NpgsqlConnection> OpenAsync(NpgsqlConnectionStringBuilder server, OutboundPolicies policies, CancellationToken cancellationToken) =>
        policies.Get("postgres").ExecuteAsync(async token => await PostgresConnection.OpenAsync(server, TimeSpan.Zero, writes: false, token), cancellationToken).AsTask();

    public static string Quoted(string name) => $"\"{name.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    public static int MajorOf(string version) => int.TryParse(version.Split('.', ' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major) ? major : 0;

    /// <summary>The server's errors as a message for people.</summary>
    public static async Task<T> ToldAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (e is NpgsqlException or TimeoutException or OutboundUnavailableException)
        {
            var failure = e is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } ? BackupFailure.Unable
                : e is OutboundUnavailableException || PostgresErrors.IsOutage(e) ? BackupFailure.Unreachable
                : BackupFailure.Failed;
            throw new BackupException(
                failure,
                $"PostgreSQL did not do it ({PostgresErrors.ClassOf(e)}{(e is PostgresException answer ? ": " + answer.MessageText : "")}). Check Database:ConnectionString, the server, and the rights of its user.", e);
        }
    }

    /// <summary>pg_dump takes patterns; a quoted name is exactly that name.</summary>
    private static string Pattern(string schema) => Quoted(schema);

    private async Task MakeAsync(string name, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(Server, policies, cancellationToken);
        foreach (var old in await DatabaseReading.ListAsync(connection, null, $"SELECT datname FROM pg_database WHERE datname LIKE '{ScratchPrefix.Replace("_", "\\_", StringComparison.Ordinal)}%' AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)", static row => row.GetString(0), cancellationToken))
        {
            await ForgetAsync(connection, old, cancellationToken);
        }

        try
        {
            await DatabaseReading.ExecuteAsync(connection, null, $"CREATE DATABASE {Quoted(name)} TEMPLATE template0", cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new BackupException(BackupFailure.Unable, $"Checking a backup needs a database of its own for a moment, and the user {Server.Username} may not make one. Say as an administrator of PostgreSQL: ALTER ROLE {Quoted(Server.Username ?? "")} CREATEDB.", e);
        }
    }

    /// <summary>It is there: where it is not known, something stands between that knows the databases of a list alone.</summary>
    private async Task<NpgsqlConnection> OpenMadeAsync(NpgsqlConnectionStringBuilder scratch, CancellationToken cancellationToken)
    {
        try
        {
            return await OpenAsync(scratch, policies, cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.InvalidCatalogName or PostgresErrorCodes.ProtocolViolation)
        {
            throw new BackupException(BackupFailure.Unable, $"Checking a backup needs a database of its own for a moment, and the pooler before PostgreSQL does not lead to it ({e.MessageText}). Name * in its list of databases (PgBouncer: [databases]).", e);
        }
    }

    /// <summary>A check that was killed leaves its database behind; one that is this old is nobody's any more.</summary>
    private async Task ForgetAsync(NpgsqlConnection connection, string name, CancellationToken cancellationToken)
    {
        if (name.Split('_') is [.., var made, _] && long.TryParse(made, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && time.GetUtcNow() - DateTimeOffset.FromUnixTimeSeconds(seconds) > ScratchIsForgotten)
        {
            try
            {
                await DatabaseReading.ExecuteAsync(connection, null, $"DROP DATABASE IF EXISTS {Quoted(name)}", cancellationToken);
            }
            catch (PostgresException)
            {
                // It is used after all, or not ours to drop: that hinders no check.
            }
        }
    }

    private async Task DropAsync(string name)
    {
        await using var connection = await OpenAsync(Server, policies, CancellationToken.None);
        await DatabaseReading.ExecuteAsync(connection, null, $"DROP DATABASE IF EXISTS {Quoted(name)} WITH (FORCE)", CancellationToken.None);
    }
}
