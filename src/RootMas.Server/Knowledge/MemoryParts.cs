namespace RootMas.Server.Knowledge;

/// <summary>Memory and the knowledge graph.</summary>
internal static class MemoryParts
{
    internal static void AddMemory(this WebApplicationBuilder builder) => ArgumentNullException.ThrowIfNull(builder);

    internal static void MapMemory(this IEndpointRouteBuilder routes) => ArgumentNullException.ThrowIfNull(routes);
}
