using RootMas.Runtime.Runs;
using RootMas.Runtime.Tools;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Runs;

/// <summary>
/// Logs as those read them whom a run is shown to: without what was remembered of its owner, whichever tool told it (tools of memory and the graph also where they name no fact), without summaries, which retell messages that nobody shared, without what came along with answers, and without the ids of what an answer may know and does not cite. Of the first two events stays what
/// <see cref="EventRedaction"/> keeps. One for each reading: it remembers what the last model call of each log was for.
/// </summary>
internal sealed class SharedLog
{
    private const string Asked = "SELECT json FROM run_events WHERE run_id = @id AND type = 'model.requested' AND seq < @seq ORDER BY seq DESC LIMIT 1";

    private readonly Dictionary<string, ModelRequested> _asked = new(StringComparer.Ordinal);

    /// <summary>A stored event as it may be shown. Events of one log come in order.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ShowAsync(DbSession session, string type, ReadOnlyMemory<byte> stored) =>
        await HidesAsync(session, type, stored) ? EventRedaction.Redact(stored.Span) : type is "input.received" or "tool.completed" or "message.completed" or "child.completed" ? WithoutCompany(stored) : stored;

    /// <summary>What came along with a message is shown to nobody else: neither with the first one, which no event tells, nor with an answer, which is the result of its question's call, too. Documents and facts whose words an answer may have are named for those who delete them; what it cites stands in its citations.</summary>
    private static ReadOnlyMemory<byte> WithoutCompany(ReadOnlyMemory<byte> stored) => RunJson.DeserializeEvent(stored.Span) switch
    {
        InputReceived received when received.Attachments is not null || received.Metadata is not null => RunJson.Serialize(received with { Attachments = null, Metadata = null }),
        ToolCompleted { Tool: BuiltInTools.AskUser } answered when AttachedDocument.Said(answered.Result) is var said && said != answered.Result => RunJson.Serialize(answered with { Result = said }),
        MessageCompleted said when said.Documents is not null || said.Facts is not null => RunJson.Serialize(said with { Documents = null, Facts = null }),
        ChildCompleted child when child.Documents is not null || child.Facts is not null => RunJson.Serialize(child with { Documents = null, Facts = null }),
        _ => stored,
    };

    private async ValueTask<bool> HidesAsync(DbSession session, string type, ReadOnlyMemory<byte> stored)
    {
        switch (type)
        {
            case "memory.recalled" or "context.reduced":
                return true;
            case "tool.completed":
                return RunJson.DeserializeEvent(stored.Span) is ToolCompleted { Facts.Count: > 0 } or ToolCompleted { Tool: "recall" or "remember" or "forget" or "graph_query" };
            case "model.requested" when RunJson.DeserializeEvent(stored.Span) is ModelRequested asked:
                _asked[asked.RunId] = asked;
                return false;
            case "model.completed" when RunJson.DeserializeEvent(stored.Span) is ModelCompleted said:
                return await IsSummaryAsync(session, said);
            default:
                return false;
        }
    }

    /// <summary>A log asks one model at a time. Where its request is not found nobody knows what the text is, so it is not shown.</summary>
    private async ValueTask<bool> IsSummaryAsync(DbSession session, ModelCompleted said)
    {
        if (!_asked.TryGetValue(said.RunId, out var asked) || asked.MessageId != said.MessageId)
        {
            // The reading began behind it.
            asked = await session.Prepared(Asked).Set("id", said.RunId).Set("seq", said.Seq).FirstOrDefaultAsync(static r => RunJson.DeserializeEvent(r.Bytes(0))) as ModelRequested;
        }

        return asked is null || asked.MessageId != said.MessageId || asked.Purpose == "summary";
    }
}
