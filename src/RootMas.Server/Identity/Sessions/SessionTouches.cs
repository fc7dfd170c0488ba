using System.Collections.Concurrent;
using RootMas.Server.Identity.Access;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Identity.Sessions;

/// <summary>Notes which sessions were used and writes it down beside the requests: nobody waits for it. Also ends what has run out, and forgets sessions that have been over for a while.</summary>
public sealed partial class SessionTouches(SessionStore store, LiveSessions live, BackgroundJobs jobs, TimeProvider clock, ILogger<SessionTouches> logger) : SupervisedService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(30);
    private readonly BackgroundJob _job = jobs.Add("session-upkeep", Every);
    private readonly ConcurrentDictionary<string, bool> _used = new(StringComparer.Ordinal);

    public void Touch(string sessionId) => _used[sessionId] = true;

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
            {
                await WriteAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process ends; a time of last use that is a minute old is good enough.
        }
    }

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        live.EndOver(clock.GetUtcNow());
        var ids = _used.Keys.ToArray();
        try
        {
            await _job.RunAsync(
                async token =>
                {
                    await store.TouchAsync(ids, token);
                    await store.RemoveOverAsync(token);
                },
                cancellationToken);
            foreach (var id in ids)
            {
                _used.TryRemove(id, out _);
            }
        }
        catch (StorageUnavailableException e)
        {
            LogNotWritten(e, ids.Length);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The last use of {Count} sessions could not be written; it is tried again")]
    private partial void LogNotWritten(Exception exception, int count);
}
