using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat.Sockets;

/// <summary>The frames of both sockets that are not run events, and the reading of incoming ones.</summary>
internal static class SocketFrames
{
    public static readonly ReadOnlyMemory<byte> Pong = """{"type":"pong"}"""u8.ToArray();

    private static readonly JsonWriterOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 32, AllowDuplicateProperties = false };

    /// <summary>Null: the frame is not a JSON object.</summary>
    public static JsonElement? Parse(byte[] frame)
    {
        try
        {
            using var document = JsonDocument.Parse(frame, Strict);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>A string member; null: absent, JSON null, or not a string (then <paramref name="wrongType"/>).</summary>
    public static string? Text(JsonElement frame, string name, out bool wrongType)
    {
        wrongType = false;
        if (!frame.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            try
            {
                return value.GetString();
            }
            catch (InvalidOperationException)
            {
                // A lone surrogate: valid JSON, but no text.
            }
        }

        wrongType = true;
        return null;
    }

    public static ReadOnlyMemory<byte> Write(Action<Utf8JsonWriter> members)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer, Relaxed))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        return buffer.WrittenMemory;
    }

    /// <summary>Nothing follows on the last event of this run: what HTTP says with 204.</summary>
    public static ReadOnlyMemory<byte> Ended(RunSummary run) => Write(json =>
    {
        json.WriteString("type"u8, "ended"u8);
        json.WriteString("run_id"u8, run.Id);
        json.WriteString("status"u8, run.Status.ToName());
        json.WriteNumber("last_seq"u8, run.LastSeq);
    });

    /// <summary>An <c>error</c> frame: the problem object, and its text as <c>message</c> for clients of the earlier system.</summary>
    public static ReadOnlyMemory<byte> Error(Problem problem, string traceId, string? runId = null) => Write(json =>
    {
        json.WriteString("type"u8, "error"u8);
        json.WriteString("message"u8, Detail(problem));
        if (runId is not null)
        {
            json.WriteString("run_id"u8, runId);
        }

        if (problem.RetryAfter is { } after)
        {
            json.WriteNumber("retry_after"u8, Math.Max(1, (long)Math.Ceiling(after.TotalSeconds)));
        }

        json.WritePropertyName("problem"u8);
        json.WriteRawValue(ProblemWriter.ToJson(problem, instance: null, traceId), skipInputValidation: true);
    });

    private static string Detail(Problem problem)
    {
        if (problem.Errors is null or { Count: 0 })
        {
            return problem.Detail;
        }

        var text = new StringBuilder();
        foreach (var (field, messages) in problem.Errors)
        {
            text.Append(text.Length > 0 ? " " : "").Append(field).Append(": ").AppendJoin(' ', messages);
        }

        return text.ToString();
    }
}
