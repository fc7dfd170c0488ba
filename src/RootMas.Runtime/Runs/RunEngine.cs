using System.Runtime.CompilerServices;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Runs;

/// <summary>The loop: asks the team what is next, does it, appends what happened. Holds no state of its own; any number of runs at once.</summary>
public sealed class RunEngine(IChatClient models, IToolCatalog tools, IRunJournal journal, IRunSink sink, RunEngineOptions options, TimeProvider clock)
{
    private readonly EngineParts _parts = new(models, tools, journal, sink, options, clock);

    /// <summary>Creates the runtime's metrics, so that they are listed before the first run.</summary>
    public static void CreateMetrics() => RuntimeHelpers.RunClassConstructor(typeof(RunTelemetry).TypeHandle);

    /// <summary>Advances the run until it parks, ends, is fenced off, or <paramref name="stopping"/> asks the worker to let go.</summary>
    /// <remarks>An exception is an outage of the journal or a bug; the log is consistent and another attempt may go on.</remarks>
    public Task<RunExit> ExecuteAsync(RunExecution execution, CancellationToken stopping) => new RunAttempt(execution, _parts, stopping).RunAsync();

    /// <summary>Ends a run that a bug stopped: every call gets its one result, and the last event says why.</summary>
    internal async Task FailAsync(RunExecution execution, string code, string reason)
    {
        var attempt = new RunAttempt(execution, _parts, CancellationToken.None);
        attempt.Emit(new RunStarted(execution.Attempt, execution.Worker));
        if (attempt.State.OpenModel is { } open)
        {
            attempt.Emit(new ModelFailed(open.MessageId, "worker_lost", "The answer was not received before the run ended."), open.Agent);
        }

        await Ending.FailAsync(attempt, code, reason);
    }
}

/// <summary>What every attempt works with.</summary>
internal sealed record EngineParts(IChatClient Models, IToolCatalog Tools, IRunJournal Journal, IRunSink Sink, RunEngineOptions Options, TimeProvider Clock);

public sealed record RunEngineOptions
{
    /// <summary>Tool calls of one batch that run at once. Default 8.</summary>
    public int MaxParallelTools { get; init; } = 8;

    /// <summary>Tool calls a model may ask for in one answer; the others get an error result. Default 128.</summary>
    public int MaxCallsPerAnswer { get; init; } = 128;

    /// <summary>How long an approval waits. Default 24 h.</summary>
    public TimeSpan ApprovalExpiry { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a question to the user waits. Default 24 h.</summary>
    public TimeSpan InputExpiry { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Longest back-off while all models are down. Default 60 s.</summary>
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Tokens kept free for the answer when the context is nearly full. Default 4,096.</summary>
    public int AnswerReserve { get; init; } = 4096;

    /// <summary>Told of exceptions that a tool should not have thrown: tool, run id, exception.</summary>
    public Action<string, string, Exception> OnToolError { get; init; } = static (_, _, _) => { };

    /// <summary>What the people behind a run may do. Default: everything.</summary>
    public IRunRights Rights { get; init; } = UnlimitedRights.Instance;

    /// <summary>What is remembered about users. Default: nothing.</summary>
    public IRunMemory Memory { get; init; } = NoMemory.Instance;

    /// <summary>What earlier runs of a conversation have retold of it. Default: nothing.</summary>
    public IEarlierSummaries Summaries { get; init; } = NoEarlierSummaries.Instance;

    /// <summary>Which cited documents may still be read. Default: all.</summary>
    public ICitedDocuments CitedDocuments { get; init; } = AllCitedDocuments.Instance;

    /// <summary>Context size in tokens of a tier (or of a fixed model: second argument). Default 128,000.</summary>
    public Func<string, string?, int> ContextTokens { get; init; } = static (_, _) => 128_000;

    /// <summary>Whether what a model of a tier (or a fixed one: second argument) thought before it called tools is sent to it again, and so takes room in its context. Default no.</summary>
    public Func<string, string?, bool> TakesReasoning { get; init; } = static (_, _) => false;

    /// <summary>
    /// The most that a request can come to at the model that is asked first, where runs of one tree ask side by side: with an answer of a limited length, and with the longest that any model writes (null: the request limits it).
    /// Default: nothing, so that a limit holds only for what is known when a call begins.
    /// </summary>
    public Func<IReadOnlyList<ChatMessage>, ChatOptions, (TreeAmount Most, TreeAmount? Longest)> MostOf { get; init; } = static (_, _) => default;
}

/// <summary>Another attempt owns the run: everything of this one is dropped.</summary>
internal sealed class RunFencedException : Exception
{
    public RunFencedException()
        : base("The run is owned by another attempt.")
    {
    }
}
