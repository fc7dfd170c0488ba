using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Health;

/// <summary>Free space where the data directory lies (with the embedded database in it): an accepted message must be written.</summary>
internal sealed class DiskProbe(DataDirectory data, HealthOptions options, Func<string, DiskSpace> look) : IHealthProbe
{
    public DiskProbe(DataDirectory data, HealthOptions options)
        : this(data, options, DiskSpace.Of)
    {
    }

    public string Name => "disk";

    /// <summary>Reading still works, and so does deleting.</summary>
    public bool IsCritical => false;

    /// <summary>On a thread of its own: a network disk that hangs must not hold up a request.</summary>
    public async ValueTask<HealthState> CheckAsync(CancellationToken cancellationToken)
    {
        var free = (await Task.Run(() => look(data.Path), cancellationToken)).Free >> 20;
        return free < options.DiskCriticalMegabytes ? HealthState.Unhealthy($"{free} MiB free; soon nothing can be written. Free some space now.", "disk_full")
            : free < options.DiskLowMegabytes ? HealthState.Degraded($"{free} MiB free, less than {options.DiskLowMegabytes} (Health:DiskLowMegabytes).", "disk_low")
            : HealthState.Healthy($"{free} MiB free");
    }

    internal void Publish(ServerMeter meter)
    {
        meter.Observe("rootmas.disk.free", "By", "Free space on the disk of the data directory.", () => look(data.Path).Free);
        meter.Observe("rootmas.disk.size", "By", "Size of the disk of the data directory.", () => look(data.Path).Size);
        meter.Observe("rootmas.disk.low", "By", "Free space below which health is degraded (Health:DiskLowMegabytes).", () => (double)options.DiskLowMegabytes * (1 << 20));
    }
}

/// <summary>Space of a file system, in bytes; free: for this user.</summary>
internal readonly record struct DiskSpace(long Free, long Size)
{
    public static DiskSpace Of(string path)
    {
        var drive = new DriveInfo(path);
        return new DiskSpace(drive.AvailableFreeSpace, drive.TotalSize);
    }
}
