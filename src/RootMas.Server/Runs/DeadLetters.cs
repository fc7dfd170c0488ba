using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>Something that is not tried again until an operator says so.</summary>
internal sealed record DeadLetter(string Id, string Kind, string? RunId, string? OwnerId, string? Queue, string Reason, string? Body, long Deliveries, DateTimeOffset CreatedAt);

/// <param name="RunId">The run that goes on, or the new one.</param>
/// <param name="Code">Null: it was done.</param>
internal sealed record Redriven(string? RunId, string? Code = null, string? Detail = null);

/// <summary>What operators see of the dead letters, and do with them.</summary>
internal sealed class DeadLetters(IDatabase database, RunSignals signals, RunVerbs verbs)
{
    private const string Columns = "id, kind, run_id, owner_id, queue, reason, body, deliveries, created_at";

    /// <summary>A run's letter has the run's id, which is older than the letter: so by time, not by id.</summary>
    private const string Page = $"SELECT {Columns} FROM dead_letters WHERE (created_at, id) < (@at, @id) ORDER BY created_at DESC, id DESC LIMIT @limit";

    private const string One = $"SELECT {Columns} FROM dead_letters WHERE id = @id";

    private const string Retry = "SELECT id FROM runs WHERE owner_id = @owner AND retry_of = @run ORDER BY id DESC LIMIT 1";

    private const string Delete = "DELETE FROM dead_letters WHERE id = @id";

    private static readonly SqlText Row = SqlDialect.Held($"SELECT {RunRow.Columns} FROM runs WHERE id = @id");

    /// <summary>Newest first.</summary>
    /// <param name="before">Microseconds and id of the last one that was seen; null: from the newest.</param>
    public Task<List<DeadLetter>> ListAsync((long At, string Id)? before, int limit, CancellationToken cancellationToken) =>
        database.LookAsync(
            async session => await session.Prepared(Page).Set("at", before?.At ?? long.MaxValue).Set("id", before?.Id ?? "").Set("limit", (long)limit).ListAsync(Read), cancellationToken);

    /// <summary>False: there is no such one.</summary>
    public Task<bool> PurgeAsync(string id, AuditWrite record, CancellationToken cancellationToken) =>
        database.WriteAsync(
            async session =>
            {
                if (await session.Prepared(Delete).Set("id", id).RunAsync() == 0)
                {
                    return false;
                }

                await record(session);
                return true;
            },
            cancellationToken);

    /// <summary>A run that was given up is started again, as a new one of its owner, unless its owner did that; a message is sent again, if its run still waits for a worker. Null: there is no such one.</summary>
    public async Task<Redriven?> RedriveAsync(string id, Func<DeadLetter, AuditWrite> record, Made? made, CancellationToken cancellationToken)
    {
        var letter = await database.LookAsync(session => session.Prepared(One).Set("id", id).FirstOrDefaultAsync(Read), cancellationToken);
        if (letter is null)
        {
            return null;
        }

        async ValueTask TakeAsync(DbSession session, string runId)
        {
            if (await session.Prepared(Delete).Set("id", id).RunAsync() == 0)
            {
                throw new LetterGoneException();
            }

            await record(letter)(session);
            if (made is not null)
            {
                await made(session, runId);
            }
        }

        try
        {
            return letter.Kind == DeadLetterRows.Message ? await AnnounceAsync(letter, TakeAsync, cancellationToken) : await RestartAsync(letter, record(letter), TakeAsync, cancellationToken);
        }
        catch (LetterGoneException)
        {
            return null;
        }
    }

    private async Task<Redriven> RestartAsync(DeadLetter letter, AuditWrite record, Made take, CancellationToken cancellationToken)
    {
        if (await RetriedAsync(letter, record, cancellationToken) is { } again)
        {
            return new Redriven(again, "retried_already", $"Its run was started again already, as run {again}. Nothing was begun, and the dead letter was deleted: there is nothing left to do.");
        }

        var verdict = await verbs.RestartAsync(letter.RunId!, letter.OwnerId!, take, cancellationToken);
        return verdict is { Ok: true, Run: { } run } ? new Redriven(run.Id) : new Redriven(letter.RunId, verdict.Code ?? "run_not_found", verdict.Detail ?? "Its run is not there any more. Purge it.");
    }

    /// <summary>A retry takes the letter along; this finds those from before that was so, and of instances of an earlier version.</summary>
    private Task<string?> RetriedAsync(DeadLetter letter, AuditWrite record, CancellationToken cancellationToken) => database.WriteAsync(
        async session =>
        {
            var again = await session.Prepared(Retry).Set("owner", letter.OwnerId).Set("run", letter.RunId).StringAsync();
            if (again is null)
            {
                return null;
            }

            if (await session.Prepared(Delete).Set("id", letter.Id).RunAsync() == 0)
            {
                throw new LetterGoneException(); // with that retry
            }

            await record(session);
            return again;
        },
        cancellationToken);

    private async Task<Redriven> AnnounceAsync(DeadLetter letter, Made take, CancellationToken cancellationToken)
    {
        if (letter.RunId is not { } runId)
        {
            return new Redriven(null, "unreadable", "It is no message of this system, so nobody would know what to do with it. Purge it.");
        }

        return await database.WriteAsync(
            async session =>
            {
                var row = await session.Prepared(Row).Set("id", runId).FirstOrDefaultAsync(RunRow.Read);
                if (row is not { Status: RunStatus.Queued })
                {
                    return new Redriven(runId, "run_needs_no_worker", row is null ? "Its run is not there any more. Purge it." : $"Its run is {row.Status.ToName()} and does not wait for a worker. Purge it.");
                }

                await take(session, runId);
                await signals.Dispatch.AnnounceAsync(session, row.Ready with { IsFresh = false });
                return new Redriven(runId);
            },
            cancellationToken);
    }

    /// <summary>Somebody took it between the look at it and its turn: what was written with it is taken back, and trying again would find it gone again.</summary>
    private sealed class LetterGoneException : Exception;

    private static DeadLetter Read(DbDataReader row) => new(
        row.GetString(0), row.GetString(1), row.StringOrNull(2), row.StringOrNull(3), row.StringOrNull(4), row.GetString(5), row.StringOrNull(6), row.GetInt64(7), row.Time(8));
}
