namespace RootMas.Server.Agents;

/// <summary>What agents did, told by the slice that keeps runs.</summary>
public interface IAgentActivity
{
    /// <summary>Agent name → what it did; an agent that never worked is left out. Counts only, never content.</summary>
    ValueTask<IReadOnlyDictionary<string, AgentActivity>> ReadAsync(CancellationToken cancellationToken);
}

/// <param name="MessageCount">Answers it wrote.</param>
/// <param name="SuccessRate">Part of its finished turns that succeeded, 0–1; null: none has finished.</param>
/// <param name="LastActivity">When it last began or ended something.</param>
/// <param name="Running">Runs that it works on now.</param>
public sealed record AgentActivity(long MessageCount, double? SuccessRate, DateTimeOffset? LastActivity, int Running)
{
    public static readonly AgentActivity None = new(0, null, null, 0);
}

/// <summary>Nobody keeps runs (a catalog without an engine).</summary>
internal sealed class NoAgentActivity : IAgentActivity
{
    private static readonly Dictionary<string, AgentActivity> Nothing = [];

    public ValueTask<IReadOnlyDictionary<string, AgentActivity>> ReadAsync(CancellationToken cancellationToken) => new(Nothing);
}
