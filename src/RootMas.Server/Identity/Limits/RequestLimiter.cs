using System.Collections.Concurrent;
using System.Globalization;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Identity.Limits;

/// <summary>Counts requests per user in windows of a minute. In memory, without locks.</summary>
public sealed class RequestLimiter(LimitOptions options, TimeProvider clock)
{
    private const int WindowSeconds = 60;
    private readonly ConcurrentDictionary<string, Window> _windows = new(StringComparer.Ordinal);
    private readonly string _limit = options.RequestsPerMinute.ToString(CultureInfo.InvariantCulture);

    /// <summary>Counts one request.</summary>
    public RateLimitState Take(string userId)
    {
        var seconds = clock.GetTimestamp() / clock.TimestampFrequency;
        var number = seconds / WindowSeconds;
        var window = _windows.GetOrAdd(userId, static _ => new Window());
        var used = window.Count(number);
        return new RateLimitState(_limit, Math.Max(0, options.RequestsPerMinute - used), (int)(WindowSeconds - (seconds % WindowSeconds)), used <= options.RequestsPerMinute);
    }

    public Problem Refusal(RateLimitState state)
    {
        ArgumentNullException.ThrowIfNull(state);
        return Problems.TooManyRequests("requests_per_minute", TimeSpan.FromSeconds(state.ResetSeconds));
    }

    private sealed class Window
    {
        // Upper 32 bits: number of the window; lower 32: requests in it. One word, so no lock.
        private long _state;

        public long Count(long number)
        {
            while (true)
            {
                var seen = Volatile.Read(ref _state);
                var next = (seen >> 32) == (number & 0x7FFF_FFFF) ? seen + 1 : ((number & 0x7FFF_FFFF) << 32) | 1;
                if (Interlocked.CompareExchange(ref _state, next, seen) == seen)
                {
                    return next & 0xFFFF_FFFF;
                }
            }
        }
    }
}
