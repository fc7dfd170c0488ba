using System.Runtime.CompilerServices;
using RootMas.Runtime.Runs;
using RootMas.Server.Identity.Access;
using RootMas.Server.Identity.Audit;
using RootMas.Server.Identity.Limits;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Data;
using RootMas.Server.Models;
using RootMas.Server.Platform.Http;
using RootMas.Server.Platform.Idempotency;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>
/// Messages in, runs out. The first message of a conversation costs one commit and no read: conversation, message, idempotency key and run are one transaction.
/// </summary>
public sealed class ChatService(IMessageProcessor runs, ConversationStore store, MessageKeys keys, ModelNames models, AttachableDocuments documents, ChatMetrics metrics) : IChatService
{
    /// <summary>A branch can change between looking and writing; this often it is looked at again.</summary>
    private const int Tries = 4;

    public async Task<Sent> SendAsync(Caller caller, SendMessage message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(caller);
        ArgumentNullException.ThrowIfNull(message);
        if (await models.RefusalAsync(message.Options.Model, cancellationToken) is { } unknown)
        {
            return ChatProblems.NotAccepted("model_not_found", unknown);
        }

        if (message.History is { Count: > 0 } history)
        {
            return await SendWithHistoryAsync(caller, message, history, cancellationToken);
        }

        return await (message.Attachments.Count > 0 ? SendWithDocumentsAsync(caller, message, cancellationToken) : AcceptOnceAsync(caller, message, cancellationToken));
    }

    private async Task<Sent> SendWithHistoryAsync(Caller caller, SendMessage message, IReadOnlyList<HistoryMessage> history, CancellationToken cancellationToken) =>
        await AcceptOnceAsync(caller, message with { History = await store.WithTaintAsync(caller.UserId, history, cancellationToken) }, cancellationToken);

    private async Task<Sent> SendWithDocumentsAsync(Caller caller, SendMessage message, CancellationToken cancellationToken)
    {
        if (!caller.May("knowledge:read"))
        {
            return Problems.Forbidden("permission_missing", "Attachments need the permission knowledge:read. Nothing was done. Send the message without them.");
        }

        if (await documents.FindAsync(message.Attachments, caller.UserId, cancellationToken) is not { } found)
        {
            return Problems.NotFound("document_not_found", "attachments names a document that is not there, or that you cannot read. Nothing was done. GET /api/v1/documents lists those that you can.");
        }

        return await AcceptOnceAsync(caller, message with { Options = message.Options with { Attachments = found.Documents }, BringsForeignText = found.Tainted }, cancellationToken);
    }

    private Task<Sent> AcceptOnceAsync(Caller caller, SendMessage message, CancellationToken cancellationToken) =>
        message.Key is { } key ? AcceptOnceAsync(caller, message, key, cancellationToken) : AcceptAsync(caller, message, claim: null, cancellationToken);

    private async Task<Sent> AcceptOnceAsync(Caller caller, SendMessage message, IdempotencyRequest key, CancellationToken cancellationToken)
    {
        var sent = await keys.OnceAsync(key, claim => AcceptAsync(caller, message, claim, CancellationToken.None), cancellationToken);
        return sent.Accepted is { Repeated: true } known ? await AsItIsAsync(caller, known, cancellationToken) : sent;
    }

    private async Task<Sent> AsItIsAsync(Caller caller, AcceptedMessage known, CancellationToken cancellationToken)
    {
        if (await FindAsync(caller, known.RunId, cancellationToken) is not { } run)
        {
            return ChatProblems.NoRun();
        }

        return known with { Status = run.Status };
    }

    public CancellationToken Stopping => runs.Stopping;

    public async Task<RunSummary?> WaitAsync(Caller caller, string runId, TimeSpan atMost, CancellationToken cancellationToken) =>
        await runs.WaitAsync(runId, atMost, cancellationToken) is { } run && run.OwnerId == caller.UserId ? run : null;

    public async Task<IAsyncEnumerable<StreamItem>?> StreamAsync(Caller caller, string runId, StreamPosition after, CancellationToken cancellationToken) =>
        await runs.FindAsync(runId, caller.UserId, cancellationToken) is null ? null : runs.StreamAsync(runId, after, tree: false, cancellationToken);

    public async Task<IAsyncEnumerable<StreamItem>?> StreamTreeAsync(Caller caller, string runId, CancellationToken cancellationToken) =>
        await runs.FindAsync(runId, caller.UserId, cancellationToken) is null ? null : runs.StreamTreeAsync(runId, cancellationToken);

    public IAsyncEnumerable<StreamItem> Stream(AcceptedMessage accepted, CancellationToken cancellationToken) =>
        accepted.Watch?.ReadAsync(cancellationToken) ?? runs.StreamAsync(accepted.RunId, default, tree: false, cancellationToken);

    public Task<RunSummary?> FindAsync(Caller caller, string runId, CancellationToken cancellationToken) => runs.FindAsync(runId, caller.UserId, cancellationToken);

    public Task<bool> CancelAsync(Caller caller, string runId, string reason, CancellationToken cancellationToken) =>
        runs.CancelAsync(runId, caller.UserId, reason, keepText: true, cancellationToken);

    public Task<IReadOnlyList<RunSummary>> RecentAsync(Caller caller, int limit, CancellationToken cancellationToken) =>
        runs.ListAsync(new RunFilter { OwnerId = caller.UserId, Limit = limit }, cancellationToken);

    public Task<HistoryPage> HistoryAsync(Caller caller, HistoryQuery query, CancellationToken cancellationToken) =>
        store.HistoryAsync(caller.UserId, query, cancellationToken);

    public async Task<RunSummary?> FindParkedAsync(Caller caller, string rootRunId, CancellationToken cancellationToken)
    {
        var waiting = (await runs.TreeAsync(rootRunId, caller.UserId, cancellationToken)).Where(static r => r.Status.IsWaitingForHuman()).ToList();
        var question = waiting.Count > 1 ? await runs.NewestQuestionAsync(rootRunId, cancellationToken) : null;
        return waiting.Find(r => r.Id == question?.RunId) ?? waiting.FirstOrDefault();
    }

    public async ValueTask<TokenUsage> UsageAsync(RunSummary run, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(run);
        return run.HasParts ? await runs.TreeUsageAsync(run.Id, cancellationToken) : run.Usage;
    }

    public async Task<bool> DeleteConversationAsync(Caller caller, string conversationId, long version, AuditWrite record, Func<string, AuditWrite> unshared, CancellationToken cancellationToken)
    {
        if (!await store.DeleteAsync(conversationId, caller.UserId, version, record, unshared, cancellationToken))
        {
            return false;
        }

        foreach (var run in await runs.ListAsync(new RunFilter { OwnerId = caller.UserId, ConversationId = conversationId, Limit = 200 }, cancellationToken))
        {
            if (!run.Status.IsFinal())
            {
                await runs.CancelAsync(run.Id, caller.UserId, DeletedConversations.Reason, keepText: false, cancellationToken);
            }
        }

        return true;
    }

    private async Task<Sent> AcceptAsync(Caller caller, SendMessage message, Claim? claim, CancellationToken cancellationToken)
    {
        if (message.ConversationId is null && message.UseDefaultConversation)
        {
            message = message with { ConversationId = await store.DefaultAsync(caller.UserId, cancellationToken) };
        }

        var sent = message.ConversationId is null
            ? await BeginAsync(caller, message, claim, cancellationToken)
            : await ContinueAsync(caller, message, message.ConversationId, claim, cancellationToken);
        if (sent.Accepted is not null)
        {
            metrics.MessageAccepted(message.IsApiCall);
        }

        return sent;
    }

    /// <summary>A conversation of its own: nothing to read, and nobody to wait for.</summary>
    private async Task<Sent> BeginAsync(Caller caller, SendMessage message, Claim? claim, CancellationToken cancellationToken)
    {
        var conversation = Guid.CreateVersion7().ToString();
        var start = Start(caller, message, conversation, message.Team) with
        {
            BranchId = message.IsApiCall ? null : conversation,
            IsNewBranch = true,
            History = message.History ?? [],
        };
        var input = new NewMessage(start.InputMessageId!, conversation, caller.UserId, conversation, ParentId: null, Depth: 1, message.Text, start.RunId, message.Metadata, MessageWrites.Stored(message.Options.Attachments));
        var title = Titles.From(message.Text);
        return await StartAsync(
            message,
            start with
            {
                InTransaction = async session =>
                {
                    await ClaimAsync(session, claim, start.RunId);
                    await MessageWrites.NewConversationAsync(session, conversation, caller.UserId, title, message.Team, message.IsApiCall ? "api" : "chat", input.Id);
                    await MessageWrites.InsertAsync(session, input);
                },
                MayBeRefused = claim is not null,
            },
            cancellationToken) ?? throw new InvalidOperationException("The branch of a new conversation is busy.");
    }

    /// <summary>Null: the branch is busy, and nothing was written; <paramref name="onBusy"/> has been told.</summary>
    private async Task<Sent?> StartAsync(SendMessage message, StartRun start, CancellationToken cancellationToken, Action<RunSummary>? onBusy = null)
    {
        var watch = message.Watch ? runs.Watch(start.RunId) : null;
        try
        {
            var accepted = await runs.StartAsync(start, cancellationToken);
            if (accepted is { Code: RunReplacements.HasEffects, Busy: { } acted })
            {
                return ChatProblems.CannotRollBack(acted);
            }

            if (accepted.Busy is { } busy)
            {
                onBusy?.Invoke(busy);
                return null;
            }

            if (accepted.Code is { } code)
            {
                return ChatProblems.NotAccepted(code, accepted.Detail ?? "");
            }

            var made = new AcceptedMessage(accepted.RunId, start.ConversationId, accepted.Status, Watch: watch);
            watch = null;
            return made;
        }
        finally
        {
            watch?.Dispose();
        }
    }

    private async Task<Sent> ContinueAsync(Caller caller, SendMessage message, string conversation, Claim? claim, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < Tries; tries++)
        {
            if (await store.PlaceAsync(conversation, caller.UserId, message.ParentId, cancellationToken) is not { } place)
            {
                return await store.FindAsync(conversation, caller.UserId, cancellationToken) is null ? ChatProblems.NoConversation() : ChatProblems.NoParent();
            }

            var start = Start(caller, message, conversation, message.Team ?? place.Team);
            start = start with { BranchId = place.BranchId ?? start.InputMessageId, IsNewBranch = place.BranchId is null, MayBeRefused = claim is not null };
            start = start with { InTransaction = WriteInto(caller, message, place, start, claim) };
            RunSummary? busy = null;
            var sent = await StartAsync(message, start with { Enqueue = message.OnBusy == OnBusy.Enqueue }, cancellationToken, run => busy = run);
            sent = sent switch
            {
                null => await OnBusyAsync(caller, message, start, busy!, claim, cancellationToken),
                { Refusal: { } refusal } => await WithoutNewRunAsync(caller, message, start, refusal, claim, cancellationToken),
                _ => sent,
            };
            if (sent is { } settled)
            {
                return settled;
            }
        }

        return ChatProblems.Restless();
    }

    /// <summary>
    /// What a new run is refused for concerns neither an answer to what the branch asks, which makes none, nor a message that takes the place of one, which makes no more of them.
    /// A team that the sender named is the sender's mistake, whatever the branch does. Null: it changed meanwhile, look again.
    /// </summary>
    private async Task<Sent?> WithoutNewRunAsync(Caller caller, SendMessage message, StartRun start, Problem refusal, Claim? claim, CancellationToken cancellationToken)
    {
        var (isFull, isTeamGone) = (refusal.Code == LimitNames.Runs, IsOfConversation(refusal, message, start));
        if (!isFull && !isTeamGone)
        {
            return refusal;
        }

        if (!start.IsNewBranch && await runs.OnBranchAsync(start.BranchId!, caller.UserId, cancellationToken) is [var busy, ..])
        {
            if (isFull && message.OnBusy is OnBusy.Interrupt or OnBusy.Rollback)
            {
                return await OnBusyAsync(caller, message, start, busy, claim, cancellationToken);
            }

            if (await runs.NewestQuestionAsync(busy.Id, cancellationToken) is { } question)
            {
                return await AnswerAsync(caller, message, busy, question, claim, cancellationToken);
            }
        }

        return isTeamGone ? ChatProblems.TeamIsGone(refusal.Code, start.Team!) : refusal;
    }

    /// <summary>Whether what is not there was named by the conversation. That an agent alone answers in it is a team, too.</summary>
    private static bool IsOfConversation(Problem refusal, SendMessage message, StartRun start) => message.Team is null && start.Team is not null
        && (refusal.Code == "team_not_found" || (refusal.Code == "agent_not_found" && message.Agent is null));

    /// <summary>The branch works on an earlier message. Null: it changed meanwhile, look again.</summary>
    private async Task<Sent?> OnBusyAsync(Caller caller, SendMessage message, StartRun start, RunSummary busy, Claim? claim, CancellationToken cancellationToken)
    {
        if (await runs.NewestQuestionAsync(busy.Id, cancellationToken) is { } question)
        {
            return await AnswerAsync(caller, message, busy, question, claim, cancellationToken);
        }

        var waiting = (await runs.TreeAsync(busy.Id, caller.UserId, cancellationToken)).Where(static r => r.Status.IsWaitingForHuman()).ToList();
        switch (message.OnBusy)
        {
            case OnBusy.Enqueue when waiting.Count == 0:
                return null;
            case OnBusy.Enqueue:
                return ChatProblems.WaitingForHuman(waiting[0]);
            case OnBusy.Reject:
                return ChatProblems.Busy(busy);
        }

        var replaced = new RunReplacement(busy.Id, "A newer message took its place.", KeepText: message.OnBusy == OnBusy.Interrupt, OnlyWithoutEffects: message.OnBusy == OnBusy.Rollback);
        return await StartAsync(message, start with { Enqueue = true, Replaces = replaced, InTransaction = message.OnBusy == OnBusy.Rollback ? BuryThenWrite(start, busy) : start.InTransaction }, cancellationToken);
    }

    /// <summary>The branch's run, or one below it, asked the user something: this message is the answer, whatever <c>on_busy</c> says. Null: it was answered or ended meanwhile.</summary>
    private async Task<Sent?> AnswerAsync(Caller caller, SendMessage message, RunSummary busy, InputRequested question, Claim? claim, CancellationToken cancellationToken)
    {
        var answer = new InputAnswer(message.Text) { Attachments = message.Options.Attachments, Metadata = message.Metadata, BringsForeignText = message.BringsForeignText };
        var verdict = await runs.AnswerAsync(question.RunId, caller.UserId, question.Call, answer, (session, _) => ClaimAsync(session, claim, busy.Id), cancellationToken);
        if (!verdict.Ok)
        {
            return null;
        }

        var status = question.RunId == busy.Id ? verdict.Run?.Status ?? RunStatus.Queued : busy.Status;
        return new AcceptedMessage(busy.Id, busy.ConversationId, status, Answered: true);
    }

    private static Func<DbSession, ValueTask> BuryThenWrite(StartRun start, RunSummary busy) => async session =>
    {
        await MessageWrites.BuryAsync(session, start.ConversationId!, busy.Id);
        await start.InTransaction!(session);
    };

    private async IAsyncEnumerable<RunEvent> EventsAsync(string runId, string type, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var after = 0L;
        while (await runs.EventsAsync(runId, after, 200, cancellationToken) is { Count: > 0 } page)
        {
            foreach (var e in page.Where(e => e.Type == type))
            {
                yield return RunJson.DeserializeEvent(e.Json.Span);
            }

            after = page[^1].Seq;
        }
    }

    private static StartRun Start(Caller caller, SendMessage message, string conversation, string? team) => new()
    {
        RunId = Guid.CreateVersion7().ToString(),
        OwnerId = caller.UserId,
        Input = message.Text,
        Team = team,
        Agent = message.Agent,
        ConversationId = conversation,
        InputMessageId = Guid.CreateVersion7().ToString(),
        History = message.History,
        Options = caller.Restriction() is { } restriction ? message.Options with { Permissions = restriction } : message.Options,
        MaxUnfinished = caller.OwnNumber(LimitNames.Runs),
        Tainted = message.BringsForeignText || (message.History?.Any(m => m.Tainted) ?? false),
    };

    private static Func<DbSession, ValueTask> WriteInto(Caller caller, SendMessage message, Placement place, StartRun start, Claim? claim)
    {
        var isNewBranch = place.BranchId is null;
        var input = new NewMessage(start.InputMessageId!, start.ConversationId!, caller.UserId, start.BranchId!, place.ParentId, isNewBranch ? place.ParentDepth + 1 : 0,
            message.Text, start.RunId, message.Metadata, MessageWrites.Stored(message.Options.Attachments));
        return async session =>
        {
            if (!await MessageWrites.HoldConversationAsync(session, input.ConversationId, caller.UserId))
            {
                throw new ProblemException(ChatProblems.NoConversation());
            }

            await ClaimAsync(session, claim, start.RunId);
            await MessageWrites.InsertAsync(session, input);
            if (!place.HasTitle)
            {
                await MessageWrites.NameAsync(session, input.ConversationId, Titles.From(message.Text));
            }

            // Whoever names the end of another branch goes on there: what they say next without a name belongs there, too.
            if ((isNewBranch ? input.Id : message.ParentId) is { } selected)
            {
                await MessageWrites.SelectAsync(session, input.ConversationId, caller.UserId, selected);
            }
        };
    }

    private static ValueTask ClaimAsync(DbSession session, Claim? claim, string runId) => claim?.TakeAsync(session, runId) ?? ValueTask.CompletedTask;
}
