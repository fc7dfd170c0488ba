using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Vectors;
using RootMas.Server.Models;
using RootMas.Server.Models.Pipeline;

namespace RootMas.Server.Knowledge.Embeddings;

/// <summary>Vectors from the model that models.yaml names for embeddings: batched, priced, retried by the model pipeline, each request a row of the owner's ledger.</summary>
internal sealed class ModelEmbedder(IEmbeddingGenerator<string, Embedding<float>> generator, ModelRouter router, int dimension) : IEmbedder
{
    /// <summary>What the name stands for, not the name: another model under the old name makes other vectors.</summary>
    public EmbedderIdentity Identity => router.Current.Catalog.Embedding is { } model
        ? new EmbedderIdentity($"{model.Provider.Name}:{model.Id}", "1", dimension)
        : new EmbedderIdentity("none", "0", dimension);

    public async ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(texts);
        var before = Identity;
        var vectors = await OnceAsync(texts, ownerId, cancellationToken);
        return Identity == before ? vectors : await OnceAsync(texts, ownerId, cancellationToken); // models.yaml changed in between
    }

    private async Task<float[][]> OnceAsync(IReadOnlyList<string> texts, string ownerId, CancellationToken cancellationToken)
    {
        var call = new ModelCall { OwnerId = ownerId, Purpose = "embed", Tier = "fixed" };
        var options = new EmbeddingGenerationOptions { AdditionalProperties = new AdditionalPropertiesDictionary { [ModelCall.Key] = call } };

        // Providers refuse an empty text.
        var result = await generator.GenerateAsync(texts.Select(static t => t.Length == 0 ? " " : t), options, cancellationToken);
        return [.. result.Select(Checked)];
    }

    private float[] Checked(Embedding<float> embedding)
    {
        var vector = embedding.Vector.ToArray();
        if (vector.Length != dimension)
        {
            throw new ModelException("bad_request", $"The model for embeddings gives vectors of {vector.Length} numbers, and Knowledge:Dimension says {dimension}. Set it to {vector.Length} and start again; full-text search works meanwhile.");
        }

        VectorMath.Normalize(vector);
        return vector;
    }
}
