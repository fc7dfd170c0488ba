using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary>Events as quiet lines for people.</summary>
internal sealed class RunNotes(Terminal terminal)
{
    private readonly Dictionary<string, string> _agents = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _children = new(StringComparer.Ordinal);

    public void Show(WireEvent e, bool isChild)
    {
        var line = e.Type switch
        {
            "model.requested" => Working(e.Data),
            "tool.started" => $"→ {e.Data.Text("tool")} {Short(e.Data.Text("arguments"))}",
            "tool.failed" => $"✗ {e.Data.Text("tool")}: {Short(e.Data.Text("result"))}",
            "child.started" => Given(e.Data),
            "child.completed" => $"⇐ {GivenTo(e.Data)}{e.Data.Text("status")}, {e.Data.Text("cost_usd")} USD",
            "run.completed" => $"{(isChild ? e.Data.Text("agent") + " is " : "")}done: {Tokens(e.Data)} tokens, {e.Data.Text("tree_cost_usd")} USD", // children work side by side
            "handoff" => $"⇄ {e.Data.Text("from")} hands over to {e.Data.Text("to")}",
            _ => Rare(e),
        };
        if (line is not null)
        {
            terminal.Note((isChild ? "    " : "  ") + line);
        }
    }

    private static string? Rare(WireEvent e) => e.Type switch
    {
        "plan.created" => "plan: " + string.Join("; ", e.Data.Items("tasks").Select(t => $"{t.Text("id")} {t.Text("agent")}")),
        "plan.updated" => "plan: " + Short(e.Data.Text("reason")),
        "message.superseded" => $"(the answer starts anew: {e.Data.Text("reason")})",
        "cache.hit" => $"(from the cache, saved {e.Data.Text("saved_usd")} USD)",
        "context.reduced" => "(the oldest part of the conversation was summarised)",
        "guard.hinted" => "guard: " + Short(e.Data.Text("hint")),
        "guard.stopped" => "stopped: " + e.Data.Text("reason"),
        "timer.started" => $"waiting: {e.Data.Text("reason")}",
        "model.failed" => $"✗ model: {Short(e.Data.Text("detail"))}",
        _ => null,
    };

    private string Given(JsonElement data)
    {
        var agent = data.Text("child_agent") ?? "";
        _children[data.Text("child_run_id") ?? ""] = agent;
        return $"⇒ {agent}: {Short(data.Text("task"))}";
    }

    private string GivenTo(JsonElement data) => _children.GetValueOrDefault(data.Text("child_run_id") ?? "") is { Length: > 0 } agent ? agent + ": " : "";

    private string? Working(JsonElement data)
    {
        var (run, agent) = (data.Text("run_id") ?? "", data.Text("agent") ?? "");
        if (_agents.GetValueOrDefault(run) == agent)
        {
            return null;
        }

        _agents[run] = agent;
        return $"· {agent} is working";
    }

    private static string Tokens(JsonElement data) => data.TryGetProperty("usage", out var usage)
        ? ((usage.TryGetProperty("input_tokens", out var i) ? i.GetInt64() : 0) + (usage.TryGetProperty("output_tokens", out var o) ? o.GetInt64() : 0)).ToString(System.Globalization.CultureInfo.InvariantCulture)
        : "0";

    private static string Short(string? text)
    {
        var line = (text ?? "").ReplaceLineEndings(" ");
        return line.Length <= 100 ? line : line[..99] + "…";
    }
}
