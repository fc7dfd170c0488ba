using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using RootMas.Server.Cli.Doctor;
using RootMas.Server.Platform.Health;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas doctor</c>: looks at system, settings, ports, permissions, clock, disk, every dependency with its version, with a hint for every finding; <c>--fix</c> repairs what is safe to repair.</summary>
internal static class DoctorCommand
{
    private static readonly Option<bool> FixOption = new("--fix") { Description = "Repair what is safe to repair: permissions, missing folders, files that a crash left." };

    private const string Settings = "settings";
    private const string Server = "server";
    private const string Agents = "agents";

    public static Command Create()
    {
        var command = new Command("doctor", "Check system, settings, ports, permissions, clock, disk and every dependency.") { FixOption, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var (options, terminal) = (CliOptions.From(parsed), Terminal.Of(parsed));
            var findings = await ExamineAsync(options, parsed.GetValue(FixOption), cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(JsonSerializer.SerializeToElement(findings.Select(static f => new { what = f.What, state = f.State, detail = f.Detail, hint = f.Hint })));
            }
            else
            {
                Print(terminal, findings);
            }

            return findings.Exists(static f => f.State == "bad") ? ExitCodes.Failed : ExitCodes.Ok;
        });
        return command;
    }

    private static void Print(Terminal terminal, List<Finding> findings)
    {
        foreach (var f in findings)
        {
            terminal.WriteLine($"{f.State switch { "ok" => "✓", "note" => "·", "fixed" => "+", _ => "✗" }} {f.What}: {f.Detail}");
            if (f.Hint.Length > 0 && f.State != "fixed")
            {
                terminal.WriteLine($"    → {f.Hint}");
            }
        }
    }

    private static async Task<List<Finding>> ExamineAsync(CliOptions options, bool fix, CancellationToken cancellationToken)
    {
        var findings = SystemChecks.Machine().ToList();
        await LookAsync(Settings, findings, async () =>
        {
            if (RemoteServer.Of(options, SettingsTree.Read(options.ToArguments()).Variables) is { } remote)
            {
                findings.Add(Elsewhere(remote));
            }
            else
            {
                await LocalAsync(options, fix, findings, cancellationToken);
            }
        });

        if (findings.TrueForAll(static f => f.State != "bad"))
        {
            await LookAsync(Server, findings, () => RunningAsync(options, findings, cancellationToken));
        }

        return findings;
    }

    /// <summary>Settings, data and services that lie here are none of its own.</summary>
    private static Finding Elsewhere(RemoteServer remote) => Finding.Note(
        Server,
        $"{remote.Url} is asked, named by {remote.NamedBy}; settings, data directory and services of this machine are not looked at",
        "For those run it on the server's machine, with --data and without --server and ROOTMAS_SERVER.");

    /// <summary>What ends a look is a finding itself, and takes none of those before away.</summary>
    private static async Task LookAsync(string what, List<Finding> findings, Func<Task> look)
    {
        try
        {
            await look();
        }
        catch (Exception e) when (Trouble.Of(e) is { } trouble)
        {
            findings.Add(Finding.Bad(what, trouble.Message, HintOf(what, trouble)));
        }
    }

    private static string HintOf(string what, Trouble trouble) => trouble.ExitCode switch
    {
        ExitCodes.Usage => "Correct what it names; 'rootmas config check' looks at settings, agents, teams and prompts alone.",
        ExitCodes.NotAllowed when trouble.SaysWhatToDo => "",
        ExitCodes.NotAllowed => ApiClient.AnotherKey,
        ExitCodes.Conflict when what == Server => "", // what is in the way was said, and it is no address
        _ when what == Server => "Is the address right, and what do the server and a proxy before it write to their logs? 'rootmas health --server URL' asks it alone.",
        _ => "docs/runbook.md says what to look at, docs/backups.md how to put a backup in place of what is damaged.",
    };

    private static async Task LocalAsync(CliOptions options, bool fix, List<Finding> findings, CancellationToken cancellationToken)
    {
        // First what settings may be refused for.
        var path = SettingsTree.Read(options.ToArguments()).DataPath;
        findings.AddRange(DataChecks.Permissions(path).Select(f => Fixed(f, fix)));
        var tree = ServerHost.ReadSettings(options.ToArguments());
        findings.AddRange(tree.Problems.Select(static p => Finding.Bad(Settings, p, "Correct it; 'rootmas config print' shows where values come from.")));
        findings.AddRange(tree.Notes.Select(static n => Finding.Note(Settings, n, "Correct the name, or take it away.")));
        if (tree.Problems.Count > 0)
        {
            return;
        }

        findings.Add(Finding.Ok(Settings, "valid"));
        findings.Add(Directory.Exists(tree.ConfigPath)
            ? Finding.Ok("config", tree.ConfigPath)
            : Finding.Bad("config", $"{tree.ConfigPath} is not there", "Name the folder with --config or ROOTMAS_CONFIG."));
        findings.AddRange(DataChecks.Contents(path, tree.Take<HealthOptions>("Health")).Select(f => Fixed(f, fix)));
        if (!DataChecks.IsOwned(path))
        {
            findings.AddRange(SystemChecks.Ports(tree));
        }

        findings.AddRange(SystemChecks.Certificate(tree, TimeProvider.System));
        findings.AddRange(await ServiceChecks.AllAsync(new Patient(tree, TimeProvider.System), cancellationToken));
    }

    private static Finding Fixed(Finding finding, bool fix)
    {
        if (!fix || finding.Fix is null)
        {
            return finding;
        }

        try
        {
            finding.Fix();
            return finding with { State = "fixed", Detail = $"repaired: {finding.Detail}" };
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or Platform.StartupRefusedException)
        {
            return finding with { State = "bad", Detail = $"{finding.Detail}; it could not be repaired ({e.GetType().Name})" };
        }
    }

    private static async Task RunningAsync(CliOptions options, List<Finding> findings, CancellationToken cancellationToken)
    {
        await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
        if (!connection.IsOwn)
        {
            var before = TimeProvider.System.GetUtcNow();
            if (await connection.Api.ClockAsync(cancellationToken) is { } theirs)
            {
                findings.Add(ServiceChecks.Clock($"the server at {connection.Url}", theirs, before, TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(1)));
            }
        }

        var (status, health) = await connection.Api.ProbeAsync("/health", cancellationToken);
        if (health.ValueKind != JsonValueKind.Object || !health.TryGetProperty("checks", out var checks) || checks.ValueKind != JsonValueKind.Object)
        {
            throw new CliException(ExitCodes.Failed, $"What answers at {connection.Url} is not a Root-MAS server, or a proxy answers for it: it says {(int)status} and nothing of its parts.");
        }

        foreach (var check in checks.EnumerateObject())
        {
            findings.Add(Service(check.Name, check.Value));
            if (check.Name == Agents && check.Value.Text("status") == "degraded")
            {
                await LookAsync(Server, findings, () => ProblemsAsync(connection.Api, findings, cancellationToken));
            }
        }

        await ModelsAsync(connection.Api, findings, cancellationToken);
    }

    private static async Task ModelsAsync(ApiClient api, List<Finding> findings, CancellationToken cancellationToken)
    {
        var catalog = await api.LookAsync("/api/v1/models", cancellationToken, JsonText.List);
        findings.AddRange(catalog.Items("problems").Select(static p => Finding.Note("models", p.GetString() ?? "", "")));
        var models = catalog.Items();
        findings.AddRange(models.DistinctBy(static m => m.Text("provider"), StringComparer.Ordinal).Select(static m => Endpoint(m.Text("provider")!, m.GetProperty("endpoint"))));
        findings.AddRange(models.Where(static m => m.GetProperty("endpoint").Text("circuit") != "closed").Select(static m => Broken(m.Text("name")!, m.GetProperty("endpoint"))));
        if (models.Any(static m => m.Text("provider") != "offline")) // else the health of the models says it
        {
            findings.AddRange(catalog.Items("notes").Select(static n => Finding.Note("model notes", n.GetString() ?? "", "")));
        }
    }

    /// <summary>What is wrong with agents and teams, word for word: health only counts it.</summary>
    private static async Task ProblemsAsync(ApiClient api, List<Finding> findings, CancellationToken cancellationToken)
    {
        var catalog = await api.LookAsync("/api/v1/agents?limit=1", cancellationToken, JsonText.List);
        findings.AddRange(catalog.Items("problems").Select(static p => Finding.Note(Agents, $"{p.Text("source")}, {p.Text("key")}: {p.Text("message")}", "")));
    }

    private static Finding Service(string name, JsonElement check)
    {
        var status = check.Text("status");
        var state = status is "healthy" ? "ok" : status is "unhealthy" ? "bad" : "note";
        var took = check.Text("latency_ms") is { } ms && double.Parse(ms, CultureInfo.InvariantCulture) >= 1 ? $" ({ms} ms)" : "";
        var hint = status is "unhealthy" or "degraded" ? $"{(check.Text("last_error") is { } e ? $"Class of the last error: {e}. " : "")}docs/runbook.md, {EntryOf(name)}, says what to look at." : "";
        return new Finding(name, state, $"{check.Text("detail") ?? status ?? ""}{took}", hint);
    }

    /// <summary>Where the runbook speaks of a part; under RootMasUnhealthy it has a line for each part without an alert of its own.</summary>
    internal static string EntryOf(string part) => part.Split('/')[0] switch
    {
        "models" => "RootMasModelUnreachable",
        "backups" => "RootMasBackupFailing",
        "disk" => "RootMasDiskLow",
        "schedule" => "RootMasJobOverdue",
        "rabbitmq" => "RootMasBrokerAway",
        "outbound" => "RootMasOutboundBreakerOpen",
        _ => "RootMasUnhealthy",
    };

    private static Finding Broken(string model, JsonElement endpoint) => new(
        "model " + model,
        "note",
        $"circuit {endpoint.Text("circuit")}{(endpoint.Text("last_error") is { } e ? ", last error " + e : "")}",
        endpoint.Text("circuit") == "open" ? "Too many requests failed one after the other; others of its tier are asked, and it is tried again by itself." : "The next request is the try.");

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
