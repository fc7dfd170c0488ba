using RootMas.Server.Platform.Data;

namespace RootMas.Server.Knowledge.Memory;

/// <summary>What a user said, as memory reads it.</summary>
/// <param name="Dead">It was rolled back: nothing is learned from it.</param>
/// <param name="MayRemember">The credential that sent it allows to write memory.</param>
/// <param name="Tainted">Text from outside was in what was said before it, or in the answer.</param>
public sealed record SourceMessage(string ConversationId, string MessageId, string RunId, string Text, bool Dead, bool Tainted, DateTimeOffset SaidAt, bool MayRemember = true);

/// <summary>Where remembered things come from. A seam: Chat, to the right, has the messages.</summary>
public interface IMemorySources
{
    /// <summary>The user's message that a root run of a conversation answers. Null: it is gone, or somebody else's.</summary>
    ValueTask<SourceMessage?> FindAsync(string conversationId, string rootRunId, string ownerId, CancellationToken cancellationToken);

    /// <summary>Holds the conversation until the transaction ends. False: it was deleted, or what the run answers was rolled back; nothing of it may be written any more.</summary>
    ValueTask<bool> HoldAsync(DbSession session, string conversationId, string rootRunId, string ownerId);
}
