using RootMas.Runtime.Runs;
using RootMas.Server.Models;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>What is stored of a claimed run and its tree.</summary>
internal sealed class StoredRun
{
    private const string LogOf = "SELECT json FROM run_events WHERE run_id = @id ORDER BY seq";

    private const string Context = "SELECT options, history FROM run_contexts WHERE run_id = @id";

    public List<RunEvent> Log { get; } = [];

    /// <summary>As JSON; null: none were given.</summary>
    public string? Options { get; private set; }

    /// <summary>As JSON: what the request itself brought as history; null: the conversation's counts.</summary>
    public string? Said { get; private set; }

    /// <summary>The conversation above the run's input; null: it was not asked for.</summary>
    public List<HistoryMessage>? Above { get; private init; }

    public required TreeTotals Tree { get; set; }

    public TreeAge Age { get; private set; }

    public Unbooked Unbooked { get; private set; } = Unbooked.None;

    /// <summary>In one round trip, whatever the run is.</summary>
    /// <param name="history">Null: it has none, or one of its own (a retry, as a rule).</param>
    public static async ValueTask<StoredRun> ReadAsync(DbSession session, RunRow row, IRunHistory? history)
    {
        var (found, run) = (new StoredRun { Tree = row.Tree, Above = history is null ? null : [] }, row.Identity);
        List<RowRead> reads =
        [
            new(LogOf, command => command.Set("id", row.Id), r => found.Log.Add(RunJson.DeserializeEvent(r.Bytes(0)))),
            new(Context, command => command.Set("id", row.Id), r => (found.Options, found.Said) = (r.StringOrNull(0), r.StringOrNull(1))),
            TreeRest.ReadAge(run.RootRunId, age => found.Age = age),
        ];
        if (!row.IsRoot)
        {
            reads.Add(TreeHolds.ReadSpent(run.RootRunId, tree => found.Tree = tree));
        }

        if (found.Above is { } above)
        {
            reads.Add(history!.Read(run, above.Add));
        }

        await session.ReadAllAsync(reads);
        // Attempts of a cascade write their rows before the next one leaves; the step, which would book them, was cut off.
        if (RunClosing.OpenMessages(found.Log) is { Count: > 0 } open)
        {
            var (cost, usage) = await LedgerSql.SpentAsync(session, row.Id, run.OwnerId, row.CreatedAt, open);
            found.Unbooked = new Unbooked(cost - row.Cost, usage);
        }

        return found;
    }
}
