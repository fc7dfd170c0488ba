using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>What we make of the operator's connection string: both forms that people have, and everything that must be so whatever it says.</summary>
internal static class PostgresConnection
{
    private const int StatementsKept = 256;

    /// <summary>
    /// What is so in every session of ours. The server is told when a connection stands, not by parameters of its start: poolers refuse those (PgBouncer), and a server those that it does not know.
    /// Statements of ours are short: where estimates are from before a backlog the server would rather compile them, which takes longer than to run them.
    /// A machine that vanished says no good-bye: by its probes on connections that are silent, and by what nobody acknowledges, the server learns of it within a quarter of a minute, and lets go of its locks. Its own habit is two hours.
    /// A session that waits for work is not ended for that. In all this the operator's own word counts (<c>Options</c>, or what a pooler sets); what role or database have by default does not.
    /// The server also lets go of the locks of a process that stands still, and of statements that nobody waits for any more, whatever anybody says.
    /// </summary>
    private const string Preparation = """
        SELECT current_setting('transaction_read_only')::boolean, count(set_config(known.name, wanted.value, FALSE))
        FROM pg_settings AS known JOIN (VALUES
            ('jit', 'off', FALSE),
            ('tcp_keepalives_idle', '5', FALSE),
            ('tcp_keepalives_interval', '3', FALSE),
            ('tcp_keepalives_count', '3', FALSE),
            ('tcp_user_timeout', '14000', FALSE),
            ('idle_session_timeout', '0', FALSE),
            ('idle_in_transaction_session_timeout', @limit, TRUE),
            ('statement_timeout', @limit, TRUE),
            ('lock_timeout', @limit, TRUE),
            ('default_transaction_isolation', 'read committed', TRUE)
        ) AS wanted (name, value, always) ON wanted.name = known.name
        WHERE wanted.always OR known.source NOT IN ('client', 'session')
        """;

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

    /// <summary>A connection of its own, open, as ours are; it may be silent for long. There is no other way to one outside the pool.</summary>
    /// <param name="writes">As for <see cref="PrepareAsync"/>.</param>
    /// <exception cref="PostgresException">25006: its server takes no writes.</exception>
    public static Task<NpgsqlConnection> OpenAsync(DatabaseOptions options, bool writes, CancellationToken cancellationToken) =>
        OpenAsync(Single(options), options.CommandTimeout, writes, cancellationToken);

    /// <summary>The same where <see cref="Single"/> was made to lead elsewhere.</summary>
    /// <param name="limit">As for <see cref="PrepareAsync"/>.</param>
    /// <param name="writes">As for <see cref="PrepareAsync"/>.</param>
    public static async Task<NpgsqlConnection> OpenAsync(NpgsqlConnectionStringBuilder server, TimeSpan limit, bool writes, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(server.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            await PrepareAsync(connection, limit, writes, cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes one that was just opened as ours are, in one round trip.</summary>
    /// <param name="limit">How long a statement may take, wait for a lock, or keep a transaction open in which nothing happens; zero: as long as it takes.</param>
    /// <param name="writes">Only a server that takes writes will do: a standby, to which a fail-over may lead for a moment, answers with what was, and locks there keep nobody out.</param>
    /// <exception cref="PostgresException">25006: it takes none.</exception>
    public static async Task PrepareAsync(NpgsqlConnection connection, TimeSpan limit, bool writes, CancellationToken cancellationToken)
    {
        var milliseconds = ((long)limit.TotalMilliseconds).ToString(CultureInfo.InvariantCulture);
        await using var command = new NpgsqlCommand(Preparation, connection) { CommandTimeout = connection.ConnectionTimeout, Parameters = { new NpgsqlParameter<string>("limit", milliseconds) } };
        if (await command.ExecuteScalarAsync(cancellationToken) is true && writes)
        {
            throw new PostgresException("the server takes no writes", "ERROR", "ERROR", PostgresErrorCodes.ReadOnlySqlTransaction);
        }
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

    /// <summary>Where a connection of its own leads, and how: for programs that log in by themselves, and for another database or name than ours.</summary>
    public static NpgsqlConnectionStringBuilder Single(DatabaseOptions options)
    {
        var parts = Common(options);
        parts.Pooling = false;
        return parts;
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
