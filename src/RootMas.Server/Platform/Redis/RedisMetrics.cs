using System.Diagnostics.Metrics;
using System.Runtime.CompilerServices;
using RootMas.Server.Platform.Telemetry;

namespace RootMas.Server.Platform.Redis;

/// <summary>What is told about Redis.</summary>
internal static class RedisMetrics
{
    private static readonly UpDownCounter<int> Connections = RootMasTelemetry.Meter.CreateUpDownCounter<int>("rootmas.redis.connections", "{connection}", "Connections to Redis that stand now.");
    private static readonly Counter<long> Connects = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.redis.connects", "{connect}", "Tries to connect to Redis, by outcome.");
    private static readonly Histogram<double> Commands = RootMasTelemetry.Meter.CreateHistogram<double>("rootmas.redis.command.duration", "s", "Time of one command, by what it is for.");
    private static readonly Counter<long> Failures = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.redis.failures", "{command}", "Commands that Redis did not answer as it should, by what they are for and the class of the error; not_connected, circuit_open: Redis was not even asked.");
    private static readonly Counter<long> Messages = RootMasTelemetry.Meter.CreateCounter<long>("rootmas.redis.messages", "{message}", "Messages between instances, by topic and by what became of them: sent, heard, dropped.");

    /// <summary>The instruments are there, and listed, also where no Redis is used.</summary>
    public static void Create() => RuntimeHelpers.RunClassConstructor(typeof(RedisMetrics).TypeHandle);

    public static void Opened(int connections)
    {
        Connections.Add(connections);
        Connects.Add(1, new KeyValuePair<string, object?>("outcome", "connected"));
    }

    public static void Closed(int connections) => Connections.Add(-connections);

    public static void Refused(string errorClass) => Connects.Add(1, new KeyValuePair<string, object?>("outcome", errorClass));

    public static void Answered(string use, TimeSpan took) => Commands.Record(took.TotalSeconds, new KeyValuePair<string, object?>("use", use));

    public static void Failed(string use, string errorClass) =>
        Failures.Add(1, new KeyValuePair<string, object?>("use", use), new KeyValuePair<string, object?>("error", errorClass));

    public static void Message(string topic, string outcome) =>
        Messages.Add(1, new KeyValuePair<string, object?>("topic", KindOf(topic)), new KeyValuePair<string, object?>("outcome", outcome));

    /// <summary>A topic may name one thing of many behind a colon; there are few kinds.</summary>
    private static string KindOf(string topic) => topic.IndexOf(':', StringComparison.Ordinal) is var colon and > 0 ? topic[..colon] : topic;
}
