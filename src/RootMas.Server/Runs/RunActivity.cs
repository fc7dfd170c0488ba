using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Runs;

/// <summary>What agents did, counted over runs by the agent that entered them. Read at most once a second.</summary>
internal sealed class RunActivity(IDatabase database, TimeProvider clock) : IAgentActivity
{
    private const string Sql = """
        SELECT entry_agent, COUNT(answer_seq), SUM(status = 'completed'), SUM(status IN ('completed', 'failed')), MAX(COALESCE(ended_at, started_at, created_at)), SUM(status = 'running')
        FROM runs GROUP BY entry_agent
        """;

    private readonly SemaphoreSlim _gate = new(1, 1);
    private IReadOnlyDictionary<string, AgentActivity>? _last;
    private long _readAt;

    public async ValueTask<IReadOnlyDictionary<string, AgentActivity>> ReadAsync(CancellationToken cancellationToken)
    {
        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (_last is null || clock.GetElapsedTime(_readAt) > TimeSpan.FromSeconds(1))
            {
                _last = await QueryAsync(cancellationToken);
                _readAt = clock.GetTimestamp();
            }

            return _last;
        }
        finally
        {
            _gate.Release();
        }
    }

    private Task<Dictionary<string, AgentActivity>> QueryAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(
            async session =>
            {
                var rows = await session.Prepared(Sql).ListAsync(static r => KeyValuePair.Create(
                    r.GetString(0),
                    new AgentActivity(r.GetInt64(1), r.GetInt64(3) == 0 ? null : (double)r.GetInt64(2) / r.GetInt64(3), r.TimeOrNull(4), r.GetInt32(5))));
                return new Dictionary<string, AgentActivity>(rows, StringComparer.Ordinal);
            },
            cancellationToken);
}

/// <summary>The worker as <c>/health</c> shows it.</summary>
internal sealed class WorkerProbe(RunWorker worker) : IHealthProbe
{
    private const int LongQueue = 1000;

    public string Name => "mas";

    public bool IsCritical => true;

    public ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var (active, waiting) = (worker.ActiveCount, worker.QueueLength);
        return ValueTask.FromResult(worker.Stopping.IsCancellationRequested
            ? HealthState.Unhealthy("The worker is stopping.")
            : waiting > LongQueue
                ? HealthState.Degraded($"{waiting} runs wait for a place; {active} are running.")
                : HealthState.Healthy($"{active} runs active, {waiting} waiting."));
    }
}
