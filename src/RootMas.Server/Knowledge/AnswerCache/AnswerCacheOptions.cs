using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Knowledge.AnswerCache;

/// <summary>What the cache of answers may do.</summary>
public enum AnswerCacheMode
{
    /// <summary>Every answer is made anew.</summary>
    Off,

    /// <summary>Only equal requests get a kept answer.</summary>
    Exact,

    /// <summary>Also requests whose last message is at least so similar (<see cref="AnswerCacheOptions.Threshold"/>). How often that is wrong is not known beforehand.</summary>
    Threshold,

    /// <summary>Also requests that mean the same, as far as was learned, so that wrong answers stay under <see cref="AnswerCacheOptions.MaxWrong"/> of all lookups.</summary>
    Verified,

    /// <summary>Equal requests as always; for similar ones it is only measured what <see cref="Verified"/> would have given.</summary>
    Shadow,
}

/// <summary>Who says whether two answers mean the same.</summary>
public enum AnswerJudgeKind
{
    /// <summary>Equal texts and equal numbers; whatever these cannot tell, a cheap model says. Beyond <see cref="AnswerCacheOptions.JudgePerMinute"/> nothing is learned, of equal texts neither: right answers would else be seen more often than wrong ones.</summary>
    Model,

    /// <summary>Equal texts and equal numbers only: nothing is asked, and whatever is not equal counts as wrong. The bound holds; there are hits where the model words its answers equally.</summary>
    Rules,
}

/// <summary>Answers of agents that are given again. Section <c>Knowledge:AnswerCache</c>.</summary>
public sealed record AnswerCacheOptions
{
    /// <summary>What may be given again.</summary>
    public AnswerCacheMode Mode { get; init; } = AnswerCacheMode.Verified;

    /// <summary>Answers to equal requests that are kept in memory; the longest unused goes first.</summary>
    [Range(1, 1_000_000)]
    public int MemoryEntries { get; init; } = 1_000;

    /// <summary>How long an answer is given again.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "365.00:00:00")]
    public TimeSpan TimeToLive { get; init; } = TimeSpan.FromHours(24);

    /// <summary>Mode threshold: least similarity (cosine) of the last messages.</summary>
    [Range(0.5, 1)]
    public double Threshold { get; init; } = 0.92;

    /// <summary>Mode verified: the part of all lookups that may get a wrong answer (δ).</summary>
    [Range(0.0001, 0.5)]
    public double MaxWrong { get; init; } = 0.01;

    /// <summary>Part of the answers to similar questions that could be given and are asked for all the same, so that it is known how many would have been wrong.</summary>
    [Range(0.0, 1)]
    public double AuditShare { get; init; } = 0.05;

    /// <summary>Answers that are kept in the database; the longest unused go first.</summary>
    [Range(1, 200_000)]
    public int MaxEntries { get; init; } = 10_000;

    /// <summary>Questions to which they are the answers, each with its vector in the memory of every process (about 2.6 KB with the built-in embedder); the longest unused answers go first.</summary>
    [Range(1, 1_000_000)]
    public int MaxQuestions { get; init; } = 20_000;

    /// <summary>New answers that are put into the database and learned from, each second. What comes faster is only kept in memory, so that learning takes a bounded part of the machine.</summary>
    [Range(1, 10_000)]
    public int LearnPerSecond { get; init; } = 50;

    /// <summary>Longer last messages are only compared for equality, in characters.</summary>
    [Range(1, 100_000)]
    public int LongestQuestion { get; init; } = 2_000;

    /// <summary>Who compares answers.</summary>
    public AnswerJudgeKind Judge { get; init; } = AnswerJudgeKind.Model;

    /// <summary>Comparisons for which a model may be asked, each minute; a fourth of them for answers that could have been given. What is beyond is not learned from.</summary>
    [Range(1, 100_000)]
    public int JudgePerMinute { get; init; } = 30;

    internal bool IsSemantic => Mode is AnswerCacheMode.Threshold or AnswerCacheMode.Verified or AnswerCacheMode.Shadow;
}
