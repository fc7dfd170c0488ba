using System.Text;
using System.Text.Json;
using RootMas.Runtime.Context;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;

namespace RootMas.Runtime.Teams;

/// <summary>The progress ledger of a plan: reading what planner and coordinator said, and what is ready. Pure.</summary>
public static class PlanLedger
{
    /// <summary>How often a task may be begun.</summary>
    internal const int MaxTries = 3;

    /// <inheritdoc cref="WorkersOf"/>
    public static IReadOnlyList<string> Workers(RunView view) => WorkersOf(view.Snapshot, view.Entry);

    /// <summary>Who may get a task: everybody but the planner, the coordinator, and those who speak to the user.</summary>
    public static IReadOnlyList<string> WorkersOf(TeamSnapshot snapshot, string planner)
    {
        string?[] others = [planner, snapshot.Team.Coordinator, snapshot.Team.Writer, snapshot.Team.Entry];
        var workers = snapshot.Agents.Keys.Where(name => !others.Contains(name, StringComparer.Ordinal)).Order(StringComparer.Ordinal).ToList();
        return workers.Count > 0 ? workers : [planner];
    }

    /// <summary>Tasks whose dependencies are done.</summary>
    public static IEnumerable<PlanTask> Ready(PlanState plan)
    {
        var done = plan.Tasks.Where(t => t.Status == "done").Select(t => t.Id).ToHashSet(StringComparer.Ordinal);
        return plan.Tasks.Where(t => t.Status == "pending" && t.DependsOn.All(done.Contains));
    }

    /// <summary>Tasks about which somebody must decide: failed, late, or blocked by a task that will never be done.</summary>
    public static IEnumerable<PlanTask> Stuck(PlanState plan)
    {
        var dead = plan.Tasks.Where(t => t.Status == "dropped" || (t.Status == "failed" && t.Settled)).Select(t => t.Id).ToHashSet(StringComparer.Ordinal);
        return plan.Tasks.Where(t => !t.Settled && (t.Status is "failed" or "late" || (t.Status == "pending" && t.DependsOn.Any(dead.Contains))));
    }

    /// <summary>Children that were at work on a task before the ledger changed and whose result no task waits for any more.</summary>
    public static IEnumerable<string> Abandoned(IReadOnlyList<PlanTask> before, RunState state)
    {
        var awaited = Working(state.Plan!.Tasks).ToHashSet(StringComparer.Ordinal);
        return Working(before).Where(id => !awaited.Contains(id) && state.Children.TryGetValue(id, out var child) && !child.Ended);
    }

    /// <summary>A task as a child run: its text, how one sees that it is done, and the results it depends on, as far as they fit into the worker's context.</summary>
    public static ChildTask ToChild(PlanState plan, PlanTask task, int contextTokens = 128_000)
    {
        var limit = ShownText.LimitOf(plan.Tasks.Where(t => task.DependsOn.Contains(t.Id, StringComparer.Ordinal)).Select(static t => t.Result), contextTokens);
        var text = new StringBuilder(task.Task).Append("\n\nDone when: ").Append(task.DoneWhen);
        var tainted = false;
        foreach (var id in task.DependsOn)
        {
            var earlier = plan.Tasks.First(t => t.Id == id);
            var result = ShownText.Cut(earlier.Result ?? "", limit);
            tainted |= earlier.Tainted;
            text.Append("\n\nResult of task ").Append(id).Append(" (").Append(earlier.Agent).Append("):\n")
                .Append(earlier is { Tainted: true, Result: not null } ? PromptBuilder.Untrusted("agent", id, result) : result); // the input stands in the prompt as the user's words
        }

        return new(task.Id, task.Agent, text.ToString(), tainted) { AskedLength = task.Task.Length };
    }

    /// <summary>The ledger as text for prompts; long results as far as they fit.</summary>
    public static string Render(PlanState plan, int contextTokens)
    {
        var limit = ShownText.LimitOf(plan.Tasks.Select(static t => t.Result), contextTokens);
        var text = new StringBuilder("Goal: ").Append(plan.Goal).Append('\n');
        foreach (var t in plan.Tasks)
        {
            text.Append("- ").Append(t.Id).Append(" [").Append(t.Status).Append("] ").Append(t.Agent).Append(": ").Append(t.Task);
            if (t.DependsOn.Count > 0)
            {
                text.Append(" (after ").AppendJoin(", ", t.DependsOn).Append(')');
            }

            text.Append("\n  done when: ").Append(t.DoneWhen).Append('\n');
            if (t.Note is { } note)
            {
                text.Append("  note: ").Append(note).Append('\n');
            }

            if (t.Result is { } result)
            {
                text.Append("  result: ").Append(ShownText.Cut(result, limit)).Append('\n');
            }
        }

        return text.ToString();
    }

    /// <summary>The plan goes on without a decision about what is stuck.</summary>
    public static PlanUpdated Undecided(PlanState plan) => Decided(plan, [.. plan.Tasks], "no decision: no answer of the coordinator could be used");

    /// <summary>The event that a structured answer of planner or coordinator becomes.</summary>
    public static RunEvent Interpret(RunView view, SideResult side)
    {
        var agents = Workers(view);
        var plan = view.State.Plan;
        var schema = side.Purpose switch
        {
            "plan" => TeamSchemas.PlanSchema(agents),
            "review" => TeamSchemas.ReviewSchema(agents),
            _ => TeamSchemas.CoordinateSchema(agents, plan!.Tasks.Select(t => t.Id)),
        };
        var outcome = TeamSchemas.TryParse(side.Text, schema, out var json, out var error)
            ? side.Purpose switch
            {
                "plan" => (RunEvent?)Created(json, view.TasksLeft(), out error),
                "review" => Reviewed(plan!, json, view.TasksLeft(), out error),
                _ => Coordinated(plan!, json),
            }
            : null;
        return (outcome ?? new GuardHinted("plan", $"The {side.Purpose} could not be used: {error}.")) with { Agent = side.Agent };
    }

    private static PlanCreated? Created(JsonElement json, int left, out string error)
    {
        var tasks = ReadTasks(json);
        error = Problem(tasks, []) ?? TooMany(tasks, left) ?? "";
        if (error.Length > 0)
        {
            return null;
        }

        var goal = json.GetProperty("goal").GetString()!;
        if (tasks.Count > 0)
        {
            return new PlanCreated(goal, tasks);
        }

        var answer = json.TryGetProperty("answer", out var a) ? a.GetString() : null;
        error = string.IsNullOrWhiteSpace(answer) ? "it has neither tasks nor an answer" : "";
        return error.Length > 0 ? null : new PlanCreated(goal, [new("answer", "", goal, [], "", Status: "done", Result: answer, Settled: true)]);
    }

    private static PlanUpdated? Reviewed(PlanState plan, JsonElement json, int left, out string error)
    {
        error = "";
        var verdict = json.GetProperty("verdict").GetString()!;
        var summary = json.GetProperty("summary").GetString()!;
        if (verdict != "replan")
        {
            error = string.IsNullOrWhiteSpace(summary) ? "the summary is empty" : "";
            return error.Length > 0 ? null : new PlanUpdated($"review: {verdict}", plan.Tasks, plan.Replans, verdict, summary);
        }

        if (plan.Replans >= PlanPattern.MaxReplans)
        {
            error = string.IsNullOrWhiteSpace(summary) ? $"it was replanned {PlanPattern.MaxReplans} times, which is the most: say done or stop, with a summary of what there is" : "";
            return error.Length > 0 ? null : new PlanUpdated($"replanned {PlanPattern.MaxReplans} times already", plan.Tasks, plan.Replans, "stop", summary);
        }

        var added = ReadTasks(json);
        error = added.Count == 0 ? "a replan needs tasks" : Problem(added, plan.Tasks) ?? TooMany(added, left) ?? "";
        return error.Length > 0
            ? null
            : new PlanUpdated("replan: " + summary, [.. plan.Tasks.Select(Settle), .. added], plan.Replans + 1);
    }

    // What did not succeed before a replan is history.
    private static PlanTask Settle(PlanTask task) => task.Status is "failed" or "pending" ? task with { Settled = true, Status = task.Status == "pending" ? "dropped" : "failed" } : task;

    private static PlanUpdated Coordinated(PlanState plan, JsonElement json)
    {
        var tasks = plan.Tasks.ToList();
        var reasons = new List<string>();
        foreach (var decision in json.GetProperty("decisions").EnumerateArray())
        {
            var index = tasks.FindIndex(t => t.Id == decision.GetProperty("task").GetString());
            var action = decision.GetProperty("action").GetString()!;
            var reason = decision.GetProperty("reason").GetString()!;
            var agent = decision.TryGetProperty("agent", out var a) ? a.GetString() : null;
            tasks[index] = Decide(tasks[index], action, agent, reason);
            reasons.Add($"{tasks[index].Id}: {action} ({reason})");
        }

        return Decided(plan, tasks, reasons.Count > 0 ? string.Join("; ", reasons) : "no decision");
    }

    // What the coordinator said nothing about, stays as it is and is not asked again. What it has begun again stays stuck if what that waits for will never be done: nothing begins, and nobody would count the tries.
    private static PlanUpdated Decided(PlanState plan, List<PlanTask> tasks, string reason)
    {
        var stuck = Stuck(plan).Select(t => t.Id).ToHashSet(StringComparer.Ordinal);
        List<PlanTask> decided = [.. tasks.Select((t, i) => ReferenceEquals(t, plan.Tasks[i]) && stuck.Contains(t.Id) ? t with { Settled = true } : t)];
        var vain = Stuck(new PlanState(plan.Goal, decided)).Select(t => t.Id).Where(stuck.Contains).ToHashSet(StringComparer.Ordinal);
        var dropped = string.Concat(vain.Select(id => $"; {id}: dropped, because what it waits for will never be done"));
        return new(reason + dropped, [.. decided.Select(t => vain.Contains(t.Id) ? t with { Status = "dropped", Settled = true } : t)], plan.Replans);
    }

    private static PlanTask Decide(PlanTask task, string action, string? agent, string reason) => action switch
    {
        _ when task.Status == "done" => task, // its result came while the coordinator thought
        "retry" or "reassign" when task.Tries < MaxTries =>
            task with { Status = "pending", Agent = action == "reassign" && agent is not null ? agent : task.Agent, Note = reason, ChildRunId = null, Deadline = null },
        "drop" => task with { Status = "dropped", Note = reason, Settled = true, ChildRunId = task.Status == "late" ? null : task.ChildRunId },
        "replan" => task with { Note = reason, Settled = true, Status = task.Status == "pending" ? "dropped" : task.Status },
        _ => task with { Settled = true, Note = reason },
    };

    private static IEnumerable<string> Working(IEnumerable<PlanTask> tasks) => tasks.Where(static t => t.Status is "running" or "late").Select(static t => t.ChildRunId).OfType<string>();

    private static List<PlanTask> ReadTasks(JsonElement json)
    {
        var list = new List<PlanTask>();
        if (!json.TryGetProperty("tasks", out var tasks))
        {
            return list;
        }

        foreach (var t in tasks.EnumerateArray())
        {
            list.Add(new(
                t.GetProperty("id").GetString()!,
                t.GetProperty("agent").GetString()!,
                t.GetProperty("task").GetString()!,
                [.. t.GetProperty("depends_on").EnumerateArray().Select(d => d.GetString()!)],
                t.GetProperty("done_when").GetString()!,
                t.TryGetProperty("risk", out var risk) ? risk.GetString() : null,
                t.TryGetProperty("estimated_cost", out var cost) ? cost.GetString() : null,
                DeadlineSeconds: t.TryGetProperty("deadline_seconds", out var d) ? SchemaValue.Integer(d) : null));
        }

        return list;
    }

    /// <summary>A plan that is begun and cannot be ended ends the run.</summary>
    private static string? TooMany(List<PlanTask> tasks, int left) =>
        tasks.Count <= left ? null
        : left == 0 ? $"it has {tasks.Count} tasks, and no more subtasks are left: say what there is without any"
        : $"it has {tasks.Count} tasks, and no more than {left} subtasks are left";

    private static string? Problem(List<PlanTask> tasks, IReadOnlyList<PlanTask> earlier)
    {
        var known = earlier.Where(t => t.Status == "done").Select(t => t.Id).ToHashSet(StringComparer.Ordinal);
        var used = earlier.Select(t => t.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var task in tasks)
        {
            if (!used.Add(task.Id))
            {
                return $"the task id '{task.Id}' is used twice";
            }
        }

        // Kahn: what can never become ready is a cycle or names something that is not there.
        var open = new List<PlanTask>(tasks);
        while (open.Count > 0)
        {
            var ready = open.Where(t => t.DependsOn.All(known.Contains)).ToList();
            if (ready.Count == 0)
            {
                return $"the dependencies of {string.Join(", ", open.Select(t => t.Id))} form a cycle or name tasks that are not there or not done";
            }

            ready.ForEach(t => known.Add(t.Id));
            open.RemoveAll(ready.Contains);
        }

        return null;
    }
}
