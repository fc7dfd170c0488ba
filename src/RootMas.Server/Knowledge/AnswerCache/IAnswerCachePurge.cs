namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What kept answers must go.</summary>
/// <param name="Kind"><c>all</c>, <c>document</c>, <c>agent</c>, <c>prompt</c>, <c>user</c> or <c>conversation</c>.</param>
/// <param name="Id">Of the document, agent, prompt, user or conversation; empty for <c>all</c>.</param>
public sealed record PurgeScope(string Kind, string Id);

/// <summary>Forgets kept answers, on every instance.</summary>
public interface IAnswerCachePurge
{
    /// <summary>How many answers went.</summary>
    ValueTask<int> PurgeAsync(PurgeScope scope, CancellationToken cancellationToken);
}
