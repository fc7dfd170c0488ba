namespace RootMas.Server.Identity.Limits;

/// <summary>
/// Counts. A seam: in memory for one process, in Redis for several; <c>LimitStoreTests</c> is what each of them must hold.
/// With limit L and any number of requests at the same time, exactly L pass.
/// </summary>
public interface ILimitStore
{
    /// <summary>Takes <paramref name="cost"/> units, or nothing if they are not all there. 0 only looks. A cost above the limit counts as the limit.</summary>
    ValueTask<LimitResult> TakeAsync(LimitKey key, LimitRule rule, int cost);
}

/// <param name="Remaining">Units left now.</param>
/// <param name="Reset">Until all units are there again.</param>
/// <param name="RetryAfter">Until the same request would pass; zero if it did.</param>
public readonly record struct LimitResult(bool IsWithin, long Remaining, TimeSpan Reset, TimeSpan RetryAfter);
