using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Runs;

/// <summary>Workers and streams. Section <c>Runs</c>.</summary>
public sealed record RunsOptions
{
    /// <summary>Runs that this process advances at once; further ones wait in the queue. Parked runs do not count. A run that waits for its model holds no thread. 0: none, workers elsewhere do (PostgreSQL only).</summary>
    [Range(0, 100_000)]
    public int Parallelism { get; init; } = 4096;

    /// <summary>Root runs of one user at once, over all workers; further ones wait in the queue. Runs that wait for a person do not count, and children never do.</summary>
    [Range(1, 100_000)]
    public int RootRunsPerUser { get; init; } = 2048;

    /// <summary>Root runs of one user that have not ended, those that wait in the queue or for a person included; one more is refused with 429.</summary>
    [Range(1, 1_000_000)]
    public int UnfinishedPerUser { get; init; } = 10_000;

    /// <summary>How long a worker owns a run without renewing its lease.</summary>
    [Range(typeof(TimeSpan), "00:00:02", "00:10:00")]
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How often leases are renewed and the queue is compared with the database.</summary>
    [Range(typeof(TimeSpan), "00:00:00.5", "00:01:00")]
    public TimeSpan Renewal { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a stop waits for runs to reach a point where they can be let go.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:02:00")]
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Attempts in a row without anything new in the log, after which a run ends as lost.</summary>
    [Range(1, 100)]
    public int AttemptsWithoutProgress { get; init; } = 3;

    /// <summary>Comment line on a silent event stream, so that proxies keep it open.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan Heartbeat { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Longest pause between two tries while no model answers; the first is 2 s, each further one twice as long.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan MaxBackoff { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long an approval may be decided; after that the call is not made, and the agent is told.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan ApprovalExpiry { get; init; } = TimeSpan.FromDays(1);

    /// <summary>How long a question to the user may be answered; after that the agent is told that nobody did.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "30.00:00:00")]
    public TimeSpan InputExpiry { get; init; } = TimeSpan.FromDays(1);

    /// <summary>Tool calls of one answer that run at once; the others follow.</summary>
    [Range(1, 128)]
    public int MaxParallelTools { get; init; } = 8;
}
