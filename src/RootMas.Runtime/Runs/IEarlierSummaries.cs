namespace RootMas.Runtime.Runs;

/// <summary>What earlier runs of a conversation have retold of it. A seam: the runtime keeps nothing between runs, whoever hosts it does.</summary>
public interface IEarlierSummaries
{
    /// <summary>
    /// <see cref="ContextReduced"/> events of earlier runs that stand for a beginning of this run's history, and that may still be used: nothing whose words may be in them has been deleted, forgotten or taken away
    /// since they were made. Asked only when the context of a root run would overflow, on the user's path.
    /// </summary>
    ValueTask<IReadOnlyList<ContextReduced>> FindAsync(NewRun run, CancellationToken cancellationToken);
}

/// <summary>For hosts that keep no conversations.</summary>
public sealed class NoEarlierSummaries : IEarlierSummaries
{
    public static readonly NoEarlierSummaries Instance = new();

    public ValueTask<IReadOnlyList<ContextReduced>> FindAsync(NewRun run, CancellationToken cancellationToken) => new([]);
}
