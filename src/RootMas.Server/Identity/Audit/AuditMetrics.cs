using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Identity.Audit;

/// <summary>Security-relevant acts and refusals, counted: logins, tokens, changes by administrators, denied rights.</summary>
internal static class AuditMetrics
{
    private static readonly Counter<long> Entries =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.audit.entries", "{row}", "Rows of the audit log, by action (auth.login, auth.login_failed, user.disable and so on) and outcome.");

    private static readonly Counter<long> Denied =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.access.denied", "{request}", "Requests that were refused for want of a right or a valid credential, by status and code.");

    public static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(AuditMetrics).TypeHandle);

    /// <summary>For each server anew: of what an alert counts, the first burst must be an increase.</summary>
    public static void BeginAtZero() => Entries.Add(0, new KeyValuePair<string, object?>("action", "auth.login_failed"), new KeyValuePair<string, object?>("outcome", "failed"));

    public static void Appended(DbSession session, string action, string outcome) => session.AfterCommit(
        () => Entries.Add(1, new KeyValuePair<string, object?>("action", action), new KeyValuePair<string, object?>("outcome", outcome)));

    public static void Refused(int status, string code) => Denied.Add(1, new KeyValuePair<string, object?>("status", status), new KeyValuePair<string, object?>("code", code));
}
