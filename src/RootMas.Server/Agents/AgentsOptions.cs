using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Agents;

/// <summary>How changes of agents and teams are noticed and bounded. The files lie in the config folder.</summary>
public sealed record AgentsOptions
{
    /// <summary>How often files and stored changes are compared where no notice comes (network folders, containers).</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan PollInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Rest after the last notice before the files are read: editors write in several steps.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan Debounce { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Longest prompt of one agent in characters, the preamble likewise. Every step of every run pays for it.</summary>
    [Range(100, 200_000)]
    public int MaxPromptCharacters { get; init; } = 16_000;
}
