using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Identity.Limits;

/// <summary>What limits tell about themselves.</summary>
internal static class LimitMetrics
{
    private static readonly Counter<long> Refusals = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.limits.rejected", "{request}", "Requests and frames that a limit refused, by limit and class of the route.");

    /// <summary>The instrument is there, and listed, before the first refusal.</summary>
    public static void Create() => RuntimeHelpers.RunClassConstructor(typeof(LimitMetrics).TypeHandle);

    public static void Rejected(string limit, string routeClass) =>
        Refusals.Add(1, new KeyValuePair<string, object?>("limit", limit), new KeyValuePair<string, object?>("class", routeClass));
}
