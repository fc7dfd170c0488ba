using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>What an instance wants to hear of, said to all others.</summary>
internal sealed record Wishes
{
    /// <summary>Where to tell it.</summary>
    public required string Instance { get; init; }

    /// <summary>As <see cref="WishKey"/> makes them.</summary>
    public required IReadOnlyList<string> Keys { get; init; }

    /// <summary>Runs whose text so far is wanted now.</summary>
    public IReadOnlyList<string> Texts { get; init; } = [];
}

/// <summary>The names of what can be wished for.</summary>
internal static class WishKey
{
    public static string Run(string runId) => "run:" + runId;

    public static string Tree(string rootRunId) => "tree:" + rootRunId;

    public static string End(string runId) => "end:" + runId;

    public static string Starts(string ownerId) => "starts:" + ownerId;
}

internal enum NoteKind
{
    /// <summary>A live piece; its JSON is the body. Not 0, which is left out of the JSON.</summary>
    Piece = 1,

    /// <summary>Where the run stands, and the text so far of its open message as the body, if there is one.</summary>
    Text,

    /// <summary>The run's log has grown up to <see cref="RunNote.Seq"/>.</summary>
    Appended,

    /// <summary>The run has ended or waits for a person: whoever waits for it looks again.</summary>
    Settled,

    /// <summary>A root run of <see cref="RunNote.Owner"/> exists.</summary>
    Started,
}

/// <summary>What an instance tells another about a run.</summary>
internal sealed record RunNote
{
    public required NoteKind Kind { get; init; }

    public required string Run { get; init; }

    public string? Parent { get; init; }

    public string? Root { get; init; }

    public string? Owner { get; init; }

    public long Seq { get; init; }

    public int N { get; init; }

    /// <summary>Of a piece of a message: how much text was said before it.</summary>
    public int Before { get; init; }

    /// <summary>The form on the bus: one line of JSON, then the body as it is.</summary>
    public byte[] ToBytes(ReadOnlySpan<byte> body)
    {
        var head = JsonSerializer.SerializeToUtf8Bytes(this, NoteJson.Default.RunNote);
        var whole = new byte[head.Length + 1 + body.Length];
        head.CopyTo(whole, 0);
        whole[head.Length] = (byte)'\n';
        body.CopyTo(whole.AsSpan(head.Length + 1));
        return whole;
    }

    /// <exception cref="JsonException">Not what an instance of this program says.</exception>
    public static (RunNote Note, ReadOnlyMemory<byte> Body) Parse(ReadOnlyMemory<byte> payload)
    {
        var end = payload.Span.IndexOf((byte)'\n');
        if (end < 0 || JsonSerializer.Deserialize(payload.Span[..end], NoteJson.Default.RunNote) is not { } note)
        {
            throw new JsonException("A note about a run has no head.");
        }

        return (note, payload[(end + 1)..]);
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(RunNote))]
[JsonSerializable(typeof(Wishes))]
internal sealed partial class NoteJson : JsonSerializerContext;
