namespace RootMas.Server.Models.Pipeline;

/// <summary>What traffic has shown of an endpoint.</summary>
internal sealed class EndpointHealth
{
    private readonly Lock _lock = new();
    private EndpointObservation _last = new(null, null, null, null);

    public EndpointObservation Last
    {
        get
        {
            lock (_lock)
            {
                return _last;
            }
        }
    }

    public void Answered(double ttftMs, DateTimeOffset now)
    {
        lock (_lock)
        {
            _last = _last with { AnsweredAt = now, TtftMs = ttftMs };
        }
    }

    public void Failed(string errorClass, DateTimeOffset now)
    {
        lock (_lock)
        {
            _last = _last with { ErrorClass = errorClass, FailedAt = now };
        }
    }
}

/// <param name="ErrorClass">Of the last failure, however long ago.</param>
internal sealed record EndpointObservation(DateTimeOffset? AnsweredAt, double? TtftMs, string? ErrorClass, DateTimeOffset? FailedAt);
