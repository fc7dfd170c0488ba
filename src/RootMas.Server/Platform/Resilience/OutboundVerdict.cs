namespace RootMas.Server.Platform.Resilience;

/// <summary>What a caller makes of a try's end: the service's fault or not, and whether the same call may be sent again.</summary>
/// <param name="IsFailure">Counts against the circuit.</param>
/// <param name="MayRepeat">Only for what the other side cannot have done, or may do twice.</param>
/// <param name="After">What the service asked for (<c>Retry-After</c>).</param>
public readonly record struct OutboundVerdict(bool IsFailure, bool MayRepeat, TimeSpan? After = null)
{
    /// <summary>An answer, be it a refusal.</summary>
    public static OutboundVerdict Answered => default;

    /// <summary>The service failed, and the call must not be sent twice.</summary>
    public static OutboundVerdict Failed => new(IsFailure: true, MayRepeat: false);

    /// <summary>The service failed; once more, after its own delay if it named one.</summary>
    public static OutboundVerdict Again(TimeSpan? after = null) => new(IsFailure: true, MayRepeat: true, after);

    /// <summary>For calls that may always be repeated: every error but the program's own mistakes is the service's failure.</summary>
    public static OutboundVerdict OfError(Exception error) => error is ArgumentException or InvalidOperationException or NotSupportedException or NullReferenceException ? Answered : Again();
}

/// <summary>There is no answer: the service is being left alone, or a try took too long. What the service itself threw is passed on as it is.</summary>
public sealed class OutboundUnavailableException(string message, TimeSpan? retryAfter, bool isTimeout, Exception inner) : Exception(message, inner)
{
    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>A try took too long, as opposed to: none was made.</summary>
    public bool IsTimeout { get; } = isTimeout;
}
