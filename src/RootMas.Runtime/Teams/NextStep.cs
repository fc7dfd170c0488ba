using RootMas.Runtime.Runs;

namespace RootMas.Runtime.Teams;

/// <summary>What a team wants done next. Pure data; the engine does it.</summary>
public abstract record NextStep;

/// <summary>Ask a model. Purpose <c>answer</c> writes into the transcript; the others give structured output that the pattern interprets.</summary>
public sealed record CallModel(string Agent, int Turn, string Purpose = "answer") : NextStep;

/// <summary>Start or go on with the calls that have no result and wait for nothing.</summary>
public sealed record RunCalls(IReadOnlyList<int> Calls) : NextStep;

/// <summary>Tasks of the team's own (not of a tool call) that become child runs.</summary>
public sealed record StartChildren(IReadOnlyList<ChildTask> Tasks) : NextStep;

public sealed record ChildTask(string TaskId, string Agent, string Task, bool Tainted)
{
    /// <inheritdoc cref="RunRequestOptions.AskedLength"/>
    public int? AskedLength { get; init; }
}

/// <summary>Write these events; nothing outside is touched.</summary>
public sealed record Record(IReadOnlyList<RunEvent> Events) : NextStep;

public sealed record Wait(RunStatus Status) : NextStep;

/// <summary>The answer is there.</summary>
public sealed record Finish(string Text, string? MessageId, string Agent, string? Model, string? Tier) : NextStep;

public sealed record Fail(string Code, string Reason) : NextStep;

/// <summary>What a pattern may look at.</summary>
/// <param name="Entry">The agent that enters first.</param>
/// <param name="IsChild">A delegated run: its result goes to the parent, nobody else writes an answer.</param>
public sealed record RunView(RunState State, TeamSnapshot Snapshot, string Entry, bool IsChild)
{
    public Team Team => Snapshot.Team;

    /// <summary>Tokens that an agent's model can read at once: what others found is shown to it as far as it fits.</summary>
    public Func<string, int> ContextOf { get; init; } = static _ => 128_000;

    /// <summary>Characters that are shown of each text that could be dropped from a prompt and was not: less than all where the newest ones alone are more than a model can read.</summary>
    public int Longest { get; init; } = int.MaxValue;

    /// <summary>How many tasks may still be given.</summary>
    public Func<int> TasksLeft { get; init; } = static () => int.MaxValue;

    /// <summary>The caller wants an answer that a program reads, so somebody has to write it as such.</summary>
    public bool OwesJson { get; init; }

    /// <summary>The pattern this run began with.</summary>
    public PatternKind Kind { get; } = Enum.Parse<PatternKind>(State.Pattern);
}
