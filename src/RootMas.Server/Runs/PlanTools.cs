using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Teams;
using RootMas.Runtime.Tools;
using RootMas.Server.Agents;

namespace RootMas.Server.Runs;

/// <summary>Finds the plan that is meant: of the run itself or the nearest one above it, else of its tree, else of its conversation; there one that goes on before one that has ended, and the newest.</summary>
internal sealed class PlanFinder(RunReader reader, RunStore store, SnapshotStore snapshots)
{
    public async Task<FoundPlan?> FindAsync(ToolContext context, CancellationToken cancellationToken)
    {
        for (var id = context.RunId; id is not null;)
        {
            if (await reader.RowAsync(id, context.OwnerId, cancellationToken) is not { } row)
            {
                return null;
            }

            if (await reader.PlanAsync(row, cancellationToken) is { } above)
            {
                return new FoundPlan(row, above.Plan, above.Tainted);
            }

            id = row.Identity.ParentRunId;
        }

        // Who asks how a plan stands is seldom at work for it: the agent that wrote it has a run of its own, beside or before this one.
        foreach (var id in await reader.PlanningAsync(context.RootRunId, context.ConversationId, context.OwnerId, cancellationToken))
        {
            if (await reader.RowAsync(id, context.OwnerId, cancellationToken) is { } row && await reader.PlanAsync(row, cancellationToken) is { } beside)
            {
                return new FoundPlan(row, beside.Plan, beside.Tainted);
            }
        }

        return null;
    }

    /// <summary>Who may get a task of the plan.</summary>
    public async Task<IReadOnlyList<string>> WorkersAsync(FoundPlan plan, CancellationToken cancellationToken) =>
        await snapshots.LoadAsync(plan.Run.SnapshotHash, cancellationToken) is { } snapshot ? PlanLedger.WorkersOf(snapshot, plan.Run.Identity.EntryAgent) : [];

    /// <summary>Once per call: a repeated call changes nothing more.</summary>
    public Task<InboxOutcome> EditAsync(FoundPlan plan, ToolContext context, TaskEdited edit, CancellationToken cancellationToken) =>
        store.InsertInboxAsync(plan.Run.Id, context.OwnerId, $"edit:{context.IdempotencyKey}", edit, cancellationToken);
}

/// <param name="Tainted">The run had read text from outside: what its plan says, from the goal to the notes, may come from there.</param>
internal sealed record FoundPlan(RunRow Run, PlanState State, bool Tainted)
{
    public const string None = "There is no plan: neither here nor among the latest runs of this conversation does one have a task graph.";

    public IReadOnlyList<PlanTask> Tasks => State.Tasks;

    public static string Line(PlanTask task)
    {
        var text = new StringBuilder($"- {task.Id} [{task.Status}] {task.Agent}: {task.Task}");
        Add(text, "depends on", string.Join(", ", task.DependsOn));
        Add(text, "done when", task.DoneWhen);
        Add(text, "deadline", task.Deadline?.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", System.Globalization.CultureInfo.InvariantCulture));
        Add(text, "note", task.Note);
        return text.ToString();
    }

    private static void Add(StringBuilder text, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            text.Append("; ").Append(name).Append(": ").Append(value);
        }
    }
}

/// <summary>The task graph that the run works for.</summary>
internal sealed class PlanReadTool(PlanFinder plans) : Tool
{
    public override ToolDefinition Definition { get; } = new("plan_read", "Shows the task graph of the plan that this work belongs to, or of the newest one of this conversation: every task with its agent, dependencies and state.",
        """{"type":"object","properties":{},"additionalProperties":false}""", "2");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "chat:read";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        if (await plans.FindAsync(context, cancellationToken) is not { } plan)
        {
            return new ToolResult(FoundPlan.None);
        }

        return new ToolResult($"Goal: {plan.State.Goal}\n{string.Join('\n', plan.Tasks.Select(FoundPlan.Line))}", plan.Tainted);
    }
}

/// <summary>One task, or all, with results.</summary>
internal sealed class TaskStatusTool(PlanFinder plans) : Tool
{
    public override ToolDefinition Definition { get; } = new("task_status", "Shows how a task of the plan stands, with its result if it has one. Without task_id: all tasks, those that need attention first.",
        """{"type":"object","properties":{"task_id":{"type":"string","maxLength":64,"description":"The task's id; leave out for an overview."}},"additionalProperties":false}""", "2");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "chat:read";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        if (await plans.FindAsync(context, cancellationToken) is not { } plan)
        {
            return new ToolResult(FoundPlan.None);
        }

        if (!arguments.TryGetProperty("task_id", out var id))
        {
            return Overview(plan, context.Clock.GetUtcNow());
        }

        var task = plan.Tasks.FirstOrDefault(t => t.Id == id.GetString())
            ?? throw new ToolException($"The plan has no task '{id.GetString()}'. Its tasks: {string.Join(", ", plan.Tasks.Select(static t => t.Id))}.");
        return new ToolResult($"{FoundPlan.Line(task)}\nTries: {task.Tries}{(task.Result is null ? "" : $"\nResult:\n{task.Result}")}", plan.Tainted);
    }

    private static ToolResult Overview(FoundPlan plan, DateTimeOffset now)
    {
        var counts = plan.Tasks.GroupBy(static t => t.Status, StringComparer.Ordinal).Select(static g => $"{g.Key}: {g.Count()}");
        var never = plan.Tasks.Where(static t => t.Status is "failed" or "dropped").Select(static t => t.Id).ToHashSet(StringComparer.Ordinal);
        var tasks = plan.Tasks.ToLookup(t => t.Status is "failed" or "late" || (t.Status == "pending" && t.DependsOn.Any(never.Contains)) || (t.Status is "pending" or "running" && t.Deadline < now), FoundPlan.Line);
        var attention = tasks[true].Any() ? $"Need attention:\n{string.Join('\n', tasks[true])}" : "Nothing is failed, blocked or late.";
        var others = tasks[false].Any() ? $"\n{(tasks[true].Any() ? "The others" : "The tasks")}:\n{string.Join('\n', tasks[false])}" : "";
        return new ToolResult($"{string.Join(", ", counts)}.\n{attention}{others}", plan.Tainted);
    }
}

/// <summary>Changes a task: the plan's own run takes the change into its ledger.</summary>
internal sealed class TaskUpdateTool(PlanFinder plans) : Tool
{
    public override ToolDefinition Definition { get; } = new("task_update", "Changes a task of the plan that is not done: its state, the agent it is assigned to, its deadline, or the note beside it. A run that works on the task is stopped if the task is begun again, given away or ended.",
        """
        {"type":"object","properties":{
        "task_id":{"type":"string","minLength":1,"maxLength":64},
        "status":{"type":"string","enum":["pending","done","failed","dropped"],"description":"pending: begin it again. done: note says its result. failed: whoever coordinates decides about it. dropped: it is not needed, or nobody can do it."},
        "agent":{"type":"string","maxLength":64,"description":"Give it to this agent, who begins it anew."},
        "deadline":{"type":"string","format":"date-time","description":"UTC, such as 2026-03-01T12:00:00Z. After it the task is late, and somebody has to decide about it."},
        "note":{"type":"string","minLength":1,"maxLength":2000,"description":"Why; with status done: the result. Whoever plans, coordinates and reviews reads it."}},
        "required":["task_id"],"additionalProperties":false}
        """, "2");

    public override ToolEffect Effect => ToolEffect.Idempotent;

    public override string Permission => "chat:write";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        if (await plans.FindAsync(context, cancellationToken) is not { } plan)
        {
            throw new ToolException(FoundPlan.None);
        }

        var id = arguments.GetProperty("task_id").GetString()!;
        var task = plan.Tasks.FirstOrDefault(t => t.Id == id)
            ?? throw new ToolException($"The plan has no task '{id}'. Its tasks: {string.Join(", ", plan.Tasks.Select(static t => t.Id))}.");
        var edit = new TaskEdited(id, Text(arguments, "status"), Text(arguments, "note"), Text(arguments, "agent"), SchemaValue.Time(arguments, "deadline"), context.Agent) { Tainted = context.Tainted ? true : null };
        if (edit is { Status: null, Note: null, Agent: null, Deadline: null })
        {
            throw new ToolException("Nothing to change: give at least one of status, agent, deadline, note.");
        }

        if (TaskEdits.Refusal(task, edit, edit.Agent is null ? [] : await plans.WorkersAsync(plan, cancellationToken)) is { } refusal)
        {
            throw new ToolException($"{refusal} Nothing was changed.");
        }

        return plan.State.Verdict is null && await plans.EditAsync(plan, context, edit, cancellationToken) is InboxOutcome.Written or InboxOutcome.Duplicate
            ? new ToolResult($"Task {id} is being changed; task_status shows it when the plan has taken it in.")
            : throw new ToolException("The plan has ended; its tasks can no longer be changed.");
    }

    private static string? Text(JsonElement arguments, string name) => arguments.TryGetProperty(name, out var value) ? value.GetString() : null;
}
