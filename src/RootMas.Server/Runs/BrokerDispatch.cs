using System.Data.Common;
using RootMas.Server.Platform.Broker;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Over the broker: a row in the transaction that makes the run ready (<see cref="WakeUps"/>), published after its commit. New root runs are offered a few per user at a time, and the next of a user when one of
/// theirs is begun or ends: the broker's queues are first in, first out, and so nobody waits there behind all of somebody else's.
/// </summary>
internal sealed class BrokerDispatch(RunSignals signals, RabbitBroker broker, WakeUps wakeUps, BrokerOptions options, RunsOptions runs) : IRunDispatch
{
    private const string TakeTurn = """
        INSERT INTO run_turns (run_id, owner_id, background, offered) VALUES (@id, @owner, @background, @offered) ON CONFLICT (run_id) DO NOTHING RETURNING offered
        """;

    private const string Offered = "SELECT offered FROM run_turns WHERE run_id = @id";

    private static readonly string Standing = StandingOf("owner_id = @owner");

    /// <summary>The same in the transaction in which one of them has begun, with its place taken away: a statement does not see what it deletes itself, so the place is not counted.</summary>
    private static readonly string Begun = $"""
        WITH begun AS (DELETE FROM run_turns WHERE run_id = @id AND EXISTS (SELECT 1 FROM runs WHERE id = @id AND status = 'running') RETURNING 1)
        {StandingOf("owner_id = @owner AND run_id <> @id")}, (SELECT COUNT(*) FROM begun)
        """;

    /// <summary>By the index in whose order the turns come; the one of those that wait is in none, and all of them would be sorted for each that begins.</summary>
    private const string Next = """
        UPDATE run_turns SET offered = 1 WHERE run_id = ANY(ARRAY(
            SELECT run_id FROM run_turns WHERE owner_id = @owner AND offered < 1 ORDER BY offered, background, run_id LIMIT @room FOR UPDATE SKIP LOCKED))
        RETURNING run_id, background
        """;

    /// <summary>A page at a time, each run asked for by its key: a backlog is not read whole to find the few that left it.</summary>
    private const string Ended = """
        DELETE FROM run_turns WHERE run_id = ANY(ARRAY(SELECT run_id FROM run_turns WHERE run_id > @after ORDER BY run_id LIMIT @page))
            AND COALESCE((SELECT 1 FROM runs WHERE id = run_id AND status = 'queued' AND ended_at IS NULL), 0) = 0
        """;

    private const string EndOfPage = "SELECT run_id FROM run_turns WHERE run_id > @after ORDER BY run_id LIMIT 1 OFFSET @page";

    private const int Page = 1_000;

    /// <summary>From one user to the next by the index, not past all that they wait with.</summary>
    private const string Waiting = """
        WITH RECURSIVE owners (owner_id) AS (
            SELECT (SELECT owner_id FROM run_turns WHERE offered = 0 ORDER BY owner_id LIMIT 1)
            UNION ALL SELECT (SELECT t.owner_id FROM run_turns t WHERE t.offered = 0 AND t.owner_id > owners.owner_id ORDER BY t.owner_id LIMIT 1) FROM owners WHERE owners.owner_id IS NOT NULL)
        SELECT owner_id FROM owners WHERE owner_id IS NOT NULL LIMIT 1000
        """;

    private string _looked = "";

    /// <inheritdoc/>
    public bool WorkersLook => !broker.IsConnected;

    /// <inheritdoc/>
    public bool HasTurns => true;

    /// <inheritdoc/>
    public async ValueTask AnnounceAsync(DbSession session, ReadyRun run)
    {
        if (run is { IsRoot: true, IsFresh: true })
        {
            var isOffered = await RoomAsync(session, run.OwnerId) is { Room: > 0 };
            var placed = await session.Prepared(TakeTurn).Set("id", run.RunId).Set("owner", run.OwnerId).Set("background", run.IsBackground).Set("offered", isOffered).Int64Async()
                ?? await session.Prepared(Offered).Set("id", run.RunId).Int64Async();
            if (placed == 0)
            {
                return; // its turn comes
            }
        }

        await SayAsync(session, run);
    }

    /// <inheritdoc/>
    public async ValueTask ClaimedAsync(DbSession session, RunRow run, BegunTurn? known)
    {
        if (run.IsRoot && (run.LastSeq <= 1 || run.RetryOf is not null)) // a retry begins with what it copied
        {
            var (room, had) = known ?? (await BindBegun(session.Prepared(Begun), run.Id, run.Identity.OwnerId).FirstOrDefaultAsync(Turn))!;
            if (had)
            {
                await FillAsync(session, run.Identity.OwnerId, room);
            }
        }
    }

    /// <inheritdoc/>
    public RowRead? ReadBegun(string runId, string ownerId, Action<BegunTurn> found) => new(Begun, command => BindBegun(command, runId, ownerId), row => found(Turn(row)));

    /// <inheritdoc/>
    public async ValueTask MakeRoomAsync(DbSession session, string ownerId, TurnRoom? known = null) => await FillAsync(session, ownerId, known ?? await RoomAsync(session, ownerId));

    /// <inheritdoc/>
    public RowRead? ReadRoom(string ownerId, Action<TurnRoom> found) => new(Standing, command => BindStanding(command, ownerId), row => found(Place(row)));

    private async ValueTask FillAsync(DbSession session, string ownerId, TurnRoom place)
    {
        if (place is not { Room: > 0 and var room, Waits: true })
        {
            return;
        }

        var next = await session.Prepared(Next).Set("owner", ownerId).Set("room", (long)room).ListAsync(static r => (Id: r.GetString(0), Background: r.Flag(1)));
        foreach (var (id, background) in next)
        {
            await SayAsync(session, new ReadyRun(id, ownerId, IsRoot: true, IsFresh: true, IsBackground: background));
        }
    }

    /// <summary>Turns that two transactions missed because neither saw the other, and those of runs that ended before they began: of these it looks at a page with each call.</summary>
    public async Task RepairAsync(IDatabase database, CancellationToken cancellationToken)
    {
        var after = _looked;
        var to = await database.LookAsync(session => session.Prepared(EndOfPage).Set("after", after).Set("page", Page - 1L).StringAsync(), cancellationToken);
        await database.WriteAsync(async session => await session.Prepared(Ended).Set("after", after).Set("page", (long)Page).RunAsync(), cancellationToken);
        _looked = to ?? "";
        foreach (var owner in await database.LookAsync(static session => session.Prepared(Waiting).ListAsync(static r => r.GetString(0)), cancellationToken))
        {
            await database.WriteAsync(session => MakeRoomAsync(session, owner), cancellationToken);
        }
    }

    private async ValueTask SayAsync(DbSession session, ReadyRun run)
    {
        await wakeUps.AddAsync(session, RunMessage.QueueOf(run), run.RunId, RunMessage.Write(run));
        if (!broker.IsConnected)
        {
            session.AfterCommit(() => signals.RaiseReady(run)); // the row stays for later; a worker here need not wait for that
        }
    }

    private async ValueTask<TurnRoom> RoomAsync(DbSession session, string ownerId) => (await BindStanding(session.Prepared(Standing), ownerId).FirstOrDefaultAsync(Place))!;

    private DbCommand BindStanding(DbCommand command, string ownerId) =>
        command.Set("owner", ownerId).Set("window", (long)options.OfferedPerUser).Set("limit", (long)runs.RootRunsPerUser);

    /// <summary>
    /// What the user has with the broker, what waits for its turn, and what is being worked on. Each part ends where it knows enough, and is put so that one index alone serves it in order:
    /// statistics are from before a backlog, and with them the planner would rather read all of it.
    /// </summary>
    private static string StandingOf(string turns) => $"""
        SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM run_turns WHERE {turns} AND offered = 1 ORDER BY background, run_id LIMIT @window) AS offered),
            (SELECT COUNT(*) FROM (SELECT 1 FROM run_turns WHERE {turns} AND offered = 0 LIMIT 1) AS waiting),
            (SELECT COUNT(*) FROM (SELECT 1 FROM runs WHERE owner_id = @owner AND ended_at IS NULL AND parent_run_id IS NULL AND status = 'running' LIMIT @limit) AS running)
            + (SELECT COUNT(*) FROM (SELECT 1 FROM runs WHERE owner_id = @owner AND ended_at IS NULL AND parent_run_id IS NULL AND status = 'waiting_children' LIMIT @limit) AS parents)
        """;

    private DbCommand BindBegun(DbCommand command, string runId, string ownerId) => BindStanding(command, ownerId).Set("id", runId);

    private BegunTurn Turn(DbDataReader row) => new(Place(row), row.GetInt32(3) > 0);

    private TurnRoom Place(DbDataReader row)
    {
        var (offered, waits, working) = (row.GetInt32(0), row.GetInt32(1), row.GetInt32(2));
        return new(Math.Min(options.OfferedPerUser - offered, runs.RootRunsPerUser - working - offered), waits > 0);
    }
}
