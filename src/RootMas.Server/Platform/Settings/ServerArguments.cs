namespace RootMas.Server.Platform.Settings;

/// <summary>What the command line says; everything else comes from <see cref="SettingsTree"/>.</summary>
public sealed record ServerArguments
{
    /// <summary><c>--urls</c>, separated by <c>;</c>.</summary>
    public string? Urls { get; init; }

    /// <summary><c>--data DIR</c>.</summary>
    public string? Data { get; init; }

    /// <summary><c>--config DIR</c>.</summary>
    public string? Config { get; init; }

    /// <summary>Single settings, <c>Section:Key</c> → value; they win over everything.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>The environment; null: that of this process.</summary>
    public IReadOnlyDictionary<string, string>? Environment { get; init; }

    /// <summary>Where <c>.env</c> and relative paths are looked for; null: the current directory.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Write a ready line with the address on stderr (the <c>serve</c> command does).</summary>
    public bool Announce { get; init; }

    /// <summary>The process advances runs and has no API (the <c>worker</c> command).</summary>
    public bool IsWorker { get; init; }

    /// <summary>The server is part of a command: no signal handling, no console log of its own.</summary>
    public bool IsEmbedded { get; init; }
}
