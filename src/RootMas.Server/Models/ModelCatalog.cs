using RootMas.Runtime.Runs;

namespace RootMas.Server.Models;

/// <summary>How a provider is spoken to.</summary>
public enum ProviderKind
{
    /// <summary>Any OpenAI-compatible HTTP endpoint.</summary>
    OpenAi,

    /// <summary>The built-in rules; no network.</summary>
    Offline,
}

/// <summary>Where models are served. Equal values mean the same endpoint, so circuits and connections outlive a reload that does not touch it.</summary>
public sealed record ModelProvider
{
    public required string Name { get; init; }

    public ProviderKind Kind { get; init; }

    /// <summary>Up to and including the version: <c>https://api.openai.com/v1</c>.</summary>
    public Uri? BaseUrl { get; init; }

    /// <summary>Sent as a bearer token; null: none. Never logged.</summary>
    public string? Key { get; init; }

    /// <summary>The secret that holds the key; null: it does not come from one.</summary>
    public string? KeySecret { get; init; }

    /// <summary>The environment variable that holds the key, and counts before the secret; null: none is named.</summary>
    public string? KeyVariable { get; init; }

    /// <summary>Where the key is to be put, for messages: <c>OPENAI_API_KEY</c>.</summary>
    public string? KeySource { get; init; }

    /// <summary>The same, also where nothing is named yet.</summary>
    internal string KeyPlace => KeySource ?? $"providers.{Name}.api_key_env in models.yaml";

    /// <summary>Ask for usage in streams. A few servers refuse the member.</summary>
    public bool StreamUsage { get; init; } = true;

    /// <summary>Name of the request's output limit: OpenAI wants <c>max_completion_tokens</c>, most others know <c>max_tokens</c>.</summary>
    public string MaxTokensField { get; init; } = "max_tokens";

    /// <summary>Reasoning models take temperature, top_p, penalties and stop sequences. Those of OpenAI answer 400 to them.</summary>
    public bool ReasoningSampling { get; init; } = true;

    /// <summary>What a model thought before it called tools goes back with the calls, as <c>reasoning_content</c>. DeepSeek and Moonshot answer 400 without it; most others ignore it, some refuse it.</summary>
    public bool ReturnReasoning { get; init; }

    /// <summary>Time to the first token. Default 60 s.</summary>
    public TimeSpan FirstTokenTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest silence after the first token. Default 60 s.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Time for a whole answer. Default 10 min.</summary>
    public TimeSpan TotalTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Requests of one call to one model, the first included: 1 + retries. Null: as <c>Resilience:Model</c> says, like the three below.</summary>
    public int? Attempts { get; init; }

    /// <summary>Wait before the first retry; doubles, with jitter.</summary>
    public TimeSpan? RetryDelay { get; init; }

    /// <summary>A longer <c>Retry-After</c> is not waited for: the next model is asked.</summary>
    public TimeSpan? MaxRetryDelay { get; init; }

    /// <summary>Requests of one model that may be open at once. Default 4,096.</summary>
    public int MaxConcurrency { get; init; } = 4096;

    /// <summary>How long an open circuit stays open before one request tries again.</summary>
    public TimeSpan? BreakDuration { get; init; }

    /// <summary>What is known of the server at an address; null: of none.</summary>
    public static (string MaxTokensField, bool ReasoningSampling, bool ReturnReasoning) UsualAt(Uri? address)
    {
        var host = address?.Host ?? "";
        var isOpenAi = host.Equals("api.openai.com", StringComparison.OrdinalIgnoreCase) || host.EndsWith(".api.openai.com", StringComparison.OrdinalIgnoreCase);
        return (isOpenAi ? "max_completion_tokens" : "max_tokens", !isOpenAi, host.ToLowerInvariant() is "api.deepseek.com" or "api.moonshot.ai" or "api.moonshot.cn");
    }

    public bool Equals(ModelProvider? other) => other is not null && Signature == other.Signature;

    public override int GetHashCode() => Signature.GetHashCode();

    private (string, ProviderKind, string?, string?, (bool, string, bool, bool), (TimeSpan, TimeSpan, TimeSpan), (int?, TimeSpan?, TimeSpan?, int, TimeSpan?)) Signature =>
        (Name, Kind, BaseUrl?.OriginalString, Key, (StreamUsage, MaxTokensField, ReasoningSampling, ReturnReasoning), (FirstTokenTimeout, IdleTimeout, TotalTimeout),
            (Attempts, RetryDelay, MaxRetryDelay, MaxConcurrency, BreakDuration));

    /// <summary>Without the key.</summary>
    public override string ToString() => $"{Name} ({Kind}, {BaseUrl})";
}

/// <summary>US dollars per million tokens, as exact decimals.</summary>
/// <param name="Cached">Price of input tokens that came from the provider's prompt cache; the same as <paramref name="Input"/> unless told.</param>
public readonly record struct ModelPrice(decimal Input, decimal Cached, decimal Output)
{
    public static readonly ModelPrice Free;

    public bool IsFree => this == Free;

    /// <summary>Tokens × price in whole micro-dollars, rounded half up once per request. (Dollars per million tokens are micro-dollars per token.)</summary>
    public Money CostOf(TokenUsage usage)
    {
        var cached = Math.Clamp(usage.CachedTokens, 0, Math.Max(0, usage.InputTokens));
        var exact = ((Math.Max(0, usage.InputTokens) - cached) * Input) + (cached * Cached) + (Math.Max(0, usage.OutputTokens) * Output);
        return new Money(decimal.ToInt64(decimal.Round(exact, MidpointRounding.AwayFromZero)));
    }
}

/// <summary>What a model can do beyond plain text.</summary>
[Flags]
public enum ModelCapabilities
{
    None = 0,
    Tools = 1,
    JsonSchema = 2,
    Vision = 4,
    Reasoning = 8,
    Embeddings = 16,
}

/// <summary>One model at one provider.</summary>
public sealed record ModelSpec
{
    /// <summary>Where nobody said how many tokens fit.</summary>
    internal const int UsualContext = 128_000;

    /// <summary>The name that tiers and callers use.</summary>
    public required string Name { get; init; }

    /// <summary>The provider's own id of the model.</summary>
    public required string Id { get; init; }

    public required ModelProvider Provider { get; init; }

    /// <summary>Tokens that fit, input and output together.</summary>
    public int ContextTokens { get; init; } = UsualContext;

    /// <summary>The longest answer that it writes, in tokens; null: nobody said.</summary>
    public int? MaxOutput { get; init; }

    public ModelPrice Price { get; init; }

    public ModelCapabilities Capabilities { get; init; } = ModelCapabilities.Tools | ModelCapabilities.JsonSchema;

    public bool Can(ModelCapabilities capability) => (Capabilities & capability) == capability;

    /// <summary>Tokens that its answer may have at most behind a prompt of so many.</summary>
    internal long RoomAfter(long input) => Math.Min(ContextTokens - input, MaxOutput ?? int.MaxValue);
}

/// <summary>All models and tiers at one moment. Immutable: a call works with the snapshot it started with.</summary>
public sealed record ModelCatalog
{
    public static readonly string[] TierNames = ["cheap", "standard", "premium"];

    /// <summary>The model that needs nothing: rules, no network.</summary>
    public static readonly ModelSpec OfflineModel = new()
    {
        Name = "offline",
        Id = "offline",
        Provider = new ModelProvider { Name = "offline", Kind = ProviderKind.Offline, Attempts = 1 },
        ContextTokens = 1_000_000,
    };

    public required IReadOnlyDictionary<string, ModelSpec> Models { get; init; }

    /// <summary>Tier → models in the order they are asked. Every tier has at least one.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<ModelSpec>> Tiers { get; init; }

    /// <summary>The model for embeddings; null: none.</summary>
    public ModelSpec? Embedding { get; init; }

    /// <summary>Things an operator should know that are no errors.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>True while nothing but the rules answers.</summary>
    public bool IsOffline => Tiers.Values.All(t => t.All(m => m.Provider.Kind == ProviderKind.Offline));

    /// <summary>Tokens that fit whichever model of a tier is asked: the smallest context of its models.</summary>
    /// <param name="tier">cheap, standard or premium.</param>
    /// <param name="model">A model, or another tier, that is asked instead; null: the tier.</param>
    public int ContextTokens(string tier, string? model) =>
        Asked(tier, model) is { Count: > 0 } asked ? asked.Min(static m => m.ContextTokens) : OfflineModel.ContextTokens; // the call itself says that there is no such model

    /// <summary>Whether any of those models is sent its own reasoning again.</summary>
    /// <param name="tier">As above.</param>
    /// <param name="model">As above.</param>
    public bool TakesReasoning(string tier, string? model) => Asked(tier, model)?.Any(static m => m.Provider.ReturnReasoning) == true;

    private IReadOnlyList<ModelSpec>? Asked(string tier, string? model) =>
        model is not null && Models.TryGetValue(model, out var one) ? [one] : Tiers.GetValueOrDefault(model ?? tier);
}
