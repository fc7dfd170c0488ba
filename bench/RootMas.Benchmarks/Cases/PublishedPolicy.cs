using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Vectors;

namespace RootMas.Benchmarks.Cases;

/// <summary>
/// vCache as published (Schroeder et al. 2025, arXiv 2502.03771, algorithm 1), to compare with: each entry has a logistic curve of its own, fitted to its observations alone; it asks at least six times, then with probability
/// τ = min over ε of 1 − δ / (1 − (1 − ε)·L(s, t′(ε))), where t′ is the upper end of the interval of the entry's threshold. A question becomes an entry only if the answer of the nearest one was wrong for it.
/// </summary>
internal static class PublishedPolicy
{
    private const int LeastObservations = 6;

    /// <summary>Of a threshold whose observations are separated without error, where no curvature tells it: about what the authors found by simulation.</summary>
    private const double SeparatedVariance = 0.012;

    private static readonly (double Epsilon, double Z)[] Levels =
        [(0.001, 3.090), (0.01, 2.326), (0.02, 2.054), (0.05, 1.645), (0.1, 1.282), (0.2, 0.842), (0.3, 0.524), (0.4, 0.253), (0.5, 0), (0.7, -0.524), (0.9, -1.282)];

    public static SimulationRun Run(IReadOnlyList<LabelledQuestion> questions, IReadOnlyList<float[]> vectors, double delta)
    {
        var (entries, points, random) = (new List<Entry>(), new List<SimulationPoint>(), new Random(11));
        var (hits, wrong) = (0, 0);
        for (var i = 0; i < questions.Count; i++)
        {
            var (best, similarity) = Nearest(entries, vectors[i]);
            var isRight = best is not null && best.Label == questions[i].Label;
            if (best is not null && random.NextDouble() > best.Tau(similarity, delta))
            {
                hits++;
                wrong += isRight ? 0 : 1;
            }
            else
            {
                best?.Observations.Add((similarity, isRight));
                if (!isRight)
                {
                    entries.Add(new Entry(questions[i].Label, vectors[i]));
                }
            }

            if ((i + 1) * 20 / questions.Count > i * 20 / questions.Count)
            {
                points.Add(new SimulationPoint(i + 1, hits, wrong));
            }
        }

        return new SimulationRun("published", delta, points);
    }

    private static (Entry? Best, double Similarity) Nearest(List<Entry> entries, float[] vector)
    {
        var (best, similarity) = ((Entry?)null, -2f);
        foreach (var entry in entries)
        {
            var score = VectorMath.Dot(entry.Vector, vector);
            (best, similarity) = score > similarity ? (entry, score) : (best, similarity);
        }

        return (best, similarity);
    }

    private sealed class Entry(string label, float[] vector)
    {
        public string Label => label;

        public float[] Vector => vector;

        public List<(double At, bool Right)> Observations { get; } = [];

        /// <summary>With which probability the model is asked.</summary>
        public double Tau(double s, double delta)
        {
            if (Observations.Count < LeastObservations)
            {
                return 1;
            }

            var (threshold, steepness, variance) = Fit();
            var tau = 1.0;
            foreach (var (epsilon, z) in Levels)
            {
                var t = Math.Clamp(threshold + (z * Math.Sqrt(variance)), 0, 1);
                var right = (1 - epsilon) / (1 + Math.Exp(-steepness * (s - t)));
                tau = Math.Min(tau, 1 - (delta / (1 - right)));
            }

            return tau;
        }

        /// <summary>The likeliest curve by Newton steps, with a trace of a penalty so that it exists where the observations are separated; the variance of its threshold by the delta method.</summary>
        private (double Threshold, double Steepness, double Variance) Fit()
        {
            const double penalty = 1e-3;
            var (a, b) = (0.0, 1.0);
            var (haa, hab, hbb) = (penalty, 0.0, penalty);
            for (var step = 0; step < 30; step++)
            {
                var (ga, gb) = (-penalty * a, -penalty * b);
                (haa, hab, hbb) = (penalty, 0, penalty);
                foreach (var (at, right) in Observations)
                {
                    var p = 1 / (1 + Math.Exp(-(a + (b * at))));
                    var (error, weight) = ((right ? 1 : 0) - p, p * (1 - p));
                    (ga, gb) = (ga + error, gb + (error * at));
                    (haa, hab, hbb) = (haa + weight, hab + (weight * at), hbb + (weight * at * at));
                }

                var determinant = (haa * hbb) - (hab * hab);
                var (da, db) = (((hbb * ga) - (hab * gb)) / determinant, ((haa * gb) - (hab * ga)) / determinant);
                var scale = Math.Min(1, 20 / Math.Max(Math.Abs(da), Math.Abs(db)));
                (a, b) = (a + (scale * da), b + (scale * db));
            }

            var steepness = Math.Max(b, 1e-6);
            var threshold = Math.Clamp(-a / steepness, 0, 1);
            if (IsSeparated())
            {
                return (threshold, steepness, SeparatedVariance);
            }

            var (inA, inB, whole) = (-1 / steepness, a / (steepness * steepness), (haa * hbb) - (hab * hab));
            var variance = ((inA * inA * hbb) - (2 * inA * inB * hab) + (inB * inB * haa)) / whole;
            return (threshold, steepness, Math.Max(0, variance));
        }

        private bool IsSeparated()
        {
            var (lowestRight, highestWrong) = (double.MaxValue, double.MinValue);
            foreach (var (at, right) in Observations)
            {
                (lowestRight, highestWrong) = right ? (Math.Min(lowestRight, at), highestWrong) : (lowestRight, Math.Max(highestWrong, at));
            }

            return lowestRight > highestWrong;
        }
    }
}
