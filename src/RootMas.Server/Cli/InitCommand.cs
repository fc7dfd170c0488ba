using System.CommandLine;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary><c>rootmas init</c>: writes the file of secrets that a new installation needs. There are no default passwords: each is made here, at random. What a file already says is never changed.</summary>
internal static class InitCommand
{
    private const string ComposeFolder = "deploy/compose";
    private const string UsualKind = "core";
    private const string UsualDomain = "localhost";
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly string[] SecretFiles = ["metrics-token", "smtp-password", "webhook-token"];

    private static readonly Option<string?> For = new("--for")
    {
        Description = "host: this machine, without containers. core: containers with PostgreSQL. cluster: also Redis, RabbitMQ and workers. Default: core where compose.yaml is found, else host.",
    };

    private static readonly Option<string?> Domain = new("--domain") { Description = "The name under which people reach the server (default: localhost)." };
    private static readonly Option<string?> Output = new("--output") { Description = "The file to write (default: .env beside compose.yaml, else in this folder)." };

    public static Command Create()
    {
        For.AcceptOnlyFromAmong("host", "core", "cluster");
        var command = new Command("init", "Write .env with new secrets for an installation.") { For, Domain, Output };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var terminal = Terminal.Of(parsed);
            var here = Path.GetFullPath(terminal.Console.WorkingDirectory ?? ".");
            var compose = ComposeIn(here);
            var kind = parsed.GetValue(For) ?? (compose is null ? "host" : await AskedAsync(terminal, "For one machine (core) or several workers (cluster)?", UsualKind, ["core", "cluster"], cancellationToken));
            var domain = parsed.GetValue(Domain) ?? (kind == "host" ? UsualDomain : await AskedAsync(terminal, "Name under which people reach it?", UsualDomain, null, cancellationToken));
            if (Uri.CheckHostName(domain) is not UriHostNameType.Dns)
            {
                throw new CliException(ExitCodes.Usage, $"'{domain}' is not a host name. Give one like mas.example.org.");
            }

            var path = Path.GetFullPath(parsed.GetValue(Output) ?? Path.Combine(kind == "host" ? here : compose ?? here, ".env"), here);
            var (added, text) = Write(path, InitialVariables.Of(kind, domain, HasKeys(CliOptions.From(parsed))));
            IReadOnlyList<string> missed = [];
            if (kind != "host")
            {
                MakeSecretFiles(Path.Combine(Path.GetDirectoryName(path)!, "secrets"));

                // What is usual was not asked for, and may well be otherwise in a file that is there.
                missed = InitialVariables.Missed(text, parsed.GetValue(For) ?? (kind == UsualKind ? null : kind), parsed.GetValue(Domain) ?? (domain == UsualDomain ? null : domain));
            }

            return Tell(terminal, path, kind, added, InitialVariables.Read(text), missed);
        });
        return command;
    }

    /// <summary>The answer of a person, if one is there and gives one that is legal; otherwise the usual one.</summary>
    private static async Task<string> AskedAsync(Terminal terminal, string question, string usual, string[]? legal, CancellationToken cancellationToken)
    {
        if (!terminal.CanAsk)
        {
            return usual;
        }

        var answer = (await terminal.AskAsync($"{question} [{usual}]", cancellationToken))?.Trim();
        return string.IsNullOrEmpty(answer) ? usual
            : legal is null || legal.Contains(answer, StringComparer.Ordinal) ? answer
            : throw new CliException(ExitCodes.Usage, $"'{answer}' is none of: {string.Join(", ", legal)}. Nothing was written.");
    }

    private static string? ComposeIn(string folder) =>
        new[] { folder, Path.Combine(folder, ComposeFolder) }.FirstOrDefault(static f => File.Exists(Path.Combine(f, "compose.yaml")));

    /// <summary>A data directory that is in use has sealed things with a key of its own; another key would not open them.</summary>
    private static bool HasKeys(CliOptions options) => Directory.Exists(Path.Combine(SettingsTree.Read(options.ToArguments()).DataPath, "keys"));

    /// <summary>Adds the variables that the file lacks; returns these, and what the file says now. The file is replaced as a whole, so that a crash leaves the old or the new one, and nobody else may read it at any moment.</summary>
    private static (List<InitialVariable> Added, string Text) Write(string path, IReadOnlyList<InitialVariable> variables)
    {
        try
        {
            var before = File.Exists(path) ? File.ReadAllText(path) : "";
            var known = before.Split('\n').Select(static l => l.Split('=')[0].Replace("export ", "", StringComparison.Ordinal).Trim()).ToHashSet(StringComparer.Ordinal);
            var added = InitialVariables.LackedBy(known, variables).ToList();
            var text = (before.Length == 0 || before.EndsWith('\n') ? before : before + "\n") + string.Concat(added.Select(static v => $"# {v.Meaning}\n{v.Name}={v.Value}\n"));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = Private;
            }

            var next = path + ".new";
            File.Delete(next);
            using (var file = new StreamWriter(next, options))
            {
                file.Write(text);
            }

            File.Move(next, path, overwrite: true);
            return (added, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCodes.Failed, $"{path} cannot be written: {e.Message} What was there is unchanged.", e);
        }
    }

    /// <summary>What monitoring reads from files. Containers of other users read them, so the folder keeps others out, not the files' modes.</summary>
    private static void MakeSecretFiles(string folder)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(folder);
        }
        else
        {
            Directory.CreateDirectory(folder, Private | UnixFileMode.UserExecute);
        }

        foreach (var path in SecretFiles.Select(f => Path.Combine(folder, f)).Where(static p => !File.Exists(p)))
        {
            File.WriteAllText(path, "");
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(path, Private | UnixFileMode.GroupRead | UnixFileMode.OtherRead); // whatever the umask is
            }
        }
    }

    private static int Tell(Terminal terminal, string path, string kind, List<InitialVariable> added, Dictionary<string, string> variables, IReadOnlyList<string> missed)
    {
        if (added.Count > 0)
        {
            terminal.WriteLine($"{path} (readable by you only) got: {string.Join(", ", added.Select(static v => v.Name))}");
        }
        else if (missed.Count == 0)
        {
            terminal.WriteLine($"{path} has everything already; nothing was changed.");
        }

        if (added.Exists(static v => v.Name == "ROOTMAS_ADMIN_PASSWORD"))
        {
            terminal.Note($"The first administrator is '{variables.GetValueOrDefault(InitialVariables.AdminName)}'; the password is ROOTMAS_ADMIN_PASSWORD in that file. Change it after the first login, then remove the line.");
        }

        terminal.Note(variables.ContainsKey(MasterKeys.Variable)
            ? "Keep a copy of ROOTMAS_MASTER_KEY and ROOTMAS_BACKUP_KEY apart from the backups: without them, what is sealed in a backup cannot be read."
            : "Keep a copy of ROOTMAS_BACKUP_KEY apart from the backups: it seals the keys of this data directory in them, without which what is sealed in a backup cannot be read.");
        if (missed.Count > 0)
        {
            terminal.Error($"{path} says otherwise, and what it says is never changed. For what you asked, put these lines in place of those in it:\n  {string.Join("\n  ", missed)}");
            return ExitCodes.Conflict;
        }

        terminal.Note(kind != "host" ? $"Next: deploy/docker/build.sh rootmas:{ProgramVersion.Text}, then docker compose --env-file {path} -f {Path.Combine(Path.GetDirectoryName(path)!, "compose.yaml")} up -d --wait"
            : Path.GetFileName(path) == ".env" ? "Next: rootmas serve (in the folder of that file), then open http://127.0.0.1:8000."
            : "A service is given that file as its environment (systemd: EnvironmentFile=). By itself 'rootmas serve' reads only one that is called .env, in the folder where it is started.");
        return ExitCodes.Ok;
    }
}
