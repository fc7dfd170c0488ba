using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Health;

/// <summary>Free space where the data directory lies (with the embedded database in it): an accepted message must be written.</summary>
internal sealed class DiskProbe(DataDirectory data, HealthOptions options, Func<string, DiskSpace> look) : IHealthProbe
{
    /// <summary>A look that takes longer than this says that nothing is known.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private Task<DiskSpace>? _looking;
    private long _since;
    private DiskSpace? _last;

    public DiskProbe(DataDirectory data, HealthOptions options)
        : this(data, options, DiskSpace.Of)
    {
    }

    public string Name => "disk";

    /// <summary>Reading still works, and so does deleting.</summary>
    public bool IsCritical => false;

    /// <summary>On a thread of its own, one for all who ask: a network disk that hangs must hold up no request, and no more than that thread.</summary>
    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var space = await LookAsync().WaitAsync(cancellationToken);
        var free = space.Free >> 20;
        return space.Free < space.Critical(options) ? HealthState.Unhealthy($"{free} MiB free; soon nothing can be written. Free some space now.", "disk_full")
            : space.Free < space.Low(options) ? HealthState.Degraded($"{free} MiB free, less than {space.Low(options) >> 20} (Health:DiskLowMegabytes, at most a quarter of the disk).", "disk_low")
            : HealthState.Healthy($"{free} MiB free");
    }

    internal void Publish(ServerMeter meter)
    {
        try
        {
            _last = look(data.Path); // the start needs the disk in any case
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // There is no directory yet, or none for this user: whoever needs it says so.
        }

        meter.Observe("rootmas.disk.free", "By", "Free space on the disk of the data directory; missing: the disk does not answer.", () => Known(static s => s.Free));
        meter.Observe("rootmas.disk.size", "By", "Size of the disk of the data directory; missing: the disk does not answer.", () => Known(static s => s.Size));
        meter.Observe("rootmas.disk.low", "By", "Free space below which health is degraded (Health:DiskLowMegabytes, at most a quarter of the disk); missing: the disk does not answer.", () => Known(s => s.Low(options)));
    }

    /// <summary>What the last look saw; the next one begins here, and nobody waits for it.</summary>
    private IEnumerable<Reading> Known(Func<DiskSpace, double> of)
    {
        _ = LookAsync();
        lock (_gate)
        {
            return _last is { } space && (_looking!.IsCompleted || System.Diagnostics.Stopwatch.GetElapsedTime(_since) < Patience) ? [new Reading(of(space))] : [];
        }
    }

    private Task<DiskSpace> LookAsync()
    {
        lock (_gate)
        {
            if (_looking is not { IsCompleted: false })
            {
                (_looking, _since) = (Task.Run(Look), System.Diagnostics.Stopwatch.GetTimestamp());
            }

            return _looking;
        }
    }

    private DiskSpace Look()
    {
        DiskSpace? space = null;
        try
        {
            return (space = look(data.Path)).Value;
        }
        finally
        {
            lock (_gate)
            {
                _last = space; // null: the disk is gone, or says that it cannot
            }
        }
    }
}

/// <summary>Space of a file system, in bytes; free: for this user.</summary>
internal readonly record struct DiskSpace(long Free, long Size)
{
    /// <summary>Below it little is left: what the setting says, of a small disk (a tmpfs of a container) a quarter.</summary>
    public long Low(HealthOptions options) => AtMost(options.DiskLowMegabytes, 4);

    /// <summary>Below it soon nothing can be written: what the setting says, of a small disk a sixteenth.</summary>
    public long Critical(HealthOptions options) => AtMost(options.DiskCriticalMegabytes, 16);

    /// <summary>A disk that is smaller than the threshold is not full for ever; one whose size is not known is judged by the setting alone.</summary>
    private long AtMost(int megabytes, int part) => Size > 0 ? Math.Min((long)megabytes << 20, Size / part) : (long)megabytes << 20;

    public static DiskSpace Of(string path)
    {
        var drive = new DriveInfo(path);
        return new DiskSpace(drive.AvailableFreeSpace, drive.TotalSize);
    }
}
