namespace RootMas.Server.Models;

/// <summary>A server that was found rather than declared, and the models it says it has.</summary>
/// <param name="Ids">Empty: it did not answer yet.</param>
internal sealed record DiscoveredServer(ModelProvider Provider, IReadOnlyList<string> Ids, bool Free)
{
    /// <summary>What it said of its models' contexts; null: it is no Ollama, and was not asked.</summary>
    public OllamaSaid? Contexts { get; init; }
}

/// <summary>
/// Makes the catalog out of models.yaml, settings and what was found. Order of precedence: a tier that models.yaml fills with a provider whose key is there; then
/// <c>OPENAI_BASE_URL</c>; then an Ollama on this machine; then the offline model.
/// </summary>
internal static class CatalogBuilder
{
    private static readonly string[] EmbeddingFamilies = ["all-minilm", "all-mpnet", "bge-", "e5-", "gte-", "multilingual-e5", "paraphrase-multilingual"];

    /// <summary>Asked for at a server that has not told its models yet. It is a name that such servers commonly accept for "whatever is loaded".</summary>
    private const string Unnamed = "default";

    /// <summary>What an Ollama gives its models where nobody told it otherwise, on a machine without a large graphics card.</summary>
    private const int OllamaContext = 4_096;

    /// <summary>Room for the instructions and tools of an agent of ours, and for a conversation.</summary>
    private const int AdvisedContext = 16_384;

    private static readonly string[] NearestFirst = ["standard", "cheap", "premium"];

    public static ModelCatalog Build(ModelsFile file, ModelsOptions options, IReadOnlyList<DiscoveredServer> found)
    {
        var models = file.Models.Values.Where(m => IsAvailable(file.Providers[m.Provider.Name])).ToDictionary(m => m.Name, StringComparer.Ordinal);
        var notes = new List<string>();
        var tiers = ModelCatalog.TierNames.ToDictionary(
            name => name,
            name => (IReadOnlyList<ModelSpec>)[.. (file.Tiers.TryGetValue(name, out var list) ? list : []).Where(models.ContainsKey).Select(n => models[n])],
            StringComparer.Ordinal);
        var embedding = file.Embedding is { } declared && models.TryGetValue(declared, out var spec) ? spec : null;
        if (tiers.Values.Any(t => t.Count > 0))
        {
            notes.AddRange(Unused(options, models, embedding));
        }
        else if (found.Count > 0)
        {
            embedding = UseServer(found[0], options, models, tiers, notes) ?? embedding;
        }

        Override(options, models, tiers);
        FillGaps(tiers);
        if (tiers.Values.All(t => t.All(m => m.Provider.Kind == ProviderKind.Offline)))
        {
            notes.Add("No model is configured: the offline model answers (rules, not a neural network). Set OPENAI_API_KEY, OPENAI_BASE_URL or OPENROUTER_API_KEY, start Ollama, or edit models.yaml.");
        }

        return new ModelCatalog { Models = models, Tiers = tiers, Embedding = embedding, Notes = notes };
    }

    /// <summary>What cannot work, said before the start.</summary>
    public static IEnumerable<string> Problems(ModelsFile file, ModelsOptions options, ModelProvider? custom)
    {
        if (custom is not null && !IsFree(custom, options) && (options.InputPrice is null || options.OutputPrice is null) && Chosen(options).Any(n => !file.Models.ContainsKey(n)))
        {
            yield return "OPENAI_BASE_URL: the price of its models is not known. Declare provider and models in models.yaml, or set Models:InputPrice and Models:OutputPrice " +
                "(US dollars per million tokens), or Models:Free to true.";
        }

        if (options.Free && (options.InputPrice > 0 || options.OutputPrice > 0))
        {
            yield return "Models:Free: the models at OPENAI_BASE_URL cannot be free and have a price. Leave out Models:Free, or Models:InputPrice and Models:OutputPrice.";
        }
    }

    /// <summary>What this machine serves costs nothing, unless somebody says what it costs: a gateway to a paid provider is as near.</summary>
    public static bool IsFree(ModelProvider provider, ModelsOptions options) =>
        options.Free || (provider.BaseUrl?.IsLoopback is true && options.InputPrice is null && options.OutputPrice is null);

    private static bool IsAvailable(DeclaredProvider provider) => !provider.Optional || provider.Provider.Key is not null;

    /// <summary>The names the settings give, and "unnamed" for a tier they leave open.</summary>
    private static IEnumerable<string> Chosen(ModelsOptions options) => new[] { options.Cheap, options.Standard, options.Premium }.Select(n => n.Length > 0 ? n : Unnamed);

    private static ModelSpec? UseServer(DiscoveredServer server, ModelsOptions options, Dictionary<string, ModelSpec> models, Dictionary<string, IReadOnlyList<ModelSpec>> tiers, List<string> notes)
    {
        if (!HasChat(server.Ids) && Chosen(options).Contains(Unnamed, StringComparer.Ordinal))
        {
            notes.Add($"The provider {server.Provider.Name} has not told its models yet; '{Unnamed}' is asked for until it does.");
        }

        foreach (var (tier, name) in ModelCatalog.TierNames.Zip(AskedOf(server.Ids, options)))
        {
            tiers[tier] = [Add(server, name, options, models)];
        }

        notes.AddRange(ContextNotes(server, options));

        var embedding = options.Embedding.Length > 0 ? options.Embedding : server.Ids.FirstOrDefault(SaysEmbedding) ?? server.Ids.FirstOrDefault(IsEmbedding);
        return embedding is null ? null : Add(server, embedding, options, models);
    }

    /// <summary>For each tier the model that a server is asked for.</summary>
    public static IReadOnlyList<string> AskedOf(IReadOnlyList<string> ids, ModelsOptions options)
    {
        var chat = ids.FirstOrDefault(static i => !IsEmbedding(i)) ?? Unnamed;
        return [.. Chosen(options).Select(n => n == Unnamed ? chat : n)];
    }

    /// <summary>What is too long for an Ollama it cuts off at the beginning, where the instructions stand, and says nothing.</summary>
    private static IEnumerable<string> ContextNotes(DiscoveredServer server, ModelsOptions options)
    {
        if (options.Context is not null || server.Ids.Count == 0)
        {
            yield break;
        }

        if (server.Contexts is not { } said)
        {
            yield return $"How many tokens the models of {server.Provider.Name} read at once is not known: {ModelSpec.UsualContext} are counted on. If they read fewer, or more, say it in Models:Context.";
            yield break;
        }

        foreach (var name in AskedOf(server.Ids, options).Distinct(StringComparer.Ordinal))
        {
            var known = said.Of(name) is { } tokens ? $"Ollama lets {name} read {tokens} tokens at once." : $"Ollama does not say yet how many tokens {name} reads at once: {OllamaContext} are counted on.";
            yield return said.Of(name) >= AdvisedContext
                ? known
                : $"{known} Agents with many tools need {AdvisedContext} or more: start Ollama with OLLAMA_CONTEXT_LENGTH={AdvisedContext}, which counts here a moment after the model was loaded, or say num_ctx in its Modelfile. Models:Context goes before what Ollama says.";
        }
    }

    private static ModelSpec Add(DiscoveredServer server, string id, ModelsOptions options, Dictionary<string, ModelSpec> models)
    {
        if (models.TryGetValue(id, out var known) && known.Provider == server.Provider)
        {
            return known;
        }

        var price = server.Free ? ModelPrice.Free : new ModelPrice((decimal)(options.InputPrice ?? 0), (decimal)(options.InputPrice ?? 0), (decimal)(options.OutputPrice ?? 0));
        var spec = new ModelSpec
        {
            Name = id,
            Id = id,
            Provider = server.Provider,
            ContextTokens = options.Context ?? (server.Contexts is { } said ? said.Of(id) ?? OllamaContext : ModelSpec.UsualContext),
            Price = price,
            Capabilities = IsEmbedding(id) ? ModelCapabilities.Embeddings : ModelCapabilities.Tools | ModelCapabilities.JsonSchema,
        };
        models[id] = spec;
        return spec;
    }

    /// <summary>Names that settings give and that choose nothing, where the file fills the tiers.</summary>
    private static IEnumerable<string> Unused(ModelsOptions options, Dictionary<string, ModelSpec> models, ModelSpec? embedding)
    {
        (string Key, string Name)[] named = [("Models:Cheap", options.Cheap), ("Models:Standard", options.Standard), ("Models:Premium", options.Premium)];
        foreach (var (key, name) in named.Where(n => n.Name.Length > 0 && !models.ContainsKey(n.Name)))
        {
            yield return $"{key}: '{name}' is not used, since models.yaml fills the tiers and has no model of this name, or not the key of its provider. Declare it there, or leave the setting empty.";
        }

        if (options.Embedding.Length > 0 && options.Embedding != embedding?.Name)
        {
            yield return $"Models:Embedding: '{options.Embedding}' is not used, since models.yaml fills the tiers. Name the model for embeddings there, or leave the setting empty.";
        }
    }

    /// <summary>A model that the settings name for a tier goes before those of the file.</summary>
    private static void Override(ModelsOptions options, Dictionary<string, ModelSpec> models, Dictionary<string, IReadOnlyList<ModelSpec>> tiers)
    {
        foreach (var (tier, name) in ModelCatalog.TierNames.Zip(new[] { options.Cheap, options.Standard, options.Premium }))
        {
            if (name.Length > 0 && models.TryGetValue(name, out var model))
            {
                tiers[tier] = [model, .. tiers[tier].Where(m => m != model)];
            }
        }
    }

    /// <summary>An empty tier takes the models of the nearest one, or the offline model.</summary>
    private static void FillGaps(Dictionary<string, IReadOnlyList<ModelSpec>> tiers)
    {
        var some = NearestFirst.Select(n => tiers[n]).FirstOrDefault(t => t.Count > 0) ?? [ModelCatalog.OfflineModel];
        foreach (var name in ModelCatalog.TierNames)
        {
            tiers[name] = tiers[name].Count > 0 ? tiers[name] : some;
        }
    }

    /// <summary>Whether a server has what an agent can talk with.</summary>
    public static bool HasChat(IEnumerable<string> ids) => ids.Any(static id => !IsEmbedding(id));

    /// <summary>By their names, which are all that such a list tells.</summary>
    private static bool IsEmbedding(string id)
    {
        var name = id[(id.LastIndexOf('/') + 1)..];
        return SaysEmbedding(id) || EmbeddingFamilies.Any(f => name.StartsWith(f, StringComparison.OrdinalIgnoreCase));
    }

    private static bool SaysEmbedding(string id) => id.Contains("embed", StringComparison.OrdinalIgnoreCase);
}
