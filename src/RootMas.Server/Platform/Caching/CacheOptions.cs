using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Caching;

/// <summary>Answers of reading routes that are given again. With PostgreSQL they are kept in Redis, and without Redis not at all. Section <c>Cache</c>.</summary>
public sealed record CacheOptions
{
    /// <summary>false: every answer is made anew.</summary>
    public bool Enabled { get; init; } = true;

    /// <summary>Longest time for which an answer is given again. A change ends it at once, whoever makes it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan Longest { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Larger answers are not kept, in KiB.</summary>
    [Range(1, 16_384)]
    public int AnswerKilobytes { get; init; } = 512;

    /// <summary>Memory for answers, in MiB, where they are kept in memory.</summary>
    [Range(1, 65_536)]
    public int MemoryMegabytes { get; init; } = 32;
}
