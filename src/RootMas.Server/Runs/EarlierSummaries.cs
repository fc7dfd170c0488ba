using RootMas.Runtime.Runs;
using RootMas.Server.Knowledge.Memory;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Summaries in the logs of runs above a run on its branch. One with words of a document that its owner can read no more, or of a fact that was forgotten, is none any more, as readers of logs are shown (<see cref="DeletedSources"/>);
/// a summary made after that is: it says no more than the messages do.
/// </summary>
internal sealed class EarlierSummaries(IDatabase database, IRunHistory history, ICitedDocuments documents) : IEarlierSummaries
{
    public async ValueTask<IReadOnlyList<ContextReduced>> FindAsync(NewRun run, CancellationToken cancellationToken)
    {
        if (run is not { ParentRunId: null, ConversationId: not null, InputMessageId: not null })
        {
            return [];
        }

        var found = await database.ReadAsync(session => RememberedAsync(session, run), cancellationToken);
        var named = found.SelectMany(static s => s.Documents ?? []).ToHashSet(StringComparer.Ordinal);
        if (named.Count == 0)
        {
            return found;
        }

        var readable = await documents.ReadableAsync(run, named, cancellationToken);
        return found.FindAll(s => (s.Documents ?? []).Except(s.GoneBefore ?? [], StringComparer.Ordinal).All(readable.Contains));
    }

    private async ValueTask<List<ContextReduced>> RememberedAsync(DbSession session, NewRun run)
    {
        List<ContextReduced> all = [];
        await session.ReadAllAsync(history.ReadReductions(RunInserts.IdentityOf(run, branchId: null), all.Add));
        var facts = all.SelectMany(static s => s.Facts ?? []).ToHashSet(StringComparer.Ordinal);
        var forgotten = facts.Count == 0 ? facts : await ForgottenAmong.FindAsync(session, facts);
        return all.FindAll(s => !(s.Facts ?? []).Any(forgotten.Contains));
    }
}
