using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using RootMas.Server.Backups;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Resilience;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>
/// <c>rootmas backup …</c>. A server that runs (or was named) is asked; without one the command reads the database itself, without starting anything or taking the data directory. A restore needs every server stopped.
/// </summary>
internal static class BackupCommand
{
    private static readonly Argument<string> Which = new("backup") { Description = "Id of a backup, 'latest', or the path of an archive." };
    private static readonly Argument<string> WhichOrLatest = new("backup") { Description = "Id of a backup, or the path of an archive (default: the newest).", DefaultValueFactory = static _ => "latest" };
    private static readonly Option<bool> NoVerify = new("--no-verify") { Description = "Do not restore it into a scratch database afterwards." };
    private static readonly Option<bool> Force = new("--force") { Description = "There is data already: keep it aside and put the backup in its place." };
    private static readonly Option<bool> SameInstallation = new("--same-installation") { Description = "In a new place, too, this is the installation that the backup is of: nothing of it runs elsewhere any more." };
    private static readonly Option<bool> EndRuns = new("--end-runs") { Description = "Cancel the runs that had not ended, when a server starts: for a drill or a copy, whose source goes on with them." };
    private static readonly Option<bool> WithConfig = new("--with-config") { Description = "Take the backup's configuration too; the present one is kept aside." };
    private static readonly Option<bool> WithoutKeys = new("--without-keys") { Description = "Leave the server's keys as they are." };

    private static readonly JsonSerializerOptions Json = Configured();

    public static Command Create() => new("backup", "Make, verify, list and restore backups.") { Make(), List(), Verify(), Restore() };

    /// <summary>The settings' view of backups, for commands.</summary>
    public static BackupSetup SetupOf(SettingsTree tree, DataDirectory data) => new(tree, data, TimeProvider.System, new OutboundPolicies(tree.Take<ResilienceOptions>("Resilience"), TimeProvider.System));

    public static int ExitCodeOf(BackupFailure failure) => failure switch
    {
        BackupFailure.NotFound => ExitCodes.NotFound,
        BackupFailure.OtherKey => ExitCodes.Usage,
        BackupFailure.Mismatch or BackupFailure.Newer or BackupFailure.NotEmpty or BackupFailure.Busy => ExitCodes.Conflict,
        BackupFailure.Unreachable => ExitCodes.Unreachable,
        _ => ExitCodes.Failed,
    };

    private static Command Make()
    {
        var command = new Command("create", "Make a backup beside all work, verify it, and copy it to the other places.") { NoVerify, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var verify = !parsed.GetValue(NoVerify);
            var view = await AskAsync(
                parsed,
                (api, stop) => api.PostPatientlyAsync("/api/v1/backups", new { verify }, stop, "id"),
                async (setup, stop) =>
                {
                    setup.Data.RefuseRoot();
                    CheckThere(setup);
                    var desk = new BackupDesk(setup);
                    var made = await desk.CreateAsync("manual", verify, stop);
                    var places = (await desk.ListAsync(stop)).Backups.Where(b => b.Id == made.Record.Id).Select(static b => b.Place);
                    return Noting(BackupView.Of(made.Record.Id, [.. places], made.Record, made.Warnings), await BackupState.KeepBesideAsync(setup, made.Record, made: true));
                },
                cancellationToken);
            Show(parsed, view, $"Made {view.Text("id")} ({Size(view)}, {view.Text("rows")} rows) in {string.Join(", ", view.Items("places").Select(static p => p.GetString()))}.");
            return ExitOf(view);
        });
        return command;
    }

    private static Command List()
    {
        var command = new Command("list", "List backups of every place, newest first.") { CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var answer = await AskAsync(
                parsed,
                static (api, stop) => api.ListAsync("/api/v1/backups?limit=200", stop),
                static async (setup, stop) =>
                {
                    var (stored, warnings) = await new BackupDesk(setup).ListAsync(stop);
                    return new BackupList { Items = BackupView.Of(stored), Warnings = warnings };
                },
                cancellationToken);
            var terminal = Terminal.Of(parsed);
            foreach (var warning in answer.Items("warnings"))
            {
                terminal.Warn(warning.GetString()!);
            }

            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(answer);
                return ExitCodes.Ok;
            }

            terminal.Table(
                ["Backup", "Where", "Why", "Size", "Rows", "", "Verified"],
                answer.Items().Select(static b => (IReadOnlyList<string>)
                    [b.Text("id")!, string.Join(", ", b.Items("places").Select(static p => p.GetString())), (b.Text("own") == "false" ? "another installation's, " : "") + (b.Text("reason") ?? "?"), Size(b), b.Text("rows") ?? "?", Keys(b), State(b)]));
            return ExitCodes.Ok;
        });
        return command;
    }

    private static Command Verify()
    {
        var command = new Command("verify", "Restore a backup into a scratch database and compare it with what its source was.") { WhichOrLatest, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var which = parsed.GetValue(WhichOrLatest)!;
            var view = await AskAsync(
                parsed,
                async (api, stop) =>
                {
                    var id = which == "latest" ? (await api.ListAsync("/api/v1/backups?limit=200", stop)).Items().FirstOrDefault(static b => b.Text("own") != "false").Text("id") ?? which : which;
                    return await api.PostPatientlyAsync($"/api/v1/backups/{Segment.Of(id, "backup")}/verify", new { }, stop, "id");
                },
                (setup, stop) => VerifyAsync(setup, which, stop),
                cancellationToken,
                itself: File.Exists(which));
            Show(parsed, view, $"{NameOf(which, view.Text("id")!)} {(view.Text("valid") == "true" ? "is whole: checksums, integrity, rows and audit chain are those of its source." : "cannot be relied on.")}");
            return ExitOf(view);
        });
        return command;
    }

    private static Command Restore()
    {
        var command = new Command("restore", "Put a backup in the place of an installation on which no server runs.") { Which, Force, WithConfig, WithoutKeys, SameInstallation, EndRuns, CliOptions.JsonOption };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var tree = SettingsOf(parsed);
            using var data = new DataDirectory(tree.DataPath);
            var setup = SetupOf(tree, data);
            var choices = new RestoreChoices(parsed.GetValue(Force), parsed.GetValue(WithConfig), parsed.GetValue(WithoutKeys), parsed.GetValue(SameInstallation), parsed.GetValue(EndRuns));
            var result = await new BackupRestore(setup, new BackupDesk(setup)).RunAsync(parsed.GetValue(Which)!, choices, cancellationToken);
            var terminal = Terminal.Of(parsed);
            if (parsed.GetValue(CliOptions.JsonOption))
            {
                terminal.WriteJson(JsonSerializer.SerializeToElement(new { id = result.Id, aside = result.Aside, notes = result.Notes }));
                return ExitCodes.Ok;
            }

            terminal.WriteLine($"Restored {result.Id} to {data.Path}.{(result.Aside is null ? "" : $" What was there is in {result.Aside}.")}");
            result.Notes.ToList().ForEach(terminal.Note);
            return ExitCodes.Ok;
        });
        return command;
    }

    /// <summary>Who named a file reads its name again, and which backup it is where the name does not say so.</summary>
    private static string NameOf(string which, string id) =>
        !File.Exists(which) ? id : BackupNames.IsId(id) && !which.Contains(id, StringComparison.Ordinal) ? $"{which} ({id})" : which;

    private static async Task<BackupView> VerifyAsync(BackupSetup setup, string which, CancellationToken cancellationToken)
    {
        setup.Data.RefuseRoot();
        var desk = new BackupDesk(setup);
        if (File.Exists(which))
        {
            var (read, found) = await new BackupVerifier(setup).VerifyAsync(which, null, cancellationToken);
            return BackupView.OfFile(which, read) with { Valid = found.Ok, VerifiedAt = found.At, Problems = found.Problems };
        }

        var stored = (await desk.ListAsync(cancellationToken)).Backups;
        var (id, record, result) = await desk.VerifyAsync(which == "latest" && stored.Find(static b => b.Own) is { } newest ? newest.Id : which, cancellationToken);
        var unnoted = result.Ok && record is not null && stored.Exists(b => b.Id == id && b.Own) ? await BackupState.KeepBesideAsync(setup, record, made: false) : null;
        return Noting(BackupView.Of(id, [.. stored.Where(b => b.Id == id).Select(static b => b.Place)], record) with { Valid = result.Ok, VerifiedAt = result.At, Problems = result.Problems }, unnoted);
    }

    private static BackupView Noting(BackupView view, string? note) => note is null ? view : view with { Notes = [.. view.Notes, note] };

    /// <summary>Asks the server that runs, or does it here. Both give the same JSON.</summary>
    private static async Task<JsonElement> AskAsync<T>(
        ParseResult parsed, Func<ApiClient, CancellationToken, Task<JsonElement>> ask, Func<BackupSetup, CancellationToken, Task<T>> here, CancellationToken cancellationToken, bool itself = false)
    {
        await using var connection = itself ? null : ServerConnection.Running(CliOptions.From(parsed));
        if (connection is not null)
        {
            return await ask(connection.Api, cancellationToken);
        }

        var tree = SettingsOf(parsed);
        using var data = new DataDirectory(tree.DataPath);
        return JsonSerializer.SerializeToElement(await here(SetupOf(tree, data), cancellationToken), Json);
    }

    private static SettingsTree SettingsOf(ParseResult parsed)
    {
        var tree = ServerHost.ReadSettings(CliOptions.From(parsed).ToArguments());
        tree.ThrowIfInvalid();
        return tree;
    }

    private static void CheckThere(BackupSetup setup)
    {
        if (setup.Database.Kind == DatabaseKind.Sqlite && !File.Exists(setup.Data.DatabasePath))
        {
            throw new CliException(ExitCodes.NotFound, $"There is no database in {setup.Data.Path}. Name the data directory with --data.");
        }
    }

    private static void Show(ParseResult parsed, JsonElement view, string text)
    {
        var terminal = Terminal.Of(parsed);
        if (parsed.GetValue(CliOptions.JsonOption))
        {
            terminal.WriteJson(view);
        }
        else
        {
            terminal.WriteLine(text);
        }

        view.Items("notes").ToList().ForEach(note => terminal.Note(note.GetString()!));
        view.Items("problems").ToList().ForEach(problem => terminal.Error(problem.GetString()!));
    }

    /// <summary>A script must notice what went wrong, also when there is an archive.</summary>
    private static int ExitOf(JsonElement view) => view.Text("valid") == "false" || view.Items("problems").Any() ? ExitCodes.Failed : ExitCodes.Ok;

    private static string State(JsonElement view) => view.Text("valid") switch
    {
        "true" => view.Text("verified_at")!,
        "false" => "FAILED " + view.Text("verified_at"),
        _ => "never",
    };

    /// <summary>Says what it is about, for in a pipe there is no head of the table; so its column needs none at a terminal either.</summary>
    private static string Keys(JsonElement view) => view.Text("has_keys") switch
    {
        "true" => "keys: yes",
        "false" => "keys: no",
        _ when view.Text("reason") is null => "keys: ?",
        _ => "keys: none to keep", // settings or the database hold them
    };

    private static string Size(JsonElement view) => view.Text("size") is { } text && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var bytes)
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / 1_048_576:0.0} MiB")
        : "?";

    private static JsonSerializerOptions Configured()
    {
        var options = new JsonSerializerOptions();
        StrictJson.Configure(options);
        return options;
    }
}
