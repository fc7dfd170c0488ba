using System.Globalization;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>A question whose meaning is known: equal labels, equal answers.</summary>
public sealed record LabelledQuestion(string Text, string Label);

/// <summary>How far a run had come.</summary>
/// <param name="Lookups">Questions so far.</param>
/// <param name="Hits">Those that got a kept answer.</param>
/// <param name="Wrong">Hits whose question has another label.</param>
public readonly record struct SimulationPoint(int Lookups, int Hits, int Wrong)
{
    /// <summary>Hits divided by lookups.</summary>
    public double HitRate => Hits / (double)Lookups;

    /// <summary>Wrong answers divided by all lookups.</summary>
    public double ErrorRate => Wrong / (double)Lookups;
}

/// <summary>A policy over all questions.</summary>
/// <param name="Policy"><c>verified</c> or <c>threshold</c>.</param>
/// <param name="Setting">δ, or the threshold.</param>
/// <param name="Points">Over time; the last one is the whole.</param>
public sealed record SimulationRun(string Policy, double Setting, IReadOnlyList<SimulationPoint> Points)
{
    /// <summary>Parts of the questions at which tables show how far a run had come.</summary>
    public static IReadOnlyList<double> Stages { get; } = [0.1, 0.25, 0.5, 0.75, 1];

    /// <summary>The whole.</summary>
    public SimulationPoint End => Points[^1];

    /// <summary>Hits divided by lookups.</summary>
    public double HitRate => End.HitRate;

    /// <summary>Wrong answers divided by all lookups.</summary>
    public double ErrorRate => End.ErrorRate;

    /// <summary>Wrong answers divided by hits.</summary>
    public double FalseHitRate => End.Hits == 0 ? 0 : End.Wrong / (double)End.Hits;

    /// <summary>Its 95 % interval (Wilson).</summary>
    public (double Low, double High) FalseHits => Wilson.Interval(End.Wrong, End.Hits);

    /// <summary>95 % interval of <see cref="ErrorRate"/> (Wilson).</summary>
    public (double Low, double High) Errors => Wilson.Interval(End.Wrong, End.Lookups);

    /// <summary>How far it had come after this part of the questions.</summary>
    public SimulationPoint At(double part) => Points[Math.Max(1, (int)Math.Round(part * Points.Count)) - 1];

    /// <summary>The fixed threshold with the most hits among those that were wrong no more often; null: each was.</summary>
    public SimulationRun? BestOfNoLargerError(IEnumerable<SimulationRun> runs) => runs.Where(r => r.Policy == "threshold" && r.ErrorRate <= ErrorRate).MaxBy(static r => r.HitRate);
}

/// <summary>
/// Questions one after the other through the cache's own index, guards and policy; the model is a table of labels, and so is the judge. Questions that were not given a kept answer become entries, as they do in the server.
/// </summary>
public sealed class CacheSimulation
{
    private const int PointCount = 20;
    private const int Seed = 20_260_101;

    private readonly IReadOnlyList<LabelledQuestion> _questions;
    private readonly IReadOnlyList<float[]> _vectors;
    private readonly QuestionMarks[] _marks;

    /// <param name="questions">In the order in which they are asked.</param>
    /// <param name="vectors">L2-normalised, one each.</param>
    public CacheSimulation(IReadOnlyList<LabelledQuestion> questions, IReadOnlyList<float[]> vectors)
    {
        ArgumentNullException.ThrowIfNull(questions);
        (_questions, _vectors) = (questions, vectors);
        _marks = [.. questions.Select(static q => MeaningMarks.Of(q.Text))];
    }

    /// <summary>Mode verified with this δ.</summary>
    public SimulationRun Verified(double delta, double auditShare = 0.05)
    {
        var policy = new VerifiedPolicy(delta, auditShare, new Random(Seed));
        return Run("verified", delta, (index, i, near) =>
        {
            policy.Looked();
            if (near is null)
            {
                return (false, null);
            }

            var verdict = policy.Decide(near.At, near.Best.Evidence);
            if (verdict.Serve)
            {
                return (true, null);
            }

            policy.Observe(near.At, near.Best.Evidence, verdict, near.Best.Agent == _questions[i].Label);
            return (false, ((IEnumerable<KnownAnswer>)[near.Best, .. near.Others]).FirstOrDefault(a => a.Agent == _questions[i].Label));
        });
    }

    /// <summary>Mode threshold.</summary>
    public SimulationRun Threshold(double threshold) =>
        Run("threshold", threshold, (_, _, near) => (near is not null && near.At.Similarity >= threshold, null));

    /// <param name="decide">Whether the nearest answer is given; else which kept answer the fresh one is the same as.</param>
    private SimulationRun Run(string policy, double setting, Func<AnswerIndex, int, Neighbours?, (bool Serve, KnownAnswer? Same)> decide)
    {
        var index = new AnswerIndex();
        var points = new List<SimulationPoint>();
        var (hits, wrong) = (0, 0);
        for (var i = 0; i < _questions.Count; i++)
        {
            var near = index.Nearest(default, _marks[i], _vectors[i], "", DateTimeOffset.MinValue);
            var (serve, same) = decide(index, i, near);
            if (serve)
            {
                hits++;
                wrong += near!.Best.Agent == _questions[i].Label ? 0 : 1;
            }
            else
            {
                index.Add(new KnownQuestion(Guid.Empty, default, new Digest(0, (UInt128)i), same ?? Answer(i), _marks[i], _vectors[i]));
            }

            if ((i + 1) * PointCount / _questions.Count > i * PointCount / _questions.Count || i + 1 == _questions.Count)
            {
                points.Add(new SimulationPoint(i + 1, hits, wrong));
            }
        }

        return new SimulationRun(policy, setting, points);
    }

    /// <summary>Stands for the answer that the model gives; the label is where nothing else reads it.</summary>
    private KnownAnswer Answer(int i) => new()
    {
        Id = new Guid(i + 1, 0, 0, new byte[8]),
        OwnerId = "",
        Agent = _questions[i].Label,
        PromptVersion = "",
        Documents = [],
        MicroUsd = 0,
        ExpiresAt = DateTimeOffset.MaxValue,
    };

    /// <summary>A share in per cent, as tables show it.</summary>
    public static string Percent(double share) => (share * 100).ToString("0.00", CultureInfo.InvariantCulture);
}
