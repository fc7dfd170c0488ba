using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Platform.Telemetry;

/// <summary>Figures that only the database knows (how long the oldest run waits, say). Read from time to time, never by a scrape: a scraper must not be able to load the database.</summary>
internal interface ISampled
{
    /// <summary>Declares its gauges; called once.</summary>
    void Publish(ServerMeter meter);

    /// <summary>One consistent look. Every statement has an index: it runs on every instance, all day.</summary>
    ValueTask SampleAsync(DbSession session);

    /// <summary>What was known is no longer: the database does not answer. A figure that is not known is not shown.</summary>
    void Forget();
}

/// <summary>A gauge that keeps what was read last.</summary>
internal sealed class SampledGauge(string name, string unit, string help)
{
    private volatile IReadOnlyList<Reading> _readings = [];

    public IReadOnlyList<Reading> Readings => _readings;

    public void Publish(ServerMeter meter) => meter.Observe(name, unit, help, () => _readings);

    public void Set(params IReadOnlyList<Reading> readings) => _readings = readings;

    public void Clear() => _readings = [];
}

/// <summary>Reads all samples in one read transaction, every <see cref="TelemetryOptions.SampleInterval"/>.</summary>
internal sealed partial class Sampling(IEnumerable<ISampled> sources, IDatabase database, TelemetryOptions options, BackgroundJobs jobs, TimeProvider clock, ILogger<Sampling> logger) : SupervisedService
{
    private readonly ISampled[] _sources = [.. sources];

    public async Task SampleAsync(CancellationToken cancellationToken) => await database.ReadAsync(
        async session =>
        {
            foreach (var source in _sources)
            {
                await source.SampleAsync(session);
            }

            return true;
        },
        cancellationToken);

    public void Publish(ServerMeter meter) => Array.ForEach(_sources, s => s.Publish(meter));

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        var job = jobs.Add("samples", options.SampleInterval);
        using var timer = new PeriodicTimer(options.SampleInterval, clock);
        try
        {
            do
            {
                await TryAsync(job, stoppingToken);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // the end of the process
        }
    }

    private async Task TryAsync(BackgroundJob job, CancellationToken cancellationToken)
    {
        try
        {
            await job.RunAsync(SampleAsync, cancellationToken);
        }
        catch (StorageUnavailableException e)
        {
            Array.ForEach(_sources, static s => s.Forget());
            LogNotSampled(e);
        }
        catch
        {
            Array.ForEach(_sources, static s => s.Forget());
            throw;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Figures for metrics could not be read from the database; they are missing until it answers")]
    private partial void LogNotSampled(Exception exception);
}
