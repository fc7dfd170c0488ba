using System.Data.Common;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// On PostgreSQL: a step (<see cref="RunBatch.IsStep"/>) in one statement, which is one round trip and a transaction by itself. The same as <see cref="RunAppendTransaction"/> does with several:
/// whatever is written hangs on the row that the compare-and-set returns, and the root's row is changed after that of a run below it.
/// </summary>
internal sealed class RunStepStatement(RunBatch batch, RunSignals signals)
{
    private RunRow? _row;
    private TreeTotals _tree;

    private RunAppend Append => batch.Append;

    private bool IsRoot => Append.Of is { ParentRunId: null };

    public async Task<AppendResult> RunAsync(IDatabase database, CancellationToken cancellationToken)
    {
        await database.WriteSentAsync(SendAsync, Append.Of?.RootRunId ?? Append.RunId, cancellationToken);
        return _row is { } row ? new AppendResult(AppendOutcome.Appended, Parked: false, row.InboxSeq, _tree) : new AppendResult(AppendOutcome.Fenced, Parked: false, InboxSeq: 0, default);
    }

    private ValueTask SendAsync(DbSession session)
    {
        _row = null;
        session.AfterCommit(() =>
        {
            if (_row is { } row)
            {
                signals.RaiseAppended(row.Identity, Append.Events);
            }
        });
        return session.SendReadAsync(new RowRead(RunAdvance.Sql(batch, toRoot: !IsRoot), command => RunAdvance.Bind(command, batch, session.Now), Read));
    }

    private void Read(DbDataReader row)
    {
        _row = RunRow.Read(row);
        _tree = _row.IsRoot ? _row.Tree : new TreeTotals(row.GetInt32(RunRow.Count), row.GetInt32(RunRow.Count + 1), row.GetInt64(RunRow.Count + 2), row.GetInt64(RunRow.Count + 3));
    }
}
