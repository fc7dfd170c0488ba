namespace RootMas.Server.Models;

/// <summary>What <c>models.yaml</c> says, checked, before keys and probes decide what of it can serve.</summary>
internal sealed record ModelsFile
{
    public IReadOnlyDictionary<string, DeclaredProvider> Providers { get; init; } = new Dictionary<string, DeclaredProvider>(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, ModelSpec> Models { get; init; } = new Dictionary<string, ModelSpec>(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, IReadOnlyList<string>> Tiers { get; init; } = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);

    public string? Embedding { get; init; }

    /// <summary>The tiers that the text speaks of, and <c>embedding</c> if it does, be it to say that there is none.</summary>
    public IReadOnlySet<string> Said { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>What this file fills and a newer one says nothing of. One that was cut off at the end of a line is valid YAML, so what is to go has to be said.</summary>
    public IEnumerable<string> LostIn(ModelsFile newer)
    {
        const string CutOff = "the file in force fills it, and this one, which may have been cut off, says nothing of it. If it is to go, write";
        foreach (var tier in ModelCatalog.TierNames.Where(t => Tiers.TryGetValue(t, out var models) && models.Count > 0 && !newer.Said.Contains(t)))
        {
            yield return $"tiers: {tier}: {CutOff} '{tier}: []'";
        }

        if (Embedding is not null && !newer.Said.Contains("embedding"))
        {
            yield return $"embedding: {CutOff} 'embedding: ~'";
        }
    }
}

/// <param name="Optional">Without its key it is left out, and its models with it, instead of being an error.</param>
internal sealed record DeclaredProvider(ModelProvider Provider, bool Optional);

/// <summary>Reads <c>models.yaml</c>. All problems at once, each with key, line and the legal values.</summary>
internal sealed class ModelsFileReader(Func<string, string?> variables, ICollection<string> problems, Func<string, string?>? secrets = null)
{
    private static readonly Dictionary<string, ModelCapabilities> CapabilityNames = new(StringComparer.Ordinal)
    {
        ["tools"] = ModelCapabilities.Tools,
        ["json_schema"] = ModelCapabilities.JsonSchema,
        ["vision"] = ModelCapabilities.Vision,
        ["reasoning"] = ModelCapabilities.Reasoning,
        ["embeddings"] = ModelCapabilities.Embeddings,
    };

    public ModelsFile Read(string text, string file)
    {
        if (YamlMapping.Parse(text, file, problems) is not { } root)
        {
            return new ModelsFile();
        }

        var providers = Each(root.Mapping("providers"), ReadProvider);
        providers.TryAdd("offline", new DeclaredProvider(ModelCatalog.OfflineModel.Provider, Optional: false));
        var models = Each(root.Mapping("models"), (name, yaml) => ReadModel(name, yaml, providers));
        models.TryAdd(ModelCatalog.OfflineModel.Name, ModelCatalog.OfflineModel);
        var lists = root.Mapping("tiers");
        var tiers = ReadTiers(lists, models);
        var embedding = ReadEmbedding(root, models);
        root.RefuseOthers();
        var said = ModelCatalog.TierNames.Where(t => lists?.Says(t) == true).ToHashSet(StringComparer.Ordinal);
        if (root.Says("embedding"))
        {
            said.Add("embedding");
        }

        return new ModelsFile { Providers = providers, Models = models, Tiers = tiers, Embedding = embedding, Said = said };
    }

    private static Dictionary<string, T> Each<T>(YamlMapping? yaml, Func<string, YamlMapping, T?> read)
        where T : class
    {
        var result = new Dictionary<string, T>(StringComparer.Ordinal);
        foreach (var name in yaml?.Names ?? [])
        {
            if (yaml!.Mapping(name) is not { } one)
            {
                yaml.Problem(name, "expected a mapping");
            }
            else if (read(name, one) is { } value)
            {
                result[name] = value;
            }
        }

        return result;
    }

    private DeclaredProvider? ReadProvider(string name, YamlMapping yaml)
    {
        var kind = yaml.Text("kind") switch
        {
            null or "openai" => ProviderKind.OpenAi,
            "offline" => ProviderKind.Offline,
            var other => Refuse(yaml, "kind", $"'{other}' is unknown; legal: openai, offline", ProviderKind.OpenAi),
        };
        var keyVariable = yaml.Text("api_key_env");
        var keySecret = yaml.Text("key_secret");
        var url = ReadBaseUrl(yaml, kind);
        // A secret may be entered while the server runs; until then the provider is left out.
        var optional = yaml.Flag("optional", false) || keySecret is not null;
        var usual = ModelProvider.UsualAt(Uri.TryCreate(url, UriKind.Absolute, out var address) ? address : null);
        var provider = new ModelProvider
        {
            Name = name,
            Kind = kind,
            BaseUrl = url is null ? null : new Uri(url.TrimEnd('/')),
            Key = KeyOf(keyVariable, optional, url) ?? (keySecret is null ? null : secrets?.Invoke(keySecret)),
            KeySource = keySecret is null ? keyVariable : $"{(keyVariable is null ? "" : keyVariable + " or ")}the secret '{keySecret}' (rootmas secrets set {keySecret})",
            KeySecret = keySecret,
            KeyVariable = keyVariable,
            StreamUsage = yaml.Flag("stream_usage", true),
            MaxTokensField = ReadMaxTokensField(yaml, usual.MaxTokensField),
            ReasoningSampling = yaml.Flag("reasoning_sampling", usual.ReasoningSampling),
            ReturnReasoning = yaml.Flag("return_reasoning", usual.ReturnReasoning),
            FirstTokenTimeout = Seconds(yaml, "first_token_timeout_seconds") ?? TimeSpan.FromSeconds(60),
            IdleTimeout = Seconds(yaml, "idle_timeout_seconds") ?? TimeSpan.FromSeconds(60),
            TotalTimeout = Seconds(yaml, "total_timeout_seconds") ?? TimeSpan.FromMinutes(10),
            Attempts = (int?)yaml.Number("attempts", 1, 10),
            RetryDelay = Seconds(yaml, "retry_delay_seconds"),
            MaxRetryDelay = Seconds(yaml, "max_retry_delay_seconds"),
            MaxConcurrency = (int)(yaml.Number("max_concurrency", 1, 100_000) ?? 4096),
            BreakDuration = Seconds(yaml, "break_seconds", 0.5m),
        };
        yaml.RefuseOthers();
        if (keyVariable is not null && provider.Key is null && !optional)
        {
            yaml.Problem("api_key_env", $"the variable {keyVariable} is not set; set it (or {keyVariable}_FILE), or mark the provider 'optional: true'");
        }

        return new DeclaredProvider(provider, optional);
    }

    private string? KeyOf(string? variable, bool optional, string? url) => variable is null || (optional && BelongsElsewhere(variable, url)) ? null : variables(variable);

    private string? ReadBaseUrl(YamlMapping yaml, ProviderKind kind)
    {
        var url = yaml.Text("base_url");
        if (yaml.Text("base_url_env") is { } variable)
        {
            url = variables(variable) ?? url;
        }

        return IsBaseUrl(url) || (url is null && kind == ProviderKind.Offline)
            ? url
            : Refuse<string?>(yaml, "base_url", $"'{url}' is not an absolute http or https URL, such as https://api.openai.com/v1", null);
    }

    private static string ReadMaxTokensField(YamlMapping yaml, string usual) =>
        yaml.Text("max_tokens_field") switch
        {
            null => usual,
            "max_tokens" => "max_tokens",
            "max_completion_tokens" => "max_completion_tokens",
            _ => Refuse(yaml, "max_tokens_field", "legal: max_tokens, max_completion_tokens", usual),
        };

    private ModelSpec? ReadModel(string name, YamlMapping yaml, Dictionary<string, DeclaredProvider> providers)
    {
        var providerName = yaml.Text("provider");
        DeclaredProvider? provider = null;
        if (providerName is null || !providers.TryGetValue(providerName, out provider))
        {
            yaml.Problem("provider", $"'{providerName}' is not a provider; legal: {string.Join(", ", providers.Keys.Order(StringComparer.Ordinal))}");
        }

        var id = yaml.Text("id") ?? name;
        var context = (int)(yaml.Number("context", ModelsOptions.LeastContext, ModelsOptions.MostContext) ?? ModelSpec.UsualContext);
        var longest = (int?)yaml.Number("max_output", 16, context);
        var price = ReadPrice(yaml, provider?.Provider.Kind);
        var capabilities = ReadCapabilities(yaml);
        yaml.RefuseOthers();
        return provider is null
            ? null
            : new ModelSpec { Name = name, Id = id, Provider = provider.Provider, ContextTokens = context, MaxOutput = longest, Price = price, Capabilities = capabilities };
    }

    private static ModelPrice ReadPrice(YamlMapping yaml, ProviderKind? kind)
    {
        var free = yaml.Flag("free", kind == ProviderKind.Offline);
        if (yaml.Mapping("price") is not { } price)
        {
            if (!free)
            {
                yaml.Problem("price", "is missing: give 'price: { input: , output: }' in US dollars per million tokens, or say 'free: true'");
            }

            return ModelPrice.Free;
        }

        if (free)
        {
            yaml.Problem("free", "a model with a price cannot be free; remove one of the two");
        }

        var input = price.Number("input", 0, 100_000);
        var output = price.Number("output", 0, 100_000);
        var cached = price.Number("cached", 0, 100_000);
        price.RefuseOthers();
        if (input is null)
        {
            price.Problem("input", "is missing: US dollars per million input tokens");
        }

        if (output is null && !yaml.List("capabilities").Contains("embeddings", StringComparer.Ordinal))
        {
            price.Problem("output", "is missing: US dollars per million output tokens");
        }

        return new ModelPrice(input ?? 0, cached ?? input ?? 0, output ?? 0);
    }

    private static ModelCapabilities ReadCapabilities(YamlMapping yaml)
    {
        var names = yaml.List("capabilities");
        if (names.Count == 0)
        {
            return ModelCapabilities.Tools | ModelCapabilities.JsonSchema;
        }

        var result = ModelCapabilities.None;
        foreach (var name in names)
        {
            if (CapabilityNames.TryGetValue(name, out var one))
            {
                result |= one;
            }
            else
            {
                yaml.Problem("capabilities", $"'{name}' is unknown; legal: {string.Join(", ", CapabilityNames.Keys)}");
            }
        }

        return result;
    }

    private static Dictionary<string, IReadOnlyList<string>> ReadTiers(YamlMapping? yaml, Dictionary<string, ModelSpec> models)
    {
        var tiers = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
        foreach (var tier in yaml is null ? [] : ModelCatalog.TierNames)
        {
            tiers[tier] = yaml!.List(tier);
            foreach (var name in tiers[tier].Where(n => !models.ContainsKey(n)))
            {
                yaml.Problem(tier, $"'{name}' is not a model; legal: {string.Join(", ", models.Keys.Order(StringComparer.Ordinal))}");
            }
        }

        yaml?.RefuseOthers();
        return tiers;
    }

    private static string? ReadEmbedding(YamlMapping root, Dictionary<string, ModelSpec> models)
    {
        var name = root.Text("embedding");
        if (name is not null && !(models.TryGetValue(name, out var model) && model.Can(ModelCapabilities.Embeddings)))
        {
            root.Problem("embedding", $"'{name}' is not a model with the capability embeddings");
        }

        return name;
    }

    private static TimeSpan? Seconds(YamlMapping yaml, string key, decimal least = 0.001m) =>
        yaml.Number(key, least, 86_400) is { } seconds ? TimeSpan.FromSeconds((double)seconds) : null;

    private static T Refuse<T>(YamlMapping yaml, string key, string message, T otherwise)
    {
        yaml.Problem(key, message);
        return otherwise;
    }

    /// <summary>With <c>OPENAI_BASE_URL</c> set, <c>OPENAI_API_KEY</c> is meant for that server and must not be sent to any other.</summary>
    private bool BelongsElsewhere(string keyVariable, string? url) =>
        keyVariable == "OPENAI_API_KEY" && variables("OPENAI_BASE_URL") is { Length: > 0 } other &&
        !(Uri.TryCreate(other, UriKind.Absolute, out var there) && Uri.TryCreate(url, UriKind.Absolute, out var here) && there.Host == here.Host);

    /// <summary>An address to which paths can be added and that holds no secret.</summary>
    internal static bool IsBaseUrl(string? url) => Uri.TryCreate(url, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri?.Query is "" && uri.UserInfo is "";
}
