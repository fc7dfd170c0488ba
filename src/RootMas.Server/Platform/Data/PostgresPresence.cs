using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>Which processes live, and which of them does what only one may do.</summary>
public interface IPresence
{
    /// <summary>How long ago this process had to take its place anew, because its connection was lost; null: it never had to. Others may have lost theirs with it, and are not gone.</summary>
    TimeSpan? SinceReturn { get; }

    /// <summary>Takes this process's place under its name, or makes sure that it still has it. Call before anything is done in that name, and every few seconds. A process may have several names.</summary>
    Task HoldAsync(string name, CancellationToken cancellationToken);

    /// <summary>Those of <paramref name="names"/> whose process is certainly gone.</summary>
    Task<IReadOnlyList<string>> GoneAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken);

    /// <summary>Whether the process of this name lives, asked inside a transaction.</summary>
    ValueTask<bool> LivesAsync(DbSession session, string name);

    /// <summary>Takes a duty that one process at a time has, if nobody has it. True: it is this process's now. Ask again before each piece of work: it goes with the connection.</summary>
    Task<bool> TryTakeAsync(string duty, CancellationToken cancellationToken);
}

/// <summary>
/// Session locks on a connection of their own: the server frees them when the connection ends, however the process ended, so others know within moments. A process that lost its connection alone counts as gone too,
/// which costs it its runs and no more: their attempts fence it off. Where all lost theirs, whoever is back first waits for the others (<see cref="IPresence.SinceReturn"/>).
/// </summary>
public sealed class PostgresPresence(IDatabase database, DatabaseOptions options) : IPresence, IAsyncDisposable
{
    private const string Living = """
        SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
        WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        """;

    private readonly SemaphoreSlim gate = new(1, 1);
    private readonly HashSet<string> names = new(StringComparer.Ordinal);
    private readonly HashSet<string> duties = new(StringComparer.Ordinal);
    private NpgsqlConnection? connection;
    private bool stood;
    private long returned; // a timestamp; 0: never
    private bool disposed;

    /// <inheritdoc/>
    public TimeSpan? SinceReturn => Volatile.Read(ref returned) is not 0 and var at ? Stopwatch.GetElapsedTime(at) : null;

    /// <inheritdoc/>
    public Task HoldAsync(string name, CancellationToken cancellationToken) => OnConnectionAsync(
        async stands =>
        {
            if (names.Add(name))
            {
                try
                {
                    await AskAsync(stands, "SELECT pg_advisory_lock(@key)", name, cancellationToken);
                }
                catch
                {
                    names.Remove(name);
                    throw;
                }
            }

            return true;
        },
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> TryTakeAsync(string duty, CancellationToken cancellationToken) => OnConnectionAsync(
        async stands =>
        {
            if (!duties.Contains(duty) && await AskAsync(stands, "SELECT pg_try_advisory_lock(@key)", duty, cancellationToken) is true)
            {
                duties.Add(duty);
            }

            return duties.Contains(duty);
        },
        cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<bool> LivesAsync(DbSession session, string name)
    {
        ArgumentNullException.ThrowIfNull(session);
        return (await session.Prepared(Living).ListAsync(static row => row.GetInt64(0))).Contains(KeyOf(name));
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> GoneAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        if (names.Count == 0)
        {
            return [];
        }

        var held = await database.ReadAsync(static session => session.Prepared(Living).ListAsync(static row => row.GetInt64(0)), cancellationToken);
        var living = held.ToHashSet();
        return [.. names.Where(name => !living.Contains(KeyOf(name)))];
    }

    /// <summary>Gives up all names and duties. The gate is left to those who still wait at it.</summary>
    public async ValueTask DisposeAsync()
    {
        await gate.WaitAsync();
        try
        {
            disposed = true;
            if (connection is not null)
            {
                await connection.DisposeAsync();
            }
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>On a connection that stands and has all names. Duties go with the one before: somebody else may have them by now.</summary>
    private async Task<T> OnConnectionAsync<T>(Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        await database.OpenAsync();
        await gate.WaitAsync(cancellationToken);
        try
        {
            ObjectDisposedException.ThrowIf(disposed, this);
            if (!await StandsAsync())
            {
                duties.Clear();
                connection = await ConnectAsync(cancellationToken);
                if (stood)
                {
                    Volatile.Write(ref returned, Stopwatch.GetTimestamp());
                }

                stood = true;
            }

            return await work(connection!);
        }
        catch (Exception error) when (error is NpgsqlException or TimeoutException)
        {
            throw PostgresErrors.Translate(error);
        }
        finally
        {
            gate.Release();
        }
    }

    private async Task<NpgsqlConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var fresh = await PostgresConnection.OpenAsync(options, writes: true, cancellationToken);
        try
        {
            foreach (var name in names)
            {
                await AskAsync(fresh, "SELECT pg_advisory_lock(@key)", name, cancellationToken);
            }

            return fresh;
        }
        catch
        {
            await fresh.DisposeAsync();
            throw;
        }
    }

    private static async Task<object?> AskAsync(NpgsqlConnection on, string sql, string name, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand(sql, on) { Parameters = { new NpgsqlParameter<long>("key", KeyOf(name)) } };
        return await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>It answers, and its server takes writes: locks on one that takes none (any more) keep nobody out who works where they are taken.</summary>
    private async Task<bool> StandsAsync()
    {
        if (connection is null)
        {
            return false;
        }

        try
        {
            await using var ask = new NpgsqlCommand("SELECT current_setting('transaction_read_only')::boolean", connection);
            if (await ask.ExecuteScalarAsync() is not true)
            {
                return true;
            }
        }
        catch (Exception error) when (PostgresErrors.IsOutage(error) || error is InvalidOperationException)
        {
            // it is gone
        }

        await connection.DisposeAsync();
        connection = null;
        return false;
    }

    private static long KeyOf(string name) => BinaryPrimitives.ReadInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes("rootmas:" + name)));
}
