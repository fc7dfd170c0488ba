using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Identity.Secrets;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Models;

/// <summary>What the catalog is made from.</summary>
/// <param name="Path">Of models.yaml; if it is not there, the built-in one counts.</param>
/// <param name="Variables">The environment, by name.</param>
internal sealed record CatalogInputs(string Path, ModelsOptions Options, Func<string, string?> Variables)
{
    /// <summary>The server that <c>OPENAI_BASE_URL</c> names, unless models.yaml already speaks of that variable's server itself.</summary>
    public ModelProvider? Custom { get; } = BaseUrl(Variables) is { } uri && uri.Host != "api.openai.com"
        ? At(uri, Variables("OPENAI_API_KEY"))
        : null;

    public ModelProvider Ollama { get; } = new() { Name = "ollama", BaseUrl = new Uri(Options.OllamaUrl.TrimEnd('/') + "/v1"), KeySource = "nothing: Ollama needs no key" };

    /// <summary>A base URL that is none would leave the key, and with it every message, to another server than the one that was meant; null: it is one, or there is none.</summary>
    public string? Refusal => Variables("OPENAI_BASE_URL") is { Length: > 0 } && BaseUrl(Variables) is null
        ? "OPENAI_BASE_URL: is not an absolute address of http or https; for example http://127.0.0.1:8080/v1"
        : null;

    /// <param name="secrets">Values of secrets by name; null: none can be read yet.</param>
    public ModelsFile Read(ICollection<string> problems, Func<string, string?>? secrets = null)
    {
        var own = File.Exists(Path);
        return new ModelsFileReader(Variables, problems, secrets).Read(own ? File.ReadAllText(Path) : BuiltIn(), own ? Path : "models.yaml (built in)");
    }

    /// <summary>Of the text, whoever's it is.</summary>
    public string Fingerprint() => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(File.Exists(Path) ? File.ReadAllText(Path) : BuiltIn())));

    private static ModelProvider At(Uri address, string? key)
    {
        var (limit, sampling, reasoning) = ModelProvider.UsualAt(address);
        return new() { Name = "openai-compatible", BaseUrl = address, Key = key, KeySource = "OPENAI_API_KEY", MaxTokensField = limit, ReasoningSampling = sampling, ReturnReasoning = reasoning };
    }

    private static Uri? BaseUrl(Func<string, string?> variables) =>
        Uri.TryCreate(variables("OPENAI_BASE_URL"), UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null;

    private static string BuiltIn()
    {
        using var stream = typeof(CatalogInputs).Assembly.GetManifestResourceStream("models.yaml") ?? throw new InvalidOperationException("The program lacks its models.yaml.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}

/// <summary>Makes the first catalog before anything listens, and a new one when models.yaml changes or a server that was asked for its models comes up. A broken file changes nothing.</summary>
internal sealed partial class ModelCatalogSource(CatalogInputs inputs, ModelRouter router, ModelDiscovery discovery, SecretVault vault, TimeProvider clock, ILogger<ModelCatalogSource> logger)
    : SupervisedService, IHostedLifecycleService
{
    private static readonly TimeSpan LookForOllama = TimeSpan.FromSeconds(15);

    private readonly SemaphoreSlim _gate = new(1, 1);
    private (DateTime Written, long Length) _stamp;
    private int _secrets;
    private ModelsFile _file = new();
    private string _fingerprint = "";
    private bool _undiscovered;
    private bool _absent;
    private long _looked;

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await ReloadAsync(cancellationToken);
        foreach (var note in router.Current.Catalog.Notes)
        {
            LogNote(note);
        }
    }

    /// <summary>Reads and asks everything anew. False: the file is not valid; the old catalog stays.</summary>
    public async Task<bool> ReloadAsync(CancellationToken cancellationToken)
    {
        await vault.EnsureLoadedAsync(cancellationToken);
        await _gate.WaitAsync(cancellationToken);
        try
        {
            return await TakeAsync(cancellationToken);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Takes a secret that was entered a moment ago over now, and not at the next look. Afterwards the catalog has it, whoever else was reading meanwhile.</summary>
    public async Task FollowSecretsAsync(CancellationToken cancellationToken)
    {
        if (vault.Version == Volatile.Read(ref _secrets))
        {
            return;
        }

        await _gate.WaitAsync(cancellationToken);
        try
        {
            if (vault.Version != _secrets)
            {
                await TakeAsync(cancellationToken);
            }
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>The same with what another instance was told a moment ago: for what would be refused without it.</summary>
    public async Task FollowOthersAsync(CancellationToken cancellationToken)
    {
        try
        {
            await vault.ReloadAsync(cancellationToken);
        }
        catch (StartupRefusedException)
        {
            // Sealed with another key: the secrets before stay in use, as the log says when they change (AccessFollower).
        }

        await NoteSecretsAsync(cancellationToken);
    }

    /// <summary>For whoever does something else in the first place: a file that is being replaced at this moment is read at the next look.</summary>
    public async Task NoteSecretsAsync(CancellationToken cancellationToken)
    {
        try
        {
            await FollowSecretsAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogUnreadable(e);
        }
    }

    /// <summary>Of the file that is in force; empty: none yet.</summary>
    public string Fingerprint => _fingerprint;

    /// <summary>Every provider that models.yaml names, those without a key as well.</summary>
    public IReadOnlyCollection<ModelProvider> Providers => [.. _file.Providers.Values.Select(static p => p.Provider)];

    /// <summary>Names of the models that models.yaml gives a provider.</summary>
    public IEnumerable<string> ModelsOf(string provider) => _file.Models.Values.Where(m => m.Provider.Name == provider).Select(static m => m.Name);

    /// <summary>The providers whose key is this secret.</summary>
    public IEnumerable<string> UsesOf(string secret) => _file.Providers.Where(p => p.Value.Provider.KeySecret == secret).Select(static p => $"models.yaml: provider {p.Key}");

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    /// <summary>What was read counts as seen only once it is in force: who finds nothing new must find the newest.</summary>
    private async Task<bool> TakeAsync(CancellationToken cancellationToken)
    {
        var (stamp, secrets) = (StampOf(inputs.Path), vault.Version);
        var problems = new List<string>();
        var file = inputs.Read(problems, vault.Find);
        if (problems.Count > 0)
        {
            LogRefused(string.Join("; ", problems));
        }
        else
        {
            (_file, _fingerprint) = (file, inputs.Fingerprint());
            var catalog = CatalogBuilder.Build(file, inputs.Options, await FindAsync(file, cancellationToken));
            ModelMetrics.BeginAtZero(catalog);
            router.Use(catalog);
        }

        _stamp = stamp;
        Volatile.Write(ref _secrets, secrets);
        return problems.Count == 0;
    }

    private async Task<IReadOnlyList<DiscoveredServer>> FindAsync(ModelsFile file, CancellationToken cancellationToken)
    {
        (_undiscovered, _absent) = (false, false);
        var asksForRules = file.Tiers.Values.Any(t => t.Contains(ModelCatalog.OfflineModel.Name, StringComparer.Ordinal));
        if (asksForRules || !CatalogBuilder.Build(file, inputs.Options, []).IsOffline)
        {
            return [];
        }

        if (inputs.Custom is { } custom)
        {
            var told = await discovery.ProbeAsync(custom, inputs.Options.ProbeTimeout, cancellationToken);
            _undiscovered = told.Ids.Count == 0;
            return [new DiscoveredServer(custom, told.Ids, CatalogBuilder.IsFree(custom, inputs.Options))];
        }

        if (!inputs.Options.ProbeOllama || inputs.Options.ProbeTimeout == TimeSpan.Zero)
        {
            return [];
        }

        var ollama = await discovery.ProbeAsync(inputs.Ollama, inputs.Options.ProbeTimeout, cancellationToken, isGuess: true);
        if (CatalogBuilder.HasChat(ollama.Ids))
        {
            return [new DiscoveredServer(inputs.Ollama, ollama.Ids, Free: true)];
        }

        _undiscovered = ollama.ErrorClass is null; // it is there, and has nothing to talk with yet
        (_absent, _looked) = (!_undiscovered, clock.GetTimestamp()); // it may be started later
        return [];
    }

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        if (inputs.Options.ReloadInterval <= TimeSpan.Zero)
        {
            return;
        }

        using var timer = new PeriodicTimer(inputs.Options.ReloadInterval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await LookAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            LogWatchEnded();
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var changed = StampOf(inputs.Path) != _stamp || vault.Version != _secrets;
        var hasCome = !changed && !_undiscovered && await HasComeAsync(cancellationToken);
        if (!changed && !_undiscovered && !hasCome)
        {
            return;
        }

        try
        {
            if (await ReloadAsync(cancellationToken) && (changed || hasCome))
            {
                LogReloaded(router.Current.Catalog.Models.Count);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The file is being replaced; the next look finds it whole.
            _stamp = default;
            LogUnreadable(e);
        }
    }

    /// <summary>Whether an Ollama answers that did not at the last look.</summary>
    private async Task<bool> HasComeAsync(CancellationToken cancellationToken)
    {
        if (!_absent || clock.GetElapsedTime(_looked) < LookForOllama)
        {
            return false;
        }

        _looked = clock.GetTimestamp();
        return (await discovery.ProbeAsync(inputs.Ollama, inputs.Options.ProbeTimeout, cancellationToken, isGuess: true)).ErrorClass is null;
    }

    private static (DateTime Written, long Length) StampOf(string path)
    {
        var file = new FileInfo(path);
        return file.Exists ? (file.LastWriteTimeUtc, file.Length) : default;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Note}")]
    private partial void LogNote(string note);

    [LoggerMessage(Level = LogLevel.Information, Message = "models.yaml was read again: {Count} models.")]
    private partial void LogReloaded(int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "models.yaml is not valid, the models stay as they were: {Problems}")]
    private partial void LogRefused(string problems);

    [LoggerMessage(Level = LogLevel.Warning, Message = "models.yaml cannot be read at the moment.")]
    private partial void LogUnreadable(Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "models.yaml is no longer watched.")]
    private partial void LogWatchEnded();
}
