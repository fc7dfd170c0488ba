using System.Text.Json.Serialization;

namespace RootMas.Runtime.Runs;

/// <summary>
/// A live-only piece of a stream: never stored, carried as <c>id: seq:n</c>. <see cref="Seq"/> is the last stored event before it and <see cref="N"/> counts pieces after that event from 1.
/// A message's whole text is the concatenation of its deltas, or a snapshot plus the later deltas.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(MessageDelta), "message.delta")]
[JsonDerivedType(typeof(ReasoningDelta), "reasoning.delta")]
[JsonDerivedType(typeof(ToolProgress), "tool.progress")]
[JsonDerivedType(typeof(MessageSnapshot), "message.snapshot")]
public abstract record LivePiece
{
    [JsonPropertyOrder(-9)] public required string RunId { get; init; }

    [JsonPropertyOrder(-8)] public required long Seq { get; init; }

    [JsonPropertyOrder(-7)] public required string Agent { get; init; }

    [JsonPropertyOrder(-6)] public required DateTimeOffset CreatedAt { get; init; }

    [JsonPropertyOrder(-5)] public required int N { get; init; }
}

public sealed record MessageDelta(string MessageId, string Text) : LivePiece;

public sealed record ReasoningDelta(string MessageId, string Text) : LivePiece;

public sealed record ToolProgress(int Call, string Text) : LivePiece;

/// <summary>
/// Stands for all pieces up to its <see cref="LivePiece.N"/>: replaces all text so far of an unfinished message. Empty texts, and an empty <see cref="MessageId"/> while no message is written, say only where the stream stands, so that the next piece follows on it.
/// </summary>
/// <param name="Reasoning">All that the model has thought aloud so far for this message; null: nothing that is known.</param>
public sealed record MessageSnapshot(string MessageId, string Text, string? Reasoning = null) : LivePiece;
