using System.Diagnostics;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform;

/// <summary>
/// Gives memory back when it has become quiet. The collector looks when something is allocated: after a burst a server that rests would keep for hours what the burst needed, garbage and room included
/// (measured: 240 MB after 2,000 streams where 60 are enough). The same is done by other runtimes (JEP 346, Promptly Return Unused Committed Memory).
/// One compacting collection stops the process for about a millisecond for each live megabyte, so it is not done while there is work, not for little, and not where much is alive.
/// Time and memory are those of the process, whatever clock the server was given.
/// </summary>
internal sealed partial class QuietMemory(ILogger<QuietMemory> logger) : SupervisedService
{
    private const long Megabyte = 1 << 20;

    /// <summary>How often it looks.</summary>
    internal static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>After so long it looks again whether what was kept is still needed.</summary>
    internal static readonly TimeSpan Renewed = TimeSpan.FromMinutes(10);

    private static readonly Lock Gate = new();

    /// <summary>Several servers of one process (tests) have one memory between them.</summary>
    private static (long Allocated, long Kept, long At) _last;

    protected override (TimeProvider Clock, ILogger Logger) Means => (TimeProvider.System, logger);

    /// <param name="recently">Bytes allocated since the last look.</param>
    /// <param name="since">Bytes allocated since memory was last given back.</param>
    /// <param name="committed">Bytes that the collector holds.</param>
    /// <param name="kept">Bytes that it still held when memory was last given back: what was alive then.</param>
    /// <param name="ago">Time since then. What was alive may have gone meanwhile, which only a collection can tell.</param>
    internal static bool IsWorth(long recently, long since, long committed, long kept, TimeSpan ago) =>
        recently < 4 * Megabyte && since >= 32 * Megabyte && committed is >= 48 * Megabyte and <= 512 * Megabyte
        && (committed - kept >= 32 * Megabyte || ago >= Renewed);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval);
        var last = GC.GetTotalAllocatedBytes();
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            var now = GC.GetTotalAllocatedBytes();
            Look(now - last, now);
            last = now;
        }
    }

    private void Look(long recently, long allocated)
    {
        lock (Gate)
        {
            var held = GC.GetGCMemoryInfo(GCKind.Any).TotalCommittedBytes;
            if (!IsWorth(recently, allocated - _last.Allocated, held, _last.Kept, Stopwatch.GetElapsedTime(_last.At)))
            {
                return;
            }

            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            var after = GC.GetGCMemoryInfo(GCKind.Any);
            _last = (allocated, after.TotalCommittedBytes, Stopwatch.GetTimestamp());
            LogGaveBack((held - after.TotalCommittedBytes) / Megabyte, after.TotalCommittedBytes / Megabyte, (long)after.PauseDurations[0].TotalMilliseconds);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "It is quiet: {Megabytes} MB of memory given back, {Kept} MB kept, in {Milliseconds} ms")]
    private partial void LogGaveBack(long megabytes, long kept, long milliseconds);
}
