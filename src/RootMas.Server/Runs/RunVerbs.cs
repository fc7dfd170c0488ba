using System.Globalization;
using System.Text.Json;
using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Idempotency;

namespace RootMas.Server.Runs;

/// <summary>What people may do with a run: each verb is a word to the run's owner (its inbox), or a new run.</summary>
internal sealed class RunVerbs(RunReader reader, RunStore store, RunOwnership ownership, RunStarter starter, TimeProvider clock)
{
    /// <summary>
    /// Walks the tree down, each run in its own transaction, until a look finds nobody who was not told: what a parent gives after it was told is told as it is made (<see cref="LateChildren"/>), and what it gave between the look and that
    /// is found by the next one.
    /// </summary>
    public async Task<bool> CancelAsync(string runId, string ownerId, string reason, bool keepText, CancellationToken cancellationToken)
    {
        HashSet<string> told = new(StringComparer.Ordinal);
        while (true)
        {
            var tree = await reader.TreeAsync(runId, ownerId, cancellationToken);
            var fresh = tree.Where(r => !r.Status.IsFinal() && told.Add(r.Id)).ToList();
            if (fresh.Count == 0)
            {
                return tree.Count > 0;
            }

            foreach (var run in fresh)
            {
                await store.InsertInboxAsync(run.Id, ownerId: null, "cancel", new CancelRequested(reason, ownerId, keepText && run.Id == runId), CancellationToken.None);
            }
        }
    }

    public async Task<RunVerdict> AnswerAsync(string runId, string ownerId, int? call, InputAnswer answer, Made? also, CancellationToken cancellationToken)
    {
        if (await RefusalAsync(runId, ownerId, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        var open = await reader.OpenQuestionsAsync(runId, cancellationToken);
        if (open.FirstOrDefault(q => call is null || q.Call == call) is not { } question)
        {
            return new RunVerdict(await reader.FindAsync(runId, ownerId, cancellationToken), "no_open_question",
                open.Count == 0 ? "The run has asked nothing that is still open." : $"That question is not open. Open: {string.Join(", ", open.Select(static q => q.CallId))}.");
        }

        var given = new InputGiven(question.Call, answer.Text, ownerId)
        {
            Attachments = answer.Attachments,
            Metadata = answer.Metadata is { } metadata ? JsonElement.Parse(metadata) : null,
            Tainted = answer.BringsForeignText ? true : null,
        };
        return await TellAsync(runId, ownerId, TreeQuestions.KeyOf(question), given, "no_open_question", also, cancellationToken);
    }

    public async Task<RunVerdict> ResolveAsync(string runId, string ownerId, int call, string outcome, string? result, Made? also, CancellationToken cancellationToken, string? by = null)
    {
        if (await RefusalAsync(runId, ownerId, cancellationToken) is { } refusal)
        {
            return refusal;
        }

        var open = await reader.OpenReviewsAsync(runId, cancellationToken);
        if (open.FirstOrDefault(r => r.Call == call) is not { } review)
        {
            return new RunVerdict(await reader.FindAsync(runId, ownerId, cancellationToken), "no_open_review",
                open.Count == 0 ? "No call of this run waits for a review." : $"That call does not wait for a review. Waiting: {string.Join(", ", open.Select(static r => r.CallId))}.");
        }

        if (outcome == "repeat" && clock.GetUtcNow() < review.RepeatAfter)
        {
            return new RunVerdict(await reader.FindAsync(runId, ownerId, cancellationToken), "repeat_too_early",
                string.Create(CultureInfo.InvariantCulture, $"The call may still be on its way. Repeating is possible from {review.RepeatAfter.UtcDateTime:yyyy-MM-ddTHH:mm:ssZ}."));
        }

        var key = string.Create(CultureInfo.InvariantCulture, $"review:{call}:{review.Seq}");
        return await TellAsync(runId, ownerId, key, new ReviewDecided(call, outcome, result, by ?? ownerId), "no_open_review", also, cancellationToken);
    }

    public async Task<RunVerdict> RetryAsync(string runId, string ownerId, long? fromSeq, RetryAsker asker, Made? also, CancellationToken cancellationToken)
    {
        if (await reader.RowAsync(runId, ownerId, cancellationToken) is not { } row)
        {
            return RunVerdict.NotFound;
        }

        if (!row.Status.IsFinal() || !row.IsRoot)
        {
            var (code, detail) = row.IsRoot
                ? ("run_not_final", $"The run is {row.Status.ToName()}; cancel it first, or wait for its end.")
                : ("not_a_root_run", $"This is a part of run {row.Identity.RootRunId}; retry that one.");
            return new RunVerdict(row.Summary(null), code, detail);
        }

        if (fromSeq is { } seq && StreamPositions.Beyond(new StreamPosition(seq), row.LastSeq) is { } beyond)
        {
            return new RunVerdict(row.Summary(null), RunProblems.BeyondLog, beyond);
        }

        return await StartAgainAsync(row, fromSeq ?? 0, asker, also, cancellationToken);
    }

    /// <summary>A retry by an operator: with the rights that the run was given, not with those of whoever asks for it.</summary>
    public async Task<RunVerdict> RestartAsync(string runId, string ownerId, Made also, CancellationToken cancellationToken) =>
        await reader.RowAsync(runId, ownerId, cancellationToken) switch
        {
            null => RunVerdict.NotFound,
            { IsRoot: false } part => new RunVerdict(part.Summary(null), "not_a_root_run", $"This is a part of run {part.Identity.RootRunId}; retry that one."),
            var row => await StartAgainAsync(row, 0, null, also, cancellationToken),
        };

    private async Task<RunVerdict> StartAgainAsync(RunRow row, long fromSeq, RetryAsker? asker, Made? also, CancellationToken cancellationToken)
    {
        var (runId, ownerId) = (row.Id, row.Identity.OwnerId);
        if (row.LogPruned)
        {
            return new RunVerdict(row.Summary(null), "log_pruned", "The log of this run was removed by the server's retention, so what it did cannot be taken over. Send the message again.");
        }

        var standing = await ownership.StandingOfAsync(row.Identity, cancellationToken);
        if (WithoutPlace(row, standing) is { } refusal)
        {
            return refusal;
        }

        var old = await ownership.LoadAsync(row, cancellationToken);
        var run = old.Run with { RunId = Guid.CreateVersion7().ToString(), CreatedAt = clock.GetUtcNow(), Options = old.Run.Options with { Permissions = asker is { } a ? a.Permissions : old.Run.Options.Permissions, NoCache = true } };
        run = run with { RootRunId = run.RunId, RetryOf = runId };
        // A message that has its place may have an answer: the new one stands beside it, on a branch of its own. One that never had its turn takes its place now, and what was said until then is read after that.
        var isBeside = standing is InputStanding.Placed && row.Identity.BranchId is not null;
        var history = standing is InputStanding.Waits ? null : old.History;
        var creation = new RunCreation
        {
            Run = run,
            BranchId = isBeside ? run.RunId : row.Identity.BranchId,
            IsNewBranch = isBeside,
            Beside = isBeside ? row.Identity : null,
            Enqueue = false,
            History = history ?? [],
            InTransaction = also is null ? null : session => also(session, run.RunId),
        };
        var copied = RunRetry.Copy(old.Log, fromSeq) is { Count: > 0 } taken ? await reader.WithoutDeletedAsync(taken, cancellationToken) : [];
        var accepted = await starter.StartAsync(new StartPlan(creation, old.Snapshot, history, copied, asker?.MaxUnfinished), mayOverlap: false);
        if (accepted.Code is { } refused)
        {
            return new RunVerdict(row.Summary(null), refused, accepted.Detail);
        }

        return accepted.Busy is { } busy
            ? new RunVerdict(busy, "branch_busy", $"Run {busy.Id} of the same branch is {busy.Status.ToName()}; wait for its end, or cancel it.")
            : new RunVerdict(await reader.FindAsync(run.RunId, ownerId, cancellationToken));
    }

    /// <summary>Null: an answer would have its place. A conversation that is deleted after this look is seen by the transaction that makes the run.</summary>
    private static RunVerdict? WithoutPlace(RunRow row, InputStanding? standing) => standing switch
    {
        InputStanding.RolledBack => new RunVerdict(row.Summary(null), "message_rolled_back", "The message of this run was taken back by a later one, so an answer to it would stand nowhere. Nothing was done. Send the message again."),
        InputStanding.Gone => new RunVerdict(null, RunProblems.NoConversation, RunProblems.ConversationDeleted().Detail),
        _ => null,
    };

    private async Task<RunVerdict?> RefusalAsync(string runId, string ownerId, CancellationToken cancellationToken) =>
        await reader.RowAsync(runId, ownerId, cancellationToken) switch
        {
            null => RunVerdict.NotFound,
            { Status: var status } row when status.IsFinal() => new RunVerdict(row.Summary(null), "run_is_final", $"The run has ended ({status.ToName()}). Nothing was changed."),
            _ => null,
        };

    private async Task<RunVerdict> TellAsync(string runId, string ownerId, string key, InboxPayload payload, string takenCode, Made? also, CancellationToken cancellationToken)
    {
        var outcome = await store.InsertInboxAsync(runId, ownerId, key, payload, CancellationToken.None, also);
        var run = await reader.FindAsync(runId, ownerId, cancellationToken);
        return outcome switch
        {
            InboxOutcome.Written => new RunVerdict(run),
            InboxOutcome.Duplicate => new RunVerdict(run, takenCode, "Somebody answered already. Nothing was changed."),
            InboxOutcome.Settled => new RunVerdict(run, takenCode, "The question has been answered meanwhile, or its time was up. Nothing was changed."),
            InboxOutcome.Final => new RunVerdict(run, "run_is_final", "The run has ended meanwhile. Nothing was changed."),
            _ => RunVerdict.NotFound,
        };
    }
}
