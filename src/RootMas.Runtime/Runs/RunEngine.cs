using Microsoft.Extensions.AI;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>The loop: asks the team what is next, does it, appends what happened.</summary>
public sealed class RunEngine(IChatClient models, IToolCatalog tools, IRunJournal journal, IRunSink sink, RunEngineOptions options, TimeProvider clock)
{
    /// <summary>Advances the run until it parks, ends, is fenced off, or <paramref name="stopping"/> asks the worker to let go.</summary>
    public Task<RunExit> ExecuteAsync(RunExecution execution, CancellationToken stopping)
    {
        _ = (models, tools, journal, sink, options, clock, execution);
        return Task.FromResult(RunExit.Stopped);
    }
}

public sealed record RunEngineOptions
{
    /// <summary>Tool calls of one batch that run at once. Default 8.</summary>
    public int MaxParallelTools { get; init; } = 8;

    /// <summary>How long an approval waits. Default 24 h.</summary>
    public TimeSpan ApprovalExpiry { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a question to the user waits. Default 24 h.</summary>
    public TimeSpan InputExpiry { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Longest back-off while all models are down. Default 60 s.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(60);
}
