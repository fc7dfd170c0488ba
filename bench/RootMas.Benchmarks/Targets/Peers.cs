using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using RootMas.Benchmarks.Load;

namespace RootMas.Benchmarks.Targets;

internal sealed record InstalledPeer(string Folder, string Versions, string? Problem);

/// <summary>The JavaScript peers of bench/peers, installed from npm into a temporary folder. What does not install is told, not hidden.</summary>
internal sealed class Peers(string source, Action<string> note)
{
    private readonly string _root = Path.Combine(Path.GetTempPath(), "rootmas-bench-peers");

    public async Task<InstalledPeer> InstallAsync(string name)
    {
        if (Child.Find("npm") is null)
        {
            return new InstalledPeer("", "", "npm is not installed");
        }

        var package = await File.ReadAllTextAsync(Path.Combine(source, name, "package.json"));
        var folder = Path.Combine(_root, $"{name}-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(package)))[..8]}");
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "package.json"), package);
        File.Copy(Path.Combine(source, "common.mjs"), Path.Combine(_root, "common.mjs"), overwrite: true);
        if (File.Exists(Path.Combine(source, name, "peer.mjs")))
        {
            File.Copy(Path.Combine(source, name, "peer.mjs"), Path.Combine(folder, "peer.mjs"), overwrite: true);
        }

        var done = Path.Combine(folder, ".installed");
        if (!File.Exists(done))
        {
            note($"installing {name} from npm");
            var (exit, output) = await Child.RunAsync("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], folder, TimeSpan.FromMinutes(3));
            if (exit != 0)
            {
                return new InstalledPeer(folder, "", $"npm install failed: {output}");
            }

            await File.WriteAllTextAsync(done, "");
        }

        return new InstalledPeer(folder, Versions(folder, package), null);
    }

    private static string Versions(string folder, string package)
    {
        using var document = JsonDocument.Parse(package);
        return string.Join(", ", document.RootElement.GetProperty("dependencies").EnumerateObject().Select(d =>
        {
            using var installed = JsonDocument.Parse(File.ReadAllText(Path.Combine(folder, "node_modules", d.Name, "package.json")));
            return $"{d.Name} {installed.RootElement.GetProperty("version").GetString()}";
        }));
    }
}

/// <summary>An agent framework in its own Node process; it runs the scenarios of B6 inside, without a server in front.</summary>
internal sealed class PeerProcess : IAsyncDisposable
{
    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };
    private readonly Child? _database;
    private Child? _child;

    private PeerProcess(string name, Child? child, string versions, string? missing, Child? database = null)
    {
        Name = name;
        _child = child;
        _database = database;
        Versions = versions;
        Missing = missing;
    }

    public string Name { get; }

    public string Versions { get; }

    public string? Missing { get; private set; }

    /// <summary>It was not there from the beginning: not installed, or it did not start.</summary>
    public bool IsAbsent { get; private init; }

    /// <param name="postgres">Where its database is; null: it has none.</param>
    /// <param name="database">Whose processor time counts with its own.</param>
    public static async Task<PeerProcess> StartAsync(string name, string package, Peers peers, string simulator, string? postgres, int? core = Machine.TestedCore, Child? database = null)
    {
        var installed = await peers.InstallAsync(package);
        if (installed.Problem is not null)
        {
            return new PeerProcess(name, null, "", installed.Problem) { IsAbsent = true };
        }

        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["SIM_URL"] = simulator, ["NODE_ENV"] = "production", ["NODE_NO_WARNINGS"] = "1" };
        if (postgres is not null)
        {
            environment["PG_URL"] = postgres;
        }

        var child = Child.Start("node", [Path.Combine(installed.Folder, "peer.mjs")], core, environment, installed.Folder, readsLines: true);
        try
        {
            if (await child.ReadLineAsync(TimeSpan.FromSeconds(60)) is not null)
            {
                return new PeerProcess(name, child, installed.Versions, null, database);
            }
        }
        catch (TimeoutException)
        {
            // Told below with what it wrote.
        }

        var log = child.Log;
        await child.DisposeAsync();
        return new PeerProcess(name, null, installed.Versions, $"did not start: {log}") { IsAbsent = true };
    }

    /// <summary>Null: it has ended, or is ended because it did not answer; <see cref="Missing"/> says which.</summary>
    public async Task<Samples?> MeasureAsync(string scenario, int runs, int warmup, int concurrency)
    {
        if (_database is null)
        {
            return await AskAsync(scenario, runs, warmup, concurrency);
        }

        // The warm-up is a command of its own: its share of the database's time does not count.
        if (warmup > 0 && await AskAsync(scenario, warmup, 0, concurrency) is null)
        {
            return null;
        }

        var before = ProcessTree.CpuOf(_database.Pid);
        var samples = await AskAsync(scenario, runs, 0, concurrency);
        return samples is null ? null : samples with { CpuMs = samples.CpuMs + ((ProcessTree.CpuOf(_database.Pid) - before).TotalMilliseconds / Math.Max(1, samples.Count)) };
    }

    private async Task<Samples?> AskAsync(string scenario, int runs, int warmup, int concurrency)
    {
        if (_child is not { } child)
        {
            return null;
        }

        try
        {
            await child.WriteLineAsync(JsonSerializer.Serialize(new { scenario, runs, warmup, concurrency }));
            if (await child.ReadLineAsync(TimeSpan.FromSeconds(90)) is { } line)
            {
                var result = JsonSerializer.Deserialize<PeerResult>(line, Json)!;
                return new Samples
                {
                    Count = result.Count, Errors = result.Errors, Error = result.Error, P50 = result.P50, P90 = result.P90, P99 = result.P99, Min = result.Min,
                    PerSecond = result.PerSecond, CpuMs = result.CpuMsPerRun,
                };
            }

            Missing = $"ended: {child.Log}";
        }
        catch (IOException e)
        {
            Missing = $"ended: {e.Message} {child.Log}";
        }
        catch (TimeoutException)
        {
            Missing = "no result within 90 s";
        }

        // What hangs would go on beside the others, and its late answer would be taken for the next one's.
        _child = null;
        await child.DisposeAsync();
        return null;
    }

    public ValueTask DisposeAsync() => _child?.DisposeAsync() ?? ValueTask.CompletedTask;

    private sealed record PeerResult(int Count, int Errors, string? Error, double P50, double P90, double P99, double Min, double PerSecond, double CpuMsPerRun);
}
