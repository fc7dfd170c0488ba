using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Data;

/// <summary>What survives a power failure.</summary>
public enum Durability
{
    /// <summary>Every commit is on the disk before it is acknowledged.</summary>
    Full,

    /// <summary>A power failure or a crash of the operating system may lose the last commits that were already acknowledged; a crash of this program loses nothing. The database stays consistent.</summary>
    Normal,
}

/// <summary>The embedded database. Section <c>Database</c>.</summary>
public sealed record DatabaseOptions
{
    /// <summary><c>full</c> (default): an acknowledged commit survives a power failure. <c>normal</c>: faster, and a power failure may lose the last acknowledged commits.</summary>
    public Durability Durability { get; init; } = Durability.Full;

    /// <summary>Most writes that share one commit.</summary>
    [Range(1, 4_096)]
    public int GroupSize { get; init; } = 256;

    /// <summary>Writes, and reads, that may wait in the queue; further callers wait (asynchronously) for a place.</summary>
    [Range(1, 1_000_000)]
    public int QueueLength { get; init; } = 4_096;

    /// <summary>Threads and connections that read.</summary>
    [Range(1, 64)]
    public int Readers { get; init; } = 3;

    /// <summary>How long to wait for another program that holds the database's write lock.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:05:00")]
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Page cache per connection, in MiB.</summary>
    [Range(1, 4_096)]
    public int CacheMegabytes { get; init; } = 16;

    /// <summary>How much of the file is read through the memory map, in MiB; 0: none.</summary>
    [Range(0, 1_048_576)]
    public int MapMegabytes { get; init; } = 256;
}
