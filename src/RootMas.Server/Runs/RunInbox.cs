using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

internal enum InboxOutcome
{
    /// <summary>No such run (of this owner).</summary>
    NotFound,

    /// <summary>The run is final; nothing was written.</summary>
    Final,

    /// <summary>The key was there already; nothing changed.</summary>
    Duplicate,

    /// <summary>What was asked has its answer, or nobody gave one in time; nothing was written.</summary>
    Settled,

    Written,
}

/// <summary>How everybody but the owner speaks to a run (DESIGN §4.3): one row, the raised inbox number and the wake-up are one transaction.</summary>
internal static class RunInbox
{
    /// <summary>Held: between this look and the commit its owner can neither park nor end it, so the word is either in its inbox before that, or wakes it.</summary>
    private static readonly SqlText Status = SqlDialect.Held("SELECT status, owner_id, root_run_id FROM runs WHERE id = @id");

    private const string Insert = """
        INSERT INTO run_inbox (run_id, key, payload, created_at) VALUES (@run_id, @key, @payload, @now)
        ON CONFLICT (run_id, key) DO NOTHING RETURNING id
        """;

    private const string Raise = "UPDATE runs SET inbox_seq = @inbox_seq WHERE id = @id";

    private const string Unpark = """
        UPDATE runs SET inbox_seq = @inbox_seq, status = 'queued', wake_at = NULL, parked_at = NULL, ready_at = @now,
            parked_on_humans_ms = parked_on_humans_ms + CASE WHEN @human = 1 AND @now > parked_at THEN (@now - parked_at) / 1000 ELSE 0 END
        WHERE id = @id
        """;

    private const string Received = "SELECT json FROM run_events WHERE run_id = @id AND type = 'input.received'";

    private const string Rows = "SELECT id, key, payload FROM run_inbox WHERE run_id = @id AND id > @after ORDER BY id";

    /// <param name="ownerId">Null: whoever owns the run (timers, children, and callers whose right was checked).</param>
    public static async ValueTask<InboxOutcome> InsertAsync(DbSession session, RunSignals signals, string runId, string? ownerId, string key, InboxPayload payload)
    {
        var found = await session.Prepared(Status).Set("id", runId).FirstOrDefaultAsync(static r =>
            (Status: RunStatusNames.Parse(r.GetString(0)), Owner: r.GetString(1), Root: r.GetString(2), Found: true));
        if (!found.Found || (ownerId is not null && ownerId != found.Owner))
        {
            return InboxOutcome.NotFound;
        }

        if (found.Status.IsFinal())
        {
            return InboxOutcome.Final;
        }

        if (payload is InputGiven { Call: { } call } && await IsSettledAsync(session, runId, call))
        {
            return InboxOutcome.Settled;
        }

        var id = await session.Prepared(Insert).Set("run_id", runId).Set("key", key).Set("payload", RunJson.Serialize(payload)).Set("now", session.Now).Int64Async();
        if (id is null)
        {
            return InboxOutcome.Duplicate;
        }

        if (found.Status.IsParked())
        {
            await session.Prepared(Unpark).Set("inbox_seq", id.Value).Set("id", runId).Set("human", found.Status.IsWaitingForHuman()).Set("now", session.Now).RunAsync();
        }
        else
        {
            await session.Prepared(Raise).Set("inbox_seq", id.Value).Set("id", runId).RunAsync();
        }

        if (found.Status == RunStatus.Running)
        {
            session.AfterCommit(() => signals.RaiseInboxChanged(runId));
        }
        else
        {
            // Not as a new run, even if it never began: what was said to it need not wait for its turn.
            await signals.Dispatch.AnnounceAsync(session, new ReadyRun(runId, found.Owner, found.Root == runId, IsFresh: false));
        }

        return InboxOutcome.Written;
    }

    /// <summary>Asked while the run is held: an end of the question that is not in its log yet is written after what is said now, and takes it in.</summary>
    private static async ValueTask<bool> IsSettledAsync(DbSession session, string runId, int call)
    {
        var received = await session.Prepared(Received).Set("id", runId).ListAsync(static r => RunJson.DeserializeEvent(r.Bytes(0)));
        return received.OfType<InputReceived>().Any(r => r.Call == call);
    }

    public static async ValueTask<IReadOnlyList<InboxItem>> ReadAsync(DbSession session, string runId, long after) =>
        await session.Prepared(Rows).Set("id", runId).Set("after", after)
            .ListAsync(static r => new InboxItem(r.GetInt64(0), r.GetString(1), RunJson.DeserializeInbox(r.GetString(2))));
}
