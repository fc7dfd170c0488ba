namespace RootMas.Tests.Support;

/// <summary>A clock that stands still until the test moves it. Timers are real.</summary>
public sealed class SteppedClock : TimeProvider
{
    private long _ticks = new DateTimeOffset(2026, 1, 31, 12, 0, 0, TimeSpan.Zero).UtcTicks;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _ticks, by.Ticks);
}
