using System.Globalization;
using System.Text.Json;
using RootMas.Server.Identity.Access;

namespace RootMas.Server.Cli;

/// <summary>When a run waits for a person: asks if one is there, until it is answered here or elsewhere, else says how to answer and ends the command.</summary>
internal sealed class RunQuestions(ApiClient api, Terminal terminal)
{
    private const int Looks = 20;
    private const int Page = 200;
    private const string TimeIsOver = "The time to answer is over.";
    private static readonly TimeSpan FollowsAgainAfter = TimeSpan.FromSeconds(2);
    private readonly HashSet<string> _handled = new(StringComparer.Ordinal);

    /// <summary>The server went away while it was asked: the stream goes on behind it.</summary>
    private WireEvent? _left;

    private enum Outcome
    {
        /// <summary>It is answered, here or elsewhere.</summary>
        Settled,

        /// <summary>The server did not take the answer.</summary>
        Refused,

        /// <summary>Nobody is here to answer.</summary>
        Left,
    }

    /// <summary>Null: go on. A code: nobody is here to answer, the command ends.</summary>
    public async Task<int?> AnswerAsync(WireEvent e, CancellationToken cancellationToken)
    {
        var run = e.Data.Text("run_id");
        if (!IsQuestion(e.Type) || run is null || !_handled.Add(run + e.Data.Text("seq")))
        {
            return null;
        }

        try
        {
            // What is still open after an answer that was refused is asked again: nothing else would.
            while (await OpenAsync(run, e, cancellationToken) is { } question)
            {
                if (await AskAsync(run, e, question, cancellationToken) is not Outcome.Refused and var outcome)
                {
                    return outcome == Outcome.Left ? ExitCodes.Failed : null;
                }
            }

            return null;
        }
        catch (OperationCanceledException) when (terminal.Questions.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            terminal.Note("");
            return null; // the run is being cancelled: nothing is asked any more, and its end is shown
        }
        catch (CliException e2) when (e2.ExitCode == ExitCodes.Unreachable)
        {
            _handled.Remove(run + e.Data.Text("seq"));
            _left = e;
            throw;
        }
    }

    private async Task<Outcome> AskAsync(string run, WireEvent e, JsonElement question, CancellationToken cancellationToken) => e.Type switch
    {
        "approval.requested" => await ApproveAsync(run, e, question, cancellationToken),
        "run.needs_review" when await DecidesAsync(run, e, cancellationToken) => await ReviewAsync(run, e, cancellationToken),
        "input.requested" when !IsRedacted(e) => await InputAsync(run, e, cancellationToken),
        _ => LeaveToOwner(e.Data),
    };

    /// <summary>What runs below <paramref name="root"/> asked before its stream began: theirs come live only, and so the stream does not repeat it. As <see cref="AnswerAsync"/>.</summary>
    public async Task<int?> AnswerBelowAsync(string root, CancellationToken cancellationToken)
    {
        if (_left is { } left)
        {
            _left = null;
            if (await AnswerAsync(left, cancellationToken) is { } stays)
            {
                return stays;
            }
        }

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

    private static bool IsRedacted(WireEvent e) => e.Data.Text("redacted") == "true";

    /// <summary>The owner does, and for an end user of a bot, who cannot come here, whoever sees the run.</summary>
    private async Task<bool> DecidesAsync(string run, WireEvent e, CancellationToken cancellationToken) =>
        !IsRedacted(e) || ((await api.GetAsync("/api/v1/runs/" + run, cancellationToken)).Text("owner_id") is { } owner && Subjects.UserOf(owner).IsExternal);

    /// <summary>What is asked, if it still is: a stream is replayed from its beginning, and what was decided long ago is not asked again. Null: it is not.</summary>
    private async Task<JsonElement?> OpenAsync(string run, WireEvent e, CancellationToken cancellationToken)
    {
        if (e.Type != "approval.requested")
        {
            return await IsOpenAsync(run, e, cancellationToken) ? e.Data : null;
        }

        // As the list shows it, so that whoever may decide sees the exact call, also where the event is not shown whole.
        var pending = await api.ListAsync($"/api/v1/approvals?status=pending&run={run}&limit={Page}", cancellationToken);
        return pending.Items().Where(a => a.Text("id") == e.Data.Text("approval_id")).Select(static a => (JsonElement?)a).FirstOrDefault();
    }

    private async Task<bool> IsOpenAsync(string run, WireEvent e, CancellationToken cancellationToken)
    {
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

    private async Task<Outcome> ApproveAsync(string run, WireEvent e, JsonElement approval, CancellationToken cancellationToken)
    {
        var id = approval.Text("id")!;
        terminal.Warn($"{approval.Text("agent")} wants to call {approval.Text("tool")}{(approval.Text("target_origin") is { } origin ? " at " + origin : "")}. {approval.Text("reason")}");
        terminal.Note(ExactText.OfArguments(approval));
        var (answer, isOver) = await AnswerOfAsync(run, e, "Approve exactly this call? [y/N]", cancellationToken);
        if (isOver)
        {
            return Outcome.Settled;
        }

        if (answer is null)
        {
            terminal.Warn($"The run waits. Decide with: rootmas approvals approve {id}   or: rootmas approvals deny {id}");
            return Outcome.Left;
        }

        var isYes = answer.Trim() is "y" or "Y" or "yes" or "д" or "да";
        return await TellAsync("/api/v1/approvals/" + id, new { decision = isYes ? "approve" : "deny", arguments_hash = approval.Text("arguments_hash") }, cancellationToken);
    }

    /// <summary>What is asked is not shown to others, nor may they answer.</summary>
    private Outcome LeaveToOwner(JsonElement data)
    {
        terminal.Warn($"{data.Text("agent")} waits for a word of the run's owner. Only they see what it asks, and can answer. The run waits.");
        return Outcome.Left;
    }

    private async Task<Outcome> InputAsync(string run, WireEvent e, CancellationToken cancellationToken)
    {
        terminal.Warn($"{e.Data.Text("agent")} asks: {e.Data.Text("question")}");
        foreach (var option in e.Data.Items("options"))
        {
            terminal.Note("  - " + option.GetString());
        }

        var (answer, isOver) = await AnswerOfAsync(run, e, "Answer:", cancellationToken);
        if (isOver)
        {
            return Outcome.Settled;
        }

        if (answer is not { Length: > 0 })
        {
            terminal.Warn($"The run waits. Answer with: rootmas runs answer {run} \"…\"");
            return Outcome.Left;
        }

        return await TellAsync($"/api/v1/runs/{run}/input", new { call_id = e.Data.Text("call_id"), text = answer }, cancellationToken);
    }

    private async Task<Outcome> ReviewAsync(string run, WireEvent e, CancellationToken cancellationToken)
    {
        terminal.Warn($"The call of {e.Data.Text("tool")} is in doubt: {e.Data.Text("reason")}");
        var choices = "done/repeat/cancel";
        if (DateTimeOffset.TryParse(e.Data.Text("repeat_after"), CultureInfo.InvariantCulture, out var repeat) && repeat > TimeProvider.System.GetUtcNow())
        {
            choices = "done/cancel";
            terminal.Note(string.Create(CultureInfo.InvariantCulture, $"It may still be on its way: repeat is possible from {repeat.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}."));
        }

        var (answer, isOver) = await AnswerOfAsync(run, e, $"Did it take effect? [{choices}]", cancellationToken);
        if (isOver)
        {
            return Outcome.Settled;
        }

        if (answer?.Trim() is not ("done" or "repeat" or "cancel"))
        {
            terminal.Warn($"The run waits. Decide with: rootmas runs resolve {run} {e.Data.Text("call_id")} done|repeat|cancel");
            return Outcome.Left;
        }

        return await TellAsync($"/api/v1/runs/{run}/resolve", new { call_id = e.Data.Text("call_id"), outcome = answer.Trim() }, cancellationToken);
    }

    /// <summary>What the person says, or that it was settled elsewhere while they were asked: then the question is taken away. Neither: nobody is there.</summary>
    private async Task<(string? Answer, bool IsOver)> AnswerOfAsync(string run, WireEvent e, string question, CancellationToken cancellationToken)
    {
        if (!terminal.CanAsk)
        {
            return (null, false);
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, terminal.Questions);
        var typed = terminal.AskForRunAsync(question, end.Token);
        var elsewhere = SettledAsync(run, e, end.Token);
        try
        {
            if (await Task.WhenAny((Task)typed, elsewhere) == typed)
            {
                return (await typed, false);
            }

            var how = await elsewhere;
            terminal.Note("");
            terminal.Note(how);
            return (null, true);
        }
        finally
        {
            await end.CancelAsync();
            await ((Task)typed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ((Task)elsewhere).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Waits until the question is settled by anybody, and says how. The asking run's own stream tells, from the question on: the one that is followed is its root's, say, and tells of runs below only once.</summary>
    private async Task<string> SettledAsync(string run, WireEvent asked, CancellationToken cancellationToken)
    {
        for (var after = asked.Data.Text("seq"); ; await Task.Delay(FollowsAgainAfter, cancellationToken))
        {
            try
            {
                await foreach (var e in api.EventsAsync(run, after, cancellationToken))
                {
                    if (e.Data.Text("run_id") == run && HowSettled(asked, e) is { } how)
                    {
                        return how;
                    }

                    after = e.Id ?? after;
                }
            }
            catch (CliException e) when (e.ExitCode == ExitCodes.NotFound)
            {
                return "The run was deleted.";
            }
            catch (Exception e) when (e is CliException or IOException or HttpRequestException)
            {
                // The connection was lost, or there are too many. It can be answered all the same, and is followed again.
            }
        }
    }

    private static string? HowSettled(WireEvent asked, WireEvent later) => later.Type switch
    {
        "run.completed" or "run.failed" or "run.cancelled" => "The run has ended meanwhile.",
        _ when later.Data.Text("call") != asked.Data.Text("call") => null,
        "approval.expired" => TimeIsOver,
        "input.received" when later.Data.Text("expired") == "true" => TimeIsOver,
        "approval.granted" or "approval.denied" or "input.received" or "review.resolved" => "It was decided elsewhere.",
        "tool.completed" or "tool.failed" => "It is asked no more.", // its run is ending, say
        _ => null,
    };

    // Decided meanwhile elsewhere, or too early to repeat: the server says so, and the run goes on or keeps waiting.
    private async Task<Outcome> TellAsync(string path, object body, CancellationToken cancellationToken)
    {
        try
        {
            await api.PostAsync(path, body, cancellationToken, "id");
            return Outcome.Settled;
        }
        catch (CliException e) when (e.ExitCode is ExitCodes.Conflict or ExitCodes.NotFound or ExitCodes.Usage)
        {
            terminal.Warn(e.Message);
            return e.ExitCode == ExitCodes.NotFound ? Outcome.Settled : Outcome.Refused;
        }
    }
}
