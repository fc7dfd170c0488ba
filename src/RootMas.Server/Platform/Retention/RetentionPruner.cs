using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Retention;

/// <summary>What a pass removed, or would remove.</summary>
/// <param name="Kind">The kind of data.</param>
/// <param name="Keep">How long it stays; zero: for ever.</param>
/// <param name="Count">How many.</param>
internal sealed record Pruned(string Kind, TimeSpan Keep, long Count);

/// <summary>
/// Removes what is older than the settings allow, in small transactions with others' writes in between. On PostgreSQL one instance at a time does it: each transaction takes a lock that ends with it,
/// and who does not get it leaves the work to the other.
/// </summary>
internal sealed partial class RetentionPruner(RetentionOptions options, IEnumerable<RetentionKind> kinds, IDatabase database, BackgroundJobs jobs, TimeProvider time, ILogger<RetentionPruner> logger) : SupervisedService
{
    /// <summary>"rootmas7" in ASCII.</summary>
    internal const long LockKey = 0x726f6f746d617337;

    private const int TakenElsewhere = -1;

    /// <summary>A server that never runs as long as the interval removes what is due too.</summary>
    private static readonly TimeSpan FirstPass = TimeSpan.FromMinutes(1);

    private readonly Counter<long> _pruned = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.retention.pruned", "{item}", "What retention removed, by kind: logs of runs, conversations, rows of the ledger, dead letters.");

    private readonly RetentionKind[] _kinds = [.. kinds];

    /// <summary>What a pass would remove now.</summary>
    public async Task<IReadOnlyList<Pruned>> LookAsync(CancellationToken cancellationToken)
    {
        var found = new List<Pruned>();
        foreach (var kind in _kinds)
        {
            var count = kind.Keep == TimeSpan.Zero ? 0 : await database.ReadAsync(session => kind.Count(session, session.Now - kind.Keep), cancellationToken);
            found.Add(new Pruned(kind.Name, kind.Keep, count));
        }

        return found;
    }

    /// <summary>One pass over all kinds.</summary>
    public async Task<IReadOnlyList<Pruned>> PruneAsync(CancellationToken cancellationToken)
    {
        var done = new List<Pruned>();
        foreach (var kind in _kinds)
        {
            done.Add(new Pruned(kind.Name, kind.Keep, kind.Keep == TimeSpan.Zero ? 0 : await PruneAsync(kind, cancellationToken)));
        }

        return done;
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        if (Array.TrueForAll(_kinds, static k => k.Keep == TimeSpan.Zero))
        {
            return;
        }

        var job = jobs.Add("retention", options.Interval);
        using var timer = new PeriodicTimer(FirstPass, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                timer.Period = options.Interval;
                await PassAsync(job, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // the end of the process
        }
    }

    private async Task PassAsync(BackgroundJob job, CancellationToken cancellationToken)
    {
        try
        {
            await job.RunAsync(
                async token =>
                {
                    foreach (var pruned in (await PruneAsync(token)).Where(static p => p.Count > 0))
                    {
                        LogPruned(pruned.Kind, pruned.Count, pruned.Keep);
                    }
                },
                cancellationToken);
        }
        catch (StorageUnavailableException e)
        {
            LogFailed(e);
        }
    }

    private async Task<long> PruneAsync(RetentionKind kind, CancellationToken cancellationToken)
    {
        long total = 0;
        while (true)
        {
            var count = await database.WriteAsync(session => BiteAsync(session, kind), cancellationToken);
            if (count > 0)
            {
                _pruned.Add(count, new KeyValuePair<string, object?>("kind", kind.Name));
                total += count;
            }

            if (count == TakenElsewhere || (count < options.Batch && !kind.IsUnderWay()))
            {
                return total;
            }
        }
    }

    private async ValueTask<int> BiteAsync(DbSession session, RetentionKind kind)
    {
        if (session.Kind == DatabaseKind.Postgres && !await session.Prepared("SELECT 1 WHERE pg_try_advisory_xact_lock(@key)").Set("key", LockKey).AnyAsync())
        {
            return TakenElsewhere;
        }

        return await kind.Prune(session, session.Now - kind.Keep, options.Batch);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Retention removed {Count} of {Kind} older than {Keep}")]
    private partial void LogPruned(string kind, long count, TimeSpan keep);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Retention could not go on; what is left is removed with the next pass")]
    private partial void LogFailed(Exception exception);
}
