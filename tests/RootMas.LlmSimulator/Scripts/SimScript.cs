using System.Text.Json;

namespace RootMas.LlmSimulator;

/// <summary>What the simulator answers. Read from YAML or JSON by <see cref="ScriptReader"/>; names are snake_case there. See docs/simulator.md.</summary>
public sealed record SimScript
{
    public static SimScript Empty { get; } = new();

    /// <summary>Seed of every rule's probability: the same script and the same order of calls give the same answers.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>What <c>GET /v1/models</c> lists.</summary>
    public IReadOnlyList<string> Models { get; init; } = ["sim-cheap", "sim-standard", "sim-premium"];

    /// <summary>API keys that are accepted under <c>/v1</c>; every other gets a 401. Empty: all, and none.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    public Recording Record { get; init; } = Recording.Full;

    /// <summary>Tried in order; the first that matches answers.</summary>
    public IReadOnlyList<SimRule> Rules { get; init; } = [];

    /// <summary>When no rule matches.</summary>
    public SimAnswer Default { get; init; } = new() { Text = "Simulated answer." };

    /// <summary>Answers of the embeddings endpoint that are not vectors: delays and faults.</summary>
    public SimAnswer? Embeddings { get; init; }

    /// <summary>Length of an embedding when the request does not name one.</summary>
    public int EmbeddingDimensions { get; init; } = 384;

    /// <summary>Settings of <c>/_tool/{name}</c>, by name.</summary>
    public IReadOnlyDictionary<string, ToolScript> Tools { get; init; } = new Dictionary<string, ToolScript>(StringComparer.Ordinal);

    public IReadOnlyList<SearchScript> Search { get; init; } = [];

    /// <summary><c>/pages/{name}</c>.</summary>
    public IReadOnlyDictionary<string, PageScript> Pages { get; init; } = new Dictionary<string, PageScript>(StringComparer.Ordinal);
}

public enum Recording
{
    /// <summary>Every call with its body.</summary>
    Full,

    /// <summary>Every call without its body.</summary>
    Calls,

    /// <summary>Only totals: for load tests. Bodies are not compared, so that nobody knows how many were equal.</summary>
    Counts,
}

public sealed record SimRule
{
    /// <summary>Shown in the recorded calls; default <c>rule-1</c>, <c>rule-2</c>, …</summary>
    public string? Name { get; init; }

    public SimMatch Match { get; init; } = new();

    /// <summary>The rule answers only its first N matches.</summary>
    public int? Times { get; init; }

    /// <summary>The rule answers a match with this probability (seeded), else the search goes on.</summary>
    public double? Probability { get; init; }

    public SimAnswer? Answer { get; init; }

    /// <summary>The first match gets the first answer and so on; the last one repeats. Instead of <see cref="Answer"/>.</summary>
    public IReadOnlyList<SimAnswer>? Answers { get; init; }
}

/// <summary>All given conditions must hold. Text conditions are case-sensitive.</summary>
public sealed record SimMatch
{
    /// <summary>The system message names <c>Agent: name</c>.</summary>
    public string? Agent { get; init; }

    public string? SystemContains { get; init; }

    /// <summary>The last message contains this.</summary>
    public string? LastMessage { get; init; }

    /// <summary>The last message matches; its groups are <c>{{group_1}}</c> … in the answer.</summary>
    public string? LastMessageRegex { get; init; }

    /// <summary>user, assistant, tool, system.</summary>
    public string? LastRole { get; init; }

    /// <summary>The last user message contains this.</summary>
    public string? LastUser { get; init; }

    /// <summary>A tool result after the last assistant message contains this.</summary>
    public string? ToolResult { get; init; }

    /// <summary>The last assistant message called this tool.</summary>
    public string? ToolCalled { get; init; }

    /// <summary>The request offers this tool.</summary>
    public string? ToolOffered { get; init; }

    /// <summary>The request offers tools at all, or none.</summary>
    public bool? Tools { get; init; }

    public string? Model { get; init; }

    public bool? Stream { get; init; }

    /// <summary>The request asks for structured output.</summary>
    public bool? Structured { get; init; }

    /// <summary>Only the n-th request (from 1) that meets the other conditions.</summary>
    public int? Call { get; init; }

    /// <summary>Only every k-th request that meets the other conditions.</summary>
    public int? Every { get; init; }
}

/// <summary>Texts may contain <c>{{last_message}}</c>, <c>{{last_user}}</c>, <c>{{tool_result}}</c>, <c>{{tool_results}}</c>, <c>{{n}}</c>, <c>{{agent}}</c>, <c>{{model}}</c>, <c>{{base_url}}</c>, <c>{{group_1}}</c>.</summary>
public sealed record SimAnswer
{
    public string? Text { get; init; }

    /// <summary>Structured output: the answer's text is this value as JSON.</summary>
    public JsonElement? Json { get; init; }

    /// <summary>Sent as <c>reasoning_content</c> before the text.</summary>
    public string? Reasoning { get; init; }

    public IReadOnlyList<SimToolCall>? ToolCalls { get; init; }

    public UsageScript? Usage { get; init; }

    /// <summary>Default <c>stop</c>, or <c>tool_calls</c> with tool calls. <c>none</c> leaves it out.</summary>
    public string? FinishReason { get; init; }

    /// <summary>Length of a streamed piece in characters; default: one word per piece.</summary>
    public int? PieceChars { get; init; }

    /// <summary>Before the status line, milliseconds.</summary>
    public double HeaderDelayMs { get; init; }

    /// <summary>After the headers and before the first piece, milliseconds.</summary>
    public double FirstTokenMs { get; init; }

    /// <summary>Pieces per second; default: all at once. An answer that is not streamed takes as long as its stream would, whatever its usage says.</summary>
    public double? TokensPerSecond { get; init; }

    public SimFault? Fault { get; init; }
}

/// <param name="Name">The function.</param>
/// <param name="Arguments">An object, or a string that is sent as it is (also when it is not JSON).</param>
/// <param name="Id">Default: unique. An empty string leaves it out.</param>
public sealed record SimToolCall(string Name, JsonElement? Arguments = null, string? Id = null);

public sealed record UsageScript
{
    /// <summary>The answer carries no usage.</summary>
    public bool None { get; init; }

    /// <summary>Default: a quarter of the request's bytes.</summary>
    public int? Input { get; init; }

    public int Cached { get; init; }

    /// <summary>Default: the number of words, and eight for each tool call.</summary>
    public int? Output { get; init; }

    public int Reasoning { get; init; }
}

public enum FaultKind
{
    /// <summary>Answers <see cref="SimFault.Status"/>.</summary>
    Status,

    /// <summary>Closes the connection before the status line.</summary>
    Close,

    /// <summary>Never answers.</summary>
    Hang,

    /// <summary>Closes the connection after <see cref="SimFault.AfterBytes"/> bytes of the body.</summary>
    Cut,

    /// <summary>Stops after <see cref="SimFault.AfterBytes"/> bytes of the body and keeps the connection open.</summary>
    Stall,

    /// <summary>Sends the right body at <see cref="SimFault.BytesPerSecond"/>.</summary>
    Drip,

    /// <summary>A body, or a piece of the stream, that is not JSON.</summary>
    MalformedJson,

    /// <summary>A stream with lines that are not server-sent events, then an end.</summary>
    MalformedSse,

    EmptyChoices,

    /// <summary>Calls a tool that nobody offered.</summary>
    WrongTool,

    /// <summary>Calls the first offered tool with arguments that are cut off.</summary>
    InvalidArguments,

    /// <summary>A text of <see cref="SimFault.Bytes"/> characters.</summary>
    Huge,

    /// <summary>A stream that never ends (a plain answer: a body that never ends).</summary>
    Endless,

    /// <summary>A stream that ends after half of its pieces without finish reason and <c>[DONE]</c>.</summary>
    NoEnd,

    /// <summary>After half of the pieces an error object in the stream (a plain answer: status 200 with an error body).</summary>
    ErrorInStream,
}

public sealed record SimFault
{
    public required FaultKind Kind { get; init; }

    public int Status { get; init; } = 500;

    /// <summary>Seconds, or an HTTP date: sent as it is.</summary>
    public string? RetryAfter { get; init; }

    /// <summary>Default: an error object in OpenAI's shape.</summary>
    public string? Body { get; init; }

    public int AfterBytes { get; init; } = 100;

    public double BytesPerSecond { get; init; } = 1;

    public int Bytes { get; init; } = 10 * 1024 * 1024;
}

public sealed record ToolScript
{
    public double DelayBeforeMs { get; init; }

    public double DelayAfterMs { get; init; }

    /// <summary>A repeated <c>Idempotency-Key</c> gets the first answer again and has no second effect.</summary>
    public bool HonoursKey { get; init; } = true;

    /// <summary>Closes the connection: <c>before</c> or <c>after</c> the effect.</summary>
    public string? Cut { get; init; }

    /// <summary>Only the first N requests are held, cut or refused; default all.</summary>
    public int? Times { get; init; }

    /// <summary>Status instead of 200; from 400 on there is no effect.</summary>
    public int Status { get; init; } = 200;

    public string? RetryAfter { get; init; }

    /// <summary>The answer; default <c>{"tool":…,"effect":n}</c>.</summary>
    public string? Result { get; init; }

    public string ContentType { get; init; } = "application/json";
}

public sealed record SearchScript
{
    /// <summary>The query contains this (any case); default: every query.</summary>
    public string? Query { get; init; }

    public IReadOnlyList<SearchHit> Results { get; init; } = [];

    public int Status { get; init; } = 200;

    public double DelayMs { get; init; }
}

/// <param name="Url">May contain <c>{{base_url}}</c>.</param>
public sealed record SearchHit(string Url, string Title, string Content);

public sealed record PageScript
{
    public string Html { get; init; } = "";

    public int Status { get; init; } = 200;

    public string ContentType { get; init; } = "text/html; charset=utf-8";

    /// <summary>Target of a redirect; may contain <c>{{base_url}}</c>.</summary>
    public string? Redirect { get; init; }

    public double DelayMs { get; init; }

    /// <summary>The body is repeated up to this length.</summary>
    public long? Bytes { get; init; }

    public double? BytesPerSecond { get; init; }

    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}
