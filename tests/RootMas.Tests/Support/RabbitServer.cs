using System.Diagnostics;
using System.Globalization;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace RootMas.Tests.Support;

/// <summary>
/// A real RabbitMQ from Debian's package, on free loopback ports and in a folder of its own. Erlang starts slowly, so tests share one (<see cref="RabbitCollection"/>) and keep apart by the names of their queues;
/// a test that hurts it waits until it is back. A shell stands between: it ends the server by its process id, also when these tests are killed, because its input ends then.
/// </summary>
public sealed class RabbitServer : IAsyncLifetime
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromMinutes(3);
    private readonly string folder = Directory.CreateTempSubdirectory("rootmas-rabbit-").FullName;
    private readonly int port = ServerProcess.FreePort();
    private readonly int metricsPort = ServerProcess.FreePort();
    private readonly int namesPort = ServerProcess.FreePort();
    private Process? keeper;

    /// <summary>Null: it can be started here. Else why not.</summary>
    public static string? Missing { get; } = File.Exists("/usr/lib/rabbitmq/bin/rabbitmq-server") ? PostgresServer.Missing : "RabbitMQ is not installed here: apt-get install rabbitmq-server";

    public string Url => $"amqp://guest:guest@127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>Its own figures, as Prometheus reads them.</summary>
    public Uri Metrics => new($"http://127.0.0.1:{metricsPort.ToString(CultureInfo.InvariantCulture)}/metrics");

    /// <summary>Names of queues that no other test uses.</summary>
    public static string NewQueue() => "t" + Guid.NewGuid().ToString("N")[..12];

    public Task InitializeAsync() => Missing is null ? StartAsync() : Task.CompletedTask;

    /// <summary>Starts it (again) on the same data and ports, and waits until it takes connections.</summary>
    public async Task StartAsync()
    {
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true, WorkingDirectory = folder };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add("""
            echo '[rabbitmq_prometheus].' >plugins
            printf 'loopback_users = none\nlog.console = false\nconsumer_timeout = 1800000\nprometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = %s\n' "$METRICS_PORT" >rabbit.conf
            rm -f pid
            epmd >/dev/null 2>&1 &
            names=$!
            /usr/lib/rabbitmq/bin/rabbitmq-server >out 2>&1 &
            server=$!
            cat >/dev/null
            test -s pid && kill -TERM "$(cat pid)" 2>/dev/null
            wait $server
            kill $names
            wait $names
            """);
        foreach (var (name, value) in Variables())
        {
            start.Environment[name] = value;
        }

        keeper = Process.Start(start)!;
        var began = Stopwatch.GetTimestamp();
        while (!await AnswersAsync())
        {
            if (keeper.HasExited || Stopwatch.GetElapsedTime(began) > StartWithin)
            {
                throw new InvalidOperationException($"RabbitMQ did not start: {await File.ReadAllTextAsync(Path.Combine(folder, "out"))}");
            }

            await Task.Delay(100);
        }
    }

    /// <summary>An orderly shutdown: connections are closed.</summary>
    public async Task StopAsync()
    {
        if (keeper is not null)
        {
            keeper.StandardInput.Close();
            await keeper.WaitForExitAsync();
        }
    }

    /// <summary><c>kill -9</c>; what was confirmed is on the disk.</summary>
    public async Task KillAsync()
    {
        using (var victim = Process.GetProcessById(int.Parse(await File.ReadAllTextAsync(Path.Combine(folder, "pid")), CultureInfo.InvariantCulture)))
        {
            victim.Kill();
        }

        await StopAsync();
    }

    /// <summary>Sends messages that nobody of ours wrote, and waits until they are safe.</summary>
    public Task PublishAsync(string queue, params byte[][] messages) => PublishAsync(queue, new BasicProperties(), messages);

    public async Task PublishAsync(string queue, BasicProperties properties, params byte[][] messages)
    {
        var connection = await ConnectAsync();
        try
        {
            var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true));
            foreach (var message in messages)
            {
                await channel.BasicPublishAsync("", queue, mandatory: true, properties, message).AsTask().WaitAsync(TimeSpan.FromMinutes(1));
            }
        }
        finally
        {
            await CloseAsync(connection);
        }
    }

    /// <summary>A worker that dies with the next message of the queue in its hands. False: there was none.</summary>
    public async Task<bool> TakeAndDieAsync(string queue)
    {
        var connection = await ConnectAsync();
        try
        {
            var channel = await connection.CreateChannelAsync();
            return await channel.BasicGetAsync(queue, autoAck: false).WaitAsync(TimeSpan.FromMinutes(1)) is not null;
        }
        finally
        {
            await CloseAsync(connection);
        }
    }

    /// <summary>An operator deletes them.</summary>
    public async Task DeleteAsync(params string[] queues)
    {
        var connection = await ConnectAsync();
        try
        {
            var channel = await connection.CreateChannelAsync();
            foreach (var queue in queues)
            {
                await channel.QueueDeleteAsync(queue).WaitAsync(TimeSpan.FromMinutes(1));
            }
        }
        finally
        {
            await CloseAsync(connection);
        }
    }

    /// <summary>An operator's command: <c>rabbitmqctl</c>.</summary>
    public async Task ControlAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("/usr/lib/rabbitmq/bin/rabbitmqctl", arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder };
        foreach (var (name, value) in Variables())
        {
            start.Environment[name] = value;
        }

        using var control = Process.Start(start)!;
        var (said, wrong) = (control.StandardOutput.ReadToEndAsync(), control.StandardError.ReadToEndAsync());
        await control.WaitForExitAsync();
        Assert.True(control.ExitCode == 0, $"rabbitmqctl {string.Join(' ', arguments)}: {await said} {await wrong}");
    }

    private static async Task CloseAsync(IConnection connection) => // the library's close may hang
        await connection.AbortAsync().WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    private async Task<IConnection> ConnectAsync() => await new ConnectionFactory { Uri = new Uri(Url), AutomaticRecoveryEnabled = false }.CreateConnectionAsync();

    public async Task DisposeAsync()
    {
        await StopAsync();
        keeper?.Dispose();
        Directory.Delete(folder, recursive: true);
    }

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await CloseAsync(await ConnectAsync());
            return true;
        }
        catch (BrokerUnreachableException)
        {
            return false;
        }
    }

    private Dictionary<string, string> Variables() => new(StringComparer.Ordinal)
    {
        ["HOME"] = folder,
        ["METRICS_PORT"] = metricsPort.ToString(CultureInfo.InvariantCulture),
        ["RABBITMQ_NODENAME"] = $"t{port.ToString(CultureInfo.InvariantCulture)}@localhost",
        ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
        ["RABBITMQ_NODE_PORT"] = port.ToString(CultureInfo.InvariantCulture),
        ["RABBITMQ_DIST_PORT"] = ServerProcess.FreePort().ToString(CultureInfo.InvariantCulture),
        ["RABBITMQ_MNESIA_BASE"] = Path.Combine(folder, "mnesia"),
        ["RABBITMQ_LOG_BASE"] = Path.Combine(folder, "log"),
        ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(folder, "plugins"),
        ["RABBITMQ_CONFIG_FILE"] = Path.Combine(folder, "rabbit"),
        ["RABBITMQ_CONF_ENV_FILE"] = Path.Combine(folder, "none"),
        ["RABBITMQ_PID_FILE"] = Path.Combine(folder, "pid"),
        ["RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"] = "+sbwt none +sbwtdcpu none +sbwtdio none", // its threads do not spin while they wait
        ["ERL_EPMD_PORT"] = namesPort.ToString(CultureInfo.InvariantCulture),
        ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
    };
}

/// <summary>One RabbitMQ for all tests that need one; they run one after the other.</summary>
[CollectionDefinition(Name)]
public sealed class RabbitCollection : ICollectionFixture<RabbitServer>
{
    public const string Name = "RabbitMQ";
}

/// <summary>A test of RabbitMQ with PostgreSQL; skipped by name where one of them is not installed.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RabbitFactAttribute : FactAttribute
{
    public RabbitFactAttribute() => Skip = RabbitServer.Missing;
}

/// <summary>As <see cref="RabbitFactAttribute"/>, with cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class RabbitTheoryAttribute : TheoryAttribute
{
    public RabbitTheoryAttribute() => Skip = RabbitServer.Missing;
}
