using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary><c>POST /v1/embeddings</c>: unit vectors of hashed words and letter triples, so that similar texts have similar vectors and equal texts equal ones.</summary>
internal sealed class EmbeddingsEndpoint(SimulatorState state)
{
    public async Task HandleAsync(HttpContext http)
    {
        var body = await ChatEndpoint.ReadBodyAsync(http.Request.BodyReader, http.RequestAborted);
        try
        {
            using var document = JsonDocument.Parse(body);
            await AnswerAsync(http, document.RootElement, body);
        }
        catch (JsonException)
        {
            await Errors.SendAsync(http, 400, "invalid_request_error", "The request body is not valid JSON.");
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(body.Array!);
        }
    }

    private async Task AnswerAsync(HttpContext http, JsonElement root, ArraySegment<byte> body)
    {
        var script = state.Rules.Script;
        var request = ChatRequest.ParseHead(body);
        var call = state.Calls.Begin(state.Calls.NextNumber(embeddings: true), script.Record, "embeddings", request, null, body, null);
        var outcome = "aborted";
        try
        {
            if (script.Embeddings is { } settings)
            {
                await AnswerSender.DelayAsync(settings.HeaderDelayMs + settings.FirstTokenMs, http.RequestAborted);
                if (settings.Fault is { } fault)
                {
                    var sending = new Sending(state, request, new Choice(new AnswerPlan(settings), null, []), 0, null);
                    outcome = await FaultSender.SendAsync(http, sending, fault);
                    return;
                }
            }

            await WriteAsync(http, root, request.Model);
            outcome = "ok";
        }
        finally
        {
            state.Calls.End(call, outcome, outcome == "aborted");
        }
    }

    private async Task WriteAsync(HttpContext http, JsonElement root, string model)
    {
        var inputs = root.TryGetProperty("input", out var input) ? Texts(input) : [];
        if (inputs.Length == 0)
        {
            await Errors.SendAsync(http, 400, "invalid_request_error", "'input' is a text or a list of texts.");
            return;
        }

        var dimensions = root.TryGetProperty("dimensions", out var d) && d.TryGetInt32(out var wanted) ? Math.Clamp(wanted, 1, 4096) : state.Rules.Script.EmbeddingDimensions;
        var base64 = root.TryGetProperty("encoding_format", out var format) && format.ValueEquals("base64");
        var tokens = inputs.Sum(t => Math.Max(1, t.Length / 4));
        await http.Response.WriteAsJsonAsync(
            new
            {
                @object = "list",
                model,
                data = inputs.Select((text, index) => new { @object = "embedding", index, embedding = Shape(Embed(text, dimensions), base64) }),
                usage = new { prompt_tokens = tokens, total_tokens = tokens },
            },
            http.RequestAborted);
    }

    private static string[] Texts(JsonElement input) => input.ValueKind switch
    {
        JsonValueKind.String => [input.GetString()!],
        JsonValueKind.Array => [.. input.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.String ? e.GetString()! : e.GetRawText())],
        _ => [],
    };

    private static object Shape(float[] vector, bool base64) => base64 ? Convert.ToBase64String(MemoryMarshal.AsBytes<float>(vector)) : vector;

    internal static float[] Embed(string text, int dimensions)
    {
        var vector = new float[dimensions];
        var lower = text.ToLowerInvariant();
        foreach (var word in lower.Split([' ', '\t', '\n', '.', ',', '?', '!', ';', ':', '"'], StringSplitOptions.RemoveEmptyEntries))
        {
            Add(vector, word, 1f);
            for (var i = 0; i + 3 <= word.Length; i++)
            {
                Add(vector, word.AsSpan(i, 3), 0.3f);
            }
        }

        var length = MathF.Sqrt(vector.Sum(x => x * x));
        if (length == 0)
        {
            vector[0] = 1;
            return vector;
        }

        return [.. vector.Select(x => x / length)];
    }

    private static void Add(float[] vector, ReadOnlySpan<char> feature, float weight)
    {
        var hash = 14695981039346656037UL;
        foreach (var c in feature)
        {
            hash = (hash ^ c) * 1099511628211UL;
        }

        hash ^= hash >> 33;
        vector[(int)(hash % (ulong)vector.Length)] += (hash >> 62) % 2 == 0 ? weight : -weight;
    }
}
