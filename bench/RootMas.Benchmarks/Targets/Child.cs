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

    /// <summary>Children hand it on to what they start.</summary>
    private const string MarkName = "BENCH_SESSION";

    private static readonly string Mark = Guid.NewGuid().ToString("N");
    private static readonly ConcurrentDictionary<int, Child> Running = new();
    private static readonly Lock Gate = new();
    private static bool _startsNoMore;
    private readonly Process _process;
    private readonly ConcurrentQueue<string> _stderr = new();
    private readonly bool _readsLines;
    private bool _isDisposed;

    /// <summary>Where the bench ends without its session's end, what it started ends with it all the same.</summary>
    static Child() => AppDomain.CurrentDomain.ProcessExit += (_, _) => KillAll();

    private Child(Process process, bool readsLines)
    {
        _process = process;
        _readsLines = readsLines;
        Pid = process.Id;
        Running[Pid] = this;
        process.Exited += (_, _) => Forget(); // its number may be another's from now on
        process.EnableRaisingEvents = true;
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginErrorReadLine();
        if (!readsLines)
        {
            process.OutputDataReceived += (_, line) => Keep(line.Data);
            process.BeginOutputReadLine();
        }
    }

    public int Pid { get; }

    public bool HasExited => _isDisposed || _process.HasExited;

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

        start.Environment[MarkName] = Mark;
        lock (Gate)
        {
            return _startsNoMore
                ? throw new OperationCanceledException("the bench is being ended")
                : new Child(Process.Start(start) ?? throw new InvalidOperationException($"{program} did not start"), readsLines);
        }
    }

    /// <summary>Ends everything that was started, and what that started in its turn, also what has left its parent, such as the broker's port mapper.</summary>
    /// <param name="startNoMore">Nothing can be started any more: a case that is still going on would begin the next program.</param>
    public static async Task EndAllAsync(bool startNoMore)
    {
        lock (Gate)
        {
            _startsNoMore |= startNoMore;
        }

        for (var tries = 0; KillAll() > 0 && tries < 40; tries++)
        {
            await Task.Delay(50);
        }
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
        if (!HasExited && SendSignal(Pid, signal) == 0 && signal == 9)
        {
            await EndedAsync(TimeSpan.FromSeconds(5));
        }
    }

    /// <summary>False: not within the time. The end includes the end of its output, which its own children may hold open.</summary>
    public async Task<bool> EndedAsync(TimeSpan atMost)
    {
        try
        {
            await (_isDisposed ? Task.CompletedTask : _process.WaitForExitAsync()).WaitAsync(atMost);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed)
        {
            return;
        }

        // Asked first, so that it ends its own children.
        await SignalAsync(15);
        if (!await EndedAsync(TimeSpan.FromSeconds(2)))
        {
            await SignalAsync(9);
        }

        Forget();
        _isDisposed = true;
        _process.Dispose();
    }

    /// <summary>How many were still there.</summary>
    private static int KillAll()
    {
        int[] ours = [.. ProcessTree.Of(Running.Values.Where(static c => !c.HasExited).Select(static c => c.Pid)).Union(ProcessTree.With($"{MarkName}={Mark}"))];
        Array.ForEach(ours, static pid => _ = SendSignal(pid, 9));
        return ours.Length;
    }

    private void Forget() => Running.TryRemove(KeyValuePair.Create(Pid, this));

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
