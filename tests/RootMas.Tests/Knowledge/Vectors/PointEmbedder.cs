using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.Embeddings;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Tests.Knowledge.Vectors;

/// <summary>Vectors that a test can foretell: of the text <c>7:123</c> a point of cloud 7, the 123rd; of anything else zero. Points of a cloud are near to each other, clouds are not.</summary>
internal sealed class PointEmbedder(string version = "1", int dimension = 48) : IEmbedder
{
    private int _embedded;

    public EmbedderIdentity Identity { get; set; } = new("points", version, dimension);

    /// <summary>What becomes of a request with this text in it; null: its vectors.</summary>
    public Func<string, ModelException?> Refuses { get; set; } = static _ => null;

    /// <summary>Texts so far.</summary>
    public int Embedded => Volatile.Read(ref _embedded);

    public ValueTask<float[][]> EmbedAsync(IReadOnlyList<string> texts, EmbedPurpose purpose, string ownerId, CancellationToken cancellationToken)
    {
        Interlocked.Add(ref _embedded, texts.Count);
        if (texts.Select(Refuses).FirstOrDefault(static e => e is not null) is { } refusal)
        {
            return ValueTask.FromException<float[][]>(refusal);
        }

        return ValueTask.FromResult(texts.Select(t => Of(t)).ToArray());
    }

    public float[] Of(string text)
    {
        var vector = new float[dimension];
        if (text.Split(':') is not [var cloud, var point] || !int.TryParse(cloud, out var centre) || !int.TryParse(point, out var number))
        {
            return vector;
        }

        var (around, here) = (new Random(centre + 1), new Random((centre * 1_000_003) + number));
        for (var i = 0; i < dimension; i++)
        {
            vector[i] = (float)(Gauss(around) + (0.6 * Gauss(here)));
        }

        VectorMath.Normalize(vector);
        return vector;
    }

    private static double Gauss(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
