namespace RootMas.Server.Runs;

/// <summary>The queue of runs, over all instances.</summary>
public sealed record QueueView
{
    /// <summary>How runs reach workers now: in_process, database (workers look into it) or rabbitmq.</summary>
    /// <example>in_process</example>
    public required string Dispatch { get; init; }

    /// <summary>not_configured, connected or unreachable (also when it blocks whoever sends); then workers find runs in the database.</summary>
    /// <example>not_configured</example>
    public required string Broker { get; init; }

    /// <summary>Runs that a worker could take now.</summary>
    /// <example>3</example>
    public required long Waiting { get; init; }

    /// <summary>Runs that wait for an earlier one of their branch.</summary>
    /// <example>0</example>
    public required long WaitingForBranch { get; init; }

    /// <summary>Of those that wait: new runs whose user has enough with the broker already. They follow as these begin.</summary>
    /// <example>0</example>
    public required long WaitingForTurn { get; init; }

    /// <summary>Runs that workers have.</summary>
    /// <example>12</example>
    public required long Running { get; init; }

    /// <summary>Messages that RabbitMQ has not confirmed yet.</summary>
    /// <example>0</example>
    public required long Unsent { get; init; }

    /// <summary>Dead letters, see GET /api/v1/queue/dead.</summary>
    /// <example>0</example>
    public required long DeadLetters { get; init; }

    /// <summary>Since when the run waits that has waited longest for a worker (made, woken, given back, or come to the turn of its branch); null: none waits.</summary>
    /// <example>null</example>
    public required DateTimeOffset? OldestSince { get; init; }

    /// <summary>Workers that have runs now.</summary>
    public required IReadOnlyList<QueueWorkerView> Workers { get; init; }

    /// <summary>The queues of RabbitMQ; empty: none is configured, or it cannot be reached.</summary>
    public required IReadOnlyList<BrokerQueueView> Queues { get; init; }
}

/// <summary>A worker that has runs.</summary>
public sealed record QueueWorkerView
{
    /// <summary>Machine, process id and a number of its own.</summary>
    /// <example>node-1:4711:0f3a9c21</example>
    public required string Name { get; init; }

    /// <summary>Runs that it works on.</summary>
    /// <example>12</example>
    public required long Running { get; init; }
}

/// <summary>A queue of RabbitMQ.</summary>
public sealed record BrokerQueueView
{
    /// <summary>Its name: first (runs that go on, parts of runs), interactive, background, dead.</summary>
    /// <example>rootmas.runs.first</example>
    public required string Name { get; init; }

    /// <summary>Messages that no worker has yet.</summary>
    /// <example>0</example>
    public required long Messages { get; init; }

    /// <summary>Processes that take from it.</summary>
    /// <example>3</example>
    public required int Consumers { get; init; }
}

/// <summary>A page of dead letters.</summary>
public sealed record DeadLetterList
{
    /// <summary>The dead letters of this page, newest first.</summary>
    public required IReadOnlyList<DeadLetterView> Items { get; init; }

    /// <summary>Send it as cursor to get the next page; null: this is the last one.</summary>
    /// <example>null</example>
    public required string? NextCursor { get; init; }
}

/// <summary>Something that is not tried again by itself.</summary>
public sealed record DeadLetterView
{
    /// <summary>Its id.</summary>
    /// <example>0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70</example>
    public required string Id { get; init; }

    /// <summary>run: given up by the database, its workers died with it; message: nobody could read it, or it was delivered too often.</summary>
    /// <example>run</example>
    public required string Kind { get; init; }

    /// <summary>The run; null: the message names none.</summary>
    /// <example>0198f2c4-7a11-7cc3-9b3e-0d1f5a2b6c70</example>
    public string? RunId { get; init; }

    /// <summary>The run's owner.</summary>
    /// <example>0198f2c4-0000-7000-8000-000000000001</example>
    public string? OwnerId { get; init; }

    /// <summary>The queue that the message was in.</summary>
    /// <example>null</example>
    public string? Queue { get; init; }

    /// <summary>Why it is here.</summary>
    /// <example>The server stopped 3 times while working on this, each time before it got any further.</example>
    public required string Reason { get; init; }

    /// <summary>What the message says, cut off after 4,000 characters.</summary>
    /// <example>null</example>
    public string? Body { get; init; }

    /// <summary>Attempts at the run, or deliveries of the message.</summary>
    /// <example>3</example>
    public required long Deliveries { get; init; }

    /// <summary>Since when it is here.</summary>
    public required DateTimeOffset CreatedAt { get; init; }

    internal static DeadLetterView Of(DeadLetter letter) => new()
    {
        Id = letter.Id,
        Kind = letter.Kind,
        RunId = letter.RunId,
        OwnerId = letter.OwnerId,
        Queue = letter.Queue,
        Reason = letter.Reason,
        Body = letter.Body,
        Deliveries = letter.Deliveries,
        CreatedAt = letter.CreatedAt,
    };
}

/// <summary>A dead letter that is tried again.</summary>
public sealed record RedrivenView
{
    /// <summary>The dead letter's id.</summary>
    /// <example>0198f2c4-7a13-7d10-8f00-6d1f5a2b6c70</example>
    public required string Id { get; init; }

    /// <summary>The run that goes on: a new one for a run that was given up.</summary>
    /// <example>0198f2c4-7a11-7cc3-9b3e-0d1f5a2b6c71</example>
    public required string RunId { get; init; }
}
