using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Caching;

/// <summary>
/// How an instance that cannot reach Redis keeps the others from giving kept answers that it has just made wrong: a row in the database says until when nobody may. Every instance reads it twice a second, and uses the cache only
/// if it read "no fence" less than <see cref="Trusted"/> ago. So whoever puts up a fence waits a little longer than that, once, and then knows that it counts everywhere.
/// </summary>
internal sealed partial class CacheFence(IDatabase database, CacheOptions options, TimeProvider time, ILogger<CacheFence> logger) : SupervisedService
{
    private const string Read = "SELECT until FROM cache_fence WHERE id = 1";

    private const string Raise = """
        INSERT INTO cache_fence (id, until) VALUES (1, @until)
        ON CONFLICT (id) DO UPDATE SET until = CASE WHEN excluded.until > cache_fence.until THEN excluded.until ELSE cache_fence.until END
        """;

    private const int Tries = 5;
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan Trusted = TimeSpan.FromSeconds(1.5);
    private static readonly TimeSpan UntilHeard = Trusted + TimeSpan.FromSeconds(0.25);

    /// <summary>A fence is renewed when less than this is left, beyond the longest life of an answer.</summary>
    private static readonly TimeSpan Spare = TimeSpan.FromSeconds(2);

    private long _readAt;
    private bool _isOpen;
    private long _upSince;
    private TimeSpan _upFor;

    /// <summary>Kept answers may be given.</summary>
    public bool IsOpen => Volatile.Read(ref _isOpen) && time.GetElapsedTime(Volatile.Read(ref _readAt)) < Trusted;

    /// <summary>
    /// Completes when no instance gives a kept answer any more, and none will until every answer that is kept now has been forgotten. While the fence stands that costs nothing.
    /// Answers that are kept end at the latest <see cref="CacheOptions.Longest"/> after their look, which was before the fence was heard.
    /// </summary>
    public async Task PutUpAsync()
    {
        var needed = options.Longest + UntilHeard + Spare;
        var left = _upFor - time.GetElapsedTime(_upSince);
        if (left > needed)
        {
            return;
        }

        var began = time.GetTimestamp();
        if (!await TryWriteAsync(needed + (2 * Spare)))
        {
            return;
        }

        CacheMetrics.Fenced();
        (_upSince, _upFor) = (began, needed + (2 * Spare));
        if (left <= TimeSpan.Zero)
        {
            LogFenced();
            await Task.Delay(UntilHeard, time);
        }
    }

    /// <summary>Reads it once.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        try
        {
            var isOpen = await database.LookAsync(
                static async session => await session.Prepared(Read).Int64Async() is not { } until || until < UnixTime.ToMicros(session.Now), cancellationToken);
            Volatile.Write(ref _isOpen, isOpen);
            Volatile.Write(ref _readAt, began);
        }
        catch (StorageUnavailableException)
        {
            // Not trusted a moment later, by itself.
        }
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await LookAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (time, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            await LookAsync(stoppingToken);
        }
    }

    /// <summary>False: the database is away too. The change that needs it was committed a moment ago, so it is acknowledged, and others may be told the old state for as long as an answer is kept.</summary>
    private async Task<bool> TryWriteAsync(TimeSpan length)
    {
        for (var i = 0; i < Tries; i++)
        {
            try
            {
                await database.WriteAsync(session => session.Prepared(Raise).Set("until", UnixTime.ToMicros(session.Now + length)).RunAsync(), CancellationToken.None);
                return true;
            }
            catch (StorageUnavailableException)
            {
                await Task.Delay(Every, time);
            }
        }

        LogNotFenced();
        return false;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis cannot be told of a change: until it can, no instance gives kept answers (a row in the database says so)")]
    private partial void LogFenced();

    [LoggerMessage(Level = LogLevel.Error, Message = "Neither Redis nor the database can be told of a change: other instances may answer with the state before it for some seconds")]
    private partial void LogNotFenced();
}
