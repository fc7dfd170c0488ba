namespace RootMas.Server.Knowledge.Embeddings;

/// <summary>What made a vector; stored with it. Only vectors of one identity can be compared.</summary>
/// <param name="Model">The name: <c>local</c>, the file's name, or the model's in models.yaml.</param>
/// <param name="Version">Changes when the same text would get another vector.</param>
/// <param name="Dimension">Numbers in a vector.</param>
public sealed record EmbedderIdentity(string Model, string Version, int Dimension);

/// <summary>Some models treat what is searched for and what is found differently.</summary>
public enum EmbedPurpose
{
    /// <summary>A text that is kept and found.</summary>
    Document,

    /// <summary>A text that others are compared with.</summary>
    Query,
}

/// <summary>Texts to vectors: the one way of this installation, by <c>Knowledge:Embedder</c>.</summary>
public interface IEmbedder
{
    /// <summary>What makes the vectors now. With a configured model it changes while the process runs: models.yaml is read anew.</summary>
    EmbedderIdentity Identity { get; }

    /// <summary>L2-normalised vectors of <see cref="EmbedderIdentity.Dimension"/> numbers, in the order of the texts. A text without any letter or digit may get the zero vector, which is like nothing.</summary>
    /// <param name="texts">Any number; long ones are cut to what the model reads.</param>
    /// <param name="purpose">What the vectors are for.</param>
    /// <param name="ownerId">Whose row of the ledger a paid request becomes; <c>system</c> for background work.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="RootMas.Runtime.Agents.ModelException">A configured model gave no vectors.</exception>
    ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken);
}
