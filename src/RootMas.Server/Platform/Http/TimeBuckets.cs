using System.Globalization;

namespace RootMas.Server.Platform.Http;

/// <summary>Whole hours or days (UTC) from a time to another: what a list of figures over time was asked for, checked.</summary>
/// <param name="From">Beginning of the first bucket.</param>
/// <param name="To">End of the time; not part of it.</param>
public readonly record struct TimeBuckets(DateTimeOffset From, DateTimeOffset To, TimeSpan Size)
{
    private const int Most = 400;

    /// <summary>Null: fine, and <paramref name="buckets"/> is set.</summary>
    /// <param name="from">RFC 3339; null: 30 days, or 48 hours, before <paramref name="to"/>.</param>
    /// <param name="to">RFC 3339; null: now.</param>
    /// <param name="bucket">hour, or day, which null is too.</param>
    public static Problem? Read(string? from, string? to, string? bucket, DateTimeOffset now, out TimeBuckets buckets)
    {
        buckets = default;
        if (bucket is not (null or "day" or "hour"))
        {
            return Problems.Invalid("bucket", "must be day or hour");
        }

        var size = bucket == "hour" ? TimeSpan.FromHours(1) : TimeSpan.FromDays(1);
        if (!TryReadTime(to, now, out var until))
        {
            return Problems.Invalid("to", "must be a time as in 2026-11-26T08:00:00Z");
        }

        if (!TryReadTime(from, until - (bucket == "hour" ? TimeSpan.FromHours(47) : TimeSpan.FromDays(29)), out var since))
        {
            return Problems.Invalid("from", "must be a time as in 2026-11-26T08:00:00Z");
        }

        since = new DateTimeOffset(since.UtcTicks - (since.UtcTicks % size.Ticks), TimeSpan.Zero);
        buckets = new TimeBuckets(since, until, size);
        return until <= since || (until - since) / size > Most ? Problems.Invalid("from", $"must be before `to`, and at most {Most} buckets earlier") : null;
    }

    /// <summary>Years that no clock shows are no times: sums over them would overflow.</summary>
    private static bool TryReadTime(string? text, DateTimeOffset otherwise, out DateTimeOffset time)
    {
        time = otherwise;
        return text is null
            || (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out time) && time.Year is >= 2000 and < 9000);
    }
}
