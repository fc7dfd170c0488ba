using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>What we make of the operator's connection string: both forms that people have, and everything that must be so whatever it says.</summary>
internal static class PostgresConnection
{
    private const int StatementsKept = 256;

    /// <summary>False: why it cannot be used. The text is a secret and is never part of the answer.</summary>
    public static bool TryParse(string text, [NotNullWhen(false)] out string? problem)
    {
        problem = text.Length == 0 ? "must be set when Kind is postgres; legal: postgres://user:password@host:5432/database, or Host=…;Username=…;Password=…;Database=…" : null;
        if (problem is not null)
        {
            return false;
        }

        try
        {
            var parts = Parse(text);
            problem = string.IsNullOrEmpty(parts.Host) ? "names no host" : string.IsNullOrEmpty(parts.Database) ? "names no database" : null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or KeyNotFoundException)
        {
            problem = "is not understood; legal: postgres://user:password@host:5432/database, or Host=…;Username=…;Password=…;Database=…";
        }

        return problem is null;
    }

    /// <summary>Where it leads, without secrets.</summary>
    public static string Describe(DatabaseOptions options)
    {
        var parts = Parse(options.ConnectionString);
        return $"{parts.Database} on {parts.Host}:{parts.Port}";
    }

    /// <summary>For the pool.</summary>
    public static string Pooled(DatabaseOptions options)
    {
        var parts = Common(options);
        parts.Pooling = true;
        parts.MinPoolSize = options.PoolMin;
        parts.MaxPoolSize = options.PoolMax;
        parts.MaxAutoPrepare = StatementsKept;
        parts.AutoPrepareMinUsages = 2;
        parts.NoResetOnClose = true; // a fifth of all statements otherwise; what is set or locked here ends with its transaction, sessions of their own have connections of their own
        return parts.ConnectionString;
    }

    /// <summary>For a connection of its own, which may be silent for long.</summary>
    public static string Single(DatabaseOptions options)
    {
        var parts = Common(options);
        parts.Pooling = false;
        return parts.ConnectionString;
    }

    private static NpgsqlConnectionStringBuilder Common(DatabaseOptions options)
    {
        var parts = Parse(options.ConnectionString);
        parts.ApplicationName ??= "rootmas";
        parts.Timeout = (int)Math.Ceiling(options.ConnectTimeout.TotalSeconds);
        parts.CommandTimeout = (int)Math.Ceiling(options.CommandTimeout.TotalSeconds);
        parts.CancellationTimeout = 1_000;
        parts.TcpKeepAlive = true;
        parts.IncludeErrorDetail = false; // it would put values of rows into messages
        var milliseconds = (long)options.CommandTimeout.TotalMilliseconds;
        // Statements of ours are short: where estimates are from before a backlog the server would rather compile them, which takes longer than to run them. The operator's own word counts.
        // A machine that vanished says no good-bye: by its probes on connections that are silent, and by what nobody acknowledges, the server learns of it within a quarter of a minute, and lets go of its locks. Its own habit is two hours.
        // The server also lets go of the locks of a process that stands still, and of statements that nobody waits for any more.
        parts.Options = FormattableString.Invariant($"-c jit=off -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3 -c tcp_user_timeout=14000 {parts.Options} -c idle_in_transaction_session_timeout={milliseconds} -c statement_timeout={milliseconds} -c lock_timeout={milliseconds} -c default_transaction_isolation=read\\ committed").Trim();
        return parts;
    }

    private static NpgsqlConnectionStringBuilder Parse(string text) =>
        text.StartsWith("postgres://", StringComparison.Ordinal) || text.StartsWith("postgresql://", StringComparison.Ordinal)
            ? OfUrl(new Uri(text))
            : new NpgsqlConnectionStringBuilder(text);

    /// <summary>What libpq calls otherwise than our own client (PostgreSQL, "Parameter Key Words").</summary>
    private static readonly Dictionary<string, string> OfLibpq = new(StringComparer.Ordinal)
    {
        ["sslmode"] = "SSL Mode", ["sslrootcert"] = "Root Certificate", ["sslcert"] = "SSL Certificate", ["sslkey"] = "SSL Key", ["sslpassword"] = "SSL Password",
        ["sslnegotiation"] = "SSL Negotiation", ["connect_timeout"] = "Timeout", ["krbsrvname"] = "Kerberos Service Name",
    };

    private static NpgsqlConnectionStringBuilder OfUrl(Uri url)
    {
        var who = url.UserInfo.Split(':', 2);
        var parts = new NpgsqlConnectionStringBuilder { Host = url.Host, Port = url.Port > 0 ? url.Port : 5432, Database = Uri.UnescapeDataString(url.AbsolutePath.TrimStart('/')) };
        if (who[0].Length > 0)
        {
            parts.Username = Uri.UnescapeDataString(who[0]);
        }

        if (who.Length > 1)
        {
            parts.Password = Uri.UnescapeDataString(who[1]);
        }

        foreach (var pair in url.Query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = pair.Split('=', 2) is [var left, var right] ? (left, Uri.UnescapeDataString(right)) : (pair, "");
            parts[OfLibpq.GetValueOrDefault(name) ?? name.Replace('_', ' ')] = name is "sslmode" ? value.Replace("-", "", StringComparison.Ordinal) : value;
        }

        return parts;
    }
}
