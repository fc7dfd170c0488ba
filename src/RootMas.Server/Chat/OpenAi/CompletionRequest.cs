using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Http;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>A call of <c>POST /v1/chat/completions</c>, understood and checked.</summary>
/// <param name="Model">As sent; the answer repeats it.</param>
/// <param name="Input">The last message, which is the user's.</param>
/// <param name="History">What was said before: context, never executed.</param>
internal sealed record CompletionRequest(string Model, string Input, IReadOnlyList<HistoryMessage> History, RunRequestOptions Options, bool Stream, bool IncludeUsage,
    string? Metadata);

/// <summary>A member that cannot be accepted; <see cref="Param"/> goes into the error's <c>param</c>.</summary>
internal sealed class CompletionRefused(string param, string code, string message) : Exception(message)
{
    public string Param { get; } = param;

    public string Code { get; } = code;

    public Problem ToProblem() => Problems.Of(400, Code, Message) with
    {
        Errors = new Dictionary<string, string[]>(StringComparer.Ordinal) { [Param] = [Message] },
    };

    public static CompletionRefused Wrong(string param, string expected) => new(param, "invalid_value", $"Invalid value for '{param}': {expected}.");

    public static CompletionRefused Unsupported(string param, string why) => new(param, "unsupported_parameter", $"'{param}' is not supported here: {why}.");
}

/// <summary>
/// Reads a request body by OpenAI's reference (https://platform.openai.com/docs/api-reference/chat/create). Unknown members are ignored, known ones of a wrong type are refused,
/// and so are those that would change the answer and cannot be honoured. Mere hints (<c>seed</c>, <c>user</c>, <c>store</c>, <c>service_tier</c>, <c>reasoning_effort</c>) are accepted without effect.
/// </summary>
internal static class CompletionParser
{
    private const string NotHere = "this server's teams cannot honour it";

    private static readonly (string Name, JsonValueKind Kind, string Expected)[] Hints =
    [
        ("user", JsonValueKind.String, "a string is expected"), ("safety_identifier", JsonValueKind.String, "a string is expected"),
        ("prompt_cache_key", JsonValueKind.String, "a string is expected"), ("reasoning_effort", JsonValueKind.String, "a string is expected"),
        ("service_tier", JsonValueKind.String, "a string is expected"), ("verbosity", JsonValueKind.String, "a string is expected"), ("prediction", JsonValueKind.Object, "an object is expected"),
    ];

    /// <exception cref="CompletionRefused">With the member that is wrong.</exception>
    public static CompletionRequest Parse(JsonElement body)
    {
        if (body.ValueKind != JsonValueKind.Object)
        {
            throw CompletionRefused.Wrong("body", "a JSON object is expected");
        }

        RefuseWhatCannotBeHonoured(body);
        CheckHints(body);
        var messages = CompletionMessages.Parse(body);
        var stream = Bool(body, "stream") ?? false;
        return new CompletionRequest(
            Text(body, "model") is { Length: > 0 } model ? model : throw CompletionRefused.Wrong("model", "a team or agent:<name> is required"),
            messages.Input,
            messages.History,
            Options(body, messages.Instructions),
            stream,
            IncludeUsage(body, stream),
            Metadata(body));
    }

    private static RunRequestOptions Options(JsonElement body, string? instructions)
    {
        var earlierName = Integer(body, "max_tokens", 1); // looked at also where it does not count
        return new()
        {
            Temperature = Number(body, "temperature", 0, 2),
            TopP = Number(body, "top_p", 0, 1),
            MaxOutputTokens = Integer(body, "max_completion_tokens", 1) ?? earlierName,
            Stop = Stop(body),
            ResponseSchema = ResponseSchema(body),
            CallerInstructions = instructions,
        };
    }

    private static void RefuseWhatCannotBeHonoured(JsonElement body)
    {
        if (Integer(body, "n", 1) > 1)
        {
            throw CompletionRefused.Unsupported("n", "one answer per call");
        }

        if (Bool(body, "logprobs") == true || Integer(body, "top_logprobs", 0) > 0)
        {
            throw CompletionRefused.Unsupported("logprobs", NotHere);
        }

        RefuseUnlessEmpty(body, "tools", JsonValueKind.Array, "the agents use their own tools");
        RefuseUnlessEmpty(body, "functions", JsonValueKind.Array, "the agents use their own tools");
        RefuseUnlessEmpty(body, "logit_bias", JsonValueKind.Object, NotHere);
        RefuseUnlessEmpty(body, "web_search_options", JsonValueKind.Undefined, "the agents decide when to search");
        RefusePenalty(body, "frequency_penalty");
        RefusePenalty(body, "presence_penalty");
        RefuseToolChoice(body, "tool_choice");
        RefuseToolChoice(body, "function_call");
        if (Member(body, "audio", JsonValueKind.Object, "an object is expected") is not null)
        {
            throw CompletionRefused.Unsupported("audio", NotHere);
        }

        if (Member(body, "modalities", JsonValueKind.Array, "an array of strings") is { } modalities &&
            modalities.EnumerateArray().Any(m => m.ValueKind != JsonValueKind.String || !m.ValueEquals("text")))
        {
            throw CompletionRefused.Unsupported("modalities", "answers are text");
        }
    }

    private static void CheckHints(JsonElement body)
    {
        foreach (var (name, kind, expected) in Hints)
        {
            Member(body, name, kind, expected);
        }

        if (Member(body, "seed", JsonValueKind.Number, "an integer is expected") is { } seed && !seed.TryGetInt64(out _))
        {
            throw CompletionRefused.Wrong("seed", "an integer of at most 64 bits is expected");
        }

        Bool(body, "store");
        Bool(body, "parallel_tool_calls");
    }

    /// <param name="kind">Undefined: any non-null value is refused.</param>
    private static void RefuseUnlessEmpty(JsonElement body, string name, JsonValueKind kind, string why)
    {
        if (!body.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return;
        }

        if (kind != JsonValueKind.Undefined && value.ValueKind != kind)
        {
            throw CompletionRefused.Wrong(name, kind == JsonValueKind.Array ? "an array is expected" : "an object is expected");
        }

        var empty = kind switch
        {
            JsonValueKind.Array => value.GetArrayLength() == 0,
            JsonValueKind.Object => !value.EnumerateObject().Any(),
            _ => false,
        };
        if (!empty)
        {
            throw CompletionRefused.Unsupported(name, why);
        }
    }

    private static void RefusePenalty(JsonElement body, string name)
    {
        if (Number(body, name, -2, 2) is not (null or 0))
        {
            throw CompletionRefused.Unsupported(name, NotHere);
        }
    }

    /// <summary>Without tools only the values that mean "no tools" or "as you like" can be kept.</summary>
    private static void RefuseToolChoice(JsonElement body, string name)
    {
        if (body.TryGetProperty(name, out var choice) && choice.ValueKind != JsonValueKind.Null &&
            !(choice.ValueKind == JsonValueKind.String && (choice.ValueEquals("none") || choice.ValueEquals("auto"))))
        {
            throw CompletionRefused.Unsupported(name, "the agents use their own tools");
        }
    }

    private static List<string>? Stop(JsonElement body)
    {
        if (!body.TryGetProperty("stop", out var stop) || stop.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        List<string> texts = stop.ValueKind switch
        {
            JsonValueKind.String => [stop.GetString()!],
            JsonValueKind.Array when stop.EnumerateArray().All(s => s.ValueKind == JsonValueKind.String) => [.. stop.EnumerateArray().Select(s => s.GetString()!)],
            _ => throw CompletionRefused.Wrong("stop", "a string or an array of strings is expected"),
        };
        return texts.Count <= 4 && texts.TrueForAll(static t => t.Length > 0 && HasNoNul(t))
            ? texts.Count > 0 ? texts : null
            : throw CompletionRefused.Wrong("stop", "at most four strings are expected, none empty and none with the character NUL");
    }

    private const string SchemaMember = "response_format.json_schema.schema";
    private const int LongestSchema = 262_144;

    private static string? ResponseSchema(JsonElement body)
    {
        if (Member(body, "response_format", JsonValueKind.Object, "an object is expected") is not { } format)
        {
            return null;
        }

        switch (Text(format, "type", "response_format.type"))
        {
            case "text":
                return null;
            case "json_object":
                return "{}";
            case "json_schema":
                var wrapper = Member(format, "json_schema", JsonValueKind.Object, "an object is expected", "response_format.json_schema")
                    ?? throw CompletionRefused.Wrong("response_format.json_schema", "it is required with type json_schema");
                return Member(wrapper, "schema", JsonValueKind.Object, "a JSON schema is expected", SchemaMember) is { } schema ? Usable(schema.GetRawText()) : "{}";
            default:
                throw CompletionRefused.Wrong("response_format.type", "text, json_object or json_schema is expected");
        }
    }

    /// <summary>Said now, before a model is asked: nobody could be held to a schema that is not checked.</summary>
    private static string Usable(string schema)
    {
        if (schema.Length > LongestSchema)
        {
            throw CompletionRefused.Wrong(SchemaMember, $"at most {LongestSchema} characters are expected");
        }

        try
        {
            JsonSchemaValidator.Compile(schema);
            return schema;
        }
        catch (JsonSchemaException e)
        {
            throw CompletionRefused.Wrong(SchemaMember, $"a schema that can be checked is expected; {e.Message.TrimEnd('.')}");
        }
    }

    private static bool IncludeUsage(JsonElement body, bool stream)
    {
        if (Member(body, "stream_options", JsonValueKind.Object, "an object is expected") is not { } options)
        {
            return false;
        }

        return stream
            ? Bool(options, "include_usage", "stream_options.include_usage") ?? false
            : throw CompletionRefused.Wrong("stream_options", "it is only allowed together with stream: true");
    }

    private static string? Metadata(JsonElement body)
    {
        if (Member(body, "metadata", JsonValueKind.Object, "an object is expected") is not { } metadata)
        {
            return null;
        }

        var count = 0;
        foreach (var pair in metadata.EnumerateObject())
        {
            var fits = ++count <= 16 && pair.Name.Length <= 64 && pair.Value.ValueKind == JsonValueKind.String && pair.Value.GetString()!.Length <= 512;
            if (!fits || !HasNoNul(pair.Name) || !HasNoNul(pair.Value.GetString()!))
            {
                throw CompletionRefused.Wrong("metadata", "at most 16 pairs, keys up to 64 characters, values strings up to 512 characters, none with the character NUL");
            }
        }

        return metadata.GetRawText();
    }

    /// <summary>PostgreSQL keeps no text that has it.</summary>
    private static bool HasNoNul(string text) => !text.Contains('\0', StringComparison.Ordinal);

    internal static string? Text(JsonElement of, string name, string? param = null)
    {
        try
        {
            var text = Member(of, name, JsonValueKind.String, "a string is expected", param)?.GetString();
            return text is null || HasNoNul(text) ? text : throw CompletionRefused.Wrong(param ?? name, "text without the character NUL is expected");
        }
        catch (InvalidOperationException)
        {
            throw CompletionRefused.Wrong(param ?? name, "it is not valid Unicode text");
        }
    }

    internal static JsonElement? Member(JsonElement of, string name, JsonValueKind kind, string expected, string? param = null)
    {
        if (!of.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind == kind ? value : throw CompletionRefused.Wrong(param ?? name, expected);
    }

    private static bool? Bool(JsonElement of, string name, string? param = null)
    {
        if (!of.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
        {
            return null;
        }

        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw CompletionRefused.Wrong(param ?? name, "true or false is expected");
    }

    private static double? Number(JsonElement of, string name, double min, double max)
    {
        if (Member(of, name, JsonValueKind.Number, "a number is expected") is not { } value)
        {
            return null;
        }

        return value.TryGetDouble(out var number) && number >= min && number <= max
            ? number
            : throw CompletionRefused.Wrong(name, $"a number from {min} to {max} is expected");
    }

    private static int? Integer(JsonElement of, string name, int min)
    {
        if (Member(of, name, JsonValueKind.Number, "an integer is expected") is not { } value)
        {
            return null;
        }

        return value.TryGetInt32(out var number) && number >= min ? number : throw CompletionRefused.Wrong(name, $"an integer of at least {min} is expected");
    }
}
