using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Runs;

/// <summary>Unfinished runs and open approvals of the whole installation; every instance shows the same.</summary>
internal sealed class RunSamples(TelemetryOptions options) : ISampled, IDashboardSource
{
    private const string ByStatus = "SELECT status, COUNT(*) FROM runs WHERE ended_at IS NULL GROUP BY status";

    /// <summary>Those that wait for a worker, not for their branch, and since when they do: since they were woken, given back by a worker that left or died, or came to their branch's turn.</summary>
    private const string Queue = "SELECT MIN(COALESCE(ready_at, created_at)), COUNT(*) FROM runs WHERE ended_at IS NULL AND status = 'queued' AND queue_position IS NULL";

    /// <summary>A worker has them, and nothing was written for long.</summary>
    private const string Stuck = """
        SELECT COUNT(*) FROM runs r JOIN run_events e ON e.run_id = r.id AND e.seq = r.last_seq
        WHERE r.ended_at IS NULL AND r.status = 'running' AND e.created_at < @before
        """;

    private const string Agents = "SELECT COUNT(DISTINCT entry_agent) FROM runs WHERE ended_at IS NULL AND status = 'running'";

    /// <summary>What is pending in a run that ended needs nobody any more.</summary>
    private const string Approvals = "SELECT COUNT(*), MIN(a.created_at) FROM approvals a JOIN runs r ON r.id = a.run_id WHERE a.status = 'pending' AND r.ended_at IS NULL";

    /// <summary>All of them, always: a figure that is missing cannot be told from one that is not known.</summary>
    private static readonly string[] Unfinished = [.. Enum.GetValues<RunStatus>().Where(static s => s is not (RunStatus.Completed or RunStatus.Failed or RunStatus.Cancelled)).Select(static s => s.ToName())];

    private readonly SampledGauge _open = new("rootmas.runs.open", "{run}", "Unfinished runs of the whole installation, by status. The same on every instance.");
    private readonly SampledGauge _queued = new("rootmas.queue.length", "{run}", "Runs of the whole installation that wait for a worker. The same on every instance.");
    private readonly SampledGauge _age = new("rootmas.queue.oldest.age", "s", "How long the oldest run of the whole installation has waited for a worker. The same on every instance.");
    private readonly SampledGauge _stuck = new("rootmas.runs.stuck", "{run}", "Running runs in which nothing happened for Telemetry:StuckAfter. The same on every instance.");
    private readonly SampledGauge _agents = new("rootmas.agents.active", "{agent}", "Agents to whom runs of the whole installation were given that are worked on now. The same on every instance.");
    private readonly SampledGauge _pending = new("rootmas.approvals.pending", "{approval}", "Approvals that wait for a person. The same on every instance.");
    private readonly SampledGauge _oldestApproval = new("rootmas.approvals.oldest.age", "s", "How long the oldest open approval has waited. The same on every instance.");

    private SampledGauge[] All => [_open, _queued, _age, _stuck, _agents, _pending, _oldestApproval];

    public void Publish(ServerMeter meter) => Array.ForEach(All, g => g.Publish(meter));

    public async ValueTask SampleAsync(DbSession session)
    {
        var open = await session.Prepared(ByStatus).ListAsync(static row => new Reading(row.GetInt64(1), "status", row.GetString(0)));
        var (since, queued) = await session.Prepared(Queue).FirstOrDefaultAsync(static row => (row.TimeOrNull(0), row.GetInt64(1)));
        var stuck = await session.Prepared(Stuck).Set("before", session.Now - options.StuckAfter).FirstOrDefaultAsync(static row => row.GetInt64(0));
        var agents = await session.Prepared(Agents).FirstOrDefaultAsync(static row => row.GetInt64(0));
        var (pending, oldest) = await session.Prepared(Approvals).FirstOrDefaultAsync(static row => (row.GetInt64(0), row.TimeOrNull(1)));
        _open.Set([.. Unfinished.Select(s => new Reading(open.FirstOrDefault(r => r.Is == s).Value, "status", s))]);
        _queued.Set(new Reading(queued));
        _age.Set(new Reading(Age(session, since)));
        _stuck.Set(new Reading(stuck));
        _agents.Set(new Reading(agents));
        _pending.Set(new Reading(pending));
        _oldestApproval.Set(new Reading(Age(session, oldest)));
    }

    public void Forget() => Array.ForEach(All, static g => g.Clear());

    public ValueTask AddAsync(IDictionary<string, double> values, CancellationToken cancellationToken)
    {
        foreach (var reading in _open.Readings)
        {
            values[$"runs_{reading.Is}"] = reading.Value;
        }

        Add("queue_length", _queued);
        Add("queue_oldest_seconds", _age);
        Add("runs_stuck", _stuck);
        Add("active_agents", _agents);
        Add("approvals_pending", _pending);
        return default;

        void Add(string name, SampledGauge gauge)
        {
            if (gauge.Readings is [var reading])
            {
                values[name] = reading.Value;
            }
        }
    }

    private static double Age(DbSession session, DateTimeOffset? since) => since is { } time ? Math.Max(0, Math.Round((session.Now - time).TotalSeconds, 3)) : 0;
}
