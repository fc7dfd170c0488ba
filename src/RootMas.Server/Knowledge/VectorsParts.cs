namespace RootMas.Server.Knowledge;

/// <summary>Embeddings and vector search: <see cref="Embeddings.IEmbedder"/>, <see cref="Vectors.IVectorStore"/>.</summary>
internal static class VectorsParts
{
    internal static void AddVectors(this WebApplicationBuilder builder) => ArgumentNullException.ThrowIfNull(builder);
}
