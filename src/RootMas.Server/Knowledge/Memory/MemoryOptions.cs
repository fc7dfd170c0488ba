using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>From which exchanges facts are taken without being asked to.</summary>
public enum ExtractWhen
{
    /// <summary>From none: only what somebody asks to remember is remembered.</summary>
    Never,

    /// <summary>From those in which the user speaks of themselves.</summary>
    Personal,

    /// <summary>From every exchange of a conversation.</summary>
    Always,
}

/// <summary>How the graph reads documents.</summary>
public enum GraphReading
{
    /// <summary>It does not.</summary>
    Off,

    /// <summary>By the forms of sentences; costs nothing.</summary>
    Rules,

    /// <summary>A cheap model reads every chunk.</summary>
    Model,
}

/// <summary>What is remembered between conversations. Section <c>Knowledge:Memory</c>.</summary>
public sealed record MemoryOptions
{
    /// <summary>Whether what is remembered is added to prompts. Off: agents only see it by their tool recall.</summary>
    public bool Recall { get; init; } = true;

    /// <summary>Facts that are added to a prompt at most, notes of the team included.</summary>
    [Range(1, 100)]
    public int RecallLimit { get; init; } = 12;

    /// <summary>From which exchanges a cheap model takes facts after the run, off the user's path: Never, Personal (those in which the user speaks of themselves) or Always. Runs of the OpenAI-compatible API are not read.</summary>
    public ExtractWhen Extract { get; init; } = ExtractWhen.Personal;

    /// <summary>How long after its run an exchange is read; those of one conversation that have come until then are read together.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan ExtractDelay { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Exchanges that this process reads at once. 0: none, others do.</summary>
    [Range(0, 64)]
    public int ExtractParallelism { get; init; } = 2;

    /// <summary>What a reading must be sure of, 0 to 100, for its fact to be kept.</summary>
    [Range(0, 100)]
    public int LeastConfidence { get; init; } = 60;

    /// <summary>Facts of one user, without superseded ones; one more is refused.</summary>
    [Range(10, 5_000)]
    public int MaxFacts { get; init; } = 2_000;

    /// <summary>How the knowledge graph reads documents: Off, Rules (forms of sentences, costs nothing) or Model (a cheap model reads every chunk).</summary>
    public GraphReading GraphDocuments { get; init; } = GraphReading.Rules;
}
