using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Where the log goes beside the console. Section <c>Logging</c>.</summary>
public sealed record LoggingOptions
{
    public LogFileOptions File { get; init; } = new();
}

/// <summary>The log as files.</summary>
public sealed record LogFileOptions
{
    /// <summary>A file for the log as JSON lines, beside the console; relative to the working directory. Mode 600. Empty: none.</summary>
    public string Path { get; init; } = "";

    /// <summary>Size in MiB at which a new file begins.</summary>
    [Range(1, 100_000)]
    public int MaxMegabytes { get; init; } = 100;

    /// <summary>Files that are kept, the current one included: rootmas.log, rootmas.log.1 and so on.</summary>
    [Range(2, 1_000)]
    public int Files { get; init; } = 10;

    /// <summary>Lines that may wait to be written; further ones are dropped and counted, so that nobody ever waits for the disk.</summary>
    [Range(16, 1_000_000)]
    public int QueueLength { get; init; } = 8_192;
}
