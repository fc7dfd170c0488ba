using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using RootMas.Server.Models.OpenAi;
using RootMas.Server.Platform.Resilience;

namespace RootMas.Server.Models;

/// <summary>What an Ollama said of how many tokens its models read at once.</summary>
/// <param name="Declared">By model, where its own file says it (<c>num_ctx</c>): that counts whatever else is set.</param>
/// <param name="Loaded">By model, what it was given when it was loaded. It is of those that are loaded, or were.</param>
/// <param name="IsWhole">Every question had its answer in time.</param>
internal sealed record OllamaSaid(IReadOnlyDictionary<string, int> Declared, IReadOnlyDictionary<string, int> Loaded, bool IsWhole)
{
    public static readonly OllamaSaid Nothing = new(new Dictionary<string, int>(StringComparer.Ordinal), new Dictionary<string, int>(StringComparer.Ordinal), IsWhole: true);

    /// <summary>Null: it did not say.</summary>
    public int? Of(string model) => Declared.TryGetValue(model, out var declared) ? declared : LoadedOf(model);

    /// <summary>Ollama adds <c>:latest</c> to a name without a tag.</summary>
    public int? LoadedOf(string model) => Loaded.TryGetValue(model, out var loaded) || Loaded.TryGetValue(model + ":latest", out loaded) ? loaded : null;
}

/// <summary>
/// Asks an Ollama how many tokens its models read at once. Its list of models does not say it, the models themselves are made for far more, and what is too long it cuts off at the beginning without a word.
/// An older one that knows none of the questions says nothing.
/// </summary>
internal sealed class OllamaContexts(ProviderTransport transport, OutboundPolicies outbound, TimeProvider clock)
{
    /// <param name="ollama">With the address of the Ollama itself, not of its imitation of OpenAI.</param>
    /// <param name="models">Whose own files are looked into.</param>
    public async Task<OllamaSaid> AskAsync(ModelProvider ollama, IReadOnlyCollection<string> models, TimeSpan atMost, CancellationToken cancellationToken)
    {
        var declared = new Dictionary<string, int>(StringComparer.Ordinal);
        var loaded = new Dictionary<string, int>(StringComparer.Ordinal);
        if (atMost <= TimeSpan.Zero)
        {
            return OllamaSaid.Nothing with { IsWhole = false };
        }

        using var timeout = new CancellationTokenSource(atMost, clock);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        var isWhole = true;
        try
        {
            loaded = await LookAsync<Dictionary<string, int>>(ollama, "/api/ps", null, LoadedIn, both.Token) ?? loaded;
            foreach (var model in models)
            {
                var body = Encoding.UTF8.GetBytes(new JsonObject { ["model"] = model }.ToJsonString());
                if (await LookAsync<int?>(ollama, "/api/show", body, DeclaredIn, both.Token) is { } tokens)
                {
                    declared[model] = tokens;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            isWhole = false;
        }

        return new OllamaSaid(declared, loaded, isWhole);
    }

    /// <summary>Null: it did not say. That is no failure, whatever it says instead: only who needs its list of models leaves it alone.</summary>
    private async Task<T?> LookAsync<T>(ModelProvider ollama, string path, byte[]? body, Func<JsonElement, T?> read, CancellationToken cancellationToken)
    {
        try
        {
            return await outbound.Get("discovery", ollama.Name).ExecuteAsync(
                async token => read(await transport.ReadAsync(ollama, body is null ? HttpMethod.Get : HttpMethod.Post, path, body is null ? (ReadOnlyMemory<byte>?)null : body, token)),
                static (_, _) => OutboundVerdict.Answered,
                cancellationToken);
        }
        catch (Exception e) when (e is OutboundUnavailableException or EndpointException or IOException or HttpRequestException or JsonException or InvalidOperationException)
        {
            return default;
        }
    }

    /// <summary>Of the answer to <c>GET /api/ps</c>.</summary>
    private static Dictionary<string, int> LoadedIn(JsonElement answer)
    {
        var loaded = new Dictionary<string, int>(StringComparer.Ordinal);
        if (answer.ValueKind != JsonValueKind.Object || !answer.TryGetProperty("models", out var models) || models.ValueKind != JsonValueKind.Array)
        {
            return loaded;
        }

        foreach (var model in models.EnumerateArray())
        {
            if (TextOf(model, "model") is { } name && model.TryGetProperty("context_length", out var length) && length.ValueKind == JsonValueKind.Number && length.TryGetInt32(out var tokens) && tokens > 0)
            {
                loaded[name] = Math.Clamp(tokens, ModelsOptions.LeastContext, ModelsOptions.MostContext);
            }
        }

        return loaded;
    }

    /// <summary>Of the answer to <c>POST /api/show</c>, whose <c>parameters</c> are lines of a name and a value.</summary>
    private static int? DeclaredIn(JsonElement answer)
    {
        foreach (var line in (TextOf(answer, "parameters") ?? "").Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is ["num_ctx", var text] && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var tokens) && tokens > 0)
            {
                return (int)Math.Clamp(tokens, ModelsOptions.LeastContext, ModelsOptions.MostContext);
            }
        }

        return null;
    }

    private static string? TextOf(JsonElement json, string name) =>
        json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
