using RootMas.Runtime.Agents;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>Whether a call works with the newest agents and teams. Answers that older prompts would make are neither given again nor kept.</summary>
public interface INewestCatalog
{
    /// <summary>False: another process changed an agent or a team, and this one has not taken that over yet, or not when the call's run began.</summary>
    Task<bool> IsNewestAsync(ModelCall call, CancellationToken cancellationToken);
}
