using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>The run of a branch whose place a new one takes: in the transaction that accepts the new one it is told to end with all that works below it, or nothing happens at all.</summary>
/// <param name="KeepText">It writes what it has as an interrupted message.</param>
/// <param name="OnlyWithoutEffects">Not if something that changes anything was begun, in it or below it: <see cref="RunReplacements.HasEffects"/>. It is taken back, and with it what was to take its place before.</param>
public sealed record RunReplacement(string RunId, string Reason, bool KeepText, bool OnlyWithoutEffects);

/// <summary>The transaction's part of a <see cref="RunReplacement"/>.</summary>
internal static class RunReplacements
{
    /// <summary>Code of the refusal: what was done cannot be taken back.</summary>
    public const string HasEffects = "rollback_impossible";

    /// <summary>Held, children before their parents: while it is decided nothing of the tree goes on, so no tool begins that is not seen.</summary>
    private static readonly SqlText Below = SqlDialect.Held("SELECT id FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL AND ended_at IS NULL ORDER BY depth DESC, id");

    private static readonly SqlText Top = SqlDialect.Held($"SELECT {RunRow.Columns} FROM runs WHERE id = @root");

    /// <summary>Held after the run whose place they were to take, as by the end of that run, which goes on with one of them.</summary>
    private static readonly SqlText WaitingReplacements = SqlDialect.Held("SELECT id FROM runs WHERE branch_id = @branch AND queue_position IS NOT NULL AND queue_position <= 0 AND ended_at IS NULL ORDER BY id");

    private const string RolledBack = "UPDATE runs SET rolled_back = 1 WHERE id = @id";

    private const string All = "SELECT id FROM runs WHERE root_run_id = @root AND parent_run_id IS NOT NULL AND ended_at IS NULL";

    private const string Begun = """
        SELECT json FROM run_events WHERE run_id = @root AND type = 'tool.started'
        UNION ALL SELECT e.json FROM runs r JOIN run_events e ON e.run_id = r.id WHERE r.root_run_id = @root AND r.parent_run_id IS NOT NULL AND e.type = 'tool.started'
        """;

    /// <summary>Null: it is told to end, and the new run waits behind it.</summary>
    public static async ValueTask<CreateResult?> TellAsync(DbSession session, RunSignals signals, RunReplacement replaced, string ownerId)
    {
        var below = await session.Prepared(Below).Set("root", replaced.RunId).ListAsync(static r => r.GetString(0));
        if (await session.Prepared(Top).Set("root", replaced.RunId).FirstOrDefaultAsync(RunRow.Read) is not { } run || run.Identity.OwnerId != ownerId)
        {
            throw new InvalidOperationException($"Run {replaced.RunId} is not there to be replaced.");
        }

        if (run.Status.IsFinal())
        {
            return new CreateResult(run, Waiting: false);
        }

        if (session.Kind != DatabaseKind.Sqlite && (await session.Prepared(All).Set("root", run.Id).ListAsync(static r => r.GetString(0))).Except(below, StringComparer.Ordinal).Any())
        {
            // To hold it now would be against the order in which rows are held: begun anew, it is among the first.
            throw new WriteConflictException("A run was given a task between the look at the runs below and the hold of the one above.");
        }

        if (replaced.OnlyWithoutEffects && await HasEffectsAsync(session, run.Id))
        {
            return new CreateResult(run, Waiting: false) { Code = HasEffects };
        }

        var waiting = replaced.OnlyWithoutEffects ? await TakeBackAsync(session, run) : [];
        foreach (var id in (IEnumerable<string>)[run.Id, .. below, .. waiting])
        {
            await RunInbox.InsertAsync(session, signals, id, ownerId: null, "cancel", new CancelRequested(replaced.Reason, ownerId, replaced.KeepText && id == run.Id));
        }

        return null;
    }

    /// <summary>Marks the run, and what was to take its place and has not begun: that was said after what is taken back. What only waits its turn stays.</summary>
    /// <returns>Those that wait.</returns>
    private static async ValueTask<List<string>> TakeBackAsync(DbSession session, RunRow run)
    {
        var waiting = run.Identity.BranchId is { } branch ? await session.Prepared(WaitingReplacements).Set("branch", branch).ListAsync(static r => r.GetString(0)) : [];
        foreach (var id in (IEnumerable<string>)[run.Id, .. waiting])
        {
            await session.Prepared(RolledBack).Set("id", id).RunAsync();
        }

        return waiting;
    }

    /// <summary>Whether anything that is not a <c>read</c> tool was started. That work was given to somebody changes nothing: what they did is looked at.</summary>
    private static async ValueTask<bool> HasEffectsAsync(DbSession session, string rootRunId)
    {
        var begun = await session.Prepared(Begun).Set("root", rootRunId).ListAsync(static r => RunJson.DeserializeEvent(r.Bytes(0)));
        return begun.Exists(static e => e is ToolStarted { Effect: not ("read" or "delegate") });
    }
}
