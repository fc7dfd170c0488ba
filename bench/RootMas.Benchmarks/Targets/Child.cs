using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Tracing;
using System.Runtime.InteropServices;
using Microsoft.Diagnostics.NETCore.Client;

namespace RootMas.Benchmarks.Targets;

/// <summary>A program that the bench started, on the core it was given. It ends with the bench.</summary>
internal sealed partial class Child : IAsyncDisposable
{
    private const long CollectNow = 0x800000; // GCHeapCollectKeyword

    private static readonly ConcurrentDictionary<int, Child> Running = new();
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _stderr = new();
    private readonly bool _readsLines;

    /// <summary>However the bench ends, what it started ends with it.</summary>
    static Child() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        foreach (var pid in Running.Keys)
        {
            _ = SendSignal(pid, 9);
        }
    };

    private Child(Process process, bool readsLines)
    {
        _process = process;
        _readsLines = readsLines;
        Pid = process.Id;
        Running[Pid] = this;
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginErrorReadLine();
        if (!readsLines)
        {
            process.OutputDataReceived += (_, line) => Keep(line.Data);
            process.BeginOutputReadLine();
        }
    }

    public static IEnumerable<int> RunningPids => Running.Keys;

    public int Pid { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>Last lines of what it wrote to stderr (and stdout, unless its lines are read).</summary>
    public string Log => string.Join('\n', _stderr.TakeLast(12));

    public static Child Start(string program, IEnumerable<string> arguments, int? core, IReadOnlyDictionary<string, string>? environment = null, string? folder = null, bool readsLines = false)
    {
        var start = new ProcessStartInfo
        {
            FileName = core is not null && Machine.CanPin ? "taskset" : program,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        if (core is not null && Machine.CanPin)
        {
            foreach (var argument in new[] { "-c", $"{core}", program })
            {
                start.ArgumentList.Add(argument);
            }
        }

        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("ROOTMAS", StringComparison.Ordinal) || n.StartsWith("OPENAI_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        return new Child(Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start"), readsLines);
    }

    public static async Task<(int ExitCode, string Output)> RunAsync(string program, IEnumerable<string> arguments, string? folder, TimeSpan atMost)
    {
        await using var child = Start(program, arguments, null, null, folder);
        using var limit = new CancellationTokenSource(atMost);
        try
        {
            await child._process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            return (-1, $"not done after {atMost.TotalSeconds:0} s");
        }

        return (child._process.ExitCode, child.Log);
    }

    public static string? Find(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Append("/usr/sbin").Select(f => Path.Combine(f, program)).FirstOrDefault(File.Exists);

    public TimeSpan Cpu => Machine.CpuOf(Pid);

    public long Memory => Machine.MemoryOf(Pid);

    public long Resident => Machine.ResidentOf(Pid);

    /// <summary>Makes a .NET program collect its garbage, so that its memory is what it needs and not what it has not tidied up yet. Others have nothing to collect.</summary>
    public async Task CollectGarbageAsync()
    {
        try
        {
            using var session = new DiagnosticsClient(Pid).StartEventPipeSession(new EventPipeProvider("Microsoft-Windows-DotNETRuntime", EventLevel.Verbose, CollectNow), requestRundown: false, circularBufferMB: 1);
            var drained = session.EventStream.CopyToAsync(Stream.Null);
            await Task.Delay(TimeSpan.FromSeconds(0.5));
            await session.StopAsync(CancellationToken.None);
            await drained;
        }
        catch (Exception e) when (e is ServerNotAvailableException or IOException or TimeoutException or System.Net.Sockets.SocketException)
        {
            // Not a .NET program; where one of the same number was killed, its socket may still lie there.
        }
    }

    public async Task WriteLineAsync(string line)
    {
        await _process.StandardInput.WriteLineAsync(line);
        await _process.StandardInput.FlushAsync();
    }

    public async Task<string?> ReadLineAsync(TimeSpan atMost) =>
        _readsLines ? await _process.StandardOutput.ReadLineAsync().WaitAsync(atMost) : throw new InvalidOperationException("the child's lines are not read");

    public async Task SignalAsync(int signal)
    {
        if (!_process.HasExited && SendSignal(Pid, signal) == 0 && signal == 9)
        {
            await EndedAsync(TimeSpan.FromSeconds(5));
        }
    }

    /// <summary>False: not within the time. The end includes the end of its output, which its own children may hold open.</summary>
    public async Task<bool> EndedAsync(TimeSpan atMost)
    {
        try
        {
            await _process.WaitForExitAsync().WaitAsync(atMost);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        // Asked first, so that it ends its own children.
        await SignalAsync(15);
        if (!await EndedAsync(TimeSpan.FromSeconds(2)))
        {
            await SignalAsync(9);
        }

        Running.TryRemove(Pid, out _);
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        _stderr.Enqueue(line);
        while (_stderr.Count > 200)
        {
            _stderr.TryDequeue(out _);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int pid, int signal);
}
