using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What brought a run to this worker and wants to know when it may be forgotten.</summary>
internal interface IRunOffer
{
    /// <summary>It was brought before, to somebody who did not finish with it.</summary>
    bool IsRepeated { get; }

    /// <summary>Once counts; later calls do nothing.</summary>
    void Done();
}

/// <summary>
/// Says "this run needs a worker" to some worker, at least once. The truth is the database: the claim decides who gets the run, raises its attempt, and turns away whoever comes second; the sweep finds what was not heard.
/// A seam: within this process (<see cref="InProcessDispatch"/>), or over a broker (<see cref="BrokerDispatch"/>).
/// </summary>
internal interface IRunDispatch
{
    /// <summary>In the transaction that makes the run claimable; nothing is said if it is rolled back.</summary>
    ValueTask AnnounceAsync(DbSession session, ReadyRun run);

    /// <summary>In the transaction in which a worker takes it.</summary>
    /// <param name="known">What <see cref="ReadBegun"/> found in it; null: it is looked for.</param>
    ValueTask ClaimedAsync(DbSession session, RunRow run, BegunTurn? known);

    /// <summary>The look that <see cref="ClaimedAsync"/> would take at a new root run, for whoever looks for more at the same time, after the claim. Null: it needs none.</summary>
    RowRead? ReadBegun(string runId, string ownerId, Action<BegunTurn> found);

    /// <summary>In the transaction in which a root run of this owner ends, or begins to wait for a person or a time.</summary>
    /// <param name="known">What <see cref="ReadRoom"/> found since then; null: it is looked for.</param>
    ValueTask MakeRoomAsync(DbSession session, string ownerId, TurnRoom? known = null);

    /// <summary>The look that <see cref="MakeRoomAsync"/> would take, for whoever looks for more at the same time. Null: it needs none.</summary>
    RowRead? ReadRoom(string ownerId, Action<TurnRoom> found);

    /// <summary>Nobody else brings runs to the workers now, so they look into a shared database often.</summary>
    bool WorkersLook { get; }

    /// <summary>New root runs of a user are let to the workers a few at a time, by rows of <c>run_turns</c>. Rows that another kind of dispatch left there mean nothing.</summary>
    bool HasTurns { get; }
}

/// <param name="Room">How many more new root runs of the user the workers may be told of; none: 0 or less.</param>
/// <param name="Waits">Some wait for that.</param>
internal sealed record TurnRoom(int Room, bool Waits);

/// <summary>A run's turn, which it has taken.</summary>
/// <param name="Had">It had one: another of its user may have it now.</param>
internal sealed record BegunTurn(TurnRoom Room, bool Had);

/// <summary>This process's own queue. Other processes on the same database find what it has no place for when they look.</summary>
internal sealed class InProcessDispatch(RunSignals signals) : IRunDispatch
{
    public bool WorkersLook => true;

    public bool HasTurns => false;

    public ValueTask AnnounceAsync(DbSession session, ReadyRun run)
    {
        session.AfterCommit(() => signals.RaiseReady(run));
        return ValueTask.CompletedTask;
    }

    public ValueTask ClaimedAsync(DbSession session, RunRow run, BegunTurn? known) => ValueTask.CompletedTask;

    public RowRead? ReadBegun(string runId, string ownerId, Action<BegunTurn> found) => null;

    public ValueTask MakeRoomAsync(DbSession session, string ownerId, TurnRoom? known = null) => ValueTask.CompletedTask;

    public RowRead? ReadRoom(string ownerId, Action<TurnRoom> found) => null;
}
