using System.Buffers;
using System.Text.Json;
using RootMas.Runtime.Runs;

namespace RootMas.Server.Models.OpenAi;

/// <summary>One batch for <c>POST …/embeddings</c>, and its answer.</summary>
internal static class EmbeddingRequest
{
    public static ReadOnlyMemory<byte> Write(string modelId, IReadOnlyList<string> inputs)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("model"u8, modelId);
            json.WriteString("encoding_format"u8, "float"u8);
            json.WriteStartArray("input"u8);
            foreach (var input in inputs)
            {
                json.WriteStringValue(input);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    /// <exception cref="EndpointException">The answer does not hold one vector per input.</exception>
    public static async Task<(float[][] Vectors, TokenUsage? Usage)> ReadAsync(Stream body, int count, CancellationToken cancellationToken)
    {
        try
        {
            using var document = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
            var vectors = new float[count][];
            var position = 0;
            foreach (var item in document.RootElement.GetProperty("data"u8).EnumerateArray())
            {
                var index = item.TryGetProperty("index"u8, out var told) && told.TryGetInt32(out var number) ? number : position;
                vectors[index] = [.. item.GetProperty("embedding"u8).EnumerateArray().Select(n => n.GetSingle())];
                position++;
            }

            if (Array.Exists(vectors, v => v is not { Length: > 0 }))
            {
                throw new EndpointException(FailureKind.InvalidAnswer, "Vectors are missing.");
            }

            return (vectors, UsageOf(document.RootElement));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException or FormatException)
        {
            throw new EndpointException(FailureKind.InvalidAnswer, "The answer is not a list of vectors.", inner: e);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new EndpointException(FailureKind.Unreachable, "The connection broke in the middle of the answer.", inner: e);
        }
    }

    private static TokenUsage? UsageOf(JsonElement root) =>
        root.TryGetProperty("usage"u8, out var usage) && usage.ValueKind == JsonValueKind.Object && usage.TryGetProperty("prompt_tokens"u8, out var tokens) && tokens.TryGetInt64(out var input)
            ? new TokenUsage(Math.Max(0, input), 0, 0)
            : null;
}
