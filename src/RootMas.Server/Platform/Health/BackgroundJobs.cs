using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Health;

/// <summary>
/// What the server does by itself from time to time: pruning, backups, samples. Each job says how often it means to run, and how it went, so that <c>/health</c>, metrics and alerts see one that fails or no longer runs.
/// </summary>
public sealed class BackgroundJobs(TimeProvider clock)
{
    private readonly ConcurrentDictionary<string, BackgroundJob> _jobs = new(StringComparer.Ordinal);

    public IReadOnlyCollection<BackgroundJob> All => [.. _jobs.Values.OrderBy(static j => j.Name, StringComparer.Ordinal)];

    /// <param name="name">As metrics and health show it: <c>idempotency-pruning</c>.</param>
    /// <param name="every">How often it means to run. A job whose last success is three times as long ago is overdue.</param>
    public BackgroundJob Add(string name, TimeSpan every) => _jobs.GetOrAdd(name, static (n, made) => new BackgroundJob(n, made.every, made.clock), (every, clock));

    internal void Publish(ServerMeter meter)
    {
        BackgroundJob.CreateMetrics();
        SupervisedService.CreateMetrics();
        meter.Observe("rootmas.job.interval", "s", "How often each background job means to run.", () => All.Select(static j => new Reading(j.Every.TotalSeconds, "background_job", j.Name)));
        meter.Observe("rootmas.job.last_success.timestamp", "s", "When each background job last succeeded, in seconds since 1970; before its first success: when it was added.",
            () => All.Select(static j => new Reading((j.LastSuccess ?? j.Since).ToUnixTimeMilliseconds() / 1000d, "background_job", j.Name)));
    }
}

/// <summary>One job and how it went.</summary>
public sealed class BackgroundJob
{
    private static readonly Counter<long> Runs = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.job.runs", "{run}", "Runs of background jobs, by job and outcome (ok, failed).");
    private static readonly Histogram<double> Durations = RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.job.duration", "s", "Time that a run of a background job took.", advice: RootMasTelemetry.Long);

    private readonly TimeProvider _clock;
    private readonly Lock _lock = new();

    internal BackgroundJob(string name, TimeSpan every, TimeProvider clock) => (Name, Every, _clock, Since) = (name, every, clock, clock.GetUtcNow());

    internal static void CreateMetrics() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(BackgroundJob).TypeHandle);

    public string Name { get; }

    public TimeSpan Every { get; }

    internal DateTimeOffset Since { get; }

    public DateTimeOffset? LastSuccess { get; private set; }

    /// <summary>Class and time of the newest failure; null: none yet.</summary>
    public (string Class, DateTimeOffset At)? LastFailure { get; private set; }

    internal bool IsOverdue => _clock.GetUtcNow() - (LastSuccess ?? Since) > 3 * Every;

    internal bool HasFailed => LastFailure is { } failure && (LastSuccess is not { } success || failure.At > success);

    /// <summary>Runs it once and notes how it went; a failure is thrown on.</summary>
    public async Task RunAsync(Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(work);
        var began = _clock.GetTimestamp();
        try
        {
            await work(cancellationToken);
            Succeeded(_clock.GetElapsedTime(began));
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            Failed(HealthState.ClassOf(e));
            throw;
        }
    }

    /// <param name="took">Null: the job was seen to be well, and there is no run to measure.</param>
    public void Succeeded(TimeSpan? took = null)
    {
        lock (_lock)
        {
            LastSuccess = _clock.GetUtcNow();
        }

        Count("ok");
        if (took is { } time)
        {
            Durations.Record(time.TotalSeconds, new KeyValuePair<string, object?>("background_job", Name));
        }
    }

    public void Failed(string errorClass)
    {
        lock (_lock)
        {
            LastFailure = (errorClass, _clock.GetUtcNow());
        }

        Count("failed");
    }

    private void Count(string outcome) => Runs.Add(1, new KeyValuePair<string, object?>("background_job", Name), new KeyValuePair<string, object?>("outcome", outcome));
}

/// <summary>The jobs as <c>/health</c> shows them: <c>schedule</c>, and <c>schedule/NAME</c> for each, and for each service in the background that failed a moment ago.</summary>
/// <param name="services">Asked only when somebody asks: they are made after the probes.</param>
internal sealed class ScheduleProbe(BackgroundJobs jobs, Lazy<IReadOnlyList<SupervisedService>> services) : IHealthProbe
{
    public string Name => "schedule";

    public bool IsCritical => false;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var parts = jobs.All.ToDictionary(static j => j.Name, StateOf, StringComparer.Ordinal);
        foreach (var service in services.Value)
        {
            if (service.RecentFailure is { } failure)
            {
                parts[service.Name] = HealthState.Degraded($"failed unexpectedly ({failure.Class}) and began again; the log says why.", failure.Class) with { LastErrorAt = failure.At };
            }
        }

        var bad = parts.Where(static p => p.Value.Status != HealthState.Good).Select(static p => p.Key).ToList();
        var state = bad.Count == 0 ? HealthState.Healthy($"{parts.Count} background jobs run as they should.") : HealthState.Degraded($"Failed or overdue: {string.Join(", ", bad)}.");
        return ValueTask.FromResult(state with { Parts = parts });
    }

    private static HealthState StateOf(BackgroundJob job)
    {
        var when = job.LastSuccess is { } last ? $"last success {last.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}" : "not yet run";
        var state = job.HasFailed ? HealthState.Degraded($"failed: {job.LastFailure?.Class}; {when}; it is tried again by itself.")
            : job.IsOverdue ? HealthState.Degraded($"overdue: means to run every {job.Every}; {when}.")
            : HealthState.Healthy($"every {job.Every}; {when}.");
        return state with { LastError = job.LastFailure?.Class, LastErrorAt = job.LastFailure?.At };
    }
}
