using System.ComponentModel.DataAnnotations;

namespace RootMas.Server.Platform.Settings;

/// <summary>The process itself: where it listens and keeps things.</summary>
public sealed record ServerOptions
{
    /// <summary>Addresses to listen on, separated by <c>;</c>. Port 0 picks a free one. Also <c>--urls</c>, <c>ROOTMAS_URLS</c>.</summary>
    [Required]
    public string Urls { get; init; } = "http://127.0.0.1:8000";

    /// <summary>Directory of database, keys and files; made with mode 700. Also <c>--data</c>, <c>ROOTMAS_DATA</c>.</summary>
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

    /// <summary>Connections open at once; more are refused.</summary>
    [Range(1, 1_000_000)]
    public int MaxConnections { get; init; } = 20_000;

    /// <summary>Time for a request's headers to arrive.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Time that open requests get to end when the server stops; streams are told at once.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan ShutdownTimeout { get; init; } = TimeSpan.FromSeconds(20);

    public bool IsDevelopment => Environment == "Development";
}
