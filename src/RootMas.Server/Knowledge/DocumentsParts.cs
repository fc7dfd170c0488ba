namespace RootMas.Server.Knowledge;

/// <summary>Documents, search in them, and citations.</summary>
internal static class DocumentsParts
{
    internal static void AddDocuments(this WebApplicationBuilder builder) => ArgumentNullException.ThrowIfNull(builder);

    internal static void MapDocuments(this IEndpointRouteBuilder routes) => ArgumentNullException.ThrowIfNull(routes);
}
