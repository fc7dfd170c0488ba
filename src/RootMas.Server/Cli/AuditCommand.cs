using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas audit verify|list</c>: the proof that nobody changed the audit log, and its rows.</summary>
internal static class AuditCommand
{
    private static readonly Option<string?> Head = new("--head") { Description = "A head from the log or a backup, as NUMBER:MAC: the audit log must still contain it." };
    private static readonly Option<string[]> OldKeys = new("--old-key") { Description = "File of a key that was in use earlier." };
    private static readonly Option<string?> Actor = new("--actor") { Description = "Id or name of who did it." };
    private static readonly Option<string?> Action = new("--action") { Description = "Beginning of the action, as in auth." };
    private static readonly Option<string?> Target = new("--target") { Description = "Id of what it was done to." };
    private static readonly Option<string?> Outcome = new("--outcome") { Description = "done, denied or failed." };
    private static readonly Option<string?> From = new("--from") { Description = "Not before this time (RFC 3339)." };
    private static readonly Option<string?> To = new("--to") { Description = "Before this time (RFC 3339)." };
    private static readonly Option<int> Limit = new("--limit") { Description = "1 to 200.", DefaultValueFactory = static _ => 50 };

    public static Command Create() => new("audit", "Verify and read the audit log.") { Verify(), List() };

    private static Command Verify()
    {
        var command = new Command("verify", "Check that no row of the audit log was changed, removed or added by anything but the server.") { Head, OldKeys, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var tree = ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments());
            var check = await CheckAsync(tree, HeadOf(parsed.GetValue(Head)), parsed.GetValue(OldKeys) ?? [], cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                Terminal.Of(parsed).WriteJson(JsonSerializer.SerializeToElement(new { valid = check.Problems.Count == 0, rows = check.Rows, head = check.Head.ToString(), problems = check.Problems }));
            }
            else
            {
                Terminal.Of(parsed).WriteLine($"{check.Rows.ToString(CultureInfo.InvariantCulture)} rows, head {check.Head}");
            }

            foreach (var problem in check.Problems)
            {
                await Console.Error.WriteLineAsync(problem);
            }

            return check.Problems.Count == 0 ? ExitCodes.Ok : ExitCodes.Failed;
        });
        return command;
    }

    /// <summary>Reads beside a running server; nothing is written.</summary>
    private static async Task<AuditCheck> CheckAsync(SettingsTree tree, AuditHead? head, string[] oldKeys, CancellationToken cancellationToken)
    {
        using var data = new DataDirectory(tree.DataPath);
        var options = tree.Take<AuditOptions>("Audit");
        var earlier = oldKeys.Select(static path => new AuditKey(KeyFile.Read(path))).ToArray();
        if (tree.Take<DatabaseOptions>("Database") is { Kind: DatabaseKind.Postgres } server)
        {
            await using var shared = new PostgresDatabase(
                server with { PoolMin = 0, PoolMax = 2 }, static _ => Task.CompletedTask, TimeProvider.System, NullLogger<PostgresDatabase>.Instance,
                outbound: new OutboundPolicies(tree.Take<ResilienceOptions>("Resilience"), TimeProvider.System));
            var key = KeyFile.Parse(options.Key ?? "") is { } given ? new AuditKey(given) : await SharedKeyAsync(shared, tree, data, cancellationToken);
            return await new AuditVerifier(new AuditStore(shared), [key, .. earlier]).RunAsync(head, cancellationToken);
        }

        data.RefuseClosed();
        if (!File.Exists(data.DatabasePath) || (options.Key is null or "" && !File.Exists(KeyFile.PathOf(data, AuditKey.FileName))))
        {
            throw new CliException(ExitCodes.NotFound, $"There is no audit log in {data.Path}, or its key is not there. Name the data directory with --data, and the key with Audit:Key.");
        }

        await using var database = new SqliteDatabase(data.DatabasePath, tree.Take<DatabaseOptions>("Database"), static () => { }, TimeProvider.System, NullLogger<SqliteDatabase>.Instance);
        return await new AuditVerifier(new AuditStore(database), [AuditKey.Load(options, data), .. earlier]).RunAsync(head, cancellationToken);
    }

    /// <summary>From the database, where the master key opens it; before keys were shared there, from the data directory.</summary>
    private static async Task<AuditKey> SharedKeyAsync(PostgresDatabase database, SettingsTree tree, DataDirectory data, CancellationToken cancellationToken)
    {
        var (masters, files) = (MasterKeys.Read(tree.Variables), new DataDirectoryKeys(data));
        byte[]?[] all = [masters.Current, masters.Previous, files.Find(MasterKeys.Name)];
        return await SharedAuditKey.FindAsync(database, [.. all.OfType<byte[]>()], cancellationToken)
            ?? (files.Find(AuditKey.FileName) is { } file ? new AuditKey(file) : null)
            ?? throw KeyMissing(tree, data);
    }

    private static CliException KeyMissing(SettingsTree tree, DataDirectory data)
    {
        data.RefuseClosed();
        return new CliException(
            ExitCodes.NotFound,
            $"The key of the audit log in {PostgresConnection.Describe(tree.Take<DatabaseOptions>("Database"))} is not to be had. Give {MasterKeys.Variable} as the servers have it, or name the data directory of one of them with --data, or give the key itself with Audit:Key.");
    }

    private static AuditHead? HeadOf(string? text) => text?.Split(':') switch
    {
        null => null,
        [var id, { Length: 64 } mac] when long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number) => new AuditHead(number, mac.ToLowerInvariant()),
        _ => throw new CliException(ExitCodes.Usage, $"'{text}' is not a head. The server's log has them: Audit head NUMBER:MAC."),
    };

    private static Command List()
    {
        var command = new Command("list", "List rows of the audit log, newest first.") { Actor, Action, Target, Outcome, From, To, Limit, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var options = CliOptions.From(parsed);
            await using var connection = await ServerConnection.OpenAsync(options, cancellationToken);
            var filters = new[] { Actor, Action, Target, Outcome, From, To }.Select(o => (Name: o.Name.TrimStart('-'), Value: parsed.GetValue(o))).Where(f => f.Value is not null)
                .Select(f => $"&{f.Name}={Uri.EscapeDataString(f.Value!)}");
            var answer = await connection.Api.ListAsync($"/api/v1/audit?limit={parsed.GetValue(Limit).ToString(CultureInfo.InvariantCulture)}{string.Concat(filters)}", cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                Terminal.Of(parsed).WriteJson(answer);
                return ExitCodes.Ok;
            }

            Terminal.Of(parsed).Table(
                ["#", "At", "Action", "Outcome", "Who", "From", "Target", "After"],
                answer.Items().Select(r => (IReadOnlyList<string>)
                    [r.Text("id")!, r.Text("at")!, r.Text("action")!, r.Text("outcome")!, r.Text("actor_name") ?? r.Text("actor_id") ?? "", r.Text("address") ?? "", $"{r.Text("target_kind")} {r.Text("target_id")}".Trim(), r.Text("after") ?? ""]));
            return ExitCodes.Ok;
        });
        return command;
    }
}
