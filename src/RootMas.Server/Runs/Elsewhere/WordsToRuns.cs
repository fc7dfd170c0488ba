using System.Text;
using RootMas.Server.Platform.Cluster;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs.Elsewhere;

/// <summary>
/// Takes the news that something lies in a run's inbox (a cancel, an answer) to the worker that has the run: at once over the bus, within half a second without.
/// </summary>
internal sealed partial class WordsToRuns : IHostedService, IDisposable
{
    private const string Topic = "runs.words";

    /// <summary>Beats of <see cref="RunsElsewhere.Beat"/> between two looks while others can be heard: for words that were lost.</summary>
    private const int Patient = 4;

    private readonly RunSignals _signals;
    private readonly RunWorker _worker;
    private readonly RunOwnership _ownership;
    private readonly IClusterBus _bus;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly IDisposable _subscription;
    private readonly CancellationTokenSource _stopping = new();
    private Task _beating = Task.CompletedTask;

    public WordsToRuns(RunSignals signals, RunWorker worker, RunOwnership ownership, IClusterBus bus, TimeProvider clock, ILogger<WordsToRuns> logger)
    {
        (_signals, _worker, _ownership, _bus, _clock, _logger) = (signals, worker, ownership, bus, clock, logger);
        signals.InboxChanged += Tell;
        _subscription = bus.Subscribe(Topic, Hear);
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _beating = BeatAsync();
        return Task.CompletedTask;
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        await _beating;
    }

    public void Dispose()
    {
        _subscription.Dispose();
        _stopping.Dispose();
    }

    private void Tell(string runId)
    {
        if (!_worker.IsActive(runId))
        {
            _bus.Publish(Topic, Encoding.UTF8.GetBytes(runId));
        }
    }

    private void Hear(ReadOnlyMemory<byte> payload)
    {
        var runId = Encoding.UTF8.GetString(payload.Span);
        if (_worker.IsActive(runId))
        {
            _signals.RaiseInboxChanged(runId);
        }
    }

    private async Task BeatAsync()
    {
        using var timer = new PeriodicTimer(RunsElsewhere.Beat, _clock);
        try
        {
            for (var beat = 1L; await timer.WaitForNextTickAsync(_stopping.Token); beat++)
            {
                if (_worker.ActiveCount > 0 && (_bus is not { IsShared: true, IsConnected: true } || beat % Patient == 0))
                {
                    await LookAsync();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // stopping
        }
    }

    private async Task LookAsync()
    {
        try
        {
            foreach (var runId in await _ownership.SpokenToAsync(_stopping.Token))
            {
                if (_worker.IsActive(runId))
                {
                    _signals.RaiseInboxChanged(runId);
                }
            }
        }
        catch (StorageUnavailableException e)
        {
            LogNotLooked(e);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The inboxes of this worker's runs could not be looked up; it is tried again")]
    private partial void LogNotLooked(Exception exception);
}
