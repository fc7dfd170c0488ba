namespace RootMas.Runtime.Runs;

/// <summary>Something that was remembered from earlier, as a run was told it.</summary>
/// <param name="Id">Of the fact, for whoever wants to know why it is known.</param>
/// <param name="Text">In the words in which it was kept.</param>
/// <param name="Tainted">The text carries bytes from outside: the run is tainted from then on.</param>
/// <param name="Shared">A note of the team, and not about this user.</param>
public sealed record RecalledFact(string Id, string Text, bool Tainted = false, bool Shared = false);

/// <summary>What is remembered about the user of a run. A seam: the runtime keeps nothing between runs, whoever hosts it does.</summary>
public interface IRunMemory
{
    /// <summary>What fits the run's input, the best first; asked once, before a root run's first model call, on the user's path.</summary>
    ValueTask<IReadOnlyList<RecalledFact>> RecallAsync(NewRun run, CancellationToken cancellationToken);
}

/// <summary>For hosts that remember nothing.</summary>
public sealed class NoMemory : IRunMemory
{
    public static readonly NoMemory Instance = new();

    public ValueTask<IReadOnlyList<RecalledFact>> RecallAsync(NewRun run, CancellationToken cancellationToken) => new([]);
}

/// <summary>What is remembered goes into the run once, as an event: a restart sees the same, and everybody can see what the answer rests on.</summary>
internal static class Recalling
{
    /// <summary>What the user must be allowed.</summary>
    public const string Permission = "memory:read";

    public static async ValueTask RecallAsync(RunAttempt run)
    {
        if (run.Run.ParentRunId is not null || run.State.Memory is not null || run.State.Steps > 0)
        {
            return;
        }

        // Not cut off by a cancel, which the loop looks at next: what is asked here takes no time.
        var facts = await run.Parts.Options.Memory.RecallAsync(run.Run, run.Execution.Fenced);
        if (facts.Count == 0 || !(await run.Parts.Options.Rights.OfferedAsync(run.Run, run.Execution.Fenced))(Permission))
        {
            return;
        }

        run.Emit(new MemoryRecalled(facts, facts.Any(static f => f.Tainted)));
    }
}
