using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Health;

namespace RootMas.Server.Backups;

/// <summary>
/// Makes the backup that is due, and verifies it. What is due follows from the newest one, whoever made it, so a machine that was off at the hour catches up, and of several instances on one database one does it:
/// the others find the lock taken, or the work done.
/// </summary>
internal sealed partial class BackupSchedule(BackupSetup setup, BackupService service, IDatabase database, BackgroundJobs jobs, TimeProvider clock, ILogger<BackupSchedule> logger) : SupervisedService
{
    private const long LockKey = 0x526f6f744d4142; // "RootMAB"
    private static readonly TimeSpan LongestLook = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan AfterFailure = TimeSpan.FromMinutes(10);

    private readonly BackgroundJob? _job = setup.Options.Scheduled ? jobs.Add("backup", setup.Options.Every) : null;
    private DateTimeOffset? _known;

    /// <summary>The first time after <paramref name="last"/> that the plan names.</summary>
    internal static DateTimeOffset DueAfter(DateTimeOffset last, BackupOptions options)
    {
        var first = DateTimeOffset.UnixEpoch + options.At;
        var passed = (last - first).Ticks / options.Every.Ticks;
        return first + ((passed + 1) * options.Every);
    }

    protected override (TimeProvider Clock, ILogger Logger) Means => (clock, logger);

    protected override async Task RunAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = await LookAsync(stoppingToken);
            await Task.Delay(pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <returns>When to look again: others may have made one, and clocks jump.</returns>
    private async Task<TimeSpan> LookAsync(CancellationToken stoppingToken)
    {
        if (await service.RefreshAsync() is not { } read || _job is null)
        {
            return LongestLook;
        }

        var times = read.AsOf(clock.GetUtcNow());
        if (times.Since != _known)
        {
            if (_known is not null)
            {
                _job.Succeeded(); // whoever made it: this instance has nothing to make up for
            }

            _known = times.Since;
        }

        var wait = DueAfter(times.Since, setup.Options) - clock.GetUtcNow();
        if (wait > TimeSpan.Zero)
        {
            return wait < LongestLook ? wait : LongestLook;
        }

        try
        {
            await _job.RunAsync(TakeTurnAsync, stoppingToken);
            return LongestLook;
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            return LongestLook;
        }
#pragma warning disable CA1031 // the next one must be made all the same; the failure is in log, metrics and health
        catch (Exception e)
#pragma warning restore CA1031
        {
            LogFailed(AfterFailure, e);
            return AfterFailure;
        }
    }

    private async Task TakeTurnAsync(CancellationToken stoppingToken)
    {
        if (database.Kind == DatabaseKind.Sqlite)
        {
            await service.CreateAsync("scheduled", verify: true, null, stoppingToken);
            return;
        }

        await using var connection = await PostgresCopy.OpenAsync(PostgresConnection.Single(setup.Database), setup.Policies, stoppingToken);
        if (await DatabaseReading.ScalarAsync(connection, null, FormattableString.Invariant($"SELECT pg_try_advisory_lock({LockKey})"), stoppingToken) is not true)
        {
            return; // another instance is at it
        }

        // It may have been done between our look and our turn.
        if (await service.RefreshAsync() is { } times && DueAfter(times.AsOf(clock.GetUtcNow()).Since, setup.Options) <= clock.GetUtcNow())
        {
            await service.CreateAsync("scheduled", verify: true, null, stoppingToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The scheduled backup failed; it is tried again in {Pause}")]
    private partial void LogFailed(TimeSpan pause, Exception exception);
}
