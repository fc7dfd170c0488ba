using System.Text.Json;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;
using RootMas.Server.Agents;

namespace RootMas.Server.Chat.Sockets;

/// <summary>What the visualisation shows beside runs: that new ones start, and who the agents are.</summary>
internal sealed class FlowSources(FlowFeed feed, AgentCatalog catalog, IAgentActivity activity, IOptions<JsonOptions> json)
{
    public FlowFeed Feed { get; } = feed;

    /// <summary>The same array as <c>GET /agents/profiles</c>.</summary>
    public async Task<ReadOnlyMemory<byte>> ProfilesAsync(CancellationToken cancellationToken) =>
        JsonSerializer.SerializeToUtf8Bytes(await AgentProfiles.ListAsync(catalog, activity, cancellationToken), json.Value.SerializerOptions);
}
