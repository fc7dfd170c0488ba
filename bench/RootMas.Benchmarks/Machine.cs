using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace RootMas.Benchmarks;

/// <summary>What the figures were measured on, and how much of it others used meanwhile.</summary>
internal static class Machine
{
    /// <summary>The tested program runs alone here.</summary>
    public const int TestedCore = 0;

    /// <summary>Load and model run here.</summary>
    public const int LoadCore = 1;

    public static bool CanPin => OperatingSystem.IsLinux() && Environment.ProcessorCount >= 2;

    public static Dictionary<string, string> Describe() => new(StringComparer.Ordinal)
    {
        ["processor"] = CpuModel(),
        ["processors"] = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture),
        ["memory"] = $"{GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1L << 30)} GiB",
        ["os"] = RuntimeInformation.OSDescription,
        [".NET"] = Environment.Version.ToString(),
        ["cores"] = CanPin ? $"tested program on core {TestedCore}, load and model on core {LoadCore}" : "not pinned",
    };

    public static void PinLoad()
    {
        if (CanPin && OperatingSystem.IsLinux())
        {
            using var self = Process.GetCurrentProcess();
            self.ProcessorAffinity = 1 << LoadCore;
        }
    }

    /// <summary>Processor time of a process so far.</summary>
    public static TimeSpan CpuOf(int pid)
    {
        var stat = File.ReadAllText($"/proc/{pid}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return TimeSpan.FromSeconds((double.Parse(fields[11], CultureInfo.InvariantCulture) + double.Parse(fields[12], CultureInfo.InvariantCulture)) / TicksPerSecond);
    }

    /// <summary>Memory that the process has for itself, bytes: anonymous pages. Pages of files that it has mapped lie in the system's cache, which takes them back; the kernel maps them by up to 2 MB for one byte that is read.</summary>
    public static long MemoryOf(int pid) => Line(pid, "Anonymous:");

    /// <summary>All that is in memory of the process, bytes, programs and files that it has mapped included.</summary>
    public static long ResidentOf(int pid) => Line(pid, "Rss:");

    private static long Line(int pid, string name)
    {
        foreach (var line in File.ReadLines($"/proc/{pid}/smaps_rollup"))
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
            {
                return long.Parse(line.AsSpan(name.Length).Trim().ToString().Split(' ')[0], CultureInfo.InvariantCulture) * 1024;
            }
        }

        return 0;
    }

    internal const double TicksPerSecond = 100;

    private static string CpuModel() =>
        File.Exists("/proc/cpuinfo")
            ? File.ReadLines("/proc/cpuinfo").FirstOrDefault(l => l.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim() ?? "unknown"
            : RuntimeInformation.ProcessArchitecture.ToString();

    /// <summary>Share of all processors that neither this bench nor the programs it started, with theirs, used since <see cref="Begin"/>.</summary>
    internal sealed class ForeignLoad
    {
        private double _busy;
        private TimeSpan _before;
        private long _began;

        public void Begin()
        {
            _busy = BusySeconds();
            _before = ProcessTree.CpuOf(Environment.ProcessId);
            _began = Stopwatch.GetTimestamp();
        }

        public double End()
        {
            var seconds = Stopwatch.GetElapsedTime(_began).TotalSeconds * Environment.ProcessorCount;
            var ours = (ProcessTree.CpuOf(Environment.ProcessId) - _before).TotalSeconds;
            return Math.Clamp((BusySeconds() - _busy - ours) / Math.Max(seconds, 1e-9), 0, 1);
        }

        private static double BusySeconds()
        {
            var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(f => double.Parse(f, CultureInfo.InvariantCulture)).ToArray();
            return (fields[0] + fields[1] + fields[2] + fields[5] + fields[6]) / TicksPerSecond;
        }
    }
}
