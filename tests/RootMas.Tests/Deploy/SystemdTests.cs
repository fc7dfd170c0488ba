using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Settings;
using RootMas.Tests.Support;

namespace RootMas.Tests.Deploy;

/// <summary>What the program tells systemd (<c>Type=notify</c>), and what the units promise.</summary>
public sealed class SystemdTests
{
    [Fact]
    public async Task The_service_manager_is_told_when_requests_are_served_and_when_it_stops_and_hears_signs_of_life()
    {
        using var folder = new TempFolder();
        using var manager = new Manager(Path.Combine(folder.Path, "notify"));
        await using var server = await ServerProcess.StartAsync(new ServerSettings
        {
            Config = Repository.PathOf("config"),
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["NOTIFY_SOCKET"] = manager.Path, ["WATCHDOG_USEC"] = "200000" },
        });

        // Whoever is told may send requests at once: they are served.
        Assert.StartsWith("READY=1", await manager.NextAsync(m => !m.StartsWith("WATCHDOG", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Equal("WATCHDOG=1", await manager.NextAsync(m => m.StartsWith("WATCHDOG", StringComparison.Ordinal)));
        Assert.Equal("WATCHDOG=1", await manager.NextAsync(m => m.StartsWith("WATCHDOG", StringComparison.Ordinal)));

        Assert.Equal(0, await server.TerminateAsync());
        Assert.StartsWith("STOPPING=1", await manager.NextAsync(m => !m.StartsWith("WATCHDOG", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_manager_that_has_gone_takes_nothing_down()
    {
        using var folder = new TempFolder();
        await using var server = await ServerProcess.StartAsync(new ServerSettings
        {
            Config = Repository.PathOf("config"),
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["NOTIFY_SOCKET"] = Path.Combine(folder.Path, "nobody") },
        });
        using var health = await server.Http.GetAsync("/health/live");
        Assert.True(health.IsSuccessStatusCode);
        Assert.Equal(0, await server.TerminateAsync());
        Assert.Contains("READY=1", server.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public void Signs_of_life_are_given_only_by_the_process_that_is_asked()
    {
        static TimeSpan? Of(params (string, string)[] variables) =>
            SystemdNotice.WatchdogInterval(Variables.Read(variables.ToDictionary(v => v.Item1, v => v.Item2), "/nonexistent/.env", []));
        Assert.Equal(TimeSpan.FromSeconds(30), Of(("WATCHDOG_USEC", "30000000")));
        Assert.Equal(TimeSpan.FromSeconds(30), Of(("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", $"{Environment.ProcessId}")));
        Assert.Null(Of(("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")));
        Assert.Null(Of(("WATCHDOG_USEC", "soon")));
        Assert.Null(Of());
    }

    [Theory]
    [InlineData("rootmas.service")]
    [InlineData("rootmas-worker@.service")]
    public void Units_notify_stop_in_time_and_may_touch_nothing_but_their_data(string name)
    {
        var unit = File.ReadAllLines(Repository.PathOf("deploy", "systemd", name));
        string[] promised =
        [
            "Type=notify", "User=rootmas", "WatchdogSec=60", "Restart=on-failure", "KillSignal=SIGTERM", "NoNewPrivileges=true", "ProtectSystem=strict", "ProtectHome=true", "PrivateTmp=true",
            "PrivateDevices=true", "ProtectKernelTunables=true", "ProtectKernelModules=true", "ProtectControlGroups=true", "RestrictNamespaces=true", "LockPersonality=true", "CapabilityBoundingSet=",
            "RestrictSUIDSGID=true", "UMask=0077", "StateDirectoryMode=0700", "EnvironmentFile=-/etc/rootmas/rootmas.env",
        ];
        Assert.Empty(promised.Except(unit));

        // What a person must repair is not tried again; a database that is away (7) is, for as long as it takes.
        Assert.Contains("RestartPreventExitStatus=2 5", unit);
        Assert.Contains("StartLimitIntervalSec=0", unit);

        // The program is given 20 s by default, and the unit more than that.
        var stop = Assert.Single(unit, l => l.StartsWith("TimeoutStopSec=", StringComparison.Ordinal));
        Assert.True(int.Parse(stop.Split('=')[1], System.Globalization.CultureInfo.InvariantCulture) > new ServerOptions().ShutdownTimeout.TotalSeconds);
    }

    [InstalledFact("systemd-analyze")]
    public async Task Units_are_valid_and_exposed_to_little()
    {
        using var folder = new TempFolder();
        foreach (var name in new[] { "rootmas.service", "rootmas-worker@.service" })
        {
            // The program's place is checked too; here it is another program that exists.
            var unit = Path.Combine(folder.Path, name.Replace("@", "@1", StringComparison.Ordinal));
            File.WriteAllText(unit, File.ReadAllText(Repository.PathOf("deploy", "systemd", name)).Replace("/opt/rootmas/current/rootmas", "/bin/true", StringComparison.Ordinal));
            var verified = await Shell.RunAsync("systemd-analyze", ["verify", "--man=no", unit]);
            Assert.True(verified.ExitCode == 0 && !verified.Stderr.Contains(folder.Path, StringComparison.Ordinal), verified.Stderr + verified.Stdout);
            var exposure = await Shell.RunAsync("systemd-analyze", ["security", "--offline=true", "--threshold=25", "--no-pager", unit]);
            Assert.True(exposure.ExitCode == 0, exposure.Stdout + exposure.Stderr);
        }
    }

    /// <summary>The manager's end of the socket.</summary>
    private sealed class Manager : IDisposable
    {
        private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        private readonly Channel<string> _heard = Channel.CreateUnbounded<string>();

        public Manager(string path)
        {
            Path = path;
            _socket.Bind(new UnixDomainSocketEndPoint(path));
            _ = ListenAsync();
        }

        public string Path { get; }

        public async Task<string> NextAsync(Func<string, bool> isMeant)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            await foreach (var message in _heard.Reader.ReadAllAsync(limit.Token))
            {
                if (isMeant(message))
                {
                    return message;
                }
            }

            throw new InvalidOperationException("the socket was closed");
        }

        public void Dispose() => _socket.Dispose();

        private async Task ListenAsync()
        {
            var buffer = new byte[4096];
            try
            {
                while (true)
                {
                    _heard.Writer.TryWrite(Encoding.UTF8.GetString(buffer, 0, await _socket.ReceiveAsync(buffer)));
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                _heard.Writer.Complete();
            }
        }
    }
}
