using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Chat;

/// <summary>Source-generated JSON of this slice: what is answered on the hot path, and what is stored with messages.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ChatResponse))]
[JsonSerializable(typeof(IReadOnlyList<Citation>))]
[JsonSerializable(typeof(IReadOnlyList<AttachedDocument>))]
[JsonSerializable(typeof(IReadOnlyDictionary<string, JsonElement>))]
internal sealed partial class ChatJsonContext : JsonSerializerContext;

internal static class ChatJson
{
    // The text goes to JSON clients and the database, never into HTML: Cyrillic stays readable and short.
    public static readonly ChatJsonContext Stored = new(new JsonSerializerOptions(ChatJsonContext.Default.Options) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
