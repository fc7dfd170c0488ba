using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Npgsql;

namespace RootMas.Server.Backups;

/// <summary>A program of PostgreSQL that was found.</summary>
internal sealed record PostgresProgram(string Path, int Major, string Version);

/// <summary>
/// pg_dump and pg_restore: where they are, whether they fit, and running them. Where the server is and how to log in goes to them by their environment, so no list of processes shows it.
/// </summary>
/// <param name="folder">The operator's; empty: the usual ones.</param>
/// <param name="path">The search path of this process.</param>
internal sealed partial class PostgresPrograms(string folder, string? path)
{
    private const int MostErrorText = 4_000;
    private const int BufferBytes = 1 << 17;
    private const string Packages = "/usr/lib/postgresql";

    /// <summary>The first program that trusts what the machine trusts when it is told so.</summary>
    private const int KnowsSystem = 16;

    /// <summary>What our own connections go by where the settings say nothing.</summary>
    private static readonly HashSet<string> ReadByUsToo = new(["PGUSER", "PGPASSWORD", "PGPASSFILE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY"], StringComparer.Ordinal);

    /// <summary>Where distributions keep the authorities that the machine trusts: Debian, Red Hat, SUSE, Alpine.</summary>
    private static readonly string[] Authorities = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"];

    /// <summary>The newest one there is.</summary>
    /// <exception cref="BackupException">There is none, or none that is new enough.</exception>
    public async Task<PostgresProgram> FindAsync(string name, int atLeast, CancellationToken cancellationToken)
    {
        var found = new List<PostgresProgram>();
        foreach (var file in Folders().Select(f => Path.Combine(f, name)).Where(File.Exists).Distinct(StringComparer.Ordinal))
        {
            if (await VersionAsync(file, cancellationToken) is { } program)
            {
                found.Add(program);
            }
        }

        var newest = found.MaxBy(static p => p.Major) ?? throw new BackupException(BackupFailure.Unable,
            $"{name} was not found{(folder.Length > 0 ? $" in {folder}" : "")}. Nothing was done. Install PostgreSQL's client programs, version {atLeast} or later (apt-get install postgresql-client), or name their folder in Backups:PostgresPrograms.");
        return newest.Major >= atLeast ? newest : throw new BackupException(BackupFailure.Unable,
            $"{newest.Path} is version {newest.Version}, and version {atLeast} or later is needed here. Nothing was done. Install postgresql-client-{atLeast.ToString(CultureInfo.InvariantCulture)}, or name its folder in Backups:PostgresPrograms.");
    }

    /// <summary>Runs it to its end.</summary>
    /// <param name="server">Where it connects to.</param>
    /// <exception cref="BackupException">It failed; the message has its own words.</exception>
    public static async Task RunAsync(PostgresProgram program, NpgsqlConnectionStringBuilder server, IEnumerable<string> arguments, Stream? input, Stream? output, CancellationToken cancellationToken)
    {
        var start = StartInfo(program.Path, arguments);
        foreach (var (name, value) in Variables(server))
        {
            start.Environment[name] = value;
        }

        TrustAsWeDo(start, server, program);
        using var process = Process.Start(start) ?? throw new BackupException(BackupFailure.Unable, $"{program.Path} did not start. Nothing was done.");
        try
        {
            var errors = ErrorsAsync(process.StandardError, cancellationToken);
            var reading = process.StandardOutput.BaseStream.CopyToAsync(output ?? Stream.Null, BufferBytes, cancellationToken);
            await FeedAsync(process, input, cancellationToken);
            await reading;
            var said = await errors;
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode != 0)
            {
                throw new BackupException(BackupFailure.Failed, $"{Path.GetFileName(program.Path)} failed ({process.ExitCode}): {said}");
            }
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill();
            }
        }
    }

    private IEnumerable<string> Folders()
    {
        if (folder.Length > 0)
        {
            return [folder];
        }

        // Debian's programs on the path are scripts that choose one of these; the real ones first.
        var packages = Directory.Exists(Packages) ? Directory.GetDirectories(Packages).Select(static d => Path.Combine(d, "bin")) : [];
        return packages.Concat((path ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)).Append("/usr/local/pgsql/bin");
    }

    private static async Task<PostgresProgram?> VersionAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            using var process = Process.Start(StartInfo(file, ["--version"]));
            if (process is null)
            {
                return null;
            }

            process.StandardInput.Close();
            var said = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return Version().Match(said) is { Success: true } match
                ? new PostgresProgram(file, int.Parse(match.Groups["major"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture), match.Groups["whole"].Value)
                : null;
        }
        catch (Win32Exception)
        {
            return null; // not for this user, or not for this machine: as if it were not there
        }
    }

    private static ProcessStartInfo StartInfo(string file, IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = "/" };
        foreach (var name in start.Environment.Keys.Where(static n => (n.StartsWith("PG", StringComparison.Ordinal) && !ReadByUsToo.Contains(n)) || n.StartsWith("ROOTMAS", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(name); // nobody's settings but ours, and none of our secrets
        }

        start.Environment["LC_MESSAGES"] = "C";
        return start;
    }

    private static IEnumerable<(string Name, string Value)> Variables(NpgsqlConnectionStringBuilder server)
    {
        (string, string?)[] all =
        [
            ("PGHOST", server.Host), ("PGPORT", server.Port.ToString(CultureInfo.InvariantCulture)), ("PGUSER", server.Username), ("PGDATABASE", server.Database), ("PGPASSWORD", server.Password), ("PGPASSFILE", server.Passfile),
            ("PGSSLMODE", server.SslMode switch { SslMode.VerifyCA => "verify-ca", SslMode.VerifyFull => "verify-full", var mode => mode.ToString().ToLowerInvariant() }),
            ("PGSSLROOTCERT", server.RootCertificate), ("PGSSLCERT", server.SslCertificate), ("PGSSLKEY", server.SslKey),
            ("PGCONNECT_TIMEOUT", Math.Max(2, server.Timeout).ToString(CultureInfo.InvariantCulture)), ("PGAPPNAME", "rootmas-backup"),
        ];
        return all.Where(static v => !string.IsNullOrEmpty(v.Item2)).Select(static v => (v.Item1, v.Item2!));
    }

    /// <summary>Where the server's certificate is checked and nobody names an authority, our own connections trust those of the machine; these programs look for a file in the user's home and fail without it.</summary>
    private static void TrustAsWeDo(ProcessStartInfo start, NpgsqlConnectionStringBuilder server, PostgresProgram program)
    {
        const string Variable = "PGSSLROOTCERT";
        var home = start.Environment.TryGetValue("HOME", out var set) && !string.IsNullOrEmpty(set) ? set : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        if (server.SslMode is not (SslMode.VerifyCA or SslMode.VerifyFull) || start.Environment.ContainsKey(Variable) || File.Exists(Path.Combine(home, ".postgresql", "root.crt")))
        {
            return;
        }

        var named = start.Environment.TryGetValue("SSL_CERT_FILE", out var bundle) && File.Exists(bundle) ? bundle : Authorities.FirstOrDefault(File.Exists);
        if (program.Major >= KnowsSystem && server.SslMode == SslMode.VerifyFull)
        {
            start.Environment[Variable] = "system"; // also a folder of certificates
        }
        else if (named is not null)
        {
            start.Environment[Variable] = named;
        }
    }

    /// <summary>A program that ended early does not read on; its own words say why.</summary>
    private static async Task FeedAsync(Process process, Stream? input, CancellationToken cancellationToken)
    {
        try
        {
            await using var to = process.StandardInput.BaseStream;
            if (input is not null)
            {
                await input.CopyToAsync(to, BufferBytes, cancellationToken);
            }
        }
        catch (IOException)
        {
            await process.WaitForExitAsync(cancellationToken);
            if (process.ExitCode == 0 && input is not null)
            {
                throw;
            }
        }
    }

    private static async Task<string> ErrorsAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (text.Length < MostErrorText)
            {
                text.Append(text.Length > 0 ? " | " : "").Append(line);
            }
        }

        return text.Length == 0 ? "it gave no reason" : text.ToString();
    }

    [GeneratedRegex(@"\(PostgreSQL\) (?<whole>(?<major>[0-9]+)[0-9.]*)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1_000)]
    private static partial Regex Version();
}
