namespace RootMas.Server.Knowledge;

/// <summary>The semantic cache of answers.</summary>
internal static class AnswerCacheParts
{
    internal static void AddAnswerCache(this WebApplicationBuilder builder) => ArgumentNullException.ThrowIfNull(builder);

    internal static void MapAnswerCache(this IEndpointRouteBuilder routes) => ArgumentNullException.ThrowIfNull(routes);
}
