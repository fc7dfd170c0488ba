namespace RootMas.Server.Models;

/// <summary>Looks for a server that nobody declared while models.yaml has no model that can answer: the one that <c>OPENAI_BASE_URL</c> names, or an Ollama on this machine.</summary>
internal sealed class ServerFinder(CatalogInputs inputs, ModelDiscovery discovery, OllamaContexts contexts, TimeProvider clock)
{
    private static readonly TimeSpan LookForOllama = TimeSpan.FromSeconds(15);

    /// <summary>A start does not wait so long.</summary>
    private static readonly TimeSpan LaterAtMost = TimeSpan.FromSeconds(3);

    /// <summary>The last that told what it has. One that is only slow to tell it again goes on with that.</summary>
    private DiscoveredServer? _known;

    /// <summary>Models of an Ollama whose contexts count; none: there is no Ollama, or the setting says it.</summary>
    private IReadOnlyList<string> _asked = [];

    private OllamaSaid _said = OllamaSaid.Nothing;
    private bool _absent;
    private long _looked;
    private long _told;
    private int _unheard;

    /// <summary>What was asked for its models has not told them: it is asked again at the next look.</summary>
    public bool IsUnsure { get; private set; }

    public async Task<IReadOnlyList<DiscoveredServer>> FindAsync(ModelsFile file, CancellationToken cancellationToken)
    {
        (IsUnsure, _absent, _asked) = (false, false, []);
        var asksForRules = file.Tiers.Values.Any(t => t.Contains(ModelCatalog.OfflineModel.Name, StringComparer.Ordinal));
        if (asksForRules || !CatalogBuilder.Build(file, inputs.Options, []).IsOffline)
        {
            return [];
        }

        if (inputs.Custom is { } custom)
        {
            var told = await discovery.ProbeAsync(custom, inputs.Options.ProbeTimeout, cancellationToken);
            IsUnsure = told.Ids.Count == 0;
            return [Known(custom, told) ?? Keep(new DiscoveredServer(custom, told.Ids, CatalogBuilder.IsFree(custom, inputs.Options)))];
        }

        return inputs.Options.ProbeOllama && inputs.Options.ProbeTimeout > TimeSpan.Zero ? await FindOllamaAsync(cancellationToken) : [];
    }

    /// <summary>Whether an Ollama answers that did not at the last look, or says otherwise than then how much its models read: it is started anew with another setting, or has loaded one meanwhile.</summary>
    public async Task<bool> HasComeAsync(CancellationToken cancellationToken)
    {
        var (asked, said) = (_asked, _said);
        if ((!_absent && asked.Count == 0) || clock.GetElapsedTime(_looked) < LookForOllama)
        {
            return false;
        }

        _looked = clock.GetTimestamp();
        if (!_absent)
        {
            var now = await contexts.AskAsync(inputs.OllamaItself, [], inputs.Options.ProbeTimeout, cancellationToken);
            return (!said.IsWhole && clock.GetElapsedTime(_told) >= LookForOllama * (1 << Math.Min(_unheard, 4))) || asked.Any(m => !said.Declared.ContainsKey(m) && now.LoadedOf(m) is { } tokens && tokens != said.LoadedOf(m));
        }

        return (await discovery.ProbeAsync(inputs.Ollama, inputs.Options.ProbeTimeout, cancellationToken, isGuess: true)).ErrorClass is null;
    }

    private async Task<IReadOnlyList<DiscoveredServer>> FindOllamaAsync(CancellationToken cancellationToken)
    {
        var began = clock.GetTimestamp();
        var told = await discovery.ProbeAsync(inputs.Ollama, inputs.Options.ProbeTimeout, cancellationToken, isGuess: true);
        if (Known(inputs.Ollama, told) is { } known)
        {
            IsUnsure = true;
            return [known];
        }

        if (CatalogBuilder.HasChat(told.Ids))
        {
            await AskContextsAsync(told.Ids, _known is null ? inputs.Options.ProbeTimeout - clock.GetElapsedTime(began) : LaterAtMost, cancellationToken);
            return [Keep(new DiscoveredServer(inputs.Ollama, told.Ids, Free: true) { Contexts = _said })];
        }

        _known = null;
        IsUnsure = told.ErrorClass is null; // it is there, and has nothing to talk with yet
        (_absent, _looked) = (!IsUnsure, clock.GetTimestamp()); // it may be started later
        return [];
    }

    /// <summary>What a model was loaded with before is remembered when it is loaded no more.</summary>
    private async Task AskContextsAsync(IReadOnlyList<string> ids, TimeSpan atMost, CancellationToken cancellationToken)
    {
        if (inputs.Options.Context is not null)
        {
            return;
        }

        var asked = CatalogBuilder.AskedOf(ids, inputs.Options);
        var now = await contexts.AskAsync(inputs.OllamaItself, [.. asked.Distinct(StringComparer.Ordinal)], atMost, cancellationToken);
        var loaded = new Dictionary<string, int>(_said.Loaded, StringComparer.Ordinal);
        foreach (var (model, tokens) in now.Loaded)
        {
            loaded[model] = tokens;
        }

        // Nor is what its file says: one that is busy has only not come to say it.
        var declared = now.IsWhole ? now.Declared : new Dictionary<string, int>(_said.Declared.Concat(now.Declared).GroupBy(static d => d.Key, StringComparer.Ordinal).Select(static d => d.Last()), StringComparer.Ordinal);
        _unheard = now.IsWhole ? 0 : _unheard + 1;
        (_said, _asked, _looked, _told) = (now with { Declared = declared, Loaded = loaded }, asked, clock.GetTimestamp(), clock.GetTimestamp());
    }

    /// <summary>What a server that did not answer now has told before.</summary>
    private DiscoveredServer? Known(ModelProvider provider, ProviderProbe told) => told.ErrorClass is not null && _known is { } known && known.Provider == provider ? known : null;

    private DiscoveredServer Keep(DiscoveredServer server)
    {
        _known = server.Ids.Count > 0 ? server : null;
        return server;
    }
}
