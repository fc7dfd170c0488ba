using RootMas.Runtime.Runs;

namespace RootMas.Runtime.Teams;

/// <summary>
/// The planner writes a task graph; ready tasks are child runs in parallel; the coordinator is asked only when a task failed, is blocked or late;
/// the planner reviews and replans at most <see cref="MaxReplans"/> times; the writer (root teams) writes the answer.
/// </summary>
public sealed class PlanPattern : TeamPattern
{
    public const int MaxReplans = 3;

    public static readonly PlanPattern Instance = new();

    public override NextStep Next(RunView view)
    {
        var state = view.State;
        if (state.Side is { } side)
        {
            return new Record([PlanLedger.Interpret(view, side)]);
        }

        if (state.Plan is not { } plan)
        {
            return Asked(view, "plan", "plan_invalid", "The planner could not write a usable plan.");
        }

        return plan.Verdict is null ? Work(view, plan) : Answer(view, plan);
    }

    private static NextStep Work(RunView view, PlanState plan)
    {
        var running = plan.Tasks.Count(t => t.Status is "running" or "late");
        var ready = PlanLedger.Ready(plan).Take(view.Team.MaxParallel - running).ToList();
        if (ready.Count > 0)
        {
            return new StartChildren([.. ready.Select(t => PlanLedger.ToChild(plan, t, view.ContextOf(t.Agent)))]);
        }

        if (view.Team.Coordinator is { } coordinator && PlanLedger.Stuck(plan).Any())
        {
            return view.State.SideFailuresOf("coordinate") > MaxSideFailures ? new Record([PlanLedger.Undecided(plan)]) : new CallModel(coordinator, 0, "coordinate");
        }

        if (running > 0)
        {
            return new Wait(RunStatus.WaitingChildren);
        }

        return Asked(view, "review", "review_invalid", "The planner could not judge the results of its plan.");
    }

    private static NextStep Answer(RunView view, PlanState plan)
    {
        // The planner's summary is a text. Where a program reads the answer and nobody else writes it, the planner is asked for it in that form.
        if (!view.IsChild && (view.Team.Writer ?? (view.OwesJson ? view.Entry : null)) is { } writer)
        {
            return ContinueTurn(view.State) ?? (view.State.CurrentTurn is { } turn ? FinishWith(turn) : new CallModel(writer, 1));
        }

        return string.IsNullOrWhiteSpace(plan.Summary)
            ? new Fail("no_answer", $"{view.Entry} ended its plan without a summary. What the tasks found is kept in the run's log; try again or choose another model.")
            : new Finish(plan.Summary, null, view.Entry, null, null);
    }

    private static NextStep Asked(RunView view, string purpose, string code, string failure) =>
        view.State.SideFailuresOf(purpose) > MaxSideFailures
            ? new Fail(code, $"{failure} It was asked {MaxSideFailures + 1} times. What the tasks found is kept in the run's log; try again, or ask one agent directly.")
            : new CallModel(view.Entry, 0, purpose);
}
