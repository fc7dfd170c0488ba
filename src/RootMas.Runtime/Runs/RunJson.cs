using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

/// <summary>The one JSON form of events, snapshots and inbox payloads: snake_case, nulls left out, source-generated.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UseStringEnumConverter = false)]
[JsonSerializable(typeof(RunEvent))]
[JsonSerializable(typeof(LivePiece))]
[JsonSerializable(typeof(InboxPayload))]
[JsonSerializable(typeof(TeamSnapshot))]
[JsonSerializable(typeof(IReadOnlyList<PlanTask>))]
internal sealed partial class RunJsonContext : JsonSerializerContext;

public static class RunJson
{
    private static readonly RunJsonContext Context = new(new JsonSerializerOptions(RunJsonContext.Default.Options)
    {
        // The text goes to event streams and the database, never into HTML: Cyrillic stays readable and short.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        AllowOutOfOrderMetadataProperties = true,
    });

    public static JsonSerializerOptions Options => Context.Options;

    public static byte[] Serialize(RunEvent value) => JsonSerializer.SerializeToUtf8Bytes(value, Context.RunEvent);

    /// <exception cref="JsonException">Not an event of this program's version.</exception>
    public static RunEvent DeserializeEvent(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, Context.RunEvent) ?? throw new JsonException("An event is null.");

    public static byte[] Serialize(LivePiece value) => JsonSerializer.SerializeToUtf8Bytes(value, Context.LivePiece);

    /// <exception cref="JsonException">Not a piece of this program's version.</exception>
    public static LivePiece DeserializePiece(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, Context.LivePiece) ?? throw new JsonException("A piece is null.");

    public static string Serialize(InboxPayload value) => JsonSerializer.Serialize(value, Context.InboxPayload);

    public static InboxPayload DeserializeInbox(string json) =>
        JsonSerializer.Deserialize(json, Context.InboxPayload) ?? throw new JsonException("An inbox payload is null.");

    public static byte[] Serialize(TeamSnapshot value) => JsonSerializer.SerializeToUtf8Bytes(value, Context.TeamSnapshot);

    public static TeamSnapshot DeserializeSnapshot(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, Context.TeamSnapshot) ?? throw new JsonException("A team snapshot is null.");
}
