namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>
/// Bayesian logistic regression over all observations: logit P(right) = w₀ + w₁·similarity + w₂·margin. A normal prior that expects little begins it, so that few observations give wide intervals; fitted by damped Newton
/// steps to the mode, with the inverse of the curvature there as covariance (Laplace).
/// </summary>
internal sealed class LogisticModel
{
    private const int Size = 3;

    /// <summary>The newest observations that are fitted: what was true of questions a year ago need not be now.</summary>
    private const int Window = 4_000;

    private static readonly double[] PriorMean = [-3, 4, 4];
    private static readonly double[] PriorVariance = [4, 16, 64];

    private readonly Queue<(Nearness At, bool Same)> _observations = [];
    private readonly double[] _weights = [.. PriorMean];
    private double[,] _covariance = new double[Size, Size];

    public int Count => _observations.Count;

    public bool IsFit { get; private set; }

    public static double Sigmoid(double z) => 1 / (1 + Math.Exp(-z));

    public void Add(Nearness at, bool same)
    {
        if (_observations.Count == Window)
        {
            _observations.Dequeue();
        }

        _observations.Enqueue((at, same));
    }

    /// <summary>Mean and standard deviation of the logit that an answer is right.</summary>
    public (double Mean, double Deviation) Logit(Nearness at)
    {
        ReadOnlySpan<double> x = [1, at.Similarity, at.Margin];
        var (mean, variance) = (0.0, 0.0);
        for (var a = 0; a < Size; a++)
        {
            mean += _weights[a] * x[a];
            for (var b = 0; b < Size; b++)
            {
                variance += x[a] * _covariance[a, b] * x[b];
            }
        }

        return (mean, Math.Sqrt(Math.Max(0, variance)));
    }

    public void Fit()
    {
        var gradient = new double[Size];
        var value = Posterior(_weights);
        for (var step = 0; step < 25; step++)
        {
            var inverse = Invert(Curvature(_weights, gradient));
            var direction = Times(inverse, gradient);
            _covariance = inverse;
            var (next, better) = Advance(direction, value);
            if (better - value < 1e-8)
            {
                break;
            }

            next.CopyTo(_weights, 0);
            value = better;
        }

        _covariance = Invert(Curvature(_weights, gradient));
        IsFit = true;
    }

    /// <summary>The whole step, or half of it, and so on, until it leads upwards: far from the mode a whole one can lead away for ever.</summary>
    private (double[] Weights, double Value) Advance(double[] direction, double value)
    {
        var next = new double[Size];
        for (var scale = 1.0; scale > 1e-6; scale /= 2)
        {
            for (var a = 0; a < Size; a++)
            {
                next[a] = _weights[a] + (scale * direction[a]);
            }

            if (Posterior(next) is var reached && reached > value)
            {
                return (next, reached);
            }
        }

        return (_weights, value);
    }

    /// <summary>Logarithm of the posterior, up to a constant.</summary>
    private double Posterior(double[] weights)
    {
        var sum = 0.0;
        for (var a = 0; a < Size; a++)
        {
            var off = weights[a] - PriorMean[a];
            sum -= off * off / (2 * PriorVariance[a]);
        }

        foreach (var (at, same) in _observations)
        {
            var z = weights[0] + (weights[1] * at.Similarity) + (weights[2] * at.Margin);
            z = same ? z : -z;
            sum -= z > 0 ? Math.Log(1 + Math.Exp(-z)) : -z + Math.Log(1 + Math.Exp(z));
        }

        return sum;
    }

    private double[,] Curvature(double[] weights, double[] gradient)
    {
        var curvature = new double[Size, Size];
        for (var a = 0; a < Size; a++)
        {
            gradient[a] = -(weights[a] - PriorMean[a]) / PriorVariance[a];
            curvature[a, a] = 1 / PriorVariance[a];
        }

        Span<double> x = stackalloc double[Size];
        foreach (var (at, same) in _observations)
        {
            (x[0], x[1], x[2]) = (1, at.Similarity, at.Margin);
            var p = Sigmoid((weights[0] * x[0]) + (weights[1] * x[1]) + (weights[2] * x[2]));
            for (var a = 0; a < Size; a++)
            {
                gradient[a] += ((same ? 1 : 0) - p) * x[a];
                for (var b = 0; b < Size; b++)
                {
                    curvature[a, b] += p * (1 - p) * x[a] * x[b];
                }
            }
        }

        return curvature;
    }

    private static double[] Times(double[,] matrix, double[] vector)
    {
        var product = new double[Size];
        for (var a = 0; a < Size; a++)
        {
            for (var b = 0; b < Size; b++)
            {
                product[a] += matrix[a, b] * vector[b];
            }
        }

        return product;
    }

    /// <summary>By cofactors; the prior keeps it regular.</summary>
    private static double[,] Invert(double[,] m)
    {
        double Minor(int r, int c)
        {
            var (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
            return (m[r1, c1] * m[r2, c2]) - (m[r1, c2] * m[r2, c1]);
        }

        var determinant = (m[0, 0] * Minor(0, 0)) + (m[0, 1] * Minor(0, 1)) + (m[0, 2] * Minor(0, 2));
        var inverse = new double[Size, Size];
        for (var a = 0; a < Size; a++)
        {
            for (var b = 0; b < Size; b++)
            {
                inverse[a, b] = Minor(b, a) / determinant;
            }
        }

        return inverse;
    }
}
