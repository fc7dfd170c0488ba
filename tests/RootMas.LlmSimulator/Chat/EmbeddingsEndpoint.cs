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
            if (Read(body) is { } asked)
            {
                await AnswerAsync(http, asked, body);
            }
            else
            {
                await Errors.SendAsync(http, 400, "invalid_request_error", "The request body is not a valid JSON object.");
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(body.Array!);
        }
    }

    private static Asked? Read(ArraySegment<byte> body)
    {
        try
        {
            var head = ChatRequest.ParseHead(body);
            using var document = JsonDocument.Parse(body);
            return Asked.Of(head, document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private async Task AnswerAsync(HttpContext http, Asked asked, ArraySegment<byte> body)
    {
        var script = state.Rules.Script;
        var request = asked.Head;
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

            await WriteAsync(http, asked);
            outcome = "ok";
        }
        finally
        {
            state.Calls.End(call, outcome, outcome == "aborted");
        }
    }

    private async Task WriteAsync(HttpContext http, Asked asked)
    {
        if (asked.Problem is { } problem)
        {
            await Errors.SendAsync(http, 400, "invalid_request_error", problem);
            return;
        }

        var dimensions = asked.Dimensions is { } wanted ? Math.Clamp(wanted, 1, 4096) : state.Rules.Script.EmbeddingDimensions;
        var tokens = asked.Texts.Sum(t => Math.Max(1, t.Length / 4));
        await http.Response.WriteAsJsonAsync(
            new
            {
                @object = "list",
                model = asked.Head.Model,
                data = asked.Texts.Select((text, index) => new { @object = "embedding", index, embedding = Shape(Embed(text, dimensions), asked.Base64) }),
                usage = new { prompt_tokens = tokens, total_tokens = tokens },
            },
            http.RequestAborted);
    }

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

    /// <summary>A request that is an object.</summary>
    /// <param name="Head">Its model.</param>
    /// <param name="Texts">What is embedded; tokens as they are written.</param>
    /// <param name="Dimensions">Null: those of the script.</param>
    /// <param name="Base64">Vectors are sent as base64, not as numbers.</param>
    /// <param name="Problem">Why it is refused, or null.</param>
    private sealed record Asked(ChatRequest Head, string[] Texts, int? Dimensions, bool Base64, string? Problem)
    {
        public static Asked Of(ChatRequest head, JsonElement root)
        {
            var texts = TextsOf(Given(root, "input"));
            var dimensions = Given(root, "dimensions") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var wanted) ? wanted : (int?)null;
            var format = Given(root, "encoding_format") is { ValueKind: JsonValueKind.String } given ? given.GetString() : null;
            var problem = Given(root, "model") is { ValueKind: not JsonValueKind.String } ? "'model' is a text."
                : texts.Length == 0 ? "'input' is a text or a list of texts."
                : dimensions is null && Given(root, "dimensions") is not null ? "'dimensions' is a whole number."
                : format is not ("float" or "base64") && Given(root, "encoding_format") is not null ? "'encoding_format' is float or base64."
                : null;
            return new Asked(head, texts, dimensions, format == "base64", problem);
        }

        /// <summary>Null counts as left out.</summary>
        private static JsonElement? Given(JsonElement root, string name) =>
            root.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

        /// <summary>Empty: nothing that can be embedded, or not only that.</summary>
        private static string[] TextsOf(JsonElement? input) => input switch
        {
            { ValueKind: JsonValueKind.String } text => [text.GetString()!],
            { ValueKind: JsonValueKind.Array } list when list.EnumerateArray().All(IsTextOrTokens) => [.. list.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.String ? e.GetString()! : e.GetRawText())],
            _ => [],
        };

        private static bool IsTextOrTokens(JsonElement input) => input.ValueKind is JsonValueKind.String or JsonValueKind.Number or JsonValueKind.Array;
    }
}
