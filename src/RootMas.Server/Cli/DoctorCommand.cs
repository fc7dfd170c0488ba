using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas doctor</c>: looks at system, settings, port, data directory, database and each model endpoint, with a hint for every finding.</summary>
internal static class DoctorCommand
{
    private sealed record Finding(string What, string State, string Detail, string Hint = "");

    public static Command Create()
    {
        var command = new Command("doctor", "Check system, settings, ports, permissions, disk and models.") { CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (options, terminal) = (CliOptions.From(parsed), Terminal.Of(parsed));
            var findings = Local(options);
            if (findings.TrueForAll(f => f.State != "bad"))
            {
                await RunningAsync(options, findings, cancellationToken);
            }

            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(JsonSerializer.SerializeToElement(findings.Select(f => new { what = f.What, state = f.State, detail = f.Detail, hint = f.Hint })));
            }
            else
            {
                foreach (var f in findings)
                {
                    terminal.WriteLine($"{Mark(f.State)} {f.What}: {f.Detail}");
                    if (f.Hint.Length > 0)
                    {
                        terminal.WriteLine($"    → {f.Hint}");
                    }
                }
            }

            return findings.Exists(f => f.State == "bad") ? ExitCodes.Failed : ExitCodes.Ok;
        });
        return command;
    }

    private static string Mark(string state) => state switch
    {
        "ok" => "✓",
        "note" => "·",
        _ => "✗",
    };

    private static List<Finding> Local(CliOptions options)
    {
        var findings = new List<Finding> { new("program", "ok", $"{ProgramVersion.Text} on .NET {Environment.Version}, {Environment.ProcessorCount} cores") };
        var tree = ServerHost.ReadSettings(options.ToArguments());
        findings.AddRange(tree.Problems.Select(p => new Finding("settings", "bad", p, "Correct it; 'rootmas config print' shows where values come from.")));
        if (tree.Problems.Count > 0)
        {
            return findings;
        }

        findings.Add(new("settings", "ok", "valid"));
        findings.Add(Directory.Exists(tree.ConfigPath)
            ? new("config", "ok", tree.ConfigPath)
            : new("config", "bad", $"{tree.ConfigPath} is not there", "Name the folder with --config or ROOTMAS_CONFIG."));
        findings.AddRange(Data(tree));
        return findings;
    }

    private static IEnumerable<Finding> Data(SettingsTree tree)
    {
        var path = tree.DataPath;
        if (!Directory.Exists(path))
        {
            yield return new("data", "note", $"{path} is made at the first start");
            yield return Port(tree);
            yield break;
        }

        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & (UnixFileMode.OtherRead | UnixFileMode.OtherExecute | UnixFileMode.GroupRead)) != UnixFileMode.None)
        {
            yield return new("data", "note", $"others may read {path}", $"chmod 700 {path}");
        }

        var drive = new DriveInfo(path);
        yield return drive.AvailableFreeSpace > 500L << 20
            ? new("disk", "ok", $"{drive.AvailableFreeSpace >> 20} MiB free")
            : new("disk", "bad", $"only {drive.AvailableFreeSpace >> 20} MiB free for {path}", "Free some space: accepted messages must be written.");
        using var data = new DataDirectory(path);
        if (data.ReadOwner() is { } owner)
        {
            yield return new("server", "ok", $"process {owner.Pid} owns {path} and listens on {owner.Url}");
        }
        else
        {
            yield return Port(tree);
        }
    }

    private static Finding Port(SettingsTree tree)
    {
        var url = new Uri(tree.Take<ServerOptions>("Server").Urls.Split(';')[0]);
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, url.Port));
            return new("port", "ok", $"{url.Port} is free");
        }
        catch (SocketException)
        {
            return new("port", "bad", $"{url.Port} is in use by another program", "Stop it, or choose another address with --urls.");
        }
    }

    private static async Task RunningAsync(CliOptions options, List<Finding> findings, CancellationToken cancellationToken)
    {
        await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
        var (_, health) = await connection.Api.ProbeAsync("/health", cancellationToken);
        var details = health.GetProperty("details");
        foreach (var service in health.GetProperty("services").EnumerateObject())
        {
            var state = service.Value.GetString();
            findings.Add(new(service.Name, state is "healthy" ? "ok" : state is "unhealthy" ? "bad" : "note", details.Text(service.Name) ?? state ?? ""));
        }

        var models = (await connection.Api.GetAsync("/api/v1/models", cancellationToken)).Items();
        findings.AddRange(models.DistinctBy(m => m.Text("provider"), StringComparer.Ordinal).Select(m => Endpoint(m.Text("provider")!, m.GetProperty("endpoint"))));
    }

    private static Finding Endpoint(string provider, JsonElement endpoint)
    {
        var isGood = endpoint.Text("reachable") == "true" && endpoint.Text("key_valid") != "false";
        var key = endpoint.Text("key_valid") is { } valid ? (valid == "true" ? ", key accepted" : ", key refused") : "";
        return new(
            "model endpoint " + provider,
            isGood ? "ok" : "bad",
            $"{(endpoint.Text("reachable") == "true" ? "reachable" : "unreachable")}{key}, circuit {endpoint.Text("circuit")}{(endpoint.Text("last_error") is { } e ? ", last error " + e : "")}",
            endpoint.Text("advice") ?? "");
    }
}
