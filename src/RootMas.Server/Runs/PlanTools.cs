using System.Text;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;

namespace RootMas.Server.Runs;

/// <summary>Finds the plan that a run works for: of the run itself, or of the nearest run above it that has one.</summary>
internal sealed class PlanFinder(RunReader reader, RunStore store)
{
    public async Task<FoundPlan?> FindAsync(ToolContext context, CancellationToken cancellationToken)
    {
        for (var id = context.RunId; id is not null;)
        {
            if (await reader.RowAsync(id, context.OwnerId, cancellationToken) is not { } row)
            {
                return null;
            }

            switch (await reader.PlanAsync(id, cancellationToken))
            {
                case PlanCreated created:
                    return new FoundPlan(id, created.Goal, created.Tasks);
                case PlanUpdated updated:
                    return new FoundPlan(id, null, updated.Tasks);
            }

            id = row.Identity.ParentRunId;
        }

        return null;
    }

    /// <summary>Once per call: a repeated call changes nothing more.</summary>
    public Task<InboxOutcome> EditAsync(FoundPlan plan, ToolContext context, TaskEdited edit, CancellationToken cancellationToken) =>
        store.InsertInboxAsync(plan.RunId, context.OwnerId, $"edit:{context.IdempotencyKey}", edit, cancellationToken);
}

/// <param name="Goal">Null: the ledger was updated since, and says only how the tasks stand.</param>
internal sealed record FoundPlan(string RunId, string? Goal, IReadOnlyList<PlanTask> Tasks)
{
    public const string None = "There is no plan: neither this run nor one above it has a task graph.";

    public string Line(PlanTask task)
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
    public override ToolDefinition Definition { get; } = new("plan_read", "Shows the task graph of the plan that this work belongs to: every task with its agent, dependencies and state.",
        """{"type":"object","properties":{},"additionalProperties":false}""", "1");

    public override ToolEffect Effect => ToolEffect.Read;

    public override string Permission => "chat:read";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        if (await plans.FindAsync(context, cancellationToken) is not { } plan)
        {
            return new ToolResult(FoundPlan.None);
        }

        var goal = plan.Goal is null ? "" : $"Goal: {plan.Goal}\n";
        return new ToolResult($"{goal}{string.Join('\n', plan.Tasks.Select(plan.Line))}", Tainted: plan.Tasks.Any(static t => t.Tainted));
    }
}

/// <summary>One task, or all, with results.</summary>
internal sealed class TaskStatusTool(PlanFinder plans) : Tool
{
    public override ToolDefinition Definition { get; } = new("task_status", "Shows how a task of the plan stands, with its result if it has one. Without task_id: a count of all tasks by state, and those that need attention.",
        """{"type":"object","properties":{"task_id":{"type":"string","maxLength":64,"description":"The task's id; leave out for an overview."}},"additionalProperties":false}""", "1");

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
        return new ToolResult($"{plan.Line(task)}\nTries: {task.Tries}{(task.Result is null ? "" : $"\nResult:\n{task.Result}")}", task.Tainted);
    }

    private static ToolResult Overview(FoundPlan plan, DateTimeOffset now)
    {
        var counts = plan.Tasks.GroupBy(static t => t.Status, StringComparer.Ordinal).Select(static g => $"{g.Key}: {g.Count()}");
        var failed = plan.Tasks.Where(static t => t.Status == "failed").Select(static t => t.Id).ToHashSet(StringComparer.Ordinal);
        var attention = plan.Tasks
            .Where(t => t.Status == "failed" || (t.Status == "pending" && t.DependsOn.Any(failed.Contains)) || (t.Deadline < now && t.Status is "pending" or "running"))
            .Select(plan.Line)
            .ToList();
        return new ToolResult(
            $"{string.Join(", ", counts)}.{(attention.Count == 0 ? " Nothing is failed, blocked or late." : $"\nNeed attention:\n{string.Join('\n', attention)}")}",
            Tainted: attention.Count > 0 && plan.Tasks.Any(static t => t.Tainted));
    }
}

/// <summary>Changes a task: the plan's own run takes the change into its ledger.</summary>
internal sealed class TaskUpdateTool(PlanFinder plans) : Tool
{
    public override ToolDefinition Definition { get; } = new("task_update", "Changes a task of the plan: its state, the agent it is assigned to, its deadline, or a note for whoever works on it.",
        """
        {"type":"object","properties":{
        "task_id":{"type":"string","minLength":1,"maxLength":64},
        "status":{"type":"string","enum":["pending","done","failed","dropped"],"description":"pending: try it again."},
        "agent":{"type":"string","maxLength":64,"description":"Reassign to this agent."},
        "deadline":{"type":"string","format":"date-time","description":"UTC, such as 2026-03-01T12:00:00Z."},
        "note":{"type":"string","maxLength":2000}},
        "required":["task_id"],"additionalProperties":false}
        """, "1");

    public override ToolEffect Effect => ToolEffect.Idempotent;

    public override string Permission => "chat:write";

    public override async ValueTask<ToolResult> InvokeAsync(ToolContext context, JsonElement arguments, CancellationToken cancellationToken)
    {
        if (await plans.FindAsync(context, cancellationToken) is not { } plan)
        {
            throw new ToolException(FoundPlan.None);
        }

        var id = arguments.GetProperty("task_id").GetString()!;
        if (plan.Tasks.All(t => t.Id != id))
        {
            throw new ToolException($"The plan has no task '{id}'. Its tasks: {string.Join(", ", plan.Tasks.Select(static t => t.Id))}.");
        }

        DateTimeOffset? deadline = arguments.TryGetProperty("deadline", out var when) && when.TryGetDateTimeOffset(out var at) ? at : null;
        var edit = new TaskEdited(id, Text(arguments, "status"), Text(arguments, "note"), Text(arguments, "agent"), deadline, context.Agent);
        if (edit is { Status: null, Note: null, Agent: null, Deadline: null })
        {
            throw new ToolException("Nothing to change: give at least one of status, agent, deadline, note.");
        }

        return await plans.EditAsync(plan, context, edit, cancellationToken) is InboxOutcome.Written or InboxOutcome.Duplicate
            ? new ToolResult($"Task {id} is being changed; task_status shows it when the plan has taken it in.")
            : throw new ToolException("The plan has ended; its tasks can no longer be changed.");
    }

    private static string? Text(JsonElement arguments, string name) => arguments.TryGetProperty(name, out var value) ? value.GetString() : null;
}
