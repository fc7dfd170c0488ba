using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Broker;

/// <summary>What goes to the broker and what comes from it.</summary>
internal static class BrokerMetrics
{
    private static readonly Counter<long> Sent = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.published", "{message}", "Messages sent to RabbitMQ.");

    private static readonly Counter<long> Safe = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.confirmed", "{message}", "Messages that RabbitMQ confirmed to have.");

    private static readonly Counter<long> Back = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.returned", "{message}", "Messages that RabbitMQ did not take: no such queue, or it refused.");

    private static readonly Counter<long> Received = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.delivered", "{message}", "Messages that this process was handed, by queue.");

    private static readonly Counter<long> Again = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.redelivered", "{message}", "Of these, messages that somebody had before.");

    private static readonly Counter<long> Acks = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.acked", "{message}", "Messages that are done with.");

    private static readonly Counter<long> Dead = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.dead", "{message}", "Messages that went to the dead letters from here.");

    private static readonly Counter<long> Connections = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.broker.connections", "{connection}", "Connections that were made to RabbitMQ: more than one per start means that it was lost.");

    /// <summary>The instruments are there, and listed, before the first message.</summary>
    public static void Create() => RuntimeHelpers.RunClassConstructor(typeof(BrokerMetrics).TypeHandle);

    public static void Published() => Sent.Add(1);

    public static void Confirmed() => Safe.Add(1);

    public static void Returned() => Back.Add(1);

    public static void Delivered(BrokerQueue queue, bool again)
    {
        Received.Add(1, new KeyValuePair<string, object?>("queue", queue.ToString().ToLowerInvariant()));
        if (again)
        {
            Again.Add(1);
        }
    }

    public static void Acknowledged() => Acks.Add(1);

    public static void Refused() => Dead.Add(1);

    public static void Connected() => Connections.Add(1);
}
