using RootMas.Server.Platform.Data;

namespace RootMas.Server.Backups;

/// <summary>Backups of a running server: one at a time, with what others and alerts must know about them.</summary>
internal sealed partial class BackupService(BackupDesk desk, BackupState state, BackupMetrics metrics, TimeProvider clock, ILogger<BackupService> logger) : IDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);

    private DateTimeOffset _problemAt;

    /// <summary>Of the last backup that went wrong in this process; null: the last one did not, or another instance has made one since.</summary>
    public string? LastProblem
    {
        get;
        private set
        {
            field = value;
            _problemAt = clock.GetUtcNow();
        }
    }

    /// <param name="also">Written in the transaction that tells of the backup.</param>
    /// <exception cref="BackupException">It could not be made, or another one is under way.</exception>
    public async Task<BackupOutcome> CreateAsync(string reason, bool verify, Func<DbSession, string, ValueTask>? also, CancellationToken cancellationToken)
    {
        using var turn = await TakeTurnAsync(cancellationToken);
        var began = clock.GetTimestamp();
        try
        {
            var outcome = await desk.CreateAsync(reason, verify, cancellationToken);
            var record = outcome.Record;
            await KeepAsync(record, also);
            metrics.Made(reason, outcome.Warnings.Count == 0 ? "ok" : "warnings", clock.GetElapsedTime(began));
            metrics.Size = record.Size;
            if (record.Verification is { } verification)
            {
                metrics.Checked(verification.Ok);
            }

            LastProblem = outcome.Warnings.Count == 0 ? null : string.Join("; ", outcome.Warnings);
            LogMade(record.Id, record.Size, record.Rows);
            foreach (var warning in outcome.Warnings)
            {
                LogWarning(record.Id, warning);
            }

            return outcome;
        }
        catch (BackupException e)
        {
            LastProblem = e.Message;
            metrics.Made(reason, "failed", clock.GetElapsedTime(began));
            LogFailed(e);
            throw;
        }
        finally
        {
            await RefreshAsync();
        }
    }

    /// <exception cref="BackupException">There is none of this id, it could not be looked at, or another one is being made or checked.</exception>
    public async Task<(string Id, BackupRecord? Record, Verification Result)> VerifyAsync(string id, Func<DbSession, ValueTask> also, CancellationToken cancellationToken)
    {
        using var turn = await TakeTurnAsync(cancellationToken);
        var verified = await desk.VerifyAsync(id, cancellationToken);
        metrics.Checked(verified.Result.Ok);
        await (verified.Record is { } record ? state.KeepAsync(record, made: false, also, CancellationToken.None) : state.KeepAsync(also, CancellationToken.None));
        await RefreshAsync();
        return verified;
    }

    /// <summary>The archive is there whatever the database says, so that is what people are told.</summary>
    private async Task KeepAsync(BackupRecord record, Func<DbSession, string, ValueTask>? also)
    {
        try
        {
            await state.KeepAsync(record, made: true, session => also?.Invoke(session, record.Id) ?? default, CancellationToken.None);
        }
        catch (StorageUnavailableException e)
        {
            throw new BackupException(BackupFailure.Failed, $"The backup {record.Id} was made and is kept, but the database could not note that: {e.Message}", e);
        }
    }

    /// <summary>Reads the shared times for metrics.</summary>
    public async Task<BackupTimes?> RefreshAsync()
    {
        try
        {
            var times = await state.ReadAsync(CancellationToken.None);
            if (LastProblem is not null && times.AsOf(clock.GetUtcNow()).Success > _problemAt)
            {
                LastProblem = null;
            }

            return metrics.Times = times;
        }
        catch (StorageUnavailableException e)
        {
            LogUnknown(e);
            return null;
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task<IDisposable> TakeTurnAsync(CancellationToken cancellationToken) => await _one.WaitAsync(TimeSpan.Zero, cancellationToken)
        ? new Turn(_one)
        : throw new BackupException(BackupFailure.Busy, "Another backup is being made or checked. Nothing was done. Try again when it is over.");

    [LoggerMessage(Level = LogLevel.Information, Message = "Made the backup {Backup}: {Size} bytes, {Rows} rows")]
    private partial void LogMade(string backup, long size, long rows);

    [LoggerMessage(Level = LogLevel.Error, Message = "The backup {Backup} was made, but: {Warning}")]
    private partial void LogWarning(string backup, string warning);

    [LoggerMessage(Level = LogLevel.Error, Message = "No backup could be made; earlier ones are as they were")]
    private partial void LogFailed(Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "When the last backup was made could not be read")]
    private partial void LogUnknown(Exception exception);

    private sealed class Turn(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }
}
