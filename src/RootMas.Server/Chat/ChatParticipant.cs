using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.Documents;
using RootMas.Server.Platform.Data;
using RootMas.Server.Platform.Http;
using RootMas.Server.Runs;

namespace RootMas.Server.Chat;

/// <summary>Writes what a run says into its conversation, in the run's own transactions: log and conversation can never disagree.</summary>
internal sealed class ChatParticipant(FlowFeed flows) : IRunTransactionParticipant
{
    public ValueTask OnCreatedAsync(DbSession session, RunIdentity run, bool takesTurn)
    {
        flows.Announce(session, run);
        var isRetryOfCall = takesTurn && run is { BranchId: null, ConversationId: not null };
        return run.IsBesideAnother || isRetryOfCall ? HoldAsync(session, run.ConversationId!, run.OwnerId)
            : takesTurn ? TakeTurnAsync(session, run)
            : ValueTask.CompletedTask;
    }

    /// <summary>A retry, or the sharing of a run, writes nothing into the conversation: whoever deletes that either sees it, or is seen by it.</summary>
    private static async ValueTask HoldAsync(DbSession session, string conversationId, string ownerId)
    {
        await session.FlushAsync();
        if (!await MessageWrites.HoldConversationAsync(session, conversationId, ownerId))
        {
            throw new ProblemException(RunProblems.ConversationDeleted());
        }
    }

    /// <summary>A message that is sent has looked for its conversation; a retry of one that waited in vain has not.</summary>
    private static async ValueTask TakeTurnAsync(DbSession session, RunIdentity run)
    {
        if (!await PlaceAsync(session, run))
        {
            throw new ProblemException(RunProblems.ConversationDeleted());
        }
    }

    /// <summary>What waited in a conversation that was deleted is told to end: it has no place to take.</summary>
    public async ValueTask OnActivatedAsync(DbSession session, RunIdentity run) => _ = await PlaceAsync(session, run);

    public ValueTask OnSharedAsync(DbSession session, string conversationId, string ownerId) => HoldAsync(session, conversationId, ownerId);

    public async ValueTask OnAppendedAsync(DbSession session, RunIdentity run, IReadOnlyList<EventRecord> events, RunStatus status)
    {
        if (run is not { ConversationId: { } conversation, InputMessageId: { } input })
        {
            return;
        }

        foreach (var (entry, _) in events)
        {
            if (MessageOf(run, entry) is { } message)
            {
                await MessageWrites.InsertFromRunAsync(session, input, conversation, run.BranchId, message with { Citations = await OfThoseThereAsync(session, message.Citations) });
            }
            else if (entry is RunFailed or RunCancelled && run.BranchId is { } branch && await StopNote.OfAsync(session, run.RunId, entry) is { } note)
            {
                await MessageWrites.NoteStopAsync(session, conversation, branch, run.RunId, input, note);
            }
        }

        if (status is RunStatus.Failed or RunStatus.Cancelled)
        {
            await MessageWrites.EndWaitingAsync(session, input);
        }
    }

    /// <summary>A document may have been deleted since the answer's citations were checked, and <see cref="DeletedDocuments"/> looked for messages that cite it before this one was there.</summary>
    private static async ValueTask<IReadOnlyList<Citation>> OfThoseThereAsync(DbSession session, IReadOnlyList<Citation> citations)
    {
        var documents = citations.Select(static c => c.DocumentId).OfType<string>().ToHashSet(StringComparer.Ordinal);
        if (documents.Count == 0)
        {
            return citations;
        }

        var gone = await DeletedAmong.HoldOthersAsync(session, documents);
        return gone.Count == 0 ? citations : [.. citations.Select(c => c.DocumentId is { } id && gone.Contains(id) ? c with { Title = null, Excerpt = null } : c)];
    }

    /// <summary>False: its conversation was deleted.</summary>
    private static ValueTask<bool> PlaceAsync(DbSession session, RunIdentity run) =>
        run is { ConversationId: { } conversation, InputMessageId: { } input, BranchId: { } branch }
            ? MessageWrites.PlaceAsync(session, conversation, branch, input)
            : ValueTask.FromResult(true);

    private static RunMessage? MessageOf(RunIdentity run, RunEvent entry) => entry switch
    {
        MessageCompleted e => new(e.MessageId, run.RunId, "assistant", e.Text, e.Agent, e.Status, e.Tainted, e.Citations) { Documents = e.Documents, CutBy = e.CutBy },
        InputRequested e => new(Guid.CreateVersion7().ToString(), run.RunId, "assistant", e.Question, e.Agent, "question", e.Tainted == true, []),
        InputReceived { Expired: false } e => new(Guid.CreateVersion7().ToString(), run.RunId, "user", e.Text, null, "complete", Tainted: e.Offered == true, []) { Attachments = e.Attachments, Metadata = e.Metadata?.GetRawText() },
        _ => null,
    };
}
