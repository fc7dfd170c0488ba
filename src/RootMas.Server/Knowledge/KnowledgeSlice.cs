namespace RootMas.Server.Knowledge;

/// <summary>What the team knows: embeddings and vector search, documents, memory and graph, the semantic cache.</summary>
public static class KnowledgeSlice
{
    public static WebApplicationBuilder AddKnowledge(this WebApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.AddVectors();
        builder.AddDocuments();
        builder.AddMemory();
        builder.AddAnswerCache();
        return builder;
    }

    public static IEndpointRouteBuilder MapKnowledge(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        routes.MapDocuments();
        routes.MapMemory();
        routes.MapAnswerCache();
        return routes;
    }
}
