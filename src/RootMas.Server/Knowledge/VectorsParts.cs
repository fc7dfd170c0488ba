using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Knowledge;

/// <summary>Embeddings and vector search: <see cref="IEmbedder"/>, <see cref="IVectorStore"/>.</summary>
internal static class VectorsParts
{
    internal static void AddVectors(this WebApplicationBuilder builder)
    {
        var options = builder.AddSettings<KnowledgeOptions>("Knowledge");
        var services = builder.Services;
        AddEmbedder(services, options);
        services.AddSingleton(options.Vectors);
        services.AddSingleton(new VectorLimits(options.Vectors.GraphFrom, options.Vectors.BytesFrom, options.Vectors.SearchWidth));
        services.AddSingleton<VectorFolder>();
        services.AddSingleton<MemoryVectors>();
        services.AddSingleton<VectorMetrics>();
        services.AddSingleton<VectorIndexes>();
        services.AddSingleton<IVectorStore, VectorStore>();
        services.AddSingleton<VectorWriter>();
        services.AddSingleton<OldVectors>();
        services.AddSingleton<VectorCheck>();
        services.AddSingleton<VectorBuilder>();
        services.AddHostedService<VectorUpkeep>();
    }

    private static void AddEmbedder(IServiceCollection services, KnowledgeOptions options)
    {
        switch (options.Embedder)
        {
            case EmbedderKind.Model:
                services.AddSingleton<IEmbedder>(p => ActivatorUtilities.CreateInstance<ModelEmbedder>(p, options.Dimension));
                break;
            case EmbedderKind.Onnx:
                services.AddSingleton<IEmbedder>(_ => new OnnxEmbedder(options.Onnx));
                break;
            default:
                services.AddSingleton<IEmbedder, LocalEmbedder>();
                break;
        }
    }
}
