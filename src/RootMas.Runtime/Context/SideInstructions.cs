using System.Text;
using System.Text.Json;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Teams;

namespace RootMas.Runtime.Context;

/// <summary>What planner, reviewer, coordinator and selector are asked, and the schema of their answer.</summary>
internal static class SideInstructions
{
    public static string For(RunView view, CallModel call) => call.Purpose switch
    {
        "plan" => "Write a plan for the request above as a task graph. Agents you may use:\n" + Agents(view)
            + "\nUse as few tasks as do the job; tasks without dependencies run in parallel. Each task text must be complete in itself. If no task is needed, give the answer itself and no tasks."
            + Hint(view, call.Purpose),
        "review" => "All tasks are settled. Judge the results against the goal. Verdict `done` with a full summary (sources, open points), `replan` with additional tasks (new ids), or `stop` with the reason.\n\n"
            + Ledger(view, call.Agent) + Hint(view, call.Purpose),
        "coordinate" => "Some tasks failed, are blocked or late. Decide for each of them: reassign (to which agent), retry, drop, or replan.\n\n"
            + Ledger(view, call.Agent) + "\nTo decide: " + string.Join(", ", PlanLedger.Stuck(view.State.Plan!).Select(t => $"{t.Id} ({t.Status})"))
            + "\nAgents:\n" + Agents(view) + Hint(view, call.Purpose),
        "select" => "Who speaks next? Members:\n" + string.Join('\n', view.Team.Members.Select(m => $"- {m}: {view.Snapshot.Agents[m].Description}"))
            + "\nIf the last message already answers the request, say done." + Hint(view, call.Purpose),
        _ => throw new InvalidOperationException($"Unknown purpose '{call.Purpose}'."),
    };

    public static string SchemaFor(RunView view, string purpose)
    {
        var agents = PlanLedger.Workers(view);
        return purpose switch
        {
            "plan" => TeamSchemas.PlanSchema(agents),
            "review" => TeamSchemas.ReviewSchema(agents),
            "coordinate" => TeamSchemas.CoordinateSchema(agents, view.State.Plan!.Tasks.Select(t => t.Id)),
            _ => TeamSchemas.SelectSchema(view.Team.Members),
        };
    }

    /// <summary>The response format of a schema; <c>{}</c> means any JSON object.</summary>
    public static ChatResponseFormatJson Format(string schema, string name)
    {
        if (schema.Trim() is "{}" or "")
        {
            return ChatResponseFormat.Json;
        }

        using var document = JsonDocument.Parse(schema);
        return ChatResponseFormat.ForJsonSchema(document.RootElement.Clone(), name);
    }

    private static string Agents(RunView view)
    {
        var text = new StringBuilder();
        foreach (var agent in PlanLedger.Workers(view).Select(name => view.Snapshot.Agents[name]))
        {
            text.Append("- ").Append(agent.Name).Append(": ").Append(agent.Description).Append('\n');
        }

        return text.ToString();
    }

    private static string Ledger(RunView view, string reader)
    {
        var text = PlanLedger.Render(view.State.Plan!, view.ContextOf(reader));
        return view.State.Tainted ? PromptBuilder.Untrusted("plan", "ledger", text) : text;
    }

    private static string Hint(RunView view, string purpose) =>
        view.State.SideFailuresOf(purpose) > 0 && view.State.LastHint is { } hint ? $"\n\nYour last {purpose} was refused: {hint} Write it again." : "";
}
