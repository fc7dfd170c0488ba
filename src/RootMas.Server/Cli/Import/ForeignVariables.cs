namespace RootMas.Server.Cli.Import;

/// <summary>The Python system's <c>.env</c> in our names. Values are never shown.</summary>
internal static class ForeignVariables
{
    private static readonly HashSet<string> Same = new(StringComparer.Ordinal)
    {
        "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENROUTER_API_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT", "NO_COLOR",
    };

    private static readonly Dictionary<string, string> Renamed = new(StringComparer.Ordinal)
    {
        ["OPENAI_API_BASE"] = "OPENAI_BASE_URL",
        ["REDIS_URL"] = "ROOTMAS__Redis__ConnectionString",
        ["RABBITMQ_URL"] = "ROOTMAS__RabbitMq__Uri", ["AMQP_URL"] = "ROOTMAS__RabbitMq__Uri", ["CELERY_BROKER_URL"] = "ROOTMAS__RabbitMq__Uri",
        ["ADMIN_SECRET"] = "ROOTMAS_ADMIN_SECRET",
        ["SEARXNG_URL"] = "ROOTMAS__Tools__Search__BaseUrl",
    };

    /// <summary>Read, and on purpose not taken.</summary>
    private static readonly Dictionary<string, string> NotTaken = new(StringComparer.Ordinal)
    {
        ["JWT_SECRET"] = "the server makes its own keys; everybody logs in anew", ["JWT_SECRET_KEY"] = "the server makes its own keys; everybody logs in anew",
        ["SECRET_KEY"] = "the server makes its own keys; everybody logs in anew", ["JWT_ALGORITHM"] = "tokens are signed with HS256",
        ["ACCESS_TOKEN_EXPIRE_MINUTES"] = "see Identity:AccessTokenLifetime", ["RATE_LIMIT"] = "see Limits in docs/configuration.md", ["RATE_LIMIT_PER_MINUTE"] = "see Limits in docs/configuration.md",
        ["DB_POOL_SIZE"] = "see Database:PoolMin and Database:PoolMax", ["REDIS_MAX_CONNECTIONS"] = "see the section Redis in docs/configuration.md",
        ["CHROMA_HOST"] = "the knowledge base is built in: put documents in with 'rootmas documents upload'", ["TELEGRAM_BOT_TOKEN"] = "the Telegram channel comes in a later version",
        ["YANDEX_SPEECHKIT_API_KEY"] = "voice comes in a later version", ["N8N_URL"] = "workflows come in a later version", ["VAULT_ADDR"] = "give secrets as files: NAME_FILE",
    };

    /// <summary>Our lines, in the file's order.</summary>
    public static IReadOnlyList<(string Name, string Value)> Of(IReadOnlyDictionary<string, string> theirs, string source, ImportReport report)
    {
        List<(string Name, string Value)> ours = [];
        void Take(string from, string name, string value)
        {
            ours.Add((name, value));
            if (from == name)
            {
                report.Taken(source, name);
            }
            else
            {
                report.Changed(source, $"{from} is {name} here");
            }
        }

        foreach (var (name, value) in theirs.Where(static v => v.Value.Length > 0))
        {
            if (Same.Contains(name))
            {
                Take(name, name, value);
            }
            else if (Renamed.TryGetValue(name, out var renamed))
            {
                Take(name, renamed, value);
            }
            else if (!Composed(name, value, theirs, Take))
            {
                report.Left(source, $"{name}: {NotTaken.GetValueOrDefault(name, "unknown here")}");
            }
        }

        return ours;
    }

    /// <summary>What has another form here, or becomes several.</summary>
    private static bool Composed(string name, string value, IReadOnlyDictionary<string, string> theirs, Action<string, string, string> take)
    {
        switch (name)
        {
            case "DATABASE_URL" or "POSTGRES_URL" when value.StartsWith("postgres", StringComparison.Ordinal):
                take(name, "ROOTMAS__Database__Kind", "postgres");
                take(name, "ROOTMAS__Database__ConnectionString", PostgresUrl(value));
                return true;
            case "ENVIRONMENT" or "APP_ENV":
                take(name, "ROOTMAS_ENVIRONMENT", value.StartsWith("dev", StringComparison.OrdinalIgnoreCase) ? "Development" : "Production");
                return true;
            case "LOG_LEVEL":
                take(name, "ROOTMAS__Telemetry__LogLevel", value.ToUpperInvariant() switch { "DEBUG" => "Debug", "WARNING" or "WARN" => "Warning", "ERROR" => "Error", "CRITICAL" => "Critical", _ => "Information" });
                return true;
            case "API_PORT" or "PORT":
                take(name, "ROOTMAS_URLS", $"http://{Address(theirs)}:{value}");
                return true;
            case "API_HOST" or "HOST":
                return theirs.ContainsKey("API_PORT") || theirs.ContainsKey("PORT"); // part of the address
            case "CORS_ORIGINS" or "ALLOWED_ORIGINS" when value != "*":
                foreach (var (index, origin) in value.Trim('[', ']').Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Index())
                {
                    take(name, $"ROOTMAS__Server__AllowedOrigins__{index}", origin.Trim('"', '\''));
                }

                return true;
            default:
                return false;
        }
    }

    /// <summary>SQLAlchemy names its driver in the scheme.</summary>
    private static string PostgresUrl(string value) => "postgres" + value[value.IndexOf("://", StringComparison.Ordinal)..];

    private static string Address(IReadOnlyDictionary<string, string> theirs)
    {
        var host = theirs.GetValueOrDefault("API_HOST") ?? theirs.GetValueOrDefault("HOST") ?? "127.0.0.1";
        return System.Net.IPAddress.TryParse(host, out _) || host == "localhost" ? host : "127.0.0.1";
    }
}
