using System.Globalization;
using System.Text.Json;

namespace RootMas.Server.Cli;

/// <summary>When a run waits for a person: asks if one is there, else says how to answer and ends the command.</summary>
internal sealed class RunQuestions(ApiClient api, Terminal terminal)
{
    private const int Looks = 20;
    private const int Page = 200;
    private readonly HashSet<string> _handled = new(StringComparer.Ordinal);

    /// <summary>Null: go on. A code: nobody is here to answer, the command ends.</summary>
    public async Task<int?> AnswerAsync(WireEvent e, CancellationToken cancellationToken)
    {
        var run = e.Data.Text("run_id");
        if (!IsQuestion(e.Type) || run is null || !_handled.Add(run + e.Data.Text("seq")))
        {
            return null;
        }

        if (!await IsOpenAsync(run, e, cancellationToken))
        {
            return null;
        }

        try
        {
            return await AskAsync(run, e, cancellationToken) ? null : ExitCodes.Failed;
        }
        catch (OperationCanceledException) when (terminal.Questions.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            terminal.Note("");
            return null; // the run is being cancelled: nothing is asked any more, and its end is shown
        }
    }

    private Task<bool> AskAsync(string run, WireEvent e, CancellationToken cancellationToken) => e.Type switch
    {
        "approval.requested" => ApproveAsync(e.Data, cancellationToken),
        _ when e.Data.Text("redacted") == "true" => Task.FromResult(LeaveToOwner(e.Data)),
        "input.requested" => InputAsync(run, e.Data, cancellationToken),
        _ => ReviewAsync(run, e.Data, cancellationToken),
    };

    /// <summary>What runs below <paramref name="root"/> asked before its stream began: theirs come live only, and so the stream does not repeat it. As <see cref="AnswerAsync"/>.</summary>
    public async Task<int?> AnswerBelowAsync(string root, CancellationToken cancellationToken)
    {
        var tree = await api.GetAsync($"/api/v1/runs/{Segment.Of(root, "run")}?tree=1", cancellationToken);
        foreach (var run in Below(tree).Where(static r => r.Text("status") is "waiting_input" or "waiting_approval" or "needs_review"))
        {
            foreach (var e in await QuestionsOfAsync(run.Text("id")!, cancellationToken))
            {
                if (await AnswerAsync(new WireEvent(null, e.Text("type")!, e), cancellationToken) is { } parked)
                {
                    return parked;
                }
            }
        }

        return null;
    }

    private static IEnumerable<JsonElement> Below(JsonElement run) => run.Items("children").SelectMany(static child => Below(child).Prepend(child));

    private async Task<List<JsonElement>> QuestionsOfAsync(string run, CancellationToken cancellationToken)
    {
        List<JsonElement> asked = [];
        for (long? after = 0; after is not null;)
        {
            var page = await api.GetAsync($"/api/v1/runs/{run}/events?limit={Page}&after={after}", cancellationToken);
            asked.AddRange(page.Items().Where(static e => IsQuestion(e.Text("type"))));
            after = page.Items().Count() == Page ? long.Parse(page.Items().Last().Text("seq")!, CultureInfo.InvariantCulture) : null;
        }

        return asked;
    }

    private static bool IsQuestion(string? type) => type is "approval.requested" or "input.requested" or "run.needs_review";

    // A stream is replayed from its beginning: what was decided long ago is not asked again.
    private async Task<bool> IsOpenAsync(string run, WireEvent e, CancellationToken cancellationToken)
    {
        if (e.Type == "approval.requested")
        {
            var pending = await api.GetAsync($"/api/v1/approvals?status=pending&run={run}&limit={Page}", cancellationToken);
            return pending.Items().Any(a => a.Text("id") == e.Data.Text("approval_id"));
        }

        for (var look = 0; !await IsAnsweredAsync(run, e, cancellationToken); look++)
        {
            switch ((await api.GetAsync("/api/v1/runs/" + run, cancellationToken)).Text("status"))
            {
                case "completed" or "failed" or "cancelled":
                    return false;
                case "queued" or "running" when look < Looks:
                    // Told, and about to take the answer in; or not parked yet.
                    await Task.Delay(TimeSpan.FromMilliseconds(100), cancellationToken);
                    break;
                default:
                    return true;
            }
        }

        return false;
    }

    private async Task<bool> IsAnsweredAsync(string run, WireEvent e, CancellationToken cancellationToken)
    {
        var later = await api.GetAsync($"/api/v1/runs/{run}/events?limit={Page}&after={e.Data.Text("seq")}", cancellationToken);
        return later.Items().Any(l => l.Text("type") is "input.received" or "review.resolved" or "tool.completed" or "tool.failed" && l.Text("call") == e.Data.Text("call"));
    }

    private async Task<bool> ApproveAsync(JsonElement data, CancellationToken cancellationToken)
    {
        var id = data.Text("approval_id")!;
        terminal.Warn($"{data.Text("agent")} wants to call {data.Text("tool")}{(data.Text("target_origin") is { } origin ? " at " + origin : "")}. {data.Text("reason")}");
        terminal.Note(data.Text("arguments") ?? "");
        if (await terminal.AskAsync("Approve exactly this call? [y/N]", cancellationToken) is not { } answer)
        {
            terminal.Warn($"The run waits. Decide with: rootmas approvals approve {id}   or: rootmas approvals deny {id}");
            return false;
        }

        var isYes = answer.Trim() is "y" or "Y" or "yes" or "д" or "да";
        await TellAsync("/api/v1/approvals/" + id, new { decision = isYes ? "approve" : "deny", arguments_hash = data.Text("arguments_hash") }, cancellationToken);
        return true;
    }

    /// <summary>What is asked is not shown to others, nor may they answer.</summary>
    private bool LeaveToOwner(JsonElement data)
    {
        terminal.Warn($"{data.Text("agent")} waits for a word of the run's owner. Only they see what it asks, and can answer. The run waits.");
        return false;
    }

    private async Task<bool> InputAsync(string run, JsonElement data, CancellationToken cancellationToken)
    {
        terminal.Warn($"{data.Text("agent")} asks: {data.Text("question")}");
        foreach (var option in data.Items("options"))
        {
            terminal.Note("  - " + option.GetString());
        }

        if (await terminal.AskAsync("Answer:", cancellationToken) is not { Length: > 0 } answer)
        {
            terminal.Warn($"The run waits. Answer with: rootmas runs answer {run} \"…\"");
            return false;
        }

        await TellAsync($"/api/v1/runs/{run}/input", new { call_id = data.Text("call_id"), text = answer }, cancellationToken);
        return true;
    }

    private async Task<bool> ReviewAsync(string run, JsonElement data, CancellationToken cancellationToken)
    {
        terminal.Warn($"The call of {data.Text("tool")} is in doubt: {data.Text("reason")}");
        if (await terminal.AskAsync("Did it take effect? [done/repeat/cancel]", cancellationToken) is not { } answer || answer.Trim() is not ("done" or "repeat" or "cancel"))
        {
            terminal.Warn($"The run waits. Decide with: rootmas runs resolve {run} {data.Text("call_id")} done|repeat|cancel");
            return false;
        }

        await TellAsync($"/api/v1/runs/{run}/resolve", new { call_id = data.Text("call_id"), outcome = answer.Trim() }, cancellationToken);
        return true;
    }

    // Decided meanwhile elsewhere, or too early to repeat: the server says so, and the run goes on or keeps waiting.
    private async Task TellAsync(string path, object body, CancellationToken cancellationToken)
    {
        try
        {
            await api.PostAsync(path, body, cancellationToken);
        }
        catch (CliException e) when (e.ExitCode is ExitCodes.Conflict or ExitCodes.NotFound or ExitCodes.Usage)
        {
            terminal.Warn(e.Message);
        }
    }
}
