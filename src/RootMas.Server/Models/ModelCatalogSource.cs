using RootMas.Server.Identity.Secrets;
using RootMas.Server.Models.Pipeline;
using RootMas.Server.Platform;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Models;

/// <summary>A file that is, or was, in force.</summary>
internal sealed record TakenFile(ModelsText Text, ModelsFile File);

/// <summary>
/// Makes the first catalog before anything listens, and a new one when models.yaml or a secret changes, or a server that was asked for its models comes up. A file that is refused changes nothing.
/// </summary>
internal sealed partial class ModelCatalogSource(CatalogInputs inputs, ModelRouter router, ServerFinder finder, SecretVault vault, TimeProvider clock, ILogger<ModelCatalogSource> logger)
    : SupervisedService, IHostedLifecycleService
{
    private static readonly ModelsFile Nothing = new();

    private readonly SemaphoreSlim _gate = new(1, 1);

    /// <summary>Of the file that was taken or refused last; null: it could not be read.</summary>
    private FileStamp? _stamp;

    /// <summary>Of the file at the last look.</summary>
    private FileStamp? _seen;

    private int _secrets;
    private volatile TakenFile? _taken;
    private volatile IReadOnlyList<string> _problems = [];
    private volatile object _revision = new();

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await ReloadAsync(cancellationToken);
        foreach (var note in router.Current.Catalog.Notes)
        {
            LogNote(note);
        }
    }

    /// <summary>Reads and asks everything anew. False: the file is refused; the old one stays in force.</summary>
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
                await RenewAsync(cancellationToken);
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

        await FollowSecretsAsync(cancellationToken);
    }

    /// <summary>Of the file that is in force; empty: none yet.</summary>
    public string Fingerprint => _taken?.Text.Fingerprint ?? "";

    /// <summary>Why the newest file is not in force; empty: it is. They hold paths.</summary>
    public IReadOnlyList<string> Problems => _problems;

    /// <summary>Another object whenever catalog or problems are others.</summary>
    public object Revision => _revision;

    /// <summary>Every provider that models.yaml names, those without a key as well.</summary>
    public IReadOnlyCollection<ModelProvider> Providers => [.. InForce.Providers.Values.Select(static p => p.Provider)];

    /// <summary>Names of the models that models.yaml gives a provider.</summary>
    public IEnumerable<string> ModelsOf(string provider) => InForce.Models.Values.Where(m => m.Provider.Name == provider).Select(static m => m.Name);

    /// <summary>The providers whose key is this secret.</summary>
    public IEnumerable<string> UsesOf(string secret) => InForce.Providers.Where(p => p.Value.Provider.KeySecret == secret).Select(static p => $"models.yaml: provider {p.Key}");

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    private ModelsFile InForce => _taken?.File ?? Nothing;

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

    /// <summary>One look. An edit is taken when the next look finds the same file: until then it may be half written.</summary>
    internal async Task LookAsync(CancellationToken cancellationToken)
    {
        var stamp = StampOf(inputs.Path);
        var isEdited = stamp != _stamp && stamp == _seen;
        _seen = stamp;
        if (isEdited)
        {
            if (await ReloadAsync(cancellationToken))
            {
                LogReloaded(router.Current.Catalog.Models.Count);
            }

            return;
        }

        var isChanged = vault.Version != Volatile.Read(ref _secrets) || (!finder.IsUnsure && await finder.HasComeAsync(cancellationToken));
        if (!isChanged && !finder.IsUnsure)
        {
            return;
        }

        await _gate.WaitAsync(cancellationToken);
        try
        {
            await RenewAsync(cancellationToken);
        }
        finally
        {
            _gate.Release();
        }

        if (isChanged)
        {
            LogRenewed(router.Current.Catalog.Models.Count);
        }
    }

    /// <summary>What was read counts as seen only once it is in force: who finds nothing new must find the newest.</summary>
    private async Task<bool> TakeAsync(CancellationToken cancellationToken)
    {
        var (stamp, secrets) = (StampOf(inputs.Path), vault.Version);
        var problems = new List<string>();
        var text = inputs.Load(problems);
        if (text is null && secrets == _secrets && problems.SequenceEqual(_problems, StringComparer.Ordinal))
        {
            return false; // as at the look before
        }

        var file = text is null ? null : Check(text, problems);
        if (text is not null && file is not null)
        {
            await UseAsync(new TakenFile(text, file), [], cancellationToken);
        }
        else
        {
            LogRefused(string.Join("; ", problems));
            await StayAsync(problems, cancellationToken);
        }

        _stamp = text is null ? null : stamp;
        Volatile.Write(ref _secrets, secrets);
        return problems.Count == 0;
    }

    /// <summary>Makes the catalog anew where secrets, or what a server says, have changed. The file is not read, which may be half written at this moment.</summary>
    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        if (_taken is null)
        {
            await TakeAsync(cancellationToken);
            return;
        }

        var secrets = vault.Version;
        await StayAsync(_problems, cancellationToken);
        Volatile.Write(ref _secrets, secrets);
    }

    /// <summary>What the file says, if it may be in force. A text that is gone, or cut off at the end of a line, is no wish to have what is built in or to do without a tier.</summary>
    private ModelsFile? Check(ModelsText text, List<string> problems)
    {
        var before = _taken is { Text.IsOwn: true } taken ? taken : null;
        if (before is not null && !text.IsOwn)
        {
            problems.Add($"{inputs.Path}: is not there any more. Put it back; to use the built-in models, restart without it");
            return null;
        }

        var file = inputs.Parse(text, problems, vault.Find);
        if (problems.Count == 0 && before is not null)
        {
            problems.AddRange(before.File.LostIn(file).Select(lost => $"{inputs.Path}: {lost}"));
        }

        return problems.Count == 0 ? file : null;
    }

    /// <summary>The file that is in force stays so, with the secrets of now. Its text is valid, and a secret that is missing is no problem of a file.</summary>
    private async Task StayAsync(IReadOnlyList<string> problems, CancellationToken cancellationToken)
    {
        if (_taken is { } before)
        {
            await UseAsync(before with { File = inputs.Parse(before.Text, [], vault.Find) }, problems, cancellationToken);
        }
        else
        {
            (_problems, _revision) = (problems, new object());
        }
    }

    private async Task UseAsync(TakenFile taken, IReadOnlyList<string> problems, CancellationToken cancellationToken)
    {
        var catalog = CatalogBuilder.Build(taken.File, inputs.Options, await finder.FindAsync(taken.File, cancellationToken));
        ModelMetrics.BeginAtZero(catalog);
        router.Use(catalog);
        (_taken, _problems, _revision) = (taken, problems, new object());
    }

    /// <summary>Of the file itself: a link keeps its own time when what it leads to is replaced. One that leads nowhere is no file.</summary>
    private static FileStamp StampOf(string path)
    {
        try
        {
            var link = new FileInfo(path);
            var file = link.ResolveLinkTarget(returnFinalTarget: true) as FileInfo ?? link;
            return file.Exists ? new FileStamp(file.LastWriteTimeUtc, file.Length) : default;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return default; // not there, or not for this account
        }
    }

    private readonly record struct FileStamp(DateTime Written, long Length);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Note}")]
    private partial void LogNote(string note);

    [LoggerMessage(Level = LogLevel.Information, Message = "models.yaml was read again: {Count} models.")]
    private partial void LogReloaded(int count);

    [LoggerMessage(Level = LogLevel.Information, Message = "A secret, or a server that was found, has changed the models: {Count} models.")]
    private partial void LogRenewed(int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "The newest edit of models.yaml is not in force, the models stay as they were: {Problems}")]
    private partial void LogRefused(string problems);

    [LoggerMessage(Level = LogLevel.Debug, Message = "models.yaml is no longer watched.")]
    private partial void LogWatchEnded();
}
