using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Platform.Data;

/// <summary>Which database.</summary>
public enum DatabaseKind
{
    /// <summary>Embedded: one file in the data directory, nothing to install.</summary>
    Sqlite,

    /// <summary>A PostgreSQL server, 14 or later.</summary>
    Postgres,
}

/// <summary>What survives a power failure.</summary>
public enum Durability
{
    /// <summary>Every commit is on the disk before it is acknowledged.</summary>
    Full,

    /// <summary>A power failure or a crash of the operating system may lose the last commits that were already acknowledged; a crash of this program loses nothing. The database stays consistent.</summary>
    Normal,
}

/// <summary>The database. Section <c>Database</c>.</summary>
public sealed record DatabaseOptions : IValidatableObject
{
    /// <summary><c>sqlite</c> (default): a file in the data directory. <c>postgres</c>: the server that <c>ConnectionString</c> names.</summary>
    public DatabaseKind Kind { get; init; } = DatabaseKind.Sqlite;

    /// <summary>PostgreSQL only: <c>postgres://user:password@host:5432/database</c>, or <c>Host=…;Username=…;Password=…;Database=…</c>.</summary>
    [Secret]
    public string ConnectionString { get; init; } = "";

    /// <summary>PostgreSQL only: connections that are kept open even when nothing happens.</summary>
    [Range(0, 1_000)]
    public int PoolMin { get; init; } = 5;

    /// <summary>PostgreSQL only: most connections at a time; further work waits, at most <c>ConnectTimeout</c>. One more connection holds this process's place among the workers.</summary>
    [Range(1, 1_000)]
    public int PoolMax { get; init; } = 20;

    /// <summary>PostgreSQL only: how long to wait for a connection, a new one or one from the pool.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>PostgreSQL only: how long one statement may take; a transaction in which nothing happens for as long is ended by the server.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan CommandTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>SQLite only. <c>full</c> (default): an acknowledged commit survives a power failure. <c>normal</c>: faster, and a power failure may lose the last acknowledged commits.</summary>
    public Durability Durability { get; init; } = Durability.Full;

    /// <summary>SQLite only: most writes that share one commit.</summary>
    [Range(1, 4_096)]
    public int GroupSize { get; init; } = 256;

    /// <summary>Writes, and reads, that may wait in the queue; further callers wait (asynchronously) for a place. On PostgreSQL: calls that may wait for a connection; further ones are refused at once.</summary>
    [Range(1, 1_000_000)]
    public int QueueLength { get; init; } = 4_096;

    /// <summary>SQLite only: threads and connections that read.</summary>
    [Range(1, 64)]
    public int Readers { get; init; } = 3;

    /// <summary>SQLite only: how long to wait for another program that holds the database's write lock.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:05:00")]
    public TimeSpan BusyTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>SQLite only: page cache per connection, in MiB.</summary>
    [Range(1, 4_096)]
    public int CacheMegabytes { get; init; } = 16;

    /// <summary>SQLite only: how much of the file is read through the memory map, in MiB; 0: none. A page that the disk cannot read is an error that is told without a map, and the end of the process (SIGBUS; nothing is torn) where it lies in the map.</summary>
    [Range(0, 1_048_576)]
    public int MapMegabytes { get; init; } = 256;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (PoolMin > PoolMax)
        {
            yield return new ValidationResult($"{PoolMin} is more than PoolMax ({PoolMax}); legal: 0 to PoolMax", [nameof(PoolMin)]);
        }

        if (Kind == DatabaseKind.Postgres && !PostgresConnection.TryParse(ConnectionString, out var problem))
        {
            yield return new ValidationResult(problem, [nameof(ConnectionString)]);
        }
    }
}
