using System.Diagnostics.Metrics;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Outbox;

/// <summary>What the outbox hands out.</summary>
internal static class OutboxMetrics
{
    private static readonly Counter<long> Messages =
        RootMasTelemetry.Meter.CreateCounter<long>("rootmas.outbox.messages", "{message}", "Messages of the outbox, by topic and outcome: handed (all handlers had it), failed (a handler failed; it is tried again).");

    /// <summary>The instrument is there, and listed, before the first message.</summary>
    public static void Create() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(OutboxMetrics).TypeHandle);

    public static void Handed(string topic) => Messages.Add(1, new KeyValuePair<string, object?>("topic", topic), new KeyValuePair<string, object?>("outcome", "handed"));

    public static void Failed(string topic) => Messages.Add(1, new KeyValuePair<string, object?>("topic", topic), new KeyValuePair<string, object?>("outcome", "failed"));
}
