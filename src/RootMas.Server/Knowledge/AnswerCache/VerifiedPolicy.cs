namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>How near a question is to what is kept.</summary>
/// <param name="Similarity">Cosine with the nearest kept question.</param>
/// <param name="Margin">By how much that is nearer than the nearest question with another answer.</param>
internal readonly record struct Nearness(double Similarity, double Margin);

/// <param name="Serve">The kept answer is given.</param>
/// <param name="Error">Upper bound of the probability that it is wrong.</param>
/// <param name="Audited">It could be given, and is asked for so that it is known whether that would have been right.</param>
internal readonly record struct Verdict(bool Serve, double Error, bool Audited)
{
    /// <summary>Nothing was expected.</summary>
    public static Verdict None => new(false, 1, false);
}

/// <summary>What was observed of one kept answer: whether the model's fresh answer to a near question meant the same.</summary>
internal sealed class AnswerEvidence
{
    private const int Most = 64;
    private readonly Queue<(Nearness At, bool Same)> _observations = [];

    public int Count
    {
        get
        {
            lock (_observations)
            {
                return _observations.Count;
            }
        }
    }

    public void Add(Nearness at, bool same)
    {
        lock (_observations)
        {
            if (_observations.Count == Most)
            {
                _observations.Dequeue();
            }

            _observations.Enqueue((at, same));
        }
    }

    public (Nearness At, bool Same)[] Take()
    {
        lock (_observations)
        {
            return [.. _observations];
        }
    }
}

/// <summary>
/// Decides between giving a kept answer and asking the model, so that wrong answers stay under δ of all lookups, in the manner of vCache (Schroeder et al. 2025, arXiv 2502.03771): the probability that a kept answer
/// is right is a logistic function of the similarity whose parameters are learned, for each answer its own, from observations (nearness, right or wrong); its uncertainty counts against it, by the least of
/// ε + (1 − ε)(1 − p(ε)) over confidence levels ε; where the bound is too high the model is asked, and its answer compared is the next observation.
/// </summary>
/// <remarks>
/// Three things go beyond the paper (decision 32). An answer begins with what all answers together have taught, and its own observations shift that (paper: each begins with nothing and asks at least six times).
/// The distance to the nearest question with another answer counts beside the similarity. And the paper spends at most δ on each lookup, giving an answer of error e with probability δ/e; here what one lookup does
/// not spend the others may, and it goes to the surest answers first: every bound that is spent is booked, and the sum never exceeds δ × lookups, at any time.
/// </remarks>
internal sealed class VerifiedPolicy
{
    /// <summary>Standard deviation of what is particular to an answer, in logits.</summary>
    private const double OwnDeviation = 0.7;

    /// <summary>No answer is given before so many comparisons.</summary>
    private const int LeastObservations = 50;

    /// <summary>What is more likely to be wrong than this is asked for, however much the budget has left.</summary>
    private const double WorstGiven = 0.2;

    private const int RefitEvery = 25;

    /// <summary>Observations that count for the correction; the newest of them are fitted (<see cref="LogisticModel"/>).</summary>
    public const int Remembered = 12_000;

    /// <summary>Confidence levels (one-sided) and their normal quantiles.</summary>
    private static readonly (double Epsilon, double Z)[] Levels = [(1e-4, 3.719), (3e-4, 3.432), (1e-3, 3.090), (3e-3, 2.748), (0.01, 2.326), (0.03, 1.881), (0.1, 1.282)];

    /// <summary>Gauss-Hermite nodes and weights for the mean over what is particular to an answer.</summary>
    private static readonly (double Node, double Weight)[] Nodes = [(-2.856970, 0.011257), (-1.355626, 0.222076), (0, 0.533333), (1.355626, 0.222076), (2.856970, 0.011257)];

    private readonly double _delta;
    private readonly double _auditShare;
    private readonly Random _random;
    private readonly Lock _lock = new();
    private LogisticModel _model = new();
    private readonly RiskHistogram _risks = new();
    private readonly Queue<(double Predicted, bool Wrong)> _sure = [];
    private double _budget;
    private double _predicted;
    private double _wrong;
    private int _sinceFit;

    /// <param name="delta">δ: the part of all lookups that may get a wrong answer.</param>
    /// <param name="auditShare">Part of what could be given that is asked for all the same.</param>
    public VerifiedPolicy(double delta, double auditShare, Random random)
    {
        _delta = delta;
        _auditShare = auditShare;
        _random = random;
    }

    public long Lookups { get; private set; }

    /// <summary>Sum of the bounds of all that was given: at most so many were wrong, in the mean.</summary>
    public double Spent { get; private set; }

    public int Observations => _model.Count;

    /// <summary>Answers that could be given and were asked for, and how many of these would have been wrong.</summary>
    public (long Count, long Wrong) Audits { get; private set; }

    /// <summary>Each lookup, with or without something near, earns its part of the budget.</summary>
    public void Looked()
    {
        lock (_lock)
        {
            Lookups++;
            _budget += _delta;
        }
    }

    public Verdict Decide(Nearness at, AnswerEvidence evidence)
    {
        var own = evidence.Take();
        lock (_lock)
        {
            if (!_model.IsFit || _model.Count < LeastObservations)
            {
                return Verdict.None;
            }

            var error = Math.Min(1, Bound(at, own) * Correction());
            _risks.Add(error);
            if (error > WorstGiven || error > _risks.Limit(_delta, Lookups) || error > _budget)
            {
                return new Verdict(false, error, false);
            }

            if (_random.NextDouble() < _auditShare)
            {
                return new Verdict(false, error, true);
            }

            _budget -= error;
            Spent += error;
            return new Verdict(true, error, false);
        }
    }

    /// <summary>Nothing was given after all: its answer was no longer there.</summary>
    public void TakeBack(Verdict verdict)
    {
        lock (_lock)
        {
            _budget += verdict.Error;
            Spent -= verdict.Error;
        }
    }

    /// <summary>The model was asked, and its answer compared.</summary>
    /// <param name="verdict">What was decided then.</param>
    /// <returns>What was expected of a surer one, before it was corrected: to be kept with the observation. Null: it was none.</returns>
    public double? Observe(Nearness at, AnswerEvidence evidence, Verdict verdict, bool same)
    {
        evidence.Add(at, same);
        lock (_lock)
        {
            double? predicted = verdict.Error < 0.25 ? verdict.Error / Correction() : null;
            if (verdict.Audited)
            {
                Audits = (Audits.Count + 1, Audits.Wrong + (same ? 0 : 1));
            }

            Learn(at, same, predicted);
            return predicted;
        }
    }

    /// <summary>An observation of another process.</summary>
    /// <param name="predicted">See <see cref="Observe"/>.</param>
    public void Recall(Nearness at, AnswerEvidence? evidence, bool same, double? predicted = null)
    {
        evidence?.Add(at, same);
        lock (_lock)
        {
            Learn(at, same, predicted);
        }
    }

    /// <summary>Begins anew with everything that was observed before, the oldest first: after a restart it decides as the process before it would have. Only the budget begins at nothing, which can only give less.</summary>
    public void Relearn(IReadOnlyList<(Nearness At, AnswerEvidence? Evidence, bool Same, double? Predicted)> observations)
    {
        foreach (var (at, evidence, same, _) in observations)
        {
            evidence?.Add(at, same);
        }

        var fitted = observations.Count - (observations.Count % RefitEvery);
        lock (_lock)
        {
            Forget();
            for (var i = 0; i < observations.Count; i++)
            {
                Count(observations[i].Predicted, observations[i].Same);
                _model.Add(observations[i].At, observations[i].Same);
                if (i + 1 == fitted)
                {
                    _model.Fit();
                }
            }

            _sinceFit = observations.Count - fitted;
        }
    }

    /// <summary>Begins to learn anew: what was learned is about other vectors. What was spent stays spent.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _model = new LogisticModel();
            (_predicted, _wrong, _sinceFit) = (0, 0, 0);
            _sure.Clear();
        }
    }

    private void Learn(Nearness at, bool same, double? predicted)
    {
        Count(predicted, same);
        _model.Add(at, same);
        if (++_sinceFit >= RefitEvery)
        {
            _sinceFit = 0;
            _model.Fit();
        }
    }

    /// <summary>How the bounds of the surer ones did, so that a model that is too sure of itself is corrected.</summary>
    private void Count(double? predicted, bool same)
    {
        if (_sure.Count == Remembered)
        {
            var (past, wasWrong) = _sure.Dequeue();
            (_predicted, _wrong) = (_predicted - past, _wrong - (wasWrong ? 1 : 0));
        }

        var isWrong = predicted is not null && !same;
        _sure.Enqueue((predicted ?? 0, isWrong));
        (_predicted, _wrong) = (_predicted + (predicted ?? 0), _wrong + (isWrong ? 1 : 0));
    }

    private double Correction() => Math.Max(1, (_wrong + 2) / (_predicted + 2));

    /// <summary>min over ε of ε + (1 − ε)(1 − p(ε)), with p(ε) at the lower end of the parameters' interval at level ε, and the mean over what is particular to this answer.</summary>
    private double Bound(Nearness at, (Nearness At, bool Same)[] own)
    {
        var (mean, deviation) = _model.Logit(at);
        var (shift, spread) = Own(own);
        var least = 1.0;
        foreach (var (epsilon, z) in Levels)
        {
            var right = 0.0;
            foreach (var (node, weight) in Nodes)
            {
                right += weight * LogisticModel.Sigmoid(mean - (z * deviation) + shift + (spread * node));
            }

            least = Math.Min(least, epsilon + ((1 - epsilon) * (1 - right)));
        }

        return least;
    }

    /// <summary>What is particular to an answer, in logits: mode and standard deviation of its posterior under N(0, <see cref="OwnDeviation"/>²).</summary>
    private (double Shift, double Spread) Own((Nearness At, bool Same)[] own)
    {
        const double precision = 1 / (OwnDeviation * OwnDeviation);
        var (shift, curvature) = (0.0, precision);
        for (var i = 0; i < 6 && own.Length > 0; i++)
        {
            var gradient = -shift * precision;
            curvature = precision;
            foreach (var (at, same) in own)
            {
                var p = LogisticModel.Sigmoid(_model.Logit(at).Mean + shift);
                gradient += (same ? 1 : 0) - p;
                curvature += p * (1 - p);
            }

            shift += gradient / curvature;
        }

        return (shift, 1 / Math.Sqrt(curvature));
    }

    /// <summary>How the bounds of lookups are spread, on a scale of logarithms: which of them can be afforded if the surest come first.</summary>
    private sealed class RiskHistogram
    {
        private const int Steps = 20;
        private readonly double[] _sums = new double[200];

        public void Add(double error) => _sums[Of(error)] += error;

        /// <summary>The largest bound up to which all together stay within δ × lookups.</summary>
        public double Limit(double delta, long lookups)
        {
            var (sum, limit) = (0.0, 0.0);
            for (var i = _sums.Length - 1; i >= 0; i--)
            {
                sum += _sums[i];
                if (sum > delta * lookups)
                {
                    break;
                }

                limit = Math.Exp(-i / (double)Steps);
            }

            return limit;
        }

        private static int Of(double error) => Math.Clamp((int)(-Math.Log(error) * Steps), 0, 199);
    }
}
