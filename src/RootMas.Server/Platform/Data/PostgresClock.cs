using System.Globalization;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>
/// The server's clock without asking it each time: one reading a second, and our monotonic clock in between. So all processes agree about leases and time-outs, whatever their own clocks say
/// (and when these jump), and a transaction needs no extra way to the server.
/// </summary>
internal sealed class PostgresClock(TimeProvider time)
{
    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);
    private Reading? last;

    public async ValueTask<DateTimeOffset> NowAsync(NpgsqlConnection connection)
    {
        if (Volatile.Read(ref last) is { } known)
        {
            var age = time.GetElapsedTime(known.Timestamp);
            if (age < Fresh)
            {
                return UnixTime.Truncate(known.At + age);
            }
        }

        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
        var at = UnixTime.FromMicros(Convert.ToInt64(await command.ExecuteScalarAsync(), CultureInfo.InvariantCulture));

        // Its answer is a little old when it arrives. Too early is the safe side: our leases end sooner, those of others later.
        Volatile.Write(ref last, new Reading(time.GetTimestamp(), at));
        return at;
    }

    /// <summary>The server's time by the last reading; null: there is none yet.</summary>
    public DateTimeOffset? Estimate => Volatile.Read(ref last) is { } known ? UnixTime.Truncate(known.At + time.GetElapsedTime(known.Timestamp)) : null;

    private sealed record Reading(long Timestamp, DateTimeOffset At);
}

/// <summary>The clock of whoever writes times that other processes of the installation compare.</summary>
internal static class DatabaseClock
{
    /// <summary>The database server's, where there is one; the embedded database is one process's, with that process's clock.</summary>
    public static TimeProvider DatabaseTime(this IServiceProvider services) => services.GetService<PostgresDatabase>()?.Time ?? services.GetRequiredService<TimeProvider>();
}

/// <summary>The database server's clock for whoever writes times that the database compares later, as when a run is to be woken: one's own clock may be wrong, and may jump. Timers and timestamps are the process's own.</summary>
internal sealed class PostgresTime(PostgresClock clock, TimeProvider time) : TimeProvider
{
    public override long TimestampFrequency => time.TimestampFrequency;

    public override TimeZoneInfo LocalTimeZone => time.LocalTimeZone;

    public override DateTimeOffset GetUtcNow() => clock.Estimate ?? time.GetUtcNow();

    public override long GetTimestamp() => time.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => time.CreateTimer(callback, state, dueTime, period);
}
