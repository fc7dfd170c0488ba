namespace RootMas.Server.Agents;

/// <summary>Agents for showing to people: the same array over HTTP and on the visualisation socket.</summary>
internal static class AgentProfiles
{
    public static async Task<IReadOnlyList<AgentProfile>> ListAsync(AgentCatalog catalog, IAgentActivity activity, CancellationToken cancellationToken)
    {
        var did = await activity.ReadAsync(cancellationToken);
        return [.. catalog.Current.Agents.Select(a => new AgentProfile
        {
            Id = a.Agent.Name,
            AgentId = a.Agent.Name,
            Name = a.Agent.Name,
            Role = a.Agent.Role,
            Description = a.Agent.Description,
            Capabilities = a.Definition.Capabilities,
            Avatar = Avatar.Symbol(a.Definition),
            AvatarUrl = $"/api/v1/agents/{a.Agent.Name}/avatar.svg",
            Status = AgentsApi.StatusOf(did.GetValueOrDefault(a.Agent.Name, AgentActivity.None)),
        })];
    }
}
