using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>Which processes live.</summary>
public interface IPresence
{
    /// <summary>Takes this process's place under its name, or makes sure that it still has it. Call before anything is done in that name, and every few seconds.</summary>
    Task HoldAsync(string name, CancellationToken cancellationToken);

    /// <summary>Those of <paramref name="names"/> whose process is certainly gone.</summary>
    Task<IReadOnlyList<string>> GoneAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken);
}

/// <summary>
/// A session lock on a connection of its own: the server frees it when the connection ends, however the process ended, so others know within moments. A process that only lost its connection counts as gone too,
/// which costs it its runs and no more: their attempts fence it off.
/// </summary>
public sealed class PostgresPresence(IDatabase database, DatabaseOptions options) : IPresence, IAsyncDisposable
{
    private readonly SemaphoreSlim gate = new(1, 1);
    private NpgsqlConnection? connection;

    /// <inheritdoc/>
    public async Task HoldAsync(string name, CancellationToken cancellationToken)
    {
        await database.OpenAsync();
        await gate.WaitAsync(cancellationToken);
        try
        {
            if (await StandsAsync())
            {
                return;
            }

            var fresh = new NpgsqlConnection(PostgresConnection.Single(options));
            try
            {
                await fresh.OpenAsync(cancellationToken);
                await using var take = new NpgsqlCommand("SELECT pg_advisory_lock(@key)", fresh) { Parameters = { new NpgsqlParameter<long>("key", KeyOf(name)) } };
                await take.ExecuteNonQueryAsync(cancellationToken);
            }
            catch (Exception error)
            {
                await fresh.DisposeAsync();
                throw PostgresErrors.Translate(error);
            }

            connection = fresh;
        }
        finally
        {
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> GoneAsync(IReadOnlyCollection<string> names, CancellationToken cancellationToken)
    {
        if (names.Count == 0)
        {
            return [];
        }

        var held = await database.ReadAsync(
            static session => session.Prepared("""
                SELECT (classid::bigint << 32) | objid::bigint FROM pg_locks
                WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """).ListAsync(static row => row.GetInt64(0)),
            cancellationToken);
        var living = held.ToHashSet();
        return [.. names.Where(name => !living.Contains(KeyOf(name)))];
    }

    public async ValueTask DisposeAsync()
    {
        if (connection is not null)
        {
            await connection.DisposeAsync();
        }

        gate.Dispose();
    }

    private async Task<bool> StandsAsync()
    {
        if (connection is null)
        {
            return false;
        }

        try
        {
            await using var ask = new NpgsqlCommand("SELECT 1", connection);
            await ask.ExecuteNonQueryAsync();
            return true;
        }
        catch (Exception error) when (PostgresErrors.IsOutage(error) || error is InvalidOperationException)
        {
            await connection.DisposeAsync();
            connection = null;
            return false;
        }
    }

    private static long KeyOf(string name) => BinaryPrimitives.ReadInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes("rootmas:" + name)));
}
