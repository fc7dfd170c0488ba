using System.Threading.Channels;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Agents;

/// <summary>Loads the catalog before the server listens, then takes over edits: at once where the file system or another instance tells of them, else at the next poll.</summary>
public sealed partial class CatalogWatcher(AgentCatalog catalog, string directory, AgentsOptions options, ChangeFeed changes, TimeProvider clock, ILogger<CatalogWatcher> logger)
    : SupervisedService, IHostedLifecycleService
{
    // One slot: a second notice before the first was served says nothing new.
    private readonly Channel<bool> _notices = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        changes.Subscribe(CatalogOverrides.Changed, _ => NoticeAsync(), NoticeAsync);
        try
        {
            await catalog.LoadAsync(cancellationToken);
        }
        catch (CatalogException e)
        {
            throw new Platform.StartupRefusedException(e.Message);
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var watcher = Watch();
        await KeepAllAsync(stoppingToken, PollAsync, ServeAsync);
    }

    private Task NoticeAsync()
    {
        _notices.Writer.TryWrite(true);
        return Task.CompletedTask;
    }

    private async Task PollAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(options.PollInterval, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stopping))
            {
                _notices.Writer.TryWrite(true);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The server stops.
        }
    }

    private async Task ServeAsync(CancellationToken stopping)
    {
        try
        {
            while (await _notices.Reader.WaitToReadAsync(stopping))
            {
                await RestAsync(stopping);
                await ReloadAsync(stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The server stops.
        }
    }

    /// <summary>Waits until notices stop coming, but not for ever.</summary>
    private async Task RestAsync(CancellationToken stopping)
    {
        for (var i = 0; i < 10 && _notices.Reader.TryRead(out _); i++)
        {
            await Task.Delay(options.Debounce, clock, stopping);
        }
    }

    private async Task ReloadAsync(CancellationToken stopping)
    {
        try
        {
            await catalog.ReloadAsync(stopping);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            // The database may be away for a while; the catalog in force stays, and the next poll tries again.
            LogReloadFailed(e);
        }
    }

    private FileSystemWatcher? Watch()
    {
        try
        {
            var watcher = new FileSystemWatcher(directory) { IncludeSubdirectories = true };
            watcher.Filters.Add("*.yaml");
            watcher.Filters.Add("*.md");
            watcher.Changed += (_, _) => _notices.Writer.TryWrite(true);
            watcher.Created += (_, _) => _notices.Writer.TryWrite(true);
            watcher.Deleted += (_, _) => _notices.Writer.TryWrite(true);
            watcher.Renamed += (_, _) => _notices.Writer.TryWrite(true);
            watcher.Error += (_, _) => _notices.Writer.TryWrite(true);
            watcher.EnableRaisingEvents = true;
            return watcher;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or PlatformNotSupportedException)
        {
            LogNoNotices(e, options.PollInterval);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The file system sends no notices; the config folder is compared every {Interval}")]
    private partial void LogNoNotices(Exception exception, TimeSpan interval);

    [LoggerMessage(Level = LogLevel.Error, Message = "The catalog could not be compared with its files; the one in force stays")]
    private partial void LogReloadFailed(Exception exception);
}
