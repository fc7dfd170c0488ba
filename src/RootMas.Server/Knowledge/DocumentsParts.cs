using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Identity.Users;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Knowledge.Documents.Indexing;
using RootMas.Server.Knowledge.Documents.Search;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Outbox;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Knowledge;

/// <summary>Documents, search in them, and citations.</summary>
internal static class DocumentsParts
{
    internal static void AddDocuments(this WebApplicationBuilder builder)
    {
        builder.AddSettings<DocumentsOptions>("Knowledge:Documents");
        DocumentMetrics.Create();
        var services = builder.Services;
        services.AddSingleton<DocumentSignals>();
        services.AddSingleton<UploadBudget>();
        services.AddSingleton<DocumentErasure>();
        services.AddSingleton<DocumentStore>();
        services.AddSingleton<DocumentWatch>();
        services.AddSingleton<CollectionStore>();
        services.AddSingleton<AttachableDocuments>();
        services.AddSingleton<ICitedDocuments, CitedDocuments>();
        services.AddSingleton<IKnowledgeVersion, KnowledgeVersion>();
        services.AddSingleton<IUserData, UserDocumentData>();
        services.AddSingleton<IVectorTexts, ChunkTexts>();
        services.AddOutboxHandler<ChangedDocuments>(DocumentEvents.Changed);

        services.AddSingleton<IndexStore>();
        services.AddSingleton<ChunkVectors>();
        services.AddHostedService<DocumentIndexer>();
        services.AddHostedService<WordsUpkeep>();

        services.AddSingleton<PassageStore>();
        services.AddSingleton<Reranker>();
        services.AddSingleton<QuestionEmbedder>();
        services.AddSingleton<KnowledgeSearch>();
        services.AddSingleton<Tool, KnowledgeSearchTool>();
        services.AddSingleton<Tool, KnowledgeReadTool>();
    }

    internal static void MapDocuments(this IEndpointRouteBuilder routes)
    {
        DocumentsApi.Map(routes);
        CollectionsApi.Map(routes);
    }
}
