using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Identity.Users;

/// <summary>What the most expensive work of a login tells about itself.</summary>
internal static class PasswordMetrics
{
    private static readonly Counter<long> Checks = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.passwords.checked", "{password}", "Passwords that were checked to the end, by the bcrypt cost of the hash.");

    /// <summary>The instrument is there, and listed, before the first login.</summary>
    public static void Create() => RuntimeHelpers.RunClassConstructor(typeof(PasswordMetrics).TypeHandle);

    /// <param name="hash">The cost stands at the fifth and sixth place (<c>$2a$12$…</c>).</param>
    public static void Checked(string hash) => Checks.Add(1, new KeyValuePair<string, object?>("cost", hash.Substring(4, 2)));
}
