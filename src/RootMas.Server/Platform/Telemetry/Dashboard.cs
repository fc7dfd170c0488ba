using System.Diagnostics;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Figures of a slice for the dashboard, by name (snake_case). <c>total_messages</c> and <c>active_agents</c> have members of their own.</summary>
public interface IDashboardSource
{
    ValueTask AddAsync(IDictionary<string, double> values, CancellationToken cancellationToken);
}

/// <summary>The dashboard's figures.</summary>
/// <param name="TotalMessages">Messages that users sent, all time.</param>
/// <param name="ActiveAgents">Agents that work on a run now.</param>
/// <param name="Uptime">Seconds since the start.</param>
/// <param name="MemoryUsage">Memory of the process, in bytes.</param>
/// <param name="CpuUsage">Processor time since the last answer, in percent of all cores.</param>
/// <param name="CostUsd">What requests to models cost since 00:00 UTC, in US dollars.</param>
/// <param name="Values">Further figures, by name.</param>
public sealed record DashboardMetrics(long TotalMessages, int ActiveAgents, double Uptime, long MemoryUsage, double CpuUsage, Money CostUsd, IReadOnlyDictionary<string, double> Values);

/// <summary>Collects the dashboard.</summary>
public sealed class Dashboard(IEnumerable<IDashboardSource> sources, TimeProvider clock)
{
    private readonly long _started = clock.GetTimestamp();
    private readonly Lock _lock = new();
    private (long At, TimeSpan Used) _sample = (clock.GetTimestamp(), Environment.CpuUsage.TotalTime);
    private double _cpu;

    public async Task<DashboardMetrics> ReadAsync(CancellationToken cancellationToken)
    {
        var values = new SortedDictionary<string, double>(StringComparer.Ordinal);
        foreach (var source in sources)
        {
            await source.AddAsync(values, cancellationToken);
        }

        values.Remove("total_messages", out var messages);
        values.Remove("active_agents", out var agents);
        var cost = new Money((long)Math.Round(values.GetValueOrDefault("cost_usd") * 1_000_000)); // stays among them too, as the number that it always was there
        return new DashboardMetrics((long)messages, (int)agents, Math.Round(clock.GetElapsedTime(_started).TotalSeconds, 3), Environment.WorkingSet, Cpu(), cost, values);
    }

    /// <summary>At most one sample a second, so that two readers do not take each other's interval.</summary>
    private double Cpu()
    {
        lock (_lock)
        {
            var elapsed = clock.GetElapsedTime(_sample.At);
            if (elapsed >= TimeSpan.FromSeconds(1) || _cpu == 0)
            {
                var used = Environment.CpuUsage.TotalTime;
                _cpu = elapsed > TimeSpan.Zero ? Math.Round(Math.Clamp(100 * (used - _sample.Used) / elapsed / Environment.ProcessorCount, 0, 100), 2) : 0;
                _sample = (clock.GetTimestamp(), used);
            }

            return _cpu;
        }
    }
}
