using Microsoft.Extensions.AI;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Runtime.Agents;
using RootMas.Server.Knowledge.AnswerCache;
using RootMas.Tests.Support;

namespace RootMas.Tests.Knowledge.AnswerCache;

/// <summary>
/// The bound on wrong answers where few or none of the comparisons are judged. Right answers are often told by their texts alone, wrong ones only by a judge: whatever is learned must not depend on which of both it is.
/// </summary>
public sealed class JudgedInPartTests
{
    private const double Delta = 0.01;
    private const int Lookups = 4_000;

    /// <summary>Probabilities that the nearest answer is right, by similarity and margin.</summary>
    private static readonly Dictionary<string, Func<double, double, double>> Worlds = new(StringComparer.Ordinal)
    {
        ["mostly wrong"] = static (s, m) => 1 / (1 + Math.Exp(5 - (4 * s) - (8 * m))),
        ["little to tell by"] = static (s, m) => 1 / (1 + Math.Exp(1 - s - (3 * m))),
        ["nothing to tell by"] = static (_, _) => 0.5,
        ["mostly right"] = static (s, m) => 1 / (1 + Math.Exp(3 - (4 * s) - (16 * m))),
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var world in Worlds.Keys)
            {
                foreach (var judged in (string[])["all", "a tenth", "by rules", "by one that often fails"])
                {
                    cases.Add(world, judged);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Wrong_answers_stay_under_the_bound_however_few_comparisons_are_judged(string world, string judged)
    {
        var (wrong, hits) = (0, 0);
        for (var seed = 0; seed < 2; seed++)
        {
            var run = new HalfSeen(seed, Worlds[world], equalTexts: 0.3, judged);
            await run.RunAsync(Lookups);
            (wrong, hits) = (wrong + run.Wrong, hits + run.Hits);
            Assert.InRange(run.Policy.Spent, 0, Delta * Lookups);
        }

        Assert.True(Wilson.Interval(wrong, 2 * Lookups).High <= Delta, $"{wrong} of {2 * Lookups} wrong, {hits} hits");
        Assert.True(hits > 0 || world != "mostly right" || judged is not ("all" or "a tenth"), "no hits");
    }

    /// <summary>A model that words equal answers equally, and nobody who compares.</summary>
    [Fact]
    public async Task Where_answers_are_worded_equally_rules_alone_find_hits()
    {
        var run = new HalfSeen(1, Worlds["mostly right"], equalTexts: 1, "by rules");
        await run.RunAsync(Lookups);
        Assert.True(run.Hits > Lookups * Delta * 2, $"{run.Hits} hits");
        Assert.True(Wilson.Interval(run.Wrong, Lookups).High <= Delta, $"{run.Wrong} wrong, {run.Hits} hits");
    }

    /// <summary>That these worlds show it: with equal texts always counted and the others where they are judged, far more is wrong.</summary>
    [Theory]
    [InlineData("a tenth")]
    [InlineData("by rules")]
    public async Task Would_being_seen_depend_on_being_right_the_bound_would_not_hold(string judged)
    {
        var run = new HalfSeen(1, Worlds["mostly wrong"], equalTexts: 0.3, judged) { SeesRightOnes = true };
        await run.RunAsync(Lookups);
        Assert.True(run.Wrong > Delta * Lookups, $"{run.Wrong} wrong, {run.Hits} hits");
    }

    /// <summary>Where the model calls a tool, answers with what may not be kept, or with half an answer, kept ones do less often than elsewhere.</summary>
    [Theory]
    [InlineData("all", "mostly right")]
    [InlineData("a tenth", "mostly right")]
    [InlineData("all", "mostly wrong")]
    public async Task What_is_asked_where_the_fresh_answer_may_not_be_kept_is_under_the_bound_too(string judged, string world)
    {
        var (wrong, hits) = (0, 0);
        for (var seed = 0; seed < 2; seed++)
        {
            var run = new HalfSeen(seed, Worlds[world], equalTexts: 0.3, judged) { Unkept = 0.3 };
            await run.RunAsync(Lookups);
            (wrong, hits) = (wrong + run.Wrong, hits + run.Hits);
        }

        Assert.True(Wilson.Interval(wrong, 2 * Lookups).High <= Delta, $"{wrong} of {2 * Lookups} wrong, {hits} hits");
        Assert.True(hits > 0 || world != "mostly right", "no hits");
    }

    [Fact]
    public async Task Would_those_not_be_learned_from_the_bound_would_not_hold()
    {
        var run = new HalfSeen(1, Worlds["mostly right"], equalTexts: 0.3, "all") { Unkept = 0.3, SeesUnkept = false };
        await run.RunAsync(Lookups);
        Assert.True(run.Wrong > 2 * Delta * Lookups, $"{run.Wrong} wrong, {run.Hits} hits");
    }

    [Fact]
    public async Task Whether_a_comparison_is_learned_is_decided_before_the_texts_are_seen_and_a_part_is_for_audits()
    {
        var clock = new SteppedClock();
        var client = new OneJudge { Same = true };
        var judge = Judge(new AnswerCacheOptions { JudgePerMinute = 8 }, client, clock);
        Task<Comparison> CompareAsync(string fresh, bool isAudited = false) => judge.CompareAsync("q", Answer(fresh), [Answer("kept")], "alice", isAudited, default);
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(new Comparison(Sameness.Same, 0), await CompareAsync(i % 2 == 0 ? "kept" : "Kept otherwise"));
        }

        Assert.Equal(new Comparison(Sameness.Unknown, 0), await CompareAsync("kept")); // known to be the same, and not learned from
        Assert.Equal(new Comparison(Sameness.Unknown, null), await CompareAsync("other"));
        Assert.Equal(Sameness.Same, (await CompareAsync("other", isAudited: true)).Nearest);
        Assert.Equal(Sameness.Same, (await CompareAsync("kept", isAudited: true)).Nearest);
        Assert.Equal(Sameness.Unknown, (await CompareAsync("kept", isAudited: true)).Nearest);
        Assert.Equal(4, client.Calls);
        Assert.Equal(new Comparison(Sameness.Unknown, null), await judge.CompareAsync("q", null, [Answer("kept")], "alice", isAudited: true, default)); // what nothing does for is one of the sample, too
        clock.Advance(TimeSpan.FromMinutes(1));
        client.Fails = true;
        Assert.Equal(new Comparison(Sameness.Different, null), await CompareAsync("other"));
        client.Fails = false;
        Assert.Equal(Sameness.Unknown, (await CompareAsync("kept")).Nearest);
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(Sameness.Same, (await CompareAsync("other")).Nearest);
        Assert.Equal(new Comparison(Sameness.Different, null), await judge.CompareAsync("q", null, [Answer("kept")], "alice", isAudited: false, default));
        Assert.Equal(6, client.Calls);
    }

    [Theory]
    [InlineData("It is $100.", "It is €100.")]
    [InlineData("x > 1", "x < 1")]
    [InlineData("2*3", "2 3")]
    [InlineData("at 10:30", "at 10 30")]
    [InlineData("1,5 %", "15 %")]
    [InlineData("1,25", "125")]
    [InlineData("1, 2, 3", "12, 3")]
    [InlineData("12 3", "123")]
    [InlineData("$100", "€100")]
    [InlineData("<5", "≥5")]
    [InlineData("≈5", "5")]
    [InlineData("−5", "5")]
    [InlineData("-$5", "$5")]
    [InlineData("(5)", "5")]
    [InlineData("**(5)**", "5.")]
    [InlineData("($5)", "$5")]
    [InlineData("$(1,234.50)", "$1,234.50")]
    [InlineData("(USD 5)", "USD 5")]
    [InlineData("(5) km", "5 km")]
    [InlineData("(5", "5")]
    [InlineData("Net income: (5) million", "Net income: 5 million")]
    [InlineData("（5）", "5")]
    [InlineData("2½", "2")]
    [InlineData("10⁶", "10⁵")]
    [InlineData("5 m²", "5 m")]
    [InlineData("It is CO₂.", "It is CO.")]
    [InlineData("It is –5 °C.", "It is 5 °C.")]
    [InlineData("✅", "❌")]
    [InlineData("★★★", "★★★★★")]
    [InlineData("🙂", "🙁")]
    [InlineData("?!", "...")]
    [InlineData("6.626e-34", "1.055e-34")]
    public void Answers_that_differ_in_a_sign_are_not_equal(string a, string b) => Assert.NotEqual(Sameness.Same, AnswerJudge.Rule(a, b));

    [Theory]
    [InlineData("Use **bold** words — here.", "use bold words, here")]
    [InlineData("Don’t!", "don't")]
    [InlineData("Yes (of course).", "Yes, of course")]
    [InlineData("(5)", " (5). ")]
    [InlineData("…", "…")]
    [InlineData("At –5 °C it freezes", "at -5 °C: it freezes.")]
    public void Answers_that_differ_in_their_form_are_equal(string a, string b) => Assert.Equal(Sameness.Same, AnswerJudge.Rule(a, b));

    [Theory]
    [InlineData("1 000", "1,000")]
    [InlineData("1 234,5", "1,234.5")]
    [InlineData("1.5", "1,5")]
    [InlineData("15 %", "15%")]
    [InlineData("$100", "100 $")]
    [InlineData("−5 °C", "-5°c.")]
    [InlineData("1e3", "1000")]
    [InlineData("= 5", "+5")]
    [InlineData("1 000 км", "1000 КМ")]
    public void Numbers_that_are_written_otherwise_are_equal(string a, string b) => Assert.Equal(Sameness.Same, AnswerJudge.Rule(a, b));

    [Theory]
    [InlineData("1,5 %", "15 %", "Different")]
    [InlineData("−5", "5", "Different")]
    [InlineData("$100", "100 USD", "Unknown")]
    [InlineData("1,234 км", "1234 км", "Unknown")]
    [InlineData("(5)", "5", "Unknown")]
    [InlineData("(5)", "-5", "Unknown")]
    [InlineData("(1) Reboot. (2) Wait.", "1. Reboot. 2. Wait.", "Unknown")]
    [InlineData("See the note (5).", "See the note 5.", "Unknown")]
    public void Other_numbers_are_different_and_what_may_be_read_in_two_ways_is_for_the_judge(string a, string b, string verdict) => Assert.Equal(verdict, AnswerJudge.Rule(a, b).ToString());

    private static AnswerJudge Judge(AnswerCacheOptions options, IChatClient client, TimeProvider clock) => new(options, () => client, null, clock, NullLogger<AnswerJudge>.Instance);

    private static CachedAnswer Answer(string text) => new()
    {
        Id = Guid.Empty, OwnerId = "a", Agent = "a", PromptVersion = "", Text = text, Model = "", Provider = "", Tier = "", InputTokens = 0, OutputTokens = 0, MicroUsd = 0, CreatedAt = default, ExpiresAt = DateTimeOffset.MaxValue,
    };

    /// <summary>Lookups whose outcome the policy learns from the judge of the server, who sees texts and may ask a model that knows.</summary>
    private sealed class HalfSeen(int seed, Func<double, double, double> right, double equalTexts, string judged)
    {
        private const int PerMinute = 16;

        private readonly Random _random = new(100 + seed);
        private readonly SteppedClock _clock = new();
        private readonly OneJudge _client = new();
        private readonly AnswerEvidence[] _answers = [.. Enumerable.Range(0, 50).Select(static _ => new AnswerEvidence())];
        private readonly CachedAnswer _kept = Answer("kept");
        private readonly CachedAnswer _otherwise = Answer("worded otherwise");

        public VerifiedPolicy Policy { get; } = new(Delta, 0.05, new Random(seed));

        /// <summary>Equal texts are always learned from.</summary>
        public bool SeesRightOnes { get; init; }

        /// <summary>What part of the lookups has a fresh answer that may not be kept; of these only three in ten would have been right as elsewhere.</summary>
        public double Unkept { get; init; }

        public bool SeesUnkept { get; init; } = true;

        public int Hits { get; private set; }

        public int Wrong { get; private set; }

        public async Task RunAsync(int lookups)
        {
            var judge = Judge(new AnswerCacheOptions { Judge = judged == "by rules" ? AnswerJudgeKind.Rules : AnswerJudgeKind.Model, JudgePerMinute = judged == "all" ? 100_000 : PerMinute }, _client, _clock);
            var fails = judged == "by one that often fails";
            for (var i = 0; i < lookups; i++)
            {
                _clock.Advance(TimeSpan.FromMinutes(1) / (fails ? 6 : 10 * PerMinute)); // after a failure five lookups pass before the next comparison
                var at = new Nearness(_random.NextDouble(), _random.NextDouble() * _random.NextDouble());
                var isRight = _random.NextDouble() < right(at.Similarity, at.Margin);
                var isUnkept = _random.NextDouble() < Unkept;
                isRight &= !isUnkept || _random.NextDouble() < 0.3;
                var isEqual = isRight && _random.NextDouble() < equalTexts;
                var evidence = _answers[_random.Next(_answers.Length)];
                Policy.Looked();
                var verdict = Policy.Decide(at, evidence);
                if (verdict.Serve)
                {
                    Hits++;
                    Wrong += isRight ? 0 : 1;
                    continue;
                }

                (_client.Same, _client.Fails) = (isRight, fails && _random.Next(3) == 0);
                if (isUnkept && !SeesUnkept)
                {
                    continue;
                }

                if (await SeeAsync(judge, (isUnkept, isEqual), verdict.Audited) is { } same)
                {
                    Policy.Observe(at, evidence, verdict, same);
                }
            }
        }

        private async Task<bool?> SeeAsync(AnswerJudge judge, (bool IsUnkept, bool IsEqual) fresh, bool isAudited)
        {
            var (isUnkept, isEqual) = fresh;
            if (SeesRightOnes && (isEqual || judged == "by rules"))
            {
                return isEqual ? true : null;
            }

            var (nearest, _) = await judge.CompareAsync("q", isUnkept ? null : isEqual ? _kept : _otherwise, [_kept], "alice", isAudited, default);
            return nearest == Sameness.Unknown ? null : nearest == Sameness.Same;
        }
    }

    /// <summary>A judge that knows, or is away.</summary>
    private sealed class OneJudge : IChatClient
    {
        private static readonly ChatResponse One = new(new ChatMessage(ChatRole.Assistant, "1"));
        private static readonly ChatResponse None = new(new ChatMessage(ChatRole.Assistant, "0"));

        public bool Same { get; set; }

        public bool Fails { get; set; }

        public int Calls { get; private set; }

        public Task<ChatResponse> GetResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default)
        {
            Calls++;
            return Fails ? Task.FromException<ChatResponse>(new ModelException("unreachable", "away")) : Task.FromResult(Same ? One : None);
        }

        public IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(IEnumerable<ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public object? GetService(Type serviceType, object? serviceKey = null) => null;

        public void Dispose()
        {
        }
    }
}
