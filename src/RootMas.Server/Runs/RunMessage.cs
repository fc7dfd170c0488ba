using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Server.Platform.Broker;

namespace RootMas.Server.Runs;

/// <summary>"Run X needs a worker", as it is sent. Nothing in it is believed: the claim reads the row.</summary>
internal sealed record RunMessage
{
    public required string Run { get; init; }

    public required string Owner { get; init; }

    public bool Root { get; init; }

    public bool Fresh { get; init; }

    public bool Background { get; init; }

    public int Suspicion { get; init; }

    public static BrokerQueue QueueOf(ReadyRun run) =>
        !run.IsRoot || !run.IsFresh ? BrokerQueue.First : run.IsBackground ? BrokerQueue.Background : BrokerQueue.Interactive;

    public static string Write(ReadyRun run) => JsonSerializer.Serialize(
        new RunMessage { Run = run.RunId, Owner = run.OwnerId, Root = run.IsRoot, Fresh = run.IsFresh, Background = run.IsBackground, Suspicion = run.Suspicion }, RunMessageJson.Default.RunMessage);

    /// <summary>Null: it is none of ours, or of a newer version that this one cannot read.</summary>
    public static ReadyRun? Read(ReadOnlySpan<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body, RunMessageJson.Default.RunMessage) is { } m && Guid.TryParse(m.Run, out _) && m is { Owner.Length: > 0 and < 500, Suspicion: >= 0 }
                ? new ReadyRun(m.Run, m.Owner, m.Root, m.Fresh, m.Suspicion, m.Background)
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>How messages to the broker are written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(RunMessage))]
internal sealed partial class RunMessageJson : JsonSerializerContext;
