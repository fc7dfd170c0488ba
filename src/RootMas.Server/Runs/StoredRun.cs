using System.Data.Common;
using System.Runtime.ExceptionServices;
using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What is stored of a claimed run and its tree.</summary>
internal sealed class StoredRun
{
    private const string LogOf = "SELECT json FROM run_events WHERE run_id = @id ORDER BY seq";

    private const string Context = "SELECT options, history FROM run_contexts WHERE run_id = @id";

    private ExceptionDispatchInfo? _unreadable;

    /// <summary>Oldest first.</summary>
    public List<RunEvent> Log { get; } = [];

    /// <summary>As JSON; null: none were given.</summary>
    public string? Options { get; private set; }

    /// <summary>As JSON: what the request itself brought as history; null: the conversation's counts.</summary>
    public string? Said { get; private set; }

    /// <summary>The conversation above the run's input; null: it was not asked for.</summary>
    public List<HistoryMessage>? Above { get; private init; }

    public required TreeTotals Tree { get; set; }

    public TreeAge Age { get; private set; }

    /// <summary>In one round trip, whatever the run is.</summary>
    /// <param name="history">Null: it has none, or one of its own (a retry, as a rule).</param>
    public static async ValueTask<StoredRun> ReadAsync(DbSession session, RunRow row, IRunHistory? history)
    {
        var found = New(row, history);
        await session.ReadAllAsync(found.ReadsOf(row, history));
        return found;
    }

    /// <summary>As <see cref="ReadAsync"/>, with the commit: it is there after that.</summary>
    public static async ValueTask<StoredRun> SendAsync(DbSession session, RunRow row, IRunHistory? history)
    {
        var found = New(row, history);
        foreach (var read in found.ReadsOf(row, history))
        {
            await session.SendReadAsync(read with { Row = found.Keeping(read.Row) });
        }

        return found;
    }

    /// <summary>What came with a commit is said to be unreadable only here, where that is no longer the transaction's affair.</summary>
    public void ThrowIfUnreadable() => _unreadable?.Throw();

    /// <summary>Attempts of a cascade write their rows before the next one leaves; the step, which would book them, was cut off.</summary>
    public static async ValueTask<Unbooked> UnbookedAsync(DbSession session, RunRow row, IReadOnlySet<string> open)
    {
        var (cost, usage) = await LedgerSql.SpentAsync(session, row.Id, row.Identity.OwnerId, row.CreatedAt, open);
        return new Unbooked(cost - row.Cost, usage);
    }

    private Action<DbDataReader> Keeping(Action<DbDataReader> read) => row =>
    {
        if (_unreadable is not null)
        {
            return;
        }

        try
        {
            read(row);
        }
#pragma warning disable CA1031 // whatever it is: the commit is on its way, and counts
        catch (Exception exception)
#pragma warning restore CA1031
        {
            _unreadable = ExceptionDispatchInfo.Capture(exception);
        }
    };

    private static StoredRun New(RunRow row, IRunHistory? history) => new() { Tree = row.Tree, Above = history is null ? null : [] };

    private List<RowRead> ReadsOf(RunRow row, IRunHistory? history)
    {
        var run = row.Identity;
        List<RowRead> reads =
        [
            new(LogOf, command => command.Set("id", row.Id), r => Log.Add(RunJson.DeserializeEvent(r.Bytes(0)))),
            new(Context, command => command.Set("id", row.Id), r => (Options, Said) = (r.StringOrNull(0), r.StringOrNull(1))),
            TreeRest.ReadAge(run.RootRunId, age => Age = age),
        ];
        if (!row.IsRoot)
        {
            reads.Add(TreeHolds.ReadSpent(run.RootRunId, tree => Tree = tree));
        }

        if (Above is { } above)
        {
            reads.Add(history!.Read(run, above.Add));
        }

        return reads;
    }
}
