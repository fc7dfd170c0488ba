using System.Collections.Concurrent;
using System.Data;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// The connections, and who may have one: in their order, for a bounded time. While the server cannot be reached, one call a second tries and all others are refused at once,
/// so that an outage costs nobody the whole time-out again and again.
/// </summary>
internal sealed class PostgresPool : IAsyncDisposable
{
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    /// <summary>Then the driver gets a connection back, and closes it: the server's process behind it only grows.</summary>
    private static readonly TimeSpan Lifetime = TimeSpan.FromHours(1);

    private readonly NpgsqlDataSource source;
    private readonly DatabaseOptions options;
    private readonly TimeProvider time;
    private readonly SemaphoreSlim places;

    /// <summary>Open connections, last come first served: what was used a moment ago is what the server has in its caches. As many as are always kept; the driver has the others, and closes those that are idle for long.</summary>
    private readonly ConcurrentStack<Lease> near = new();
    private int generation;
    private int waiting;
    private long exhausted;
    private Failure? down;

    /// <param name="writes">Whether only a server that takes writes will do; asked with each connection that is made.</param>
    public PostgresPool(DatabaseOptions options, Func<bool> writes, TimeProvider time)
    {
        (this.options, this.time) = (options, time);
        places = new SemaphoreSlim(options.PoolMax);
        source = new NpgsqlDataSourceBuilder(PostgresConnection.Pooled(options)).UsePhysicalConnectionInitializer(
            static _ => throw new NotSupportedException("Connections are opened asynchronously."),
            connection => PostgresConnection.PrepareAsync(connection, options.CommandTimeout, writes(), CancellationToken.None)).Build();
    }

    public int Waiting => Volatile.Read(ref waiting);

    /// <summary>Connections in use.</summary>
    public int InUse => options.PoolMax - places.CurrentCount;

    /// <summary>Calls that were refused because no connection became free in time.</summary>
    public long Exhaustions => Interlocked.Read(ref exhausted);

    /// <exception cref="StorageUnavailableException">No place became free in time, or the server cannot be reached.</exception>
    public async Task<Lease> TakeAsync(CancellationToken cancellationToken)
    {
        if (Volatile.Read(ref down) is { } failure && !MayProbe(failure))
        {
            throw new StorageUnavailableException("PostgreSQL cannot be reached. Nothing of this was saved; the next try is within a second.", failure.Cause);
        }

        await WaitAsync(cancellationToken);
        try
        {
            if (!near.TryPop(out var open))
            {
                var current = Volatile.Read(ref generation);
                open = new Lease(this, await source.OpenConnectionAsync(cancellationToken), current, time.GetTimestamp());
            }

            Volatile.Write(ref down, null);
            return open;
        }
        catch (Exception error)
        {
            places.Release();
            if (PostgresErrors.IsOutage(error))
            {
                Volatile.Write(ref down, new Failure(time.GetTimestamp(), error));
                throw PostgresErrors.Translate(error);
            }

            throw;
        }
    }

    /// <summary>Forgets the open connections; those in use are closed when they come back.</summary>
    public void Renew()
    {
        Interlocked.Increment(ref generation);
        while (near.TryPop(out var open))
        {
            _ = open.Connection.CloseAsync(); // what it could say of a connection that is given up interests nobody
        }

        source.Clear();
    }

    /// <summary>Opens the connections that are always kept, so that the first requests need not.</summary>
    public async Task WarmAsync()
    {
        var opening = Enumerable.Range(0, Math.Max(1, options.PoolMin)).Select(_ => source.OpenConnectionAsync().AsTask()).ToList();
        try
        {
            await Task.WhenAll(opening);
        }
        finally
        {
            foreach (var one in opening.Where(static o => o.IsCompletedSuccessfully)) // also where others failed: the driver would count them as in use for ever
            {
                await (await one).DisposeAsync();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < options.PoolMax; i++)
        {
            await places.WaitAsync(options.CommandTimeout);
        }

        Renew();
        await source.DisposeAsync();
        places.Dispose();
    }

    /// <summary>One a second.</summary>
    private bool MayProbe(Failure failure) =>
        time.GetElapsedTime(failure.Since) >= Rest && Interlocked.CompareExchange(ref down, failure with { Since = time.GetTimestamp() }, failure) == failure;

    private async ValueTask GiveBackAsync(Lease open)
    {
        try
        {
            if (open.Connection.FullState == ConnectionState.Open && near.Count < options.PoolMin && open.Generation == Volatile.Read(ref generation) && time.GetElapsedTime(open.Since) < Lifetime)
            {
                near.Push(open);
            }
            else
            {
                await open.Connection.DisposeAsync();
            }
        }
        finally
        {
            places.Release();
        }
    }

    private async ValueTask WaitAsync(CancellationToken cancellationToken)
    {
        if (places.Wait(0, CancellationToken.None))
        {
            return;
        }

        if (Interlocked.Increment(ref waiting) > options.QueueLength)
        {
            Interlocked.Decrement(ref waiting);
            throw Exhausted();
        }

        try
        {
            if (!await places.WaitAsync(options.ConnectTimeout, cancellationToken))
            {
                throw Exhausted();
            }
        }
        finally
        {
            Interlocked.Decrement(ref waiting);
        }
    }

    private StorageUnavailableException Exhausted()
    {
        Interlocked.Increment(ref exhausted);
        return new($"All {options.PoolMax} connections to PostgreSQL were in use for {options.ConnectTimeout.TotalSeconds:0.#} s. Nothing of this was saved. Raise Database:PoolMax, or look for slow statements (pg_stat_activity).");
    }

    private sealed record Failure(long Since, Exception Cause);

    /// <summary>A connection until it is given back.</summary>
    public sealed class Lease(PostgresPool pool, NpgsqlConnection connection, int generation, long since) : IAsyncDisposable
    {
        public NpgsqlConnection Connection => connection;

        /// <summary>How often all connections had been given up when it was opened.</summary>
        public int Generation => generation;

        /// <summary>When it was opened, a time stamp.</summary>
        public long Since => since;

        public ValueTask DisposeAsync() => pool.GiveBackAsync(this);
    }
}
