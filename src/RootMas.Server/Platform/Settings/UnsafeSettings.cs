using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Redis;
using RootMas.Server.Platform.Secrets;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Settings;

/// <summary>A combination of settings that the server does not start with.</summary>
/// <param name="Environment">Where it is refused: <c>Production</c>, <c>Development</c>, or <c>both</c>.</param>
/// <param name="Key">The setting to change.</param>
/// <param name="What">What is refused, and what to do; one row of docs/configuration.md.</param>
/// <param name="Applies">The values that are refused; nothing: fine.</param>
public sealed record UnsafeSetting(string Environment, string Key, string What, Func<UnsafeSettings.Context, IEnumerable<string>> Applies);

/// <summary>What <c>Production</c> refuses by name, beyond what single settings allow. Each rule is a row in docs/configuration.md, compared by a test.</summary>
public static class UnsafeSettings
{
    private static readonly string[] GivenKeys = ["ROOTMAS_MASTER_KEY", "ROOTMAS_PREVIOUS_MASTER_KEY"];

    public static IReadOnlyList<UnsafeSetting> Rules { get; } =
    [
        new("Production", "Server:Urls",
            "plain http on an address that other machines reach: passwords and tokens would be readable on the way. Give https:// and Server:Certificate, or name the proxy that speaks https in Server:TrustedProxies, or say Server:AllowPlainHttp=true",
            PlainHttp),
        new("Production", "Server:AllowedHosts",
            "empty while listening on every address (0.0.0.0, [::]): any name that points here would be answered. List the names that clients use",
            static c => c.Server.AllowedHosts.Count == 0 ? c.Addresses.Where(ListenAddress.IsWildcard).Select(static u => u.OriginalString).Take(1) : []),
        new("Production", "Server:AllowedOrigins",
            "an http:// origin other than localhost: whoever is on the way could put scripts into that page. Use https://",
            static c => c.Server.AllowedOrigins.Where(static o => Uri.TryCreate(o, UriKind.Absolute, out var u) && u.Scheme == "http" && !ListenAddress.IsLoopback(u))),
        new("Development", "Server:Environment",
            "Development on an address that other machines reach: its checks are lax. Use Production, or listen on 127.0.0.1",
            static c => c.Addresses.Where(static u => !ListenAddress.IsLoopback(u)).Select(static u => u.OriginalString).Take(1)),
        new("Production", "Server:Data",
            "a data directory that others on this machine can read: it holds keys and conversations. Say chmod 700 on it",
            static c => IsOpen(c.DataPath) ? [c.DataPath] : []),
        new("Production", "Telemetry:LogLevel",
            "Trace: message contents would be in the log. Use Debug or above, here and in Telemetry:LogLevels",
            static c => [.. c.Telemetry.LogLevel == LogLevel.Trace ? ["Trace"] : Array.Empty<string>(),
                .. c.Telemetry.LogLevels.Where(static l => l.Value.Equals("trace", StringComparison.OrdinalIgnoreCase)).Select(static l => $"{l.Key}=Trace")]),
        new("Production", "Redis:ConnectionString",
            "a Redis on another machine without a password: whoever reaches it could lift limits and read answers. Say requirepass there, and give the password",
            static c => c.Redis.IsUsed && RedisAddress.IsOpenToOthers(c.Redis.ConnectionString) ? ["***"] : []), // not asked in vain: asking loads the client
        new("both", "ROOTMAS_MASTER_KEY",
            "a key that is not at least 32 random bytes as base64 or hex. Make one: openssl rand -base64 32",
            static c => GivenKeys.Where(n => c.Variables.Get(n) is { } key && IsWeak(key)).Select(static _ => "***")),
    ];

    /// <summary>One line for each rule that is broken.</summary>
    public static IEnumerable<string> Problems(Context context) =>
        from rule in Rules
        where rule.Environment == "both" || rule.Environment == context.Server.Environment
        from value in rule.Applies(context)
        select $"{rule.Key}: '{value}' is refused{(rule.Environment == "both" ? "" : $" in {rule.Environment}")}: {rule.What}";

    /// <summary>What the rules look at; addresses that cannot be listened on are refused as such.</summary>
    public sealed record Context(ServerOptions Server, TelemetryOptions Telemetry, string DataPath, Variables Variables)
    {
        public RedisOptions Redis { get; init; } = new();

        public IReadOnlyList<Uri> Addresses { get; } =
            [.. ListenAddress.Split(Server.Urls).Select(static u => Uri.TryCreate(u, UriKind.Absolute, out var uri) && (ListenAddress.IsLoopback(uri) || System.Net.IPAddress.TryParse(uri.DnsSafeHost, out _)) ? uri : null).OfType<Uri>()];
    }

    private static IEnumerable<string> PlainHttp(Context c) =>
        c.Server.AllowPlainHttp || c.Server.TrustedProxies.Count > 0 || c.Addresses.Any(static u => u.Scheme == "https")
            ? []
            : c.Addresses.Where(static u => u.Scheme == "http" && !ListenAddress.IsLoopback(u)).Select(static u => u.OriginalString);

    /// <summary>An empty one is closed at the start.</summary>
    private static bool IsOpen(string path) =>
        !OperatingSystem.IsWindows() && Directory.Exists(path) && (File.GetUnixFileMode(path) & (UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite)) != UnixFileMode.None
        && Directory.EnumerateFileSystemEntries(path).Any();

    private static bool IsWeak(string key) => KeyFile.Parse(key) is not { } bytes || bytes.Distinct().Count() < 12;
}
