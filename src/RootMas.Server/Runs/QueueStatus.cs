using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Runs;

/// <param name="OldestSince">Since when the run waits that has waited longest for a worker, as <see cref="RunSamples"/> counts it; null: none waits.</param>
internal readonly record struct QueueCounts(long Waiting, long WaitingForBranch, long Running, DateTimeOffset? OldestSince, long Turns, long Unsent, long Dead);

/// <summary>How many runs wait and for what, over the whole installation.</summary>
internal sealed class QueueStatus(IDatabase database, RunWorker worker, RunSignals signals, RabbitBroker? broker = null)
{
    private const string Counts = """
        SELECT SUM(CASE WHEN status = 'queued' AND (branch_id IS NULL OR branch_slot IS NOT NULL OR inbox_seq > inbox_done) THEN 1 ELSE 0 END),
            SUM(CASE WHEN status = 'queued' AND branch_id IS NOT NULL AND branch_slot IS NULL AND inbox_seq <= inbox_done THEN 1 ELSE 0 END),
            SUM(CASE WHEN status = 'running' THEN 1 ELSE 0 END),
            MIN(CASE WHEN status = 'queued' AND queue_position IS NULL THEN COALESCE(ready_at, created_at) END),
            (SELECT COUNT(*) FROM run_turns WHERE offered = 0), (SELECT COUNT(*) FROM run_wakeups), (SELECT COUNT(*) FROM dead_letters)
        FROM runs WHERE ended_at IS NULL AND status IN ('queued', 'running')
        """;

    private const string Workers = "SELECT worker, COUNT(*) FROM runs WHERE ended_at IS NULL AND status = 'running' AND worker IS NOT NULL GROUP BY worker ORDER BY worker";

    public RabbitBroker? Broker => broker;

    /// <summary>As <see cref="QueueWatch"/> counted last.</summary>
    public QueueCounts Latest { get; set; }

    /// <summary>How runs reach workers now.</summary>
    public string Dispatch => broker is null ? worker.IsShared ? "database" : "in_process" : signals.Dispatch.WorkersLook ? "database" : "rabbitmq";

    public Task<QueueCounts> CountAsync(CancellationToken cancellationToken) =>
        database.LookAsync(
            static session => session.Prepared(Counts).FirstOrDefaultAsync(static r => new QueueCounts(
                r.Int64OrNull(0) ?? 0, r.Int64OrNull(1) ?? 0, r.Int64OrNull(2) ?? 0, r.TimeOrNull(3), r.GetInt64(4), r.GetInt64(5), r.GetInt64(6))),
            cancellationToken);

    /// <summary>What this process's worker holds, and what the database counts of the whole installation: every process shows the same. Length and age of the queue itself are in <see cref="RunSamples"/>.</summary>
    public void Publish(ServerMeter meter)
    {
        meter.Observe("rootmas.runs.queued", "{run}", "Runs that wait for a worker of this process.", () => worker.QueueLength);
        meter.Observe("rootmas.queue.unsent", "{message}", "Messages that RabbitMQ has not confirmed yet.", () => Latest.Unsent);
        meter.Observe("rootmas.queue.dead", "{letter}", "Dead letters that wait for an operator.", () => Latest.Dead);
    }

    public Task<List<(string Name, long Running)>> WorkersAsync(CancellationToken cancellationToken) =>
        database.LookAsync(static async session => await session.Prepared(Workers).ListAsync(static r => (r.GetString(0), r.GetInt64(1))), cancellationToken);
}

/// <summary>Counts for the metrics: every few seconds, beside a backlog up to a minute apart, in processes that work.</summary>
internal sealed partial class QueueWatch(QueueStatus status, RunWorker worker, RunsOptions options, TimeProvider clock, ILogger<QueueWatch> logger) : SupervisedService
{
    private readonly Pace _pace = new(clock);

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Renewal, clock);
        try
        {
            while (worker.Works && await timer.WaitForNextTickAsync(stoppingToken))
            {
                await _pace.RunAsync(() => CountAsync(stoppingToken));
            }
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    private async Task CountAsync(CancellationToken cancellationToken)
    {
        try
        {
            status.Latest = await status.CountAsync(cancellationToken);
        }
#pragma warning disable CA1031 // done again with the next round; it must not end the server
        catch (Exception failure) when (failure is not OperationCanceledException)
#pragma warning restore CA1031
        {
            LogNotCounted(failure.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The queue could not be counted: {Reason}")]
    private partial void LogNotCounted(string reason);
}
