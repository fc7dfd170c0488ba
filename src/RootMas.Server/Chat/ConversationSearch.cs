using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>
/// Finds an owner's conversations by words of their titles, as <see cref="MessageSearch"/> finds messages (decisions 43 and 54): read by the owner's index, a piece at a time, until a page is full; compared here, because neither
/// database folds the case of more than ASCII.
/// </summary>
internal sealed class ConversationSearch(ConversationStore store)
{
    /// <summary>Conversations that one look reads, at most; it says where it stopped.</summary>
    public const int MostRead = 10_000;

    /// <summary>Read together. Between two pieces others come to read, and whoever does not wait any more is noticed.</summary>
    public const int Piece = 500;

    /// <param name="words">At least one; all have to be in the title, in any order and case, also as parts of words.</param>
    /// <param name="query">Its limit is how many are wanted.</param>
    /// <returns>Those found, and where the search stopped; null: nothing older is left.</returns>
    public async Task<(IReadOnlyList<Conversation> Found, HistoryPosition? Next)> FindAsync(string ownerId, IReadOnlyList<string> words, ConversationQuery query, CancellationToken cancellationToken)
    {
        List<Conversation> found = [];
        var (count, at) = (0, query.Before);
        while (true)
        {
            var piece = await store.ListAsync(ownerId, query with { Limit = Piece, Before = at }, cancellationToken);
            foreach (var conversation in piece)
            {
                (count, at) = (count + 1, HistoryCursor.At(conversation.UpdatedAt, conversation.Id));
                if (words.All(word => conversation.Title.Contains(word, StringComparison.OrdinalIgnoreCase)))
                {
                    found.Add(conversation);
                }

                if (found.Count == query.Limit || count == MostRead)
                {
                    return (found, at);
                }
            }

            if (piece.Count < Piece)
            {
                return (found, null);
            }
        }
    }
}
