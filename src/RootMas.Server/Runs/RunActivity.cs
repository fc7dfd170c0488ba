using RootMas.Runtime.Runs;
using RootMas.Server.Agents;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Runs;

/// <summary>What agents did, counted over runs by the agent that entered them.</summary>
internal sealed class RunActivity(IDatabase database) : IAgentActivity
{
    private const string Count = """
        INSERT INTO agent_activity_parts (agent, part, answers, succeeded, finished, last_at) VALUES (@agent, @part, @answers, @succeeded, @finished, @now)
        ON CONFLICT (agent, part) DO UPDATE SET answers = agent_activity_parts.answers + excluded.answers, succeeded = agent_activity_parts.succeeded + excluded.succeeded,
            finished = agent_activity_parts.finished + excluded.finished, last_at = excluded.last_at
        """;

    private const string Totals = """
        WITH counted AS (
            SELECT agent, CAST(SUM(answers) AS BIGINT) AS answers, CAST(SUM(succeeded) AS BIGINT) AS succeeded, CAST(SUM(finished) AS BIGINT) AS finished, MAX(last_at) AS last_at FROM
                (SELECT agent, answers, succeeded, finished, last_at FROM agent_activity UNION ALL SELECT agent, answers, succeeded, finished, last_at FROM agent_activity_parts) AS noted
            GROUP BY agent)
        SELECT a.agent, a.answers, a.succeeded, a.finished, a.last_at, COALESCE(r.running, 0), r.started FROM counted a LEFT JOIN
            (SELECT entry_agent, COUNT(*) AS running, MAX(started_at) AS started FROM runs WHERE ended_at IS NULL AND status = 'running' GROUP BY entry_agent) r ON r.entry_agent = a.agent
        UNION ALL
        SELECT entry_agent, 0, 0, 0, MAX(started_at), COUNT(*), NULL FROM runs
        WHERE ended_at IS NULL AND status = 'running' AND entry_agent NOT IN (SELECT agent FROM counted) GROUP BY entry_agent
        """;

    /// <summary>Counts a run that ends, in the transaction that ends it. Runs that end at the same time must not wait for each other's commits: they count in different parts.</summary>
    public static async ValueTask CountAsync(DbSession session, string runId, string agent, RunStatus status, bool answered) =>
        await session.SendAsync(session.Prepared(Count).Set("agent", agent).Set("part", session.Kind == DatabaseKind.Sqlite ? 0L : PartOf(runId)).Set("answers", answered ? 1L : 0L)
            .Set("succeeded", status == RunStatus.Completed ? 1L : 0L).Set("finished", status == RunStatus.Cancelled ? 0L : 1L).Set("now", session.Now));

    /// <summary>By the id's last two digits, which are random: more parts than runs that are likely to end in one moment.</summary>
    private static long PartOf(string runId) => ((runId[^2] * 16L) + runId[^1]) % 61;

    public async ValueTask<IReadOnlyDictionary<string, AgentActivity>> ReadAsync(CancellationToken cancellationToken) =>
        await database.ReadAsync(
            async session =>
            {
                var rows = await session.Prepared(Totals).ListAsync(static r => KeyValuePair.Create(
                    r.GetString(0),
                    new AgentActivity(r.GetInt64(1), r.GetInt64(3) == 0 ? null : (double)r.GetInt64(2) / r.GetInt64(3), Later(r.TimeOrNull(4), r.TimeOrNull(6)), r.GetInt32(5))));
                return new Dictionary<string, AgentActivity>(rows, StringComparer.Ordinal);
            },
            cancellationToken);

    private static DateTimeOffset? Later(DateTimeOffset? a, DateTimeOffset? b) => a is null || b > a ? b : a;
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
