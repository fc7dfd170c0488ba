using RootMas.Runtime.Runs;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Tasks that are given by a run which was told to end, and has not read it yet, or which ends with that very batch: they are told in the transaction that makes them, so none of them begins. Whoever tells the run holds its row, as its
/// owner's append does: either the word is there when the task is made, or the task is there to be seen by whoever looks for what works below.
/// </summary>
internal static class LateChildren
{
    private const string Told = "SELECT payload FROM run_inbox WHERE run_id = @id AND key IN ('cancel', 'parent.ended') LIMIT 1";

    /// <summary>The parent's end, as the sweep would tell it.</summary>
    public static CancelRequested ParentEnded { get; } = new("The run that asked for this work has ended.", By: null, KeepText: false);

    /// <param name="row">The parent, as this batch has left it.</param>
    public static async ValueTask TellAsync(DbSession session, RunSignals signals, RunRow row, RunBatch batch)
    {
        var told = row.InboxSeq > 0 && await session.Prepared(Told).Set("id", row.Id).FirstOrDefaultAsync(static r => RunJson.DeserializeInbox(r.GetString(0))) is CancelRequested cancel
            ? cancel with { KeepText = false }
            : null;
        if (told is null && !batch.IsFinal)
        {
            return;
        }

        await session.FlushAsync(); // they were just inserted, and are looked at now
        foreach (var child in batch.Append.Children)
        {
            await RunInbox.InsertAsync(session, signals, child.RunId, ownerId: null, told is null ? "parent.ended" : "cancel", told ?? ParentEnded);
        }
    }
}
