using System.ComponentModel.DataAnnotations;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Platform.Settings;

/// <summary>The process itself: where it listens and keeps things.</summary>
public sealed record ServerOptions : IValidatableObject
{
    /// <summary>Addresses to listen on, separated by <c>;</c>. Port 0 picks a free one. Also <c>--urls</c>, <c>ROOTMAS_URLS</c>.</summary>
    [Required]
    public string Urls { get; init; } = "http://127.0.0.1:8000";

    /// <summary>Directory of database, keys and backups; made with mode 700. Also <c>--data</c>, <c>ROOTMAS_DATA</c>.</summary>
    [Required]
    public string Data { get; init; } = "./data";

    /// <summary>Directory of settings.yaml, agents.yaml, teams.yaml, models.yaml and prompts. Also <c>--config</c>, <c>ROOTMAS_CONFIG</c>.</summary>
    [Required]
    public string Config { get; init; } = "./config";

    /// <summary><c>Production</c>: JSON logs, strict everything. <c>Development</c>: text logs, pages on localhost may call the API.</summary>
    [AllowedValues("Production", "Development")]
    public string Environment { get; init; } = "Production";

    /// <summary>Host names this server answers to, beside those it listens on and localhost.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Origins (scheme://host:port) whose pages may call this server, beside its own.</summary>
    public IReadOnlyList<string> AllowedOrigins { get; init; } = [];

    /// <summary>Largest request body in bytes, where a route has no limit of its own.</summary>
    [Range(1_024, 1_073_741_824)]
    public long MaxBodyBytes { get; init; } = 1_048_576;

    /// <summary>Proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed: addresses or networks (CIDR), as in 10.0.0.0/8, ::1, 127.0.0.1. Default: none.</summary>
    public IReadOnlyList<string> TrustedProxies { get; init; } = [];

    /// <summary>Connections open at once; more are refused.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; init; } = 20_000;

    /// <summary>Of these, WebSockets.</summary>
    [Range(1, 1_000_000)]
    public int MaxUpgradedConnections { get; init; } = 10_000;

    /// <summary>Headers of one request.</summary>
    [Range(10, 1_000)]
    public int MaxHeaders { get; init; } = 100;

    /// <summary>All headers of one request together, in bytes.</summary>
    [Range(4_096, 1_048_576)]
    public int MaxHeaderBytes { get; init; } = 32 * 1024;

    /// <summary>The line with method and address, in bytes.</summary>
    [Range(1_024, 65_536)]
    public int MaxRequestLineBytes { get; init; } = 8 * 1024;

    /// <summary>Time that a connection may stay open between two requests.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan KeepAliveTimeout { get; init; } = TimeSpan.FromSeconds(130);

    /// <summary>Bytes per second at which a body must arrive at least; 0: any rate.</summary>
    [Range(0, 1_000_000)]
    public int MinRequestRate { get; init; } = 240;

    /// <summary>Bytes per second at which an answer must be read at least, while there is something to read: a silent stream is not slow. 0: any rate.</summary>
    [Range(0, 1_000_000)]
    public int MinResponseRate { get; init; } = 240;

    /// <summary>Time in which neither rate is looked at: networks stutter.</summary>
    [Range(typeof(TimeSpan), "00:00:01.1", "00:05:00")]
    public TimeSpan RateGrace { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Bytes of an answer that are kept for a client that reads slowly; then whoever writes waits.</summary>
    [Range(4_096, 16_777_216)]
    public int ResponseBufferBytes { get; init; } = 64 * 1024;

    /// <summary>Requests at once on one HTTP/2 connection.</summary>
    [Range(1, 10_000)]
    public int MaxHttp2Streams { get; init; } = 100;

    /// <summary>Time for a request's headers to arrive.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Time that open requests get to end when the server stops; streams are told at once.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Certificate of https addresses.</summary>
    public CertificateOptions Certificate { get; init; } = new();

    /// <summary>Speak plain http on addresses that other machines reach, in Production too: only where the network itself is trusted (a tunnel, a pod).</summary>
    public bool AllowPlainHttp { get; init; }

    public bool IsDevelopment => Environment == "Development";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        AllowedOrigins.Where(static o => !IsOrigin(o)).Select(static o => new ValidationResult(
            $"'{o}' is not an origin; legal: https://app.example.org, https://app.example.org:8443. Never '*': calls may carry cookies, so each origin is named", [nameof(AllowedOrigins)]));

    private static bool IsOrigin(string origin) => WebOrigin.Normal(origin) is not null && !origin.Contains('*', StringComparison.Ordinal);
}

/// <summary>A certificate with its private key. Files are read again when they change.</summary>
public sealed record CertificateOptions
{
    /// <summary>PEM (with the chain, if there is one) or PFX file.</summary>
    public string? Path { get; init; }

    /// <summary>PEM file of the private key, if it is not in the certificate's file.</summary>
    public string? KeyPath { get; init; }

    /// <summary>Password of the PFX file or of the encrypted key.</summary>
    [Secret]
    public string? Password { get; init; }

    /// <summary>How often the files are looked at for changes.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "1.00:00:00")]
    public TimeSpan ReloadInterval { get; init; } = TimeSpan.FromSeconds(30);
}
