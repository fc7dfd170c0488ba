using System.Buffers.Text;
using System.Security.Cryptography;
using RootMas.Server.Platform.Settings;

namespace RootMas.Server.Cli;

/// <summary>A line of <c>.env</c>.</summary>
/// <param name="Meaning">One line for whoever reads the file.</param>
internal sealed record InitialVariable(string Name, string Value, string Meaning);

/// <summary>What <c>rootmas init</c> makes up: secrets of 256 random bits, in letters that need no quoting in files, addresses and connection strings.</summary>
internal static class InitialVariables
{
    private const int SecretBytes = 32;
    private const string Profiles = "COMPOSE_PROFILES";
    private const string Size = "ROOTMAS_SIZE";
    private const string Domain = "ROOTMAS_DOMAIN";
    private const string BackupKey = "ROOTMAS_BACKUP_KEY";
    private const string AdminPassword = "ROOTMAS_ADMIN_PASSWORD";

    public const string AdminName = "ROOTMAS_ADMIN_USERNAME";

    /// <param name="kind"><c>host</c>, <c>core</c> or <c>cluster</c>.</param>
    /// <param name="hasKeys">The data directory on this machine has been in use with keys of its own.</param>
    public static IReadOnlyList<InitialVariable> Of(string kind, string domain, bool hasKeys)
    {
        List<InitialVariable> variables = [];
        if (kind != "host")
        {
            variables.Add(new(Profiles, kind, "Which services run: core or cluster, and monitoring, logging, logging-light as wanted, with commas."));
            variables.Add(new(Size, kind, "core or cluster, as in COMPOSE_PROFILES: which instances monitoring asks."));
            variables.Add(new(Domain, domain, "The name under which people reach the server; its certificate is made for it."));
            variables.Add(new("POSTGRES_PASSWORD", Secret(), "Of the database's user rootmas."));
            variables.Add(new("REDIS_PASSWORD", Secret(), "Used by profile cluster."));
            variables.Add(new("RABBITMQ_PASSWORD", Secret(), "Used by profile cluster; of the broker's user rootmas."));
            variables.Add(new("ELASTIC_PASSWORD", Secret(), "Used by profile logging; of its user elastic."));
            variables.Add(new("KIBANA_PASSWORD", Secret(), "Used by profile logging; of its user kibana_system."));
            variables.Add(new("FILEBEAT_PASSWORD", Secret(), "Used by profile logging; of the user that may only write logs."));
            variables.Add(new("KIBANA_ENCRYPTION_KEY", Secret(), "Used by profile logging; seals what Kibana stores."));
            variables.Add(new("GRAFANA_ADMIN_PASSWORD", Secret(), "Used by profile monitoring; of its user admin."));
        }

        if (kind != "host" || !hasKeys)
        {
            variables.Add(new("ROOTMAS_MASTER_KEY", Convert.ToBase64String(RandomNumberGenerator.GetBytes(SecretBytes)), "Seals secrets that the server stores. Keep a copy apart from the backups."));
        }

        variables.Add(new(BackupKey, Secret(), "Seals the server's keys inside backups. Keep a copy apart from the backups."));
        variables.Add(new(AdminName, "admin", "The first administrator, made while there is no user."));
        variables.Add(new(AdminPassword, Secret(), "Looked at only while there is no user. Change it after the first login, then remove it."));
        return variables;
    }

    /// <summary>Those that a file lacks. One with a key of ours has been in use: its first administrator was made, and whoever removed the lines was told to.</summary>
    /// <param name="known">The names that it says.</param>
    public static IEnumerable<InitialVariable> LackedBy(IReadOnlySet<string> known, IReadOnlyList<InitialVariable> variables)
    {
        var isInUse = known.Contains(BackupKey) || known.Contains(BackupKey + "_FILE");
        return variables.Where(v => !known.Contains(v.Name) && !(isInUse && v.Name is AdminName or AdminPassword));
    }

    /// <summary>What a file says, of each name the last.</summary>
    public static Dictionary<string, string> Read(string text)
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in DotEnv.Read(text.Split('\n'), []))
        {
            variables[name] = value;
        }

        return variables;
    }

    /// <summary>The lines that a file would need to be of this kind and for this name, and that say otherwise in it.</summary>
    /// <param name="kind"><c>core</c> or <c>cluster</c>; null: whatever it is.</param>
    /// <param name="domain">Null: whatever it is.</param>
    public static IReadOnlyList<string> Missed(string text, string? kind, string? domain)
    {
        var variables = Read(text);
        List<string> lines = [];
        if (kind is not null)
        {
            var profiles = (variables.GetValueOrDefault(Profiles) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            string[] wanted = [kind, .. profiles.Where(static p => p is not ("core" or "cluster"))];
            lines.AddRange(wanted.ToHashSet(StringComparer.Ordinal).SetEquals(profiles) ? [] : [$"{Profiles}={string.Join(',', wanted)}"]);
            lines.AddRange(variables.GetValueOrDefault(Size) == kind ? [] : [$"{Size}={kind}"]);
        }

        lines.AddRange(domain is null || string.Equals(variables.GetValueOrDefault(Domain), domain, StringComparison.OrdinalIgnoreCase) ? [] : [$"{Domain}={domain}"]);
        return lines;
    }

    private static string Secret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
}
