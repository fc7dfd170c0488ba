using RootMas.Runtime.Agents;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Knowledge.Vectors;

/// <summary>What is done in the background: graphs are built, extended and kept in files; texts without a vector of the present model get one.</summary>
internal sealed partial class VectorUpkeep(VectorCheck check, VectorBuilder builder, VectorOptions options, BackgroundJobs jobs, TimeProvider clock, ILogger<VectorUpkeep> logger)
    : SupervisedService, IHostedLifecycleService
{
    /// <summary>One minute, two, four, … about an hour.</summary>
    private const int MostDoublings = 7;

    private static readonly TimeSpan AfterFailure = TimeSpan.FromMinutes(1);

    /// <summary>So soon a change of models.yaml is seen.</summary>
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan JustNow = TimeSpan.FromMinutes(1);

    /// <summary>At the start and with another embedder what another instance has just seen to is left out; later, what any has seen to since half a turn.</summary>
    private TimeSpan _recently = JustNow;

    private int _failures;

    private readonly BackgroundJob _job = jobs.Add("vector-check", options.CheckEvery);

    /// <summary>The database is open by then or opens now; what cannot be done as asked stops the start.</summary>
    public async Task StartingAsync(CancellationToken cancellationToken) => await builder.StartAsync();

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override Task RunAsync(CancellationToken stoppingToken) => KeepAllAsync(stoppingToken, CheckAsync, BuildAsync);

    private async Task CheckAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var (pause, model) = (options.CheckEvery, check.Model);
            try
            {
                await _job.RunAsync(CheckOnceAsync, stoppingToken);
                _failures = 0;
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
#pragma warning disable CA1031 // it is tried again; the failure is in log, metrics and health
            catch (Exception e)
#pragma warning restore CA1031
            {
                pause = PauseAfter(e);
                LogCheckFailed(pause, e);
            }

            await PauseAsync(pause, model, stoppingToken);
        }
    }

    /// <summary>Outages pass soon. What a model refuses altogether it will refuse again, until somebody puts it right.</summary>
    private TimeSpan PauseAfter(Exception failure)
    {
        _failures = failure is ModelException { RetryLater: false } ? Math.Min(_failures + 1, MostDoublings) : 0;
        return AfterFailure * Math.Pow(2, Math.Max(0, _failures - 1));
    }

    /// <summary>Ends early when another embedder makes the vectors than at the last check.</summary>
    private async Task PauseAsync(TimeSpan pause, string model, CancellationToken stoppingToken)
    {
        for (var left = pause; left > TimeSpan.Zero && check.Model == model && !stoppingToken.IsCancellationRequested; left -= Step)
        {
            await Task.Delay(left < Step ? left : Step, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _recently = check.Model == model ? _recently : JustNow;
    }

    private async Task CheckOnceAsync(CancellationToken stoppingToken)
    {
        try
        {
            await builder.CatchUpAsync(stoppingToken);
            var made = await check.RunAsync(_recently, stoppingToken);
            _recently = options.CheckEvery / 2;
            if (made > 0)
            {
                LogEmbedded(made);
            }
        }
        finally
        {
            await TidyAsync(stoppingToken); // what was deleted goes, whether or not the embedder answers
        }
    }

    private async Task TidyAsync(CancellationToken stoppingToken)
    {
        try
        {
            await builder.TidyAsync(check.Model, stoppingToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotTidied(e); // it takes room, and nobody reads it
        }
    }

    private async Task BuildAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var _ in builder.Work.ReadAllAsync(stoppingToken))
            {
                await TryBuildAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server stops.
        }
    }

    private async Task TryBuildAsync(CancellationToken stoppingToken)
    {
        try
        {
            await builder.BuildAsync(stoppingToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotKept(e); // the graph is in memory and works
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Not every text has its vector yet: full-text search finds all of them, vector search those that are done. It is tried again in {Pause}")]
    private partial void LogCheckFailed(TimeSpan pause, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A vector index that is not used any more could not be removed from the data directory; it is tried again with the next check")]
    private partial void LogNotTidied(Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} texts got a new vector")]
    private partial void LogEmbedded(int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A vector index could not be kept in the data directory; the next start builds it again")]
    private partial void LogNotKept(Exception exception);
}
