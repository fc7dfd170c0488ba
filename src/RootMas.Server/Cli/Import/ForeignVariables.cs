using System.ComponentModel.DataAnnotations;
using System.Text;
using RootMas.Server.Identity.Machines;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Settings;

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
        ["ADMIN_SECRET"] = AdminSecret.Variable,
        ["SEARXNG_URL"] = "ROOTMAS__Tools__Search__BaseUrl",
    };

    /// <summary>Read, and on purpose not taken.</summary>
    private static readonly Dictionary<string, string> NotTaken = new(StringComparer.Ordinal)
    {
        ["JWT_SECRET"] = "the server makes its own keys; everybody logs in anew", ["JWT_SECRET_KEY"] = "the server makes its own keys; everybody logs in anew",
        ["SECRET_KEY"] = "the server makes its own keys; everybody logs in anew", ["JWT_ALGORITHM"] = "tokens are signed with HS256",
        ["ACCESS_TOKEN_EXPIRE_MINUTES"] = "see Identity:AccessTokenLifetime", ["RATE_LIMIT"] = "see Limits in docs/configuration.md", ["RATE_LIMIT_PER_MINUTE"] = "see Limits in docs/configuration.md",
        ["DATABASE_URL"] = "only an address of PostgreSQL is taken over", ["POSTGRES_URL"] = "only an address of PostgreSQL is taken over", ["DB_POOL_SIZE"] = "see Database:PoolMin and Database:PoolMax", ["REDIS_MAX_CONNECTIONS"] = "see the section Redis in docs/configuration.md",
        ["CHROMA_HOST"] = "the knowledge base is built in: put documents in with 'rootmas documents upload'", ["TELEGRAM_BOT_TOKEN"] = "the Telegram channel comes in a later version",
        ["YANDEX_SPEECHKIT_API_KEY"] = "voice comes in a later version", ["N8N_URL"] = "workflows come in a later version", ["VAULT_ADDR"] = "give secrets as files: NAME_FILE",
    };

    /// <summary>Our lines, in the file's order.</summary>
    public static IReadOnlyList<(string Name, string Value)> Of(IReadOnlyDictionary<string, string> theirs, string source, ImportReport report)
    {
        List<(string Name, string Value)> ours = [];
        foreach (var (name, value) in theirs.Where(static v => v.Value.Length > 0))
        {
            IReadOnlyList<(string Name, string Value)>? becomes = Same.Contains(name) ? [(name, value)]
                : Renamed.TryGetValue(name, out var renamed) ? [(renamed, value)]
                : Composed(name, value, theirs);
            if (becomes is null)
            {
                report.Left(source, $"{name}: {Why(name)}");
                continue;
            }

            // All of it or nothing: a kind of database without its address would stop the start.
            if (becomes.Select(o => Problem(o.Name, o.Value, ours)).FirstOrDefault(static p => p is not null) is { } problem)
            {
                report.Left(source, $"{name}: {problem}");
                continue;
            }

            ours.AddRange(becomes);
            foreach (var (our, _) in becomes)
            {
                if (our == name)
                {
                    report.Taken(source, name);
                }
                else
                {
                    report.Changed(source, $"{name} is {our} here");
                }
            }
        }

        return ours;
    }

    private static string Why(string name) =>
        NotTaken.GetValueOrDefault(name) ?? (name.EndsWith("_FILE", StringComparison.Ordinal) ? "the file that it names was not opened; name one to the server yourself (NAME_FILE, docs/configuration.md)" : "unknown here");

    /// <summary>What a start would say of it, without the value; null: it would take it.</summary>
    private static string? Problem(string name, string value, List<(string Name, string Value)> before) => name switch
    {
        _ when DotEnv.Quoted(value) is null => "a line of a file cannot hold its value; put the value into a file of its own and name that: NAME_FILE",
        _ when before.Exists(b => b.Name == name) => $"{name} was given before, by another variable",
        AdminSecret.Variable when Encoding.UTF8.GetByteCount(value) < AdminSecret.Shortest => $"is too short to be a secret: at least {AdminSecret.Shortest} bytes are needed here",
        "ROOTMAS__Redis__ConnectionString" when RedisAddress.Problem(value) is { } problem => problem,
        "ROOTMAS__Database__ConnectionString" when !PostgresConnection.TryParse(value, out var problem) => problem,
        "ROOTMAS__RabbitMq__Uri" when Refused(new BrokerOptions { Uri = value }) is { } problem => $"the only broker here is RabbitMQ, and its address {problem}. Without one runs wait in the database",
        _ when name.StartsWith("ROOTMAS__Server__AllowedOrigins__", StringComparison.Ordinal) && Refused(new ServerOptions { AllowedOrigins = [value] }) is not null => "one of them is no origin, as https://app.example.org is; give the others yourself in Server:AllowedOrigins",
        _ => null,
    };

    private static string? Refused(IValidatableObject options) => options.Validate(new ValidationContext(options)).Select(static r => r.ErrorMessage).FirstOrDefault();

    /// <summary>What has another form here, or becomes several. Null: nothing of the kind.</summary>
    private static IReadOnlyList<(string Name, string Value)>? Composed(string name, string value, IReadOnlyDictionary<string, string> theirs)
    {
        switch (name)
        {
            case "DATABASE_URL" or "POSTGRES_URL" when value.StartsWith("postgres", StringComparison.Ordinal) && value.Contains("://", StringComparison.Ordinal):
                return [("ROOTMAS__Database__Kind", "postgres"), ("ROOTMAS__Database__ConnectionString", PostgresUrl(value))];
            case "ENVIRONMENT" or "APP_ENV":
                return [("ROOTMAS_ENVIRONMENT", value.StartsWith("dev", StringComparison.OrdinalIgnoreCase) ? "Development" : "Production")];
            case "LOG_LEVEL":
                return [("ROOTMAS__Telemetry__LogLevel", value.ToUpperInvariant() switch { "DEBUG" => "Debug", "WARNING" or "WARN" => "Warning", "ERROR" => "Error", "CRITICAL" => "Critical", _ => "Information" })];
            case "API_PORT" or "PORT":
                return [("ROOTMAS_URLS", $"http://{Address(theirs)}:{value}")];
            case "API_HOST" or "HOST":
                return theirs.ContainsKey("API_PORT") || theirs.ContainsKey("PORT") ? [] : null; // part of the address
            case "CORS_ORIGINS" or "ALLOWED_ORIGINS" when value != "*":
                var origins = value.Trim('[', ']').Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                return [.. origins.Select(static (origin, index) => ($"ROOTMAS__Server__AllowedOrigins__{index}", origin.Trim('"', '\'')))];
            default:
                return null;
        }
    }

    /// <summary>SQLAlchemy names its driver in the scheme, and asyncpg's <c>ssl</c> is what libpq calls <c>sslmode</c>.</summary>
    private static string PostgresUrl(string value)
    {
        var url = "postgres" + value[value.IndexOf("://", StringComparison.Ordinal)..];
        var query = url.IndexOf('?', StringComparison.Ordinal);
        return query < 0 ? url : url[..(query + 1)] + string.Join('&', url[(query + 1)..].Split('&').Select(static pair => pair.Split('=', 2) switch
        {
            ["ssl", var mode] => "sslmode=" + (mode.ToUpperInvariant() switch { "TRUE" or "1" or "ON" => "require", "FALSE" or "0" or "OFF" => "disable", _ => mode }),
            _ => pair,
        }));
    }

    private static string Address(IReadOnlyDictionary<string, string> theirs)
    {
        var host = theirs.GetValueOrDefault("API_HOST") ?? theirs.GetValueOrDefault("HOST") ?? "127.0.0.1";
        return System.Net.IPAddress.TryParse(host, out _) || host == "localhost" ? host : "127.0.0.1";
    }
}
