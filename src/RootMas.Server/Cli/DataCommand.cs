using System.CommandLine;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Moving;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Retention;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas data copy|prune|compact</c>: moves everything from the embedded database to PostgreSQL or back, removes what is old, gives space back.</summary>
internal static class DataCommand
{
    private static readonly string[] Kinds = ["sqlite", "postgres"];

    public static Command Create() => new("data", "Move and prune what is kept.") { Copy(), Prune(), Compact() };

    private static Command Copy()
    {
        var from = new Option<string>("--from") { Description = "sqlite: the data directory's database; postgres: the one that Database:ConnectionString names.", Required = true };
        var to = new Option<string>("--to") { Description = "The other one. It must be empty.", Required = true };
        from.AcceptOnlyFromAmong(Kinds);
        to.AcceptOnlyFromAmong(Kinds);
        var command = new Command("copy", "Copy everything from one kind of database to the other, and verify it.") { from, to, CliOptions.JsonOption };
        command.SetAction((parsed, cancellationToken) => CopyAsync(parsed, parsed.GetValue(from)!, parsed.GetValue(to)!, cancellationToken));
        return command;
    }

    private static Command Prune()
    {
        var dryRun = new Option<bool>("--dry-run") { Description = "Only show what would be removed." };
        var command = new Command("prune", "Remove what is older than the settings Retention:* allow. The server does it by itself every hour.") { dryRun, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            RefuseServer(parsed);
            var terminal = Terminal.Of(parsed);
            await using var app = ServerHost.Build(CliOptions.From(parsed).ToArguments() with { IsEmbedded = true });
            await app.Services.GetRequiredService<IDatabase>().OpenAsync();
            var pruner = app.Services.GetRequiredService<RetentionPruner>();
            var found = parsed.GetValue(dryRun) ? await pruner.LookAsync(cancellationToken) : await pruner.PruneAsync(cancellationToken);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(JsonSerializer.SerializeToElement(found.Select(static f => new { kind = f.Kind, keep_seconds = f.Keep.TotalSeconds, count = f.Count })));
            }
            else
            {
                terminal.Table(["kind", "kept for", parsed.GetValue(dryRun) ? "would go" : "removed"],
                    found.Select(static f => (IReadOnlyList<string>)[f.Kind, f.Keep == TimeSpan.Zero ? "ever" : $"{f.Keep.TotalDays:0.##} days", f.Count.ToString(System.Globalization.CultureInfo.InvariantCulture)]));
            }

            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Compact()
    {
        var command = new Command("compact", "Give space that was freed in the embedded database back to the disk. The server must not run; PostgreSQL does it by itself.");
        command.SetAction(async (parsed, cancellationToken) =>
        {
            RefuseServer(parsed);
            var tree = SettingsTree.Read(CliOptions.From(parsed).ToArguments());
            if (tree.Take<DatabaseOptions>("Database").Kind == DatabaseKind.Postgres)
            {
                throw new CliException(ExitCodes.Usage, "PostgreSQL reuses freed space by itself (autovacuum). To give it back to the disk, run VACUUM FULL there while no server runs.");
            }

            using var data = new DataDirectory(tree.DataPath);
            data.RefuseClosed();
            var (before, after) = await SqliteSpace.CompactAsync(data, cancellationToken);
            Terminal.Of(parsed).WriteLine($"{before >> 20} MiB before, {after >> 20} MiB now.");
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <exception cref="CliException">A server was named, which is not what these commands work on.</exception>
    private static void RefuseServer(ParseResult parsed)
    {
        if (parsed.GetValue(CliOptions.ServerOption) is { } server)
        {
            throw new CliException(ExitCodes.Usage, $"This works on the data directory of this machine, not through {server}. Nothing was done. Run it there without --server, and name the directory with --data.");
        }
    }

    private static async Task<int> CopyAsync(ParseResult parsed, string from, string to, CancellationToken cancellationToken)
    {
        RefuseServer(parsed);
        if (from == to)
        {
            throw new CliException(ExitCodes.Usage, "--from and --to name the same kind. To copy a database of one kind, use its own tools or a backup.");
        }

        var (terminal, json) = (Terminal.Of(parsed), parsed.GetValue(CliOptions.JsonOption));
        var tree = SettingsTree.Read(CliOptions.From(parsed).ToArguments());
        var options = tree.Take<DatabaseOptions>("Database");
        if (!PostgresConnection.TryParse(options.ConnectionString, out var problem))
        {
            throw new CliException(ExitCodes.Usage, $"Database:ConnectionString {problem}. Set it as ROOTMAS__Database__ConnectionString, or its file as ROOTMAS__Database__ConnectionString_FILE: it is a secret, so it is no argument.");
        }

        using var data = new DataDirectory(tree.DataPath);
        data.RefuseClosed();
        await using var sqlite = new SqliteSide(data, TimeProvider.System, NullLoggerFactory.Instance);
        var outbound = new OutboundPolicies(tree.Take<ResilienceOptions>("Resilience"), TimeProvider.System);
        await using var postgres = new PostgresSide(options, outbound, TimeProvider.System, NullLoggerFactory.Instance);
        var (source, target) = from == "sqlite" ? ((ICopySide)sqlite, (ICopySide)postgres) : (postgres, sqlite);
        terminal.Note($"Copying {source.Place} to {target.Place} …");
        if (to == "sqlite")
        {
            sqlite.Keys = await KeysAsync(() => CarriedKeys.ReadAsync(options, MasterKeys.Read(tree.Variables), data, outbound, cancellationToken));
        }

        var tables = await RunAsync(source, target, terminal, cancellationToken);
        if (sqlite.Keys.ContainsKey(SecretBox.FileName) && tree.Variables.Get(MasterKeys.Variable) is { Length: > 0 })
        {
            terminal.Note($"Its secrets are sealed with keys/{SecretBox.FileName}: start the server without {MasterKeys.Variable}, which the embedded database would use in its place.");
        }

        Show(terminal, json, (from, to), tables);
        terminal.Note($"{tables.Sum(static t => t.Rows)} rows in {tables.Count} tables arrived as they left. Set Database:Kind to {to}, keep the data directory for its keys, and start the server. It has no backup yet: the next one is made at the usual time, or now by 'rootmas backup create'.");
        return ExitCodes.Ok;
    }

    private static async Task<IReadOnlyList<CopiedTable>> RunAsync(ICopySide source, ICopySide target, Terminal terminal, CancellationToken cancellationToken)
    {
        try
        {
            return await DataCopy.RunAsync(source, target, table => terminal.Note($"  {table.Table}: {table.Rows} rows"), cancellationToken);
        }
        catch (NpgsqlException e) when (PostgresErrors.IsOutage(e))
        {
            throw new CliException(ExitCodes.Unreachable, $"PostgreSQL could not do it ({PostgresErrors.ClassOf(e)}). Nothing was kept; the source is untouched. Check the server and Database:ConnectionString, then run it again.", e);
        }
    }

    private static async Task<IReadOnlyDictionary<string, byte[]>> KeysAsync(Func<Task<IReadOnlyDictionary<string, byte[]>>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception e) when (e is OutboundUnavailableException || (e is NpgsqlException lost && PostgresErrors.IsOutage(lost)))
        {
            throw new CliException(ExitCodes.Unreachable, "PostgreSQL does not answer. Nothing was changed. Check the server and Database:ConnectionString, then run it again.", e);
        }
    }

    private static void Show(Terminal terminal, bool json, (string From, string To) way, IReadOnlyList<CopiedTable> tables)
    {
        if (json)
        {
            terminal.WriteJson(JsonSerializer.SerializeToElement(new
            {
                from = way.From,
                to = way.To,
                rows = tables.Sum(static t => t.Rows),
                tables = tables.Select(static t => new { table = t.Table, rows = t.Rows, hash = t.Hash, verified = true }),
            }));
            return;
        }

        terminal.Table(["table", "rows", "sha-256 of both sides"], tables.Select(static t => (IReadOnlyList<string>)[t.Table, t.Rows.ToString(System.Globalization.CultureInfo.InvariantCulture), t.Hash[..16]]));
    }
}
