using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Extensions.AI;
using RootMas.Runtime.Agents;

namespace RootMas.Server.Models.Offline;

/// <summary>Structured answers: plans, reviews, decisions and speakers by rules; any other schema is filled with what is known.</summary>
internal static partial class OfflineStructure
{
    private const string Reviewed = "The offline model reviewed this plan by rules: every task is settled. What the results are worth, a person must judge.";
    private const string ReviewedRussian = "Офлайн-модель проверила этот план по правилам: все задачи завершены. Чего стоят результаты, решать человеку.";

    /// <summary>Characters of all results in a review together, of the longest one, and of each where there are very many.</summary>
    private const int AllResults = 6_000;
    private const int LongestResult = 1_500;
    private const int ShortestResult = 100;

    private static readonly JsonSerializerOptions Relaxed = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static string Write(OfflineView view)
    {
        JsonNode? answer = view.Purpose switch
        {
            "plan" => Plan(view),
            "review" => Review(view),
            "coordinate" => Coordinate(view),
            "select" => Select(view),
            "extract" when Has(view.Format?.Schema, "facts") => OfflineMemory.Extract(view),
            _ => null,
        };
        return (answer ?? SchemaFiller.Fill(view.Format?.Schema, OfflineWords.Answer(view))).ToJsonString(Relaxed);
    }

    /// <summary>Facts, then their check, then whatever specialist the goal's words call for; only agents that the schema names.</summary>
    private static JsonObject Plan(OfflineView view)
    {
        var goal = Goal(view);
        var agents = Enum(view.Format?.Schema, "tasks", "agent");
        var tasks = new JsonArray();
        void Add(string id, string agent, string task, string doneWhen, string risk, params string[] after)
        {
            if (agents.Contains(agent, StringComparer.Ordinal))
            {
                var known = after.Where(a => tasks.Any(t => (string?)t!["id"] == a)).Select(a => (JsonNode)a);
                tasks.Add(new JsonObject
                {
                    ["id"] = id, ["agent"] = agent, ["task"] = task, ["depends_on"] = new JsonArray([.. known]), ["done_when"] = doneWhen, ["risk"] = risk, ["estimated_cost"] = "0.00",
                });
            }
        }

        Add("facts", "researcher", $"Collect facts, prices and sources for this goal: {goal}", "Findings with a source each, or a plain statement that none could be had", "Search may not be configured");
        Add("check", "fact_checker", $"Check what the task 'facts' found for this goal: {goal}", "A verdict for each claim", "Without sources every verdict stays uncertain", "facts");
        if (Money().IsMatch(goal))
        {
            Add("spend", "budget_manager", "Report what this user's model calls have cost so far, so that the answer can name its own cost.", "A sum in US dollars", "None");
        }

        foreach (var (agent, pattern) in new[] { ("workflow_builder", OfflineRules.Workflow()), ("webapp_builder", OfflineRules.WebApp()), ("prompt_builder", OfflineRules.Prompt()), ("agent_builder", OfflineRules.NewAgent()) })
        {
            if (pattern.IsMatch(goal))
            {
                Add(agent.Replace("_builder", "", StringComparison.Ordinal), agent, goal, "A draft that a person can judge", "The builder's tools may be missing", "facts");
            }
        }

        var plan = new JsonObject { ["goal"] = OfflineWords.Cut(goal, 1000), ["tasks"] = tasks };
        if (tasks.Count == 0)
        {
            plan["answer"] = OfflineWords.Answer(view);
        }

        return plan;
    }

    /// <summary>What each task came to is handed on as it was found; rules cannot judge it.</summary>
    private static JsonObject Review(OfflineView view)
    {
        var summary = new StringBuilder(view.IsRussian ? ReviewedRussian : Reviewed).Append('\n');
        OfflineQuotes.AppendFindings(summary, view, Math.Clamp(AllResults / Math.Max(1, view.Findings.Count), ShortestResult, LongestResult));
        return new JsonObject { ["verdict"] = "done", ["summary"] = summary.ToString().TrimEnd(), ["tasks"] = new JsonArray() };
    }

    private static JsonObject Coordinate(OfflineView view)
    {
        var known = Enum(view.Format?.Schema, "decisions", "task");
        var stuck = Stuck().Match(view.Request) is { Success: true } match
            ? match.Groups["tasks"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(t => t.Split(' ')[0])
            : known;
        var decisions = stuck.Where(t => known.Count == 0 || known.Contains(t, StringComparer.Ordinal)).Select(t => (JsonNode)new JsonObject
        {
            ["task"] = t, ["action"] = "drop", ["reason"] = "The offline model cannot find another way; the plan goes on without this task.",
        });
        return new JsonObject { ["decisions"] = new JsonArray([.. decisions]) };
    }

    /// <summary>Everybody speaks once, in the order of the list.</summary>
    private static JsonObject Select(OfflineView view)
    {
        var members = Strings(view.Format?.Schema, "speaker").Where(m => m.Length > 0).ToArray();
        var spoke = view.Messages.SelectMany(static m => TeamFinding.Of(m)).Select(static f => f.Agent).ToHashSet(StringComparer.Ordinal);
        var next = members.FirstOrDefault(m => !spoke.Contains(m));
        return new JsonObject
        {
            ["speaker"] = next ?? "", ["done"] = next is null, ["reason"] = next is null ? "Everybody has spoken once." : $"{next} has not spoken yet.",
        };
    }

    /// <summary>The goal stands in the message before the instructions for the plan.</summary>
    private static string Goal(OfflineView view)
    {
        var users = view.Messages.Where(m => m.Role == ChatRole.User).ToArray();
        return (users.Length > 1 ? users[^2].Text : view.Request).Trim();
    }

    private static bool Has(JsonElement? schema, string member) =>
        schema is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("properties", out var properties) && properties.TryGetProperty(member, out _);

    private static IReadOnlyList<string> Enum(JsonElement? schema, string list, string member) =>
        schema is { } root && root.TryGetProperty("properties", out var properties) && properties.TryGetProperty(list, out var array) && array.TryGetProperty("items", out var items)
            ? Strings(items, member)
            : [];

    private static IReadOnlyList<string> Strings(JsonElement? schema, string member) =>
        schema is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("properties", out var properties) && properties.TryGetProperty(member, out var one) &&
        one.TryGetProperty("enum", out var values) && values.ValueKind == JsonValueKind.Array
            ? [.. values.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()!)]
            : [];

    [GeneratedRegex(@"To decide: (?<tasks>[^\n]+)", RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Stuck();

    [GeneratedRegex(@"\$|€|₽|budget|dollar|cost|price|бюджет|долл|руб|стоим|цен", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 5_000)]
    private static partial Regex Money();
}
