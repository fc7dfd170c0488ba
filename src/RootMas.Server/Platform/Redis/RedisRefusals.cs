namespace RootMas.Server.Platform.Redis;

/// <summary>What Redis refuses although it answers, as for want of memory or of rights: the log is told once when such a kind begins, and once when it is over.</summary>
internal sealed partial class RedisRefusals(TimeProvider time, ILogger logger)
{
    /// <summary>A kind that the probe does not meet is over when nobody has met it for so long.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Kind> _kinds = new(StringComparer.Ordinal);
    private volatile bool _any;

    /// <summary>What somebody is refused, in a word; null: nobody anything.</summary>
    public string? Current
    {
        get
        {
            if (!_any)
            {
                return null;
            }

            lock (_lock)
            {
                return _kinds.Keys.FirstOrDefault();
            }
        }
    }

    /// <param name="use">Who was refused.</param>
    /// <param name="kind">As <see cref="RedisErrors.ClassOf"/> calls it.</param>
    public void Refused(string use, string kind)
    {
        bool begins;
        lock (_lock)
        {
            begins = !_kinds.TryGetValue(kind, out var before);
            _kinds[kind] = new Kind(time.GetTimestamp(), before?.OfProbe == true || use == RedisProbe.Use);
            _any = true;
        }

        if (begins)
        {
            LogBegun(kind, use);
        }
    }

    /// <summary>Only the probe's answers say anything of others: who is let read may still not write.</summary>
    public void Answered(string use)
    {
        if (!_any || use != RedisProbe.Use)
        {
            return;
        }

        string[] over;
        lock (_lock)
        {
            over = [.. _kinds.Where(k => k.Value.OfProbe || time.GetElapsedTime(k.Value.Last) > Quiet).Select(static k => k.Key)];
            Array.ForEach(over, kind => _kinds.Remove(kind));
            _any = _kinds.Count > 0;
        }

        Array.ForEach(over, LogOver);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis answers, and refuses what it is there for ({Kind}; first: {Use}). Until it does not, what is refused is done without it: limits are counted here, and caches are cold")]
    private partial void LogBegun(string kind, string use);

    [LoggerMessage(Level = LogLevel.Information, Message = "Redis does again what it refused ({Kind})")]
    private partial void LogOver(string kind);

    /// <param name="Last">When it was met last, a time stamp.</param>
    /// <param name="OfProbe">The probe met it too.</param>
    private sealed record Kind(long Last, bool OfProbe);
}
