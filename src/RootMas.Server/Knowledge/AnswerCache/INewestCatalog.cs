namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Whether this process works with the newest agents and teams. Answers that older prompts would make are neither given again nor kept.</summary>
public interface INewestCatalog
{
    /// <summary>False: another process changed an agent or a team, and this one has not taken that over yet.</summary>
    Task<bool> IsNewestAsync(CancellationToken cancellationToken);
}
