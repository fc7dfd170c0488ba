using System.Globalization;
using System.Runtime.InteropServices;

namespace RootMas.Benchmarks.Targets;

/// <summary>A RabbitMQ node of its own with a port mapper of its own, if the machine has the programs (Debian's package).</summary>
internal sealed partial class Rabbit : IAsyncDisposable
{
    private const string Program = "/usr/lib/rabbitmq/bin/rabbitmq-server";

    private readonly Child? _child;
    private readonly string _pidFile;
    private readonly int _mapper;

    private Rabbit(Child? child, string pidFile, int mapper, string? uri, string? missing)
    {
        (_child, _pidFile, _mapper, Uri, Missing) = (child, pidFile, mapper, uri, missing);
    }

    public string? Uri { get; }

    /// <summary>The script; the machine that runs the node is under it.</summary>
    public Child? Process => _child;

    public string? Missing { get; }

    public static async Task<Rabbit> StartAsync(string folder)
    {
        if (!File.Exists(Program))
        {
            return new Rabbit(null, "", 0, null, "RabbitMQ is not installed");
        }

        Directory.CreateDirectory(folder);
        var (port, mapper) = (ReverseProxies.FreePort(), ReverseProxies.FreePort());
        var pidFile = Path.Combine(folder, "pid");
        var environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["HOME"] = folder,
            ["RABBITMQ_NODENAME"] = $"bench{port}@localhost",
            ["RABBITMQ_NODE_IP_ADDRESS"] = "127.0.0.1",
            ["RABBITMQ_NODE_PORT"] = $"{port}",
            ["RABBITMQ_DIST_PORT"] = $"{ReverseProxies.FreePort()}",
            ["RABBITMQ_MNESIA_BASE"] = Path.Combine(folder, "data"),
            ["RABBITMQ_LOG_BASE"] = Path.Combine(folder, "log"),
            ["RABBITMQ_PID_FILE"] = pidFile,
            ["RABBITMQ_ENABLED_PLUGINS_FILE"] = Path.Combine(folder, "plugins"),
            ["RABBITMQ_CONFIG_FILE"] = Path.Combine(folder, "none"),
            ["ERL_EPMD_PORT"] = $"{mapper}",
            ["ERL_EPMD_ADDRESS"] = "127.0.0.1",
        };
        var child = Child.Start(Program, [], core: null, environment, folder);
        var rabbit = new Rabbit(child, pidFile, mapper, $"amqp://guest:guest@127.0.0.1:{port}/", null);
        if (await Listening.AnswersAsync(port, child, TimeSpan.FromSeconds(90)))
        {
            return rabbit;
        }

        var log = child.Log;
        await rabbit.DisposeAsync();
        return new Rabbit(null, "", 0, null, $"did not start: {log}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_child is null)
        {
            return;
        }

        // The script that was started only waits for the machine that runs the node.
        if (File.Exists(_pidFile) && int.TryParse(await File.ReadAllTextAsync(_pidFile), CultureInfo.InvariantCulture, out var machine))
        {
            _ = SendSignal(machine, 9);
        }

        await _child.DisposeAsync();
        for (var i = 0; i < 20; i++)
        {
            // The mapper refuses to go while it still knows the node.
            var (_, output) = await Child.RunAsync("/bin/sh", ["-c", $"ERL_EPMD_PORT={_mapper} epmd -kill 2>&1"], null, TimeSpan.FromSeconds(5));
            if (!output.Contains("living nodes", StringComparison.Ordinal))
            {
                return;
            }

            await Task.Delay(100);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int SendSignal(int pid, int signal);
}
