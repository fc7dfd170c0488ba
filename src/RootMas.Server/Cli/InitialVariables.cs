using System.Buffers.Text;
using System.Security.Cryptography;

namespace RootMas.Server.Cli;

/// <summary>A line of <c>.env</c>.</summary>
/// <param name="Meaning">One line for whoever reads the file.</param>
internal sealed record InitialVariable(string Name, string Value, string Meaning);

/// <summary>What <c>rootmas init</c> makes up: secrets of 256 random bits, in letters that need no quoting in files, addresses and connection strings.</summary>
internal static class InitialVariables
{
    private const int SecretBytes = 32;

    /// <param name="kind"><c>host</c>, <c>core</c> or <c>cluster</c>.</param>
    /// <param name="hasKeys">The data directory on this machine has been in use with keys of its own.</param>
    public static IReadOnlyList<InitialVariable> Of(string kind, string domain, bool hasKeys)
    {
        List<InitialVariable> variables = [];
        if (kind != "host")
        {
            variables.Add(new("COMPOSE_PROFILES", kind, "Which services run: core or cluster, and monitoring, logging, logging-light as wanted, with commas."));
            variables.Add(new("ROOTMAS_SIZE", kind, "core or cluster, as in COMPOSE_PROFILES: which instances monitoring asks."));
            variables.Add(new("ROOTMAS_DOMAIN", domain, "The name under which people reach the server; its certificate is made for it."));
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

        variables.Add(new("ROOTMAS_BACKUP_KEY", Secret(), "Seals the server's keys inside backups. Keep a copy apart from the backups."));
        variables.Add(new("ROOTMAS_ADMIN_USERNAME", "admin", "The first administrator, made while there is no user."));
        variables.Add(new("ROOTMAS_ADMIN_PASSWORD", Secret(), "Looked at only while there is no user. Change it after the first login, then remove it."));
        return variables;
    }

    private static string Secret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(SecretBytes));
}
