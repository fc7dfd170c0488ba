using System.Collections.Concurrent;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Health;

/// <summary>Asks the probes, and remembers the answers for a moment, so that nobody can load what is asked by asking how it is.</summary>
public sealed partial class HealthMonitor(IEnumerable<IHealthProbe> probes, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<HealthMonitor> logger) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    private readonly IHealthProbe[] _probes = [.. probes];
    private readonly SemaphoreSlim _asking = new(1, 1);
    private readonly ConcurrentDictionary<string, (string Class, DateTimeOffset At)> _lastErrors = new(StringComparer.Ordinal);
    private Snapshot? _last;

    /// <summary>A probe that has not answered by then is unhealthy.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(2);

    public bool IsStarted => lifetime.ApplicationStarted.IsCancellationRequested;

    /// <summary>True from the moment that the server was told to stop.</summary>
    public bool IsStopping => lifetime.ApplicationStopping.IsCancellationRequested;

    /// <summary>What was found last, however old; empty before the first look.</summary>
    public IReadOnlyDictionary<string, HealthCheck> Last => Volatile.Read(ref _last)?.Checks ?? new Dictionary<string, HealthCheck>(StringComparer.Ordinal);

    public async Task<HealthReport> CheckAsync(CancellationToken cancellationToken)
    {
        if (IsFresh(_last))
        {
            return Report(_last!);
        }

        await _asking.WaitAsync(cancellationToken);
        try
        {
            if (!IsFresh(_last))
            {
                var answers = await Task.WhenAll(_probes.Select(AskAsync));
                var found = new Snapshot(clock.GetTimestamp(), answers.SelectMany(Checks).ToDictionary(StringComparer.Ordinal));
                TellChanges(found);
                Volatile.Write(ref _last, found);
            }

            return Report(_last!);
        }
        finally
        {
            _asking.Release();
        }
    }

    public void Dispose() => _asking.Dispose();

    /// <summary>Shows the newest findings as metrics. A status is 1 healthy, 0.5 degraded, 0 unhealthy; what is not configured has none.</summary>
    internal void Publish(ServerMeter meter)
    {
        meter.Observe("rootmas.health", "", "Each part of the system: 1 healthy, 0.5 degraded, 0 unhealthy.",
            () => Last.Where(static c => c.Value.Status != HealthState.Absent).Select(static c => new Reading(c.Value.Status switch { HealthState.Good => 1, HealthState.Weak => 0.5, _ => 0 }, "service", c.Key)));
        meter.Observe("rootmas.health.latency", "s", "How long each part took to answer the newest check.",
            () => Last.Where(static c => c.Value.LatencyMs is not null).Select(static c => new Reading(c.Value.LatencyMs!.Value / 1000, "service", c.Key)));
    }

    private bool IsFresh(Snapshot? snapshot) => snapshot is not null && clock.GetElapsedTime(snapshot.TakenAt) < Fresh;

    private async Task<Answer> AskAsync(IHealthProbe probe)
    {
        var began = clock.GetTimestamp();
        var state = await StateAsync(probe);
        return new Answer(probe, state, clock.GetElapsedTime(began));
    }

    private async Task<HealthState> StateAsync(IHealthProbe probe)
    {
        using var timeout = new CancellationTokenSource(Patience, clock);
        try
        {
            return await probe.CheckAsync(timeout.Token).AsTask().WaitAsync(timeout.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return HealthState.Unhealthy("does not answer", "timeout");
        }
        catch (Exception e)
        {
            LogProbeFailed(e, probe.Name);
            return HealthState.Unhealthy("the check failed; the log says why", HealthState.ClassOf(e));
        }
    }

    private IEnumerable<KeyValuePair<string, HealthCheck>> Checks(Answer answer)
    {
        yield return KeyValuePair.Create(answer.Probe.Name, CheckOf(answer.Probe.Name, answer.State, answer.Probe.IsCritical, answer.Took));
        foreach (var (name, part) in answer.State.Parts)
        {
            var full = $"{answer.Probe.Name}/{name}";
            yield return KeyValuePair.Create(full, CheckOf(full, part, critical: false, took: null));
        }
    }

    private HealthCheck CheckOf(string name, HealthState state, bool critical, TimeSpan? took)
    {
        var failed = state.Status is HealthState.Bad or HealthState.Weak;
        if (state.LastError is { } error)
        {
            _lastErrors[name] = (error, state.LastErrorAt ?? clock.GetUtcNow());
        }
        else if (state.Status == HealthState.Bad)
        {
            _lastErrors[name] = ("failed", clock.GetUtcNow());
        }

        var last = _lastErrors.TryGetValue(name, out var known) ? known : default((string Class, DateTimeOffset At)?);
        var latency = state.Status == HealthState.Absent ? null : state.Latency ?? took;
        return new HealthCheck(state.Status, critical, latency is { } time ? Math.Round(time.TotalMilliseconds, 3) : null, last?.Class, last?.At, failed ? state.Detail ?? "no detail" : state.Detail);
    }

    private void TellChanges(Snapshot found)
    {
        var before = _last?.Checks;
        foreach (var (name, check) in found.Checks)
        {
            var was = before?.GetValueOrDefault(name)?.Status ?? HealthState.Good;
            if (check.Status == was || check.Status == HealthState.Absent || was == HealthState.Absent)
            {
                continue;
            }

            if (check.Status == HealthState.Good)
            {
                LogRecovered(name, was);
            }
            else
            {
                LogChanged(name, check.Status, was, check.Detail);
            }
        }
    }

    private HealthReport Report(Snapshot snapshot)
    {
        var api = IsStopping ? HealthState.Weak : HealthState.Good;
        var checks = new SortedDictionary<string, HealthCheck>(snapshot.Checks.ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal) { ["api"] = new(api, IsCritical: true, null, null, null, null) };
        var details = checks.Where(static c => c.Value.Detail is not null).Select(static c => KeyValuePair.Create(c.Key, c.Value.Detail!));
        var (ready, worst) = (IsStarted && !IsStopping, HealthState.Good);
        foreach (var (name, check) in checks)
        {
            if (name.Contains('/', StringComparison.Ordinal))
            {
                continue; // what a part of a part means for the whole, the part has said
            }

            if (check is { Status: HealthState.Bad, IsCritical: true })
            {
                (ready, worst) = (false, HealthState.Bad);
            }
            else if (check.Status is HealthState.Bad or HealthState.Weak && worst == HealthState.Good)
            {
                worst = HealthState.Weak;
            }
        }

        return new HealthReport(worst, new SortedDictionary<string, string>(checks.ToDictionary(static c => c.Key, static c => c.Value.Status, StringComparer.Ordinal), StringComparer.Ordinal),
            new SortedDictionary<string, string>(details.ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal), ProgramVersion.Text) { Checks = checks, IsReady = ready };
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The health check of {Probe} failed")]
    private partial void LogProbeFailed(Exception exception, string probe);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Service} is {Status}; it was {Before}. {Detail}")]
    private partial void LogChanged(string service, string status, string before, string? detail);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Service} is healthy again; it was {Before}")]
    private partial void LogRecovered(string service, string before);

    private sealed record Answer(IHealthProbe Probe, HealthState State, TimeSpan Took);

    private sealed record Snapshot(long TakenAt, IReadOnlyDictionary<string, HealthCheck> Checks);
}

/// <summary>Looks when nobody asks, so that metrics and the log hear of a change without a visitor.</summary>
internal sealed class HealthWatch(HealthMonitor monitor, HealthOptions options, TimeProvider clock, ILogger<HealthWatch> logger) : SupervisedService
{
    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Interval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await monitor.CheckAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // the end of the process
        }
    }
}
