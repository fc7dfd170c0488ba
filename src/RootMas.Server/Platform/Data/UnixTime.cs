namespace RootMas.Server.Platform.Data;

/// <summary>Times as the database keeps them: UTC, whole microseconds since 1970.</summary>
public static class UnixTime
{
    public static long ToMicros(DateTimeOffset time) => (time.UtcTicks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset FromMicros(long micros) => new(DateTime.UnixEpoch.Ticks + (micros * TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);

    /// <summary>To what the database can keep, so that a value read back equals the one written.</summary>
    public static DateTimeOffset Truncate(DateTimeOffset time) => FromMicros(ToMicros(time));
}
