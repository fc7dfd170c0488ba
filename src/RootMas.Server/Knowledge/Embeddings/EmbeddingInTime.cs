using RootMas.Runtime.Agents;

namespace RootMas.Server.Knowledge.Embeddings;

/// <summary>Vectors where a user waits for what they are for.</summary>
internal static class EmbeddingInTime
{
    /// <summary>A model elsewhere that takes longer is not waited for before a user's question is answered: there it goes without the vector.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The vector of a question, or none if it takes too long.</summary>
    /// <exception cref="ModelException">A configured model gave none; its class is <c>timeout</c> where there was none in time.</exception>
    public static async ValueTask<float[]> EmbedInTimeAsync(this IEmbedder embedder, string question, string ownerId, TimeSpan patience, TimeProvider clock, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(patience, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            return (await embedder.EmbedAsync([question], EmbedPurpose.Query, ownerId, either.Token))[0];
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new ModelException("timeout", "The question was not embedded in time.", inner: e);
        }
    }
}

/// <summary>Vectors of questions to documents. Words answer without one, so it is not waited for long.</summary>
internal sealed class QuestionEmbedder(IEmbedder embedder, TimeProvider clock)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <exception cref="ModelException">There is none; <c>timeout</c>: none in time.</exception>
    public ValueTask<float[]> EmbedAsync(string question, string userId, CancellationToken cancellationToken) => embedder.EmbedInTimeAsync(question, userId, Patience, clock, cancellationToken);
}
