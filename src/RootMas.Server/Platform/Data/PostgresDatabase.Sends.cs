using Npgsql;

namespace RootMas.Server.Platform.Data;

/// <summary>Writes that are only sent, in groups.</summary>
public sealed partial class PostgresDatabase
{
    /// <summary>A row that somebody holds delays those who share a commit with its writer only for so long.</summary>
    private const string ShortLocks = "SELECT set_config('lock_timeout', '50ms', TRUE)";

    /// <inheritdoc/>
    public Task WriteSentAsync(Func<DbSession, ValueTask> work, string order, CancellationToken cancellationToken) =>
        groups.RunAsync(new SentWrite(work, order), write => RunAsync(attempt => SendOnceAsync([write], attempt, cancellationToken), cancellationToken), cancellationToken);

    /// <summary>Several with one commit. If the server refuses any, none was kept, and each goes by itself: nobody fails, or waits for long, because of another.</summary>
    private async Task SendTogetherAsync(IReadOnlyList<SentWrite> writes)
    {
        if (writes.Count == 1 || !await TellAsync(writes, () => RunAsync(attempt => TrySendOnceAsync(writes, attempt), CancellationToken.None)))
        {
            await Task.WhenAll(writes.Select(write => TellAsync([write], () => RunAsync(attempt => SendOnceAsync([write], attempt, CancellationToken.None), CancellationToken.None))));
        }
    }

    /// <returns>False: nothing was kept, and nobody was told.</returns>
    private static async Task<bool> TellAsync(IReadOnlyList<SentWrite> writes, Func<Task<bool>> send)
    {
        Exception? failure = null;
        try
        {
            if (!await send())
            {
                return false;
            }
        }
#pragma warning disable CA1031 // each of them hears it
        catch (Exception exception)
#pragma warning restore CA1031
        {
            failure = exception;
        }

        foreach (var write in writes)
        {
            write.Done(failure);
        }

        return true;
    }

    private async Task<bool> TrySendOnceAsync(IReadOnlyList<SentWrite> writes, Attempt attempt)
    {
        try
        {
            return await SendOnceAsync(writes, attempt, CancellationToken.None);
        }
        catch (Exception error) when (!attempt.Committing && IsOfOne(error))
        {
            return false;
        }
    }

    private async Task<bool> SendOnceAsync(IReadOnlyList<SentWrite> writes, Attempt attempt, CancellationToken cancellationToken)
    {
        await using var lease = await pool.TakeAsync(cancellationToken);
        var began = time.GetTimestamp();
        var sends = new PostgresSends();
        if (writes.Count > 1)
        {
            sends.Add(new NpgsqlCommand(ShortLocks), static _ => { });
        }

        var now = await NowAsync(lease.Connection);
        var sessions = new PostgresSendSession[writes.Count];
        for (var i = 0; i < sessions.Length; i++)
        {
            sessions[i] = new PostgresSendSession(sends, now);
            await writes[i].Work(sessions[i]);
        }

        attempt.Committing = true;
        try
        {
            await sends.RunAsync(lease.Connection, transaction: null);
        }
        catch (PostgresException error) when (PostgresErrors.IsNotCommitted(error))
        {
            attempt.Committing = false; // as in CommitAsync
            throw;
        }

        for (var i = 0; i < sessions.Length; i++)
        {
            writes[i].Unreadable = sessions[i].Unreadable;
        }

        Saved(began, [.. sessions.SelectMany(static s => s.AfterCommits)], writes.Count);
        return true;
    }

    /// <summary>One of them is the reason, not the server: a lock, a conflict, a statement.</summary>
    private static bool IsOfOne(Exception error) =>
        error is PostgresException { SqlState: PostgresErrorCodes.LockNotAvailable }
        || (error is not StorageUnavailableException && !PostgresErrors.IsOutage(error) && !PostgresErrors.IsLostConnection(error));
}
