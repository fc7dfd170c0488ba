using System.Numerics.Tensors;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>Arithmetic on vectors, as wide as the processor can.</summary>
public static class VectorMath
{
    /// <summary>Sum of products; the cosine, if both are L2-normalised.</summary>
    /// <exception cref="ArgumentException">They differ in length.</exception>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b) => TensorPrimitives.Dot(a, b);

    /// <summary>Scales to length 1 in place; the zero vector stays.</summary>
    public static void Normalize(Span<float> vector)
    {
        var norm = TensorPrimitives.Norm<float>(vector);
        if (norm > 0)
        {
            TensorPrimitives.Divide(vector, norm, vector);
        }
    }
}
