using System.ComponentModel;
using System.Text.Json;
using RootMas.Server.Platform.OpenApi;

namespace RootMas.Server.Chat.OpenAi;

/// <summary>Models, as OpenAI lists them.</summary>
public sealed record OpenAiModelList
{
    /// <summary>Always list.</summary>
    /// <example>list</example>
    public string Object { get; init; } = "list";

    /// <summary>Teams, then agents.</summary>
    public required IReadOnlyList<OpenAiModel> Data { get; init; }
}

/// <summary>A team or an agent, as OpenAI describes a model.</summary>
public sealed record OpenAiModel
{
    /// <summary>What to send as <c>model</c>.</summary>
    /// <example>root-mas</example>
    public required string Id { get; init; }

    /// <summary>Always model.</summary>
    /// <example>model</example>
    public string Object { get; init; } = "model";

    /// <summary>When this server started, in Unix seconds.</summary>
    /// <example>1790000000</example>
    public required long Created { get; init; }

    /// <summary>Always root-mas.</summary>
    /// <example>root-mas</example>
    public string OwnedBy { get; init; } = "root-mas";

    internal static OpenAiModel Of(string id, long created) => new() { Id = id, Created = created };
}

/// <summary>A call as OpenAI's reference describes it; unknown members are ignored. Read by hand, this record describes it.</summary>
/// <example>{"model":"root-mas","messages":[{"role":"user","content":"Which trains go to Kazan?"}],"stream":false,"temperature":0.2,"max_completion_tokens":1000,"stop":["The end."],"response_format":{"type":"text"},"metadata":{"ticket":"4711"}}</example>
public sealed record OpenAiChatRequest
{
    /// <summary>A team (root-mas is the default one), or agent:&lt;name&gt;.</summary>
    /// <example>root-mas</example>
    public required string Model { get; init; }

    /// <summary>The whole history; the last message is the user's. system and developer rank below the agent's prompt; assistant and tool messages are context, never executed.</summary>
    public required IReadOnlyList<OpenAiMessage> Messages { get; init; }

    /// <summary>Whether the answer comes as server-sent events.</summary>
    /// <example>false</example>
    public bool? Stream { get; init; }

    /// <summary>Only together with stream.</summary>
    public OpenAiStreamOptions? StreamOptions { get; init; }

    /// <summary>0 to 2.</summary>
    /// <example>0.2</example>
    public double? Temperature { get; init; }

    /// <summary>0 to 1.</summary>
    /// <example>1</example>
    public double? TopP { get; init; }

    /// <summary>Most tokens of the answer.</summary>
    /// <example>1000</example>
    public int? MaxCompletionTokens { get; init; }

    /// <summary>The earlier name of max_completion_tokens.</summary>
    /// <example>1000</example>
    public int? MaxTokens { get; init; }

    /// <summary>A string or up to four of them, at which the answer ends.</summary>
    /// <example>["The end."]</example>
    [TextOrList]
    public IReadOnlyList<string>? Stop { get; init; }

    /// <summary>text, json_object, or json_schema with a schema.</summary>
    public OpenAiResponseFormat? ResponseFormat { get; init; }

    /// <summary>Up to 16 pairs of strings, kept with the message.</summary>
    /// <example>{"ticket":"4711"}</example>
    public IReadOnlyDictionary<string, string>? Metadata { get; init; }
}

/// <summary>What a stream has besides the answer.</summary>
public sealed record OpenAiStreamOptions
{
    /// <summary>Adds a last chunk with the usage.</summary>
    /// <example>true</example>
    public bool? IncludeUsage { get; init; }
}

/// <summary>The form of the answer.</summary>
public sealed record OpenAiResponseFormat
{
    /// <summary>text, json_object, or json_schema with a schema.</summary>
    /// <example>text</example>
    public required string Type { get; init; }

    /// <summary>With the type json_schema, and only read then.</summary>
    public OpenAiJsonSchema? JsonSchema { get; init; }
}

/// <summary>A schema of the answer.</summary>
public sealed record OpenAiJsonSchema
{
    /// <summary>For people.</summary>
    /// <example>trains</example>
    public string? Name { get; init; }

    /// <summary>Without effect: the answer always fits the schema, or the run fails.</summary>
    /// <example>true</example>
    public bool? Strict { get; init; }

    /// <summary>A JSON schema; left out: any JSON object.</summary>
    /// <example>{"type":"object"}</example>
    public IReadOnlyDictionary<string, JsonElement>? Schema { get; init; }
}

/// <summary>A message of the history.</summary>
public sealed record OpenAiMessage
{
    /// <summary>system, developer, user, assistant or tool.</summary>
    /// <example>user</example>
    public required string Role { get; init; }

    /// <summary>A string, or an array of text parts.</summary>
    /// <example>Which trains go to Kazan?</example>
    [TextOrList]
    public IReadOnlyList<OpenAiTextPart>? Content { get; init; }
}

/// <summary>A part of a message.</summary>
public sealed record OpenAiTextPart
{
    /// <summary>Always text; pictures, sounds and files are refused.</summary>
    /// <example>text</example>
    public required string Type { get; init; }

    /// <summary>The text.</summary>
    /// <example>Which trains go to Kazan?</example>
    public required string Text { get; init; }
}

/// <summary>An answer as OpenAI's reference describes it.</summary>
public sealed record OpenAiChatAnswer
{
    /// <summary>chatcmpl- and the run's id.</summary>
    /// <example>chatcmpl-0198c0de-7c1a-7d7e-9a54-2f3f0a6f0a13</example>
    public required string Id { get; init; }

    /// <summary>chat.completion.</summary>
    /// <example>chat.completion</example>
    public required string Object { get; init; }

    /// <summary>Unix seconds.</summary>
    /// <example>1790000000</example>
    public required long Created { get; init; }

    /// <summary>As sent.</summary>
    /// <example>root-mas</example>
    public required string Model { get; init; }

    /// <summary>One choice: index, message, finish_reason.</summary>
    public required IReadOnlyList<JsonElement> Choices { get; init; }

    /// <summary>prompt_tokens, completion_tokens, total_tokens, and details.</summary>
    [Description("prompt_tokens, completion_tokens, total_tokens, and details.")]
    public required JsonElement Usage { get; init; }
}
