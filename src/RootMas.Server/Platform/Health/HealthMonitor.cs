using System.Collections.Immutable;

namespace RootMas.Server.Platform.Health;

/// <summary>Asks the probes, and remembers the answers for a moment, so that nobody can load the database by asking how it is.</summary>
public sealed partial class HealthMonitor(IEnumerable<IHealthProbe> probes, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<HealthMonitor> logger) : IDisposable
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private readonly IHealthProbe[] _probes = [.. probes];
    private readonly SemaphoreSlim _asking = new(1, 1);
    private Snapshot? _last;

    public bool IsStarted => lifetime.ApplicationStarted.IsCancellationRequested;

    /// <summary>True from the moment that the server was told to stop.</summary>
    public bool IsStopping => lifetime.ApplicationStopping.IsCancellationRequested;

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
                var states = await Task.WhenAll(_probes.Select(AskAsync));
                _last = new Snapshot(clock.GetTimestamp(), [.. _probes.Zip(states)]);
            }

            return Report(_last!);
        }
        finally
        {
            _asking.Release();
        }
    }

    public void Dispose() => _asking.Dispose();

    private bool IsFresh(Snapshot? snapshot) => snapshot is not null && clock.GetElapsedTime(snapshot.TakenAt) < Fresh;

    private async Task<HealthState> AskAsync(IHealthProbe probe)
    {
        using var timeout = new CancellationTokenSource(Patience, clock);
        try
        {
            return await probe.CheckAsync(timeout.Token).AsTask().WaitAsync(timeout.Token);
        }
        catch (OperationCanceledException) when (timeout.IsCancellationRequested)
        {
            return HealthState.Unhealthy("does not answer");
        }
        catch (Exception e)
        {
            LogProbeFailed(e, probe.Name);
            return HealthState.Unhealthy("the check failed; the log says why");
        }
    }

    private HealthReport Report(Snapshot snapshot)
    {
        var services = new SortedDictionary<string, string>(StringComparer.Ordinal) { ["api"] = IsStopping ? HealthState.Weak : HealthState.Good };
        var details = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var (ready, worst) = (IsStarted && !IsStopping, IsStopping ? HealthState.Weak : HealthState.Good);
        foreach (var (probe, state) in snapshot.States)
        {
            services[probe.Name] = state.Status;
            if (state.Detail is { } detail)
            {
                details[probe.Name] = detail;
            }

            if (state.Status == HealthState.Bad)
            {
                ready &= !probe.IsCritical;
                worst = probe.IsCritical ? HealthState.Bad : Worse(worst, HealthState.Weak);
            }
            else if (state.Status == HealthState.Weak)
            {
                worst = Worse(worst, HealthState.Weak);
            }
        }

        return new HealthReport(worst, services, details, ProgramVersion.Text) { IsReady = ready };
    }

    private static string Worse(string one, string other) => one == HealthState.Bad || other == HealthState.Bad ? HealthState.Bad : other;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The health check of {Probe} failed")]
    private partial void LogProbeFailed(Exception exception, string probe);

    private sealed record Snapshot(long TakenAt, ImmutableArray<(IHealthProbe Probe, HealthState State)> States);
}
