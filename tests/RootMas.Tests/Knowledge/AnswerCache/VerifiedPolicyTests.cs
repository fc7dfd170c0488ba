using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Server.Knowledge.Embeddings;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>The bound on wrong answers, on worlds whose truth is known.</summary>
public sealed class VerifiedPolicyTests
{
    [Theory]
    [InlineData(0.01)]
    [InlineData(0.02)]
    [InlineData(0.05)]
    public void Wrong_answers_stay_under_the_bound_and_there_are_hits(double delta)
    {
        var (wrong, hits, lookups) = (0, 0, 0);
        for (var seed = 0; seed < 4; seed++)
        {
            var world = new Synthetic(delta, seed, static (s, m) => 1 / (1 + Math.Exp(3 - (4 * s) - (16 * m))));
            world.Run(6_000);
            (wrong, hits, lookups) = (wrong + world.Wrong, hits + world.Hits, lookups + 6_000);
            Assert.InRange(world.Policy.Spent, 0, delta * world.Policy.Lookups);
        }

        Assert.True(Wilson.Interval(wrong, lookups).High <= delta, $"{wrong} of {lookups} wrong, {hits} hits");
        Assert.True(hits > lookups * delta * 2, $"{hits} hits");
    }

    /// <summary>Similarity that tells nothing, and answers that are mostly wrong however near: nothing or little is given.</summary>
    [Theory]
    [InlineData(0.5)]
    [InlineData(0.1)]
    public void Where_similarity_tells_nothing_little_is_given(double right)
    {
        var world = new Synthetic(0.01, 1, (_, _) => right);
        world.Run(5_000);
        Assert.True(world.Wrong <= 50, $"{world.Wrong} wrong, {world.Hits} hits");
    }

    /// <summary>What was learned is no longer true: the audits and the comparisons notice.</summary>
    [Fact]
    public void When_the_world_changes_the_bound_comes_back()
    {
        var world = new Synthetic(0.02, 2, static (s, m) => 1 / (1 + Math.Exp(2 - (4 * s) - (16 * m))));
        world.Run(4_000);
        world.Right = static (s, m) => 1 / (1 + Math.Exp(5 - (4 * s) - (8 * m)));
        world.Run(4_000);
        var wrong = world.Wrong;
        world.Run(6_000);
        Assert.True(world.Wrong - wrong <= 0.02 * 6_000, $"{world.Wrong - wrong} of 6000 wrong afterwards");
    }

    /// <summary>One answer is worse than its nearness promises: its own observations keep it back while others are given.</summary>
    [Fact]
    public void Each_answer_learns_its_own()
    {
        var policy = new VerifiedPolicy(0.05, 0, new Random(1));
        var (good, bad) = (new AnswerEvidence(), new AnswerEvidence());
        var random = new Random(2);
        for (var i = 0; i < 600; i++)
        {
            var at = new Nearness(0.5 + (random.NextDouble() / 2), random.NextDouble() / 2);
            policy.Recall(at, i % 2 == 0 ? good : null, random.NextDouble() < 1 / (1 + Math.Exp(3 - (4 * at.Similarity) - (16 * at.Margin))));
        }

        for (var i = 0; i < 20; i++)
        {
            policy.Recall(new Nearness(0.9, 0.3), bad, same: false);
            policy.Recall(new Nearness(0.9, 0.3), good, same: true);
        }

        for (var i = 0; i < 1_000; i++)
        {
            policy.Looked();
        }

        var (ofGood, ofBad) = (policy.Decide(new Nearness(0.9, 0.3), good), policy.Decide(new Nearness(0.9, 0.3), bad));
        Assert.True(ofGood.Serve, $"{ofGood}");
        Assert.False(ofBad.Serve, $"{ofBad}");
        Assert.True(ofBad.Error > 3 * ofGood.Error, $"{ofGood} {ofBad}");
    }

    [Fact]
    public void Nothing_is_given_before_fifty_comparisons_however_good_they_were()
    {
        var policy = new VerifiedPolicy(0.5, 0, new Random(1));
        var evidence = new AnswerEvidence();
        for (var i = 0; i < 49; i++)
        {
            policy.Looked();
            policy.Observe(new Nearness(1, 1), evidence, new Verdict(false, 1, false), same: true);
            Assert.False(policy.Decide(new Nearness(1, 1), evidence).Serve);
        }
    }

    [Fact]
    public void What_happened_too_long_ago_counts_no_more_for_the_correction()
    {
        static (Nearness, AnswerEvidence?, bool, double?) Observation(int i, bool same) => (new Nearness(0.5 + (i % 50 / 100.0), i % 40 / 100.0), null, same, 0.1);
        static double Error(VerifiedPolicy policy) => policy.Decide(new Nearness(0.9, 0.3), new AnswerEvidence()).Error;
        var (past, fresh) = (Enumerable.Range(0, 2_000).Select(static i => Observation(i, same: false)), Enumerable.Range(0, VerifiedPolicy.Remembered).Select(static i => Observation(i, i % 10 != 0)).ToList());
        VerifiedPolicy Of(IEnumerable<(Nearness, AnswerEvidence?, bool, double?)> observations)
        {
            var policy = new VerifiedPolicy(0.1, 0, new Random(1));
            policy.Relearn([.. observations]);
            return policy;
        }

        Assert.Equal(Error(Of(fresh)), Error(Of(past.Concat(fresh))), 0.001);
        Assert.True(Error(Of(past.Concat(fresh.Take(VerifiedPolicy.Remembered - 1_000)))) > Error(Of(fresh)) * 1.2);
    }

    [Fact]
    public void A_file_of_labels_and_one_of_pairs_are_measured()
    {
        Assert.Equal(
            [new LabelledQuestion("a, \"b\"", "x"), new LabelledQuestion("c", "y")],
            LabelledFile.Parse("f.csv", "text,category\n\"a, \"\"b\"\"\",x\r\nc,y\n"));
        var pairs = LabelledFile.Parse("f.jsonl", """
            {"a": "one", "b": "two", "same": 1}
            {"a": "two", "b": "three", "same": true}
            {"a": "one", "b": "four", "same": 0}
            """);
        Assert.Equal(["one", "two", "two", "three", "one", "four"], pairs.Select(static p => p.Text));
        Assert.Equal(2, pairs.Select(static p => p.Label).Distinct().Count());
        Assert.Contains("Row 2", Assert.Throws<InvalidDataException>(() => LabelledFile.Parse("f.csv", "text,label\na,b\nc,\n")).Message, StringComparison.Ordinal);
        Assert.Contains("columns", Assert.Throws<InvalidDataException>(() => LabelledFile.Parse("f.csv", "x,y\n1,2\n")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_simulation_is_better_than_each_threshold_of_the_same_error()
    {
        var questions = Topics.Questions(1_500).Select(static q => new LabelledQuestion(q, Topics.Of(q))).ToList();
        var vectors = await new LocalEmbedder().EmbedAsync([.. questions.Select(static q => q.Text)], EmbedPurpose.Query, "system", default);
        var simulation = new CacheSimulation(questions, vectors);
        var verified = simulation.Verified(0.02);
        Assert.True(verified.ErrorRate <= 0.02, $"{verified.End}");
        foreach (var threshold in (double[])[0.6, 0.7, 0.8, 0.9, 0.95])
        {
            var fix = simulation.Threshold(threshold);
            Assert.True(fix.ErrorRate > verified.ErrorRate || fix.HitRate <= verified.HitRate, $"threshold {threshold}: {fix.End}; verified: {verified.End}");
        }

        Assert.Equal(20, verified.Points.Count);
        Assert.Equal(questions.Count, verified.End.Lookups);
    }

    [Fact]
    public void A_bound_is_compared_with_the_fixed_threshold_that_has_the_most_hits_at_no_larger_error()
    {
        static SimulationRun Run(string policy, double setting, int hits, int wrong) => new(policy, setting, [new(50, 1, wrong), new(100, hits, wrong)]);
        SimulationRun[] thresholds = [Run("threshold", 0.9, 10, 1), Run("threshold", 0.8, 20, 2), Run("threshold", 0.7, 40, 3)];
        var verified = Run("verified", 0.02, 30, 2);
        Assert.Equal(0.8, verified.BestOfNoLargerError([verified, .. thresholds])?.Setting);
        Assert.Null(Run("verified", 0.01, 30, 0).BestOfNoLargerError(thresholds));
        Assert.Equal([50, 50, 50, 100, 100], SimulationRun.Stages.Select(part => verified.At(part).Lookups));
    }

    /// <summary>Lookups of random nearness to one of fifty answers, right with a known probability.</summary>
    private sealed class Synthetic(double delta, int seed, Func<double, double, double> right)
    {
        private readonly Random _random = new(100 + seed);
        private readonly AnswerEvidence[] _answers = [.. Enumerable.Range(0, 50).Select(static _ => new AnswerEvidence())];

        public VerifiedPolicy Policy { get; } = new(delta, 0.05, new Random(seed));

        public Func<double, double, double> Right { get; set; } = right;

        public int Hits { get; private set; }

        public int Wrong { get; private set; }

        public void Run(int lookups)
        {
            for (var i = 0; i < lookups; i++)
            {
                var at = new Nearness(_random.NextDouble(), _random.NextDouble() * _random.NextDouble());
                var isRight = _random.NextDouble() < Right(at.Similarity, at.Margin);
                var evidence = _answers[_random.Next(_answers.Length)];
                Policy.Looked();
                var verdict = Policy.Decide(at, evidence);
                if (verdict.Serve)
                {
                    Hits++;
                    Wrong += isRight ? 0 : 1;
                }
                else
                {
                    Policy.Observe(at, evidence, verdict, isRight);
                }
            }
        }
    }
}
