using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Tests.Support;

/// <summary>
/// A real Redis server from Debian's package, on a free loopback port and in a folder of its own. <see cref="SharedAsync"/> is one for the whole test run (tests take a <see cref="NewPrefix"/> each); a test that hurts its server starts its own.
/// A shell stands between: it stops the server by its process id, also when these tests are killed, because its input ends then.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private const string Binary = "/usr/bin/redis-server";
    private static readonly Lazy<Task<RedisServer>> Shared = new(() => StartAsync());
    private readonly string _folder = Directory.CreateTempSubdirectory("rootmas-redis-").FullName;
    private readonly string[] _settings;
    private Process _keeper = null!;
    private int _pid;

    private RedisServer(string[] settings) => _settings = settings;

    /// <summary>Null: it can be started here. Else why not.</summary>
    public static string? Missing { get; } = File.Exists(Binary) ? null : "Redis is not installed here: apt-get install redis-server";

    public int Port { get; private set; }

    public string Url => $"redis://127.0.0.1:{Port.ToString(CultureInfo.InvariantCulture)}";

    public static Task<RedisServer> SharedAsync() => Shared.Value;

    /// <summary>A part of a shared server that no other test uses.</summary>
    public static string NewPrefix() => $"t{Guid.NewGuid():N}:";

    /// <param name="settings">More of its command line: <c>"--requirepass", "secret"</c>.</param>
    public static async Task<RedisServer> StartAsync(params string[] settings)
    {
        var server = new RedisServer(settings);
        for (var tries = 0; ; tries++)
        {
            server.Port = ServerProcess.FreePort();
            if (await server.TryStartAsync())
            {
                break;
            }

            if (tries == 5)
            {
                throw new InvalidOperationException($"Redis did not start: {server.Log()}");
            }
        }

        AppDomain.CurrentDomain.ProcessExit += (_, _) => server.End();
        return server;
    }

    /// <summary>Starts it again on the same port, with nothing in it: it keeps nothing on disk.</summary>
    public async Task StartAgainAsync()
    {
        if (!await TryStartAsync())
        {
            throw new InvalidOperationException($"Redis did not start again: {Log()}");
        }
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        _keeper.StandardInput.Close();
        await _keeper.WaitForExitAsync();
    }

    /// <summary>SIGSTOP and SIGCONT: it neither answers nor refuses.</summary>
    public async Task PauseAsync(bool paused)
    {
        using var process = Process.Start("/bin/kill", [paused ? "-STOP" : "-CONT", _pid.ToString(CultureInfo.InvariantCulture)]);
        await process.WaitForExitAsync();
    }

    /// <summary>Everything in it is gone.</summary>
    public Task FlushAsync() => CommandAsync("FLUSHALL");

    /// <summary>One command through redis-cli; the answer's lines.</summary>
    public async Task<string[]> CommandAsync(params string[] command)
    {
        var start = new ProcessStartInfo("redis-cli") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])["-p", Port.ToString(CultureInfo.InvariantCulture), .. Password(), .. command])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var wrong = process.StandardError.ReadToEndAsync();
        var said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{string.Join(' ', command)}: {said} {await wrong}");
        return said.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Patient, so that a loaded machine is not taken for a Redis that is away; left alone for as short as can be, so that tests do not wait for its return.</summary>
    internal static RedisCircuit Circuit(TimeSpan? patience = null)
    {
        var options = new ResilienceOptions
        {
            Redis = new() { Tries = 5, Base = TimeSpan.FromSeconds(0.1), Longest = TimeSpan.FromSeconds(1), Timeout = patience ?? TimeSpan.FromSeconds(20), BreakFor = TimeSpan.FromSeconds(0.5) },
        };
        return new RedisCircuit(new OutboundPolicies(options, TimeProvider.System, TestMeters.Own()), TimeProvider.System, NullLogger<RedisCircuit>.Instance);
    }

    /// <summary>Settings of a server that uses this one.</summary>
    public void Use(TestAppOptions options, string? prefix = null)
    {
        options.Settings["Redis:ConnectionString"] = Url;
        options.Settings["Redis:KeyPrefix"] = prefix ?? NewPrefix();
        options.Settings["Resilience:Redis:Base"] = "100ms";
        options.Settings["Resilience:Redis:Longest"] = "1s";
        options.Settings["Resilience:Redis:Timeout"] = "20s";
        options.Settings["Redis:ConnectTimeout"] = "00:01:00";
        options.Settings["Resilience:Redis:BreakFor"] = "500ms";
    }

    /// <summary>Connections as a process has them.</summary>
    internal async Task<RedisPool> PoolAsync(string? prefix = null, TimeSpan? patience = null, string? url = null)
    {
        var pool = new RedisPool(new RedisOptions { ConnectionString = url ?? Url, KeyPrefix = prefix ?? NewPrefix(), ConnectTimeout = TimeSpan.FromMinutes(1) }, Circuit(patience), TimeProvider.System, NullLogger<RedisPool>.Instance);
        await pool.StartAsync();
        return pool;
    }

    public Task<string[]> KeysAsync(string prefix) => CommandAsync("KEYS", prefix + "*");

    /// <summary>Connections of the program that are open now.</summary>
    public async Task<int> ConnectionsAsync() =>
        (await CommandAsync("CLIENT", "LIST")).Count(static line => line.Contains("name=rootmas ", StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        if (!_keeper.HasExited)
        {
            await KillAsync();
        }

        _keeper.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private string[] Password() => Array.IndexOf(_settings, "--requirepass") is var at and >= 0 ? ["--no-auth-warning", "-a", _settings[at + 1]] : [];

    private async Task<bool> TryStartAsync()
    {
        string[] arguments = ["--port", Port.ToString(CultureInfo.InvariantCulture), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder, "--logfile", Path.Combine(_folder, "log"), .. _settings];
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        foreach (var argument in (string[])["-c", "exec 2>/dev/null; \"$@\" >/dev/null 2>&1 & server=$!; echo $server; cat >/dev/null; kill -CONT $server 2>/dev/null; kill -KILL $server 2>/dev/null; wait $server", "sh", Binary, .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        File.Delete(Path.Combine(_folder, "log"));
        _keeper = Process.Start(start)!;
        _pid = int.Parse((await _keeper.StandardOutput.ReadLineAsync())!, CultureInfo.InvariantCulture);
        await Wait.UntilAsync(() => Log() is var log && (log.Contains("Ready to accept connections", StringComparison.Ordinal) || log.Contains("exiting", StringComparison.Ordinal)));
        if (Log().Contains("Ready to accept connections", StringComparison.Ordinal))
        {
            return true;
        }

        await KillAsync();
        return false;
    }

    private string Log() => File.Exists(Path.Combine(_folder, "log")) ? File.ReadAllText(Path.Combine(_folder, "log")) : "no log";

    private void End()
    {
        if (Directory.Exists(_folder))
        {
            _keeper.StandardInput.Close();
            _keeper.WaitForExit(10_000);
            Directory.Delete(_folder, recursive: true);
        }
    }
}

/// <summary>Skipped by name where Redis is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RedisFactAttribute : FactAttribute
{
    public RedisFactAttribute() => Skip = RedisServer.Missing;
}

/// <summary>The same for a theory.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RedisTheoryAttribute : TheoryAttribute
{
    public RedisTheoryAttribute() => Skip = RedisServer.Missing;
}

/// <summary>Several instances on PostgreSQL and Redis; skipped by name where one of them is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RedisAndPostgresFactAttribute : FactAttribute
{
    public RedisAndPostgresFactAttribute() => Skip = RedisServer.Missing ?? PostgresServer.Missing;
}
