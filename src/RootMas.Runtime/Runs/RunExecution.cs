using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Runs;

/// <summary>An earlier message of the conversation, as context for a run.</summary>
/// <param name="Role">user, assistant, system (caller's instructions), tool (context only, never executed) or note (what the system says of the message before it).</param>
/// <param name="Tainted">The text carries bytes from outside; the run starts tainted if any of its history is.</param>
public sealed record HistoryMessage(string Role, string Text, bool Tainted = false, string? Agent = null)
{
    /// <summary>Ids of documents that the message brought along, or whose words may be in it; null: none.</summary>
    public IReadOnlyList<string>? Documents { get; init; }
}

/// <summary>What requests of the model call that is open at the end of the log have cost: their rows are in the ledger, no event tells of them yet.</summary>
public sealed record Unbooked(Money Cost, TokenUsage Usage)
{
    public static readonly Unbooked None = new(Money.Zero, TokenUsage.None);

    /// <summary>What it adds to the totals of its tree.</summary>
    public TreeTotals Totals => new(0, 0, Usage.InputTokens + Usage.OutputTokens, Cost.MicroUsd);

    /// <summary>The end of that call, which nobody saw.</summary>
    public ModelFailed Fail(string messageId, string message) => new(messageId, "worker_lost", message, Cost) { Usage = Usage == TokenUsage.None ? null : Usage };
}

/// <summary>One attempt of a worker at one run: what <see cref="RunEngine.ExecuteAsync"/> needs, and the handle by which the worker reaches it.</summary>
public sealed class RunExecution
{
    private readonly CancellationTokenSource _fenced = new();
    private Action? _onPoke;

    public required NewRun Run { get; init; }

    public required TeamSnapshot Snapshot { get; init; }

    public required IReadOnlyList<HistoryMessage> History { get; init; }

    public required int Attempt { get; init; }

    public required string Worker { get; init; }

    /// <summary>The stored log, oldest first; empty for a run that this execution creates.</summary>
    public IReadOnlyList<RunEvent> Log { get; init; } = [];

    /// <summary>True: the first batch creates the run (<see cref="RunAppend.Create"/>) and may commit while the model is already being called.</summary>
    public bool IsNew { get; init; }

    public long InboxDone { get; init; }

    public TreeTotals Tree { get; init; }

    /// <summary>The lease is certain to hold for at least this long, by the monotonic clock; asked before an unsafe call leaves.</summary>
    public required Func<TimeSpan> LeaseLeft { get; init; }

    /// <summary>Asks for a lease that outlasts this time; <see cref="LeaseLeft"/> says what came of it. Null: it cannot be made longer, or needs not.</summary>
    public Func<TimeSpan, Task>? ExtendLease { get; set; }

    /// <summary>When the root run of the tree was made; null: this is the root, and its log says it.</summary>
    public DateTimeOffset? TreeBegan { get; init; }

    /// <summary>Milliseconds since then in which nobody worked on any run of the tree: people were asked, it waited for its turn, or no worker had it.</summary>
    public long TreeRestedMs { get; init; }

    /// <summary>What no event of the log tells of yet.</summary>
    public Unbooked Unbooked { get; init; } = Unbooked.None;

    /// <summary>Something was put into the inbox. Cheap, callable from any thread, any number of times.</summary>
    public void Poke() => Volatile.Read(ref _onPoke)?.Invoke();

    /// <summary>The lease is lost: stop calls at once and drop the work.</summary>
    public void Fence() => _fenced.Cancel();

    public CancellationToken Fenced => _fenced.Token;

    internal void OnPoke(Action? action) => Volatile.Write(ref _onPoke, action);
}

public enum RunExit
{
    /// <summary>Waiting for something outside; the row says what.</summary>
    Parked,

    /// <summary>Completed, failed or cancelled.</summary>
    Final,

    /// <summary>Another attempt owns the run; nothing more was written.</summary>
    Fenced,

    /// <summary>The worker is shutting down; the log is consistent and the run can be taken up by any worker at once.</summary>
    Stopped,
}

/// <summary>Where live pieces are shown. Called on the run's own flow; must not block. Stored events are published by the journal, see <see cref="IRunJournal.AppendAsync"/>.</summary>
public interface IRunSink
{
    /// <summary>A live piece; never before the event that begins its message is durable.</summary>
    void Piece(RunExecution run, LivePiece piece);

    /// <summary>False: nobody follows the run now, so its pieces would be shown to nobody. Whoever comes later gets the text as a whole.</summary>
    bool HasReaders(RunExecution run) => true;
}
