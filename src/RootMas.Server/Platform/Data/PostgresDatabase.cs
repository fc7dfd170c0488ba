using System.Data;
using Npgsql;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// A PostgreSQL server, for when one file is no longer enough. A write is a transaction of its own (READ COMMITTED: what must not change between look and write is locked or compared, see <see cref="SqlDialect.Held"/>);
/// a read sees one snapshot. A delegate runs again where nothing of it can have been kept: after a conflict with others, and after a connection was lost before the commit was sent.
/// If it is lost while the commit is on its way nobody knows the outcome: the caller is told, and asks (<c>RunStore.FindOwnBatchAsync</c>, Idempotency-Key).
/// </summary>
public sealed partial class PostgresDatabase : IDatabase, IAsyncDisposable
{
    private const int ConflictAttempts = 10;

    private static readonly TimeSpan StartPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StartPause = TimeSpan.FromMilliseconds(500);

    private readonly PostgresPool pool;
    private readonly OutboundPolicies outbound;
    private readonly OutboundPolicy policy;
    private readonly DatabaseOptions options;
    private readonly Func<CancellationToken, Task> prepare;
    private readonly TimeProvider? clock;
    private readonly TimeProvider time;
    private readonly PostgresClock serverClock;
    private readonly ILogger logger;
    private readonly Lazy<Task> opening;
    private readonly PostgresGroups groups;
    private readonly WriteTrouble trouble;
    private int disposed;

    /// <param name="prepare">Runs once before anything else: takes the data directory, brings the schema up to date. What it throws, every call throws.</param>
    /// <param name="clock">The time of transactions; null: the server's.</param>
    public PostgresDatabase(DatabaseOptions options, Func<CancellationToken, Task> prepare, TimeProvider time, ILogger<PostgresDatabase> logger, TimeProvider? clock = null, OutboundPolicies? outbound = null)
    {
        this.outbound = outbound ?? new OutboundPolicies(new ResilienceOptions(), time);
        policy = this.outbound.Get("postgres");
        this.outbound.Classify(policy.Client, PostgresErrors.ClassOf);
        this.options = options;
        this.prepare = prepare;
        this.time = time;
        this.logger = logger;
        this.clock = clock;
        pool = new PostgresPool(options, () => RefusesStandby, time);
        trouble = new WriteTrouble(time);
        serverClock = new PostgresClock(time);
        Time = clock ?? new PostgresTime(serverClock, time);
        groups = new PostgresGroups(SendTogetherAsync, time);
        opening = new Lazy<Task>(StartAsync, LazyThreadSafetyMode.ExecutionAndPublication);
    }

    /// <inheritdoc/>
    public DatabaseKind Kind => DatabaseKind.Postgres;

    /// <summary>The clock that transactions go by.</summary>
    public TimeProvider Time { get; }

    /// <summary>No connection is made to a server that takes no writes: that is an outage, which is waited for. Commands that only look may look at a standby.</summary>
    public bool RefusesStandby { get; init; }

    /// <summary>The newest failure and when it was; null: none yet.</summary>
    public (string Class, DateTimeOffset At)? LastFailure { get; private set; }

    /// <summary>Why nothing, or not everything, can be saved at the moment, in a word; null: it can.</summary>
    public string? LastWriteFailure => trouble.Kind;

    /// <summary>Calls that wait for a connection.</summary>
    public int Waiting => pool.Waiting;

    /// <inheritdoc/>
    public Task OpenAsync() => opening.Value;

    /// <inheritdoc/>
    public Task<T> WriteAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) =>
        RunAsync(attempt => WriteOnceAsync(work, attempt, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<T> WriteSoonAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) => WriteAsync(work, cancellationToken);

    /// <inheritdoc/>
    public Task<T> ReadAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) =>
        RunAsync(_ => ReadOnceAsync(work, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<T> LookAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken) =>
        RunAsync(_ => LookOnceAsync(work, cancellationToken), cancellationToken);

    /// <summary>Finishes what is under way, then closes the connections.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref disposed, 1) == 0)
        {
            await groups.DisposeAsync();
            await pool.DisposeAsync();
        }
    }

    internal void Publish(ServerMeter meter)
    {
        meter.Observe("rootmas.db.pool.in_use", "{connection}", "Connections to PostgreSQL that are in use.", () => pool.InUse);
        meter.Observe("rootmas.db.pool.max", "{connection}", "Most connections to PostgreSQL at a time (Database:PoolMax).", () => options.PoolMax);
        meter.Observe("rootmas.db.pool.waiting", "{call}", "Calls that wait for a connection to PostgreSQL.", () => pool.Waiting);
        meter.ObserveCount("rootmas.db.pool.exhausted", "{call}", "Calls that were refused because no connection to PostgreSQL became free in time.", () => pool.Exhaustions);
    }

    /// <summary>Why it could not be done, in a word; of a server that is left alone, what it was left alone for.</summary>
    internal string ClassOf(StorageUnavailableException error) =>
        error.InnerException is OutboundUnavailableException && policy.LastFailure is { } last ? last : PostgresErrors.ClassOf(error);

    private void Note(string kind)
    {
        LastFailure = (kind, time.GetUtcNow());
        trouble.Failed(kind);
        DatabaseMetrics.Failures.Add(1, new KeyValuePair<string, object?>("class", kind));
    }

    private async ValueTask ReadyAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(disposed != 0, this);
        cancellationToken.ThrowIfCancellationRequested();
        var opened = OpenAsync();
        if (!opened.IsCompletedSuccessfully)
        {
            await opened.WaitAsync(cancellationToken);
        }
    }

    private async Task<T> RunAsync<T>(Func<Attempt, Task<T>> once, CancellationToken cancellationToken)
    {
        await ReadyAsync(cancellationToken);
        for (var count = 1; ; count++)
        {
            var attempt = new Attempt();
            try
            {
                return await policy.ExecuteOnceAsync(async _ => await once(attempt), Judge, CancellationToken.None);
            }
            catch (OutboundUnavailableException error)
            {
                throw new StorageUnavailableException(error.IsTimeout ? "PostgreSQL did not answer in time. Look at its load and at locks (pg_stat_activity)." : "PostgreSQL does not answer and is not asked for a moment. Nothing of this was saved; try again.", error);
            }
            catch (StorageUnavailableException error)
            {
                Note(PostgresErrors.ClassOf(error));
                throw;
            }
            catch (Exception error) when (!attempt.Committing && MayTryAgain(error, count))
            {
                var kind = PostgresErrors.ClassOf(error);
                Note(kind);
                LogRepeated(logger, kind);
                outbound.Traffic.Retried(policy.Client);
                await PauseAsync(error, count);
            }
            catch (Exception error) when (PostgresErrors.IsConflict(error) || PostgresErrors.IsOutage(error))
            {
                RenewIfLost(error);
                throw Report(error, attempt.Committing);
            }
        }
    }

    private async Task<T> WriteOnceAsync<T>(Func<DbSession, ValueTask<T>> work, Attempt attempt, CancellationToken cancellationToken)
    {
        await using var lease = await pool.TakeAsync(cancellationToken);
        var began = time.GetTimestamp();
        var transaction = await lease.Connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, CancellationToken.None);
        await using (transaction)
        {
            var session = new PostgresSession(lease.Connection, transaction, await NowAsync(lease.Connection), writes: true);
            T result;
            try
            {
                result = await work(session);
            }
            catch
            {
                await RollbackAsync(transaction);
                throw;
            }
            finally
            {
                session.Close();
            }

            await CommitAsync(session, transaction, attempt);
            Saved(began, session.AfterCommits);
            return result;
        }
    }

    private void Saved(long began, IReadOnlyList<Action> afterCommit, int writes = 1)
    {
        trouble.Saved();
        DatabaseMetrics.Commits.Record(time.GetElapsedTime(began).TotalSeconds);
        DatabaseMetrics.GroupSizes.Record(writes);
        DbSession.RunAll(afterCommit, exception => LogActionFailed(logger, exception));
    }

    private async Task<T> ReadOnceAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
    {
        await using var lease = await pool.TakeAsync(cancellationToken);
        var transaction = await lease.Connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, CancellationToken.None);
        await using (transaction)
        {
            var session = new PostgresSession(lease.Connection, transaction, await NowAsync(lease.Connection), writes: false);
            try
            {
                return await work(session);
            }
            finally
            {
                session.Close();
                await RollbackAsync(transaction); // a read changes nothing, and what tried to is not kept
            }
        }
    }

    private static async Task CommitAsync(PostgresSession session, NpgsqlTransaction transaction, Attempt attempt)
    {
        attempt.Committing = true;
        try
        {
            await (session.HasUnsent ? session.CommitAsync() : transaction.CommitAsync(CancellationToken.None));
        }
        catch (PostgresException error) when (PostgresErrors.IsNotCommitted(error))
        {
            attempt.Committing = false;
            await RollbackAsync(transaction);
            throw;
        }
    }

    private async Task<T> LookOnceAsync<T>(Func<DbSession, ValueTask<T>> work, CancellationToken cancellationToken)
    {
        await using var lease = await pool.TakeAsync(cancellationToken);
        var session = new PostgresLook(lease.Connection, await NowAsync(lease.Connection));
        try
        {
            return await work(session);
        }
        finally
        {
            session.Close();
        }
    }

    private ValueTask<DateTimeOffset> NowAsync(NpgsqlConnection connection) =>
        clock is null ? serverClock.NowAsync(connection) : ValueTask.FromResult(UnixTime.Truncate(clock.GetUtcNow()));

    private static async Task RollbackAsync(NpgsqlTransaction transaction)
    {
        try
        {
            await transaction.RollbackAsync();
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException or ObjectDisposedException or IOException)
        {
            // The connection is gone, and the server has rolled back; the first error is the one to tell.
        }
    }

    /// <summary>Only the server's own failures count: a full pool, conflicts, constraints and our mistakes do not.</summary>
    private static OutboundVerdict Judge<T>(T? result, Exception? error)
    {
        var cause = error is StorageUnavailableException ? error.InnerException : error;
        return cause is not null && (cause is OutboundUnavailableException || PostgresErrors.IsLostConnection(cause) || PostgresErrors.IsOutage(cause)) ? OutboundVerdict.Failed : OutboundVerdict.Answered;
    }

    private bool MayTryAgain(Exception error, int attempt) =>
        (PostgresErrors.IsConflict(error) && attempt < ConflictAttempts) || (PostgresErrors.IsLostConnection(error) && attempt < policy.Tries);

    private Task PauseAsync(Exception error, int attempt)
    {
        RenewIfLost(error);
        var longest = PostgresErrors.IsConflict(error) ? 2 << attempt : Math.Min(policy.Base.TotalMilliseconds * (1 << (attempt - 1)), policy.Longest.TotalMilliseconds);
#pragma warning disable CA5394 // spreads those that met, decides nothing
        return Task.Delay(TimeSpan.FromMilliseconds(longest * (0.5 + (Random.Shared.NextDouble() / 2))), time);
#pragma warning restore CA5394
    }

    /// <summary>Its sisters are of the same age.</summary>
    private void RenewIfLost(Exception error)
    {
        if (PostgresErrors.IsLostConnection(error))
        {
            pool.Renew();
        }
    }

    private Exception Report(Exception error, bool committing)
    {
        var kind = PostgresErrors.ClassOf(error);
        Note(kind);
        LogOutage(logger, kind, committing ? "whether the last commit went through is unknown" : "nothing of it was kept", error);
        return PostgresErrors.Translate(error);
    }

    /// <summary>At the start the server may still be on its way up.</summary>
    private async Task StartAsync()
    {
        await Task.Yield();
        var began = time.GetTimestamp();
        while (true)
        {
            try
            {
                await prepare(CancellationToken.None);
                await pool.WarmAsync();
                return;
            }
            catch (Exception error) when (PostgresErrors.IsOutage(error) || error is StorageUnavailableException)
            {
                var kind = PostgresErrors.ClassOf(error);
                var code = StartupRefusedException.CodeOf(kind);
                if (code == 2 || time.GetElapsedTime(began) > StartPatience)
                {
                    throw new StartupRefusedException($"The PostgreSQL database {PostgresConnection.Describe(options)} cannot be used ({kind}). {PostgresErrors.StartAdvice(kind)}", code);
                }

                LogWaiting(logger, kind);
            }

            await Task.Delay(StartPause, time);
        }
    }

    /// <summary>How far a transaction came.</summary>
    private sealed class Attempt
    {
        /// <summary>The commit may have reached the server.</summary>
        public bool Committing { get; set; }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "PostgreSQL could not do it ({Kind}): {Outcome}")]
    private static partial void LogOutage(ILogger logger, string kind, string outcome, Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "A transaction begins again: {Kind}")]
    private static partial void LogRepeated(ILogger logger, string kind);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Waiting for PostgreSQL: {Kind}")]
    private static partial void LogWaiting(ILogger logger, string kind);

    [LoggerMessage(Level = LogLevel.Error, Message = "An action after a commit failed; the commit itself is durable")]
    private static partial void LogActionFailed(ILogger logger, Exception exception);
}
