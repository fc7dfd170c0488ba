using System.Collections.Concurrent;
using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using RootMas.LlmSimulator;

namespace RootMas.Tests.Support;

/// <summary>
/// The built program as a real process: <c>rootmas serve</c> on a free loopback port and a data directory of its own. It can be killed, stopped, continued
/// and started again on the same data. The data directory goes when the object is disposed, unless it was given.
/// </summary>
internal sealed partial class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan ReadyWithin = TimeSpan.FromMinutes(2);
    private const int FirstPort = 12_000;

    private static int _ports = Random.Shared.Next(20_000);

    private readonly ConcurrentQueue<string> _stdout = new();
    private readonly ConcurrentQueue<string> _stderr = new();
    private readonly ServerSettings _settings;
    private readonly bool _ownsData;
    private readonly HttpClient _http;
    private Process _process = null!;

    private ServerProcess(ServerSettings settings)
    {
        _settings = settings;
        _ownsData = settings.Data is null;
        Data = settings.Data ?? Directory.CreateTempSubdirectory("rootmas-test-").FullName;
        BaseUrl = settings.Url ?? $"http://127.0.0.1:{FreePort()}";
        _http = new HttpClient { BaseAddress = new Uri(BaseUrl), Timeout = TimeSpan.FromSeconds(130) };
    }

    public string BaseUrl { get; }

    public string Data { get; }

    /// <summary>Of the last start: each writes a new one.</summary>
    public string LocalToken => File.ReadAllText(Path.Combine(Data, "local-token")).Trim();

    public int Pid => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>A client of this server; it stays usable over restarts.</summary>
    public HttpClient Http => _http;

    /// <summary>From the start of the process to the first ready answer, of the last start.</summary>
    public TimeSpan TimeToReady { get; private set; }

    public string Stdout => string.Join('\n', _stdout);

    public string Stderr => string.Join('\n', _stderr);

    /// <summary>Starts the server and waits until <c>/health/ready</c> answers 200.</summary>
    public static async Task<ServerProcess> StartAsync(ServerSettings? settings = null)
    {
        var server = new ServerProcess(settings ?? new ServerSettings());
        try
        {
            await server.StartAgainAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs any command of the program to its end.</summary>
    public static async Task<(int ExitCode, string Stdout, string Stderr)> RunAsync(ServerSettings settings, string? stdin, params string[] arguments)
    {
        using var process = Process.Start(StartInfo(settings, arguments)) ?? throw new InvalidOperationException("the program did not start");
        if (stdin is not null)
        {
            await process.StandardInput.WriteAsync(stdin);
        }

        process.StandardInput.Close();
        var stdout = process.StandardOutput.ReadToEndAsync();
        var stderr = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"rootmas {string.Join(' ', arguments)} did not end within two minutes", e);
        }

        return (process.ExitCode, await stdout, await stderr);
    }

    /// <summary>Starts it again on the same data directory and address.</summary>
    public async Task StartAgainAsync()
    {
        await WaitUntilReadyAsync(Launch());
    }

    /// <summary>Starts the process without waiting for it. Returns when that was.</summary>
    public long Launch()
    {
        var arguments = new List<string> { _settings.Command, "--urls", BaseUrl, "--data", Data };
        if (_settings.Config is not null)
        {
            arguments.AddRange(["--config", _settings.Config]);
        }

        arguments.AddRange(_settings.Arguments);
        var began = Stopwatch.GetTimestamp();
        _process = Process.Start(StartInfo(_settings, arguments)) ?? throw new InvalidOperationException("the program did not start");
        _process.StandardInput.Close();
        _process.OutputDataReceived += (_, line) => Keep(_stdout, line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(_stderr, line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        return began;
    }

    /// <summary>Whether it answers that it takes requests.</summary>
    public async Task<bool> IsReadyAsync()
    {
        try
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
            using var ready = await _http.GetAsync("/health/ready", limit.Token);
            return ready.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary><c>kill -9</c>: no handler runs, nothing is flushed.</summary>
    public async Task KillAsync()
    {
        Signal(9);
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, and wait for the end, for five times the promised 25 s where nothing else is said. Returns the exit code.</summary>
    public async Task<int> TerminateAsync(TimeSpan? within = null)
    {
        Signal(15);
        await _process.WaitForExitAsync().WaitAsync(within ?? TimeSpan.FromSeconds(5 * 25));
        return _process.ExitCode;
    }

    /// <summary>SIGSTOP: the process stands still, its sockets stay open.</summary>
    public void Stop() => Signal(19);

    /// <summary>SIGCONT.</summary>
    public void Continue() => Signal(18);

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        if (_process is { HasExited: false })
        {
            await KillAsync();
        }

        _process?.Dispose();
        if (_ownsData)
        {
            Directory.Delete(Data, recursive: true);
        }
    }

    public static int FreePort()
    {
        while (true)
        {
            // Below those that the system gives away by itself, and none twice: a server that is started again finds its port free.
            var port = FirstPort + (Interlocked.Increment(ref _ports) % (32_000 - FirstPort));
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody else's.
            }
        }
    }

    /// <summary>The program that the environment names, else as the solution built it, in the configuration of these tests; when coverage is counted, the copy beside the tests, which counts.</summary>
    internal static string ProgramPath()
    {
        if (Environment.GetEnvironmentVariable("ROOTMAS_TEST_PROGRAM") is { Length: > 0 } named)
        {
            return named;
        }

        var output = new DirectoryInfo(AppContext.BaseDirectory);
        if (Environment.GetEnvironmentVariable("ROOTMAS_TEST_COVERAGE") == "1")
        {
            return Path.Combine(output.FullName, "rootmas.dll");
        }

        var configuration = output.Parent!.Name;
        var root = output;
        while (!File.Exists(Path.Combine(root.FullName, "RootMas.slnx")))
        {
            root = root.Parent ?? throw new InvalidOperationException("the repository's root was not found");
        }

        return Path.Combine(root.FullName, "src", "RootMas.Server", "bin", configuration, output.Name, "rootmas.dll");
    }

    private static ProcessStartInfo StartInfo(ServerSettings settings, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        start.ArgumentList.Add(settings.Program ?? ProgramPath());
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        // What the machine has configured must not reach a test.
        foreach (var name in start.Environment.Keys.Where(n => n.StartsWith("ROOTMAS_", StringComparison.Ordinal) || n.StartsWith("OPENAI_", StringComparison.Ordinal) || n is "OPENROUTER_API_KEY").ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in settings.Program is null ? LimitSettings.Variables : [])
        {
            start.Environment[name] = value;
        }

        foreach (var (name, value) in settings.Environment)
        {
            start.Environment[name] = value;
        }

        return start;
    }

    private async Task WaitUntilReadyAsync(long began)
    {
        while (Stopwatch.GetElapsedTime(began) < ReadyWithin)
        {
            if (_process.HasExited)
            {
                await _process.WaitForExitAsync();
                throw new InvalidOperationException($"rootmas serve ended with {_process.ExitCode}\n{Stderr}\n{Stdout}");
            }

            try
            {
                using var ready = await _http.GetAsync("/health/ready");
                if (ready.IsSuccessStatusCode)
                {
                    TimeToReady = Stopwatch.GetElapsedTime(began);
                    _http.DefaultRequestHeaders.Authorization = new("Bearer", LocalToken);
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }

            await Task.Delay(10);
        }

        throw new TimeoutException($"rootmas serve was not ready within {ReadyWithin.TotalSeconds} s\n{Stderr}\n{Stdout}");
    }

    private void Signal(int signal)
    {
        if (SendSignal(_process.Id, signal) != 0 && !_process.HasExited)
        {
            throw new Win32Exception();
        }
    }

    private static void Keep(ConcurrentQueue<string> lines, string? line)
    {
        if (line is not null)
        {
            lines.Enqueue(line);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int pid, int signal);
}

internal sealed record ServerSettings
{
    /// <summary><c>serve</c> or <c>worker</c>.</summary>
    public string Command { get; init; } = "serve";

    /// <summary>Another release's <c>rootmas.dll</c>, which may not know every setting of this one. Default: the program as it was built.</summary>
    public string? Program { get; init; }

    /// <summary>Default: a new folder that is deleted at the end.</summary>
    public string? Data { get; init; }

    /// <summary>Default: the program's own.</summary>
    public string? Config { get; init; }

    /// <summary>Default: a free port on 127.0.0.1.</summary>
    public string? Url { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>A server whose models are those of a simulator: what an operator gets with <c>OPENAI_BASE_URL</c> and <c>OPENAI_API_KEY</c>.</summary>
    public static ServerSettings With(Simulator simulator) => new()
    {
        Environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["OPENAI_BASE_URL"] = simulator.OpenAiUrl,
            ["OPENAI_API_KEY"] = "sk-simulator",
        },
    };
}
