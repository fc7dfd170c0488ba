using System.Data.Common;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>A message that has every word of what somebody looks for.</summary>
/// <param name="Title">Of its conversation.</param>
/// <param name="Excerpt">The line with the first of the words, cut around it if it is long.</param>
internal sealed record MessageHit(string MessageId, string ConversationId, string Title, string Role, string? Agent, DateTimeOffset CreatedAt, string Excerpt);

/// <summary>What was found.</summary>
/// <param name="Next">Where the search stopped; null: nothing older is left.</param>
internal sealed record MessageHits(IReadOnlyList<MessageHit> Hits, HistoryPosition? Next);

/// <summary>
/// Looks through what an owner's messages say, newest first (decision 43). No index knows their words, so that writing a message costs nothing more: messages are read by their owner's index, a piece at a time, until a page
/// of hits is full; one look reads at most <see cref="MostRead"/> of them, or about <see cref="MostLetters"/>, and at least one piece, and says where it stopped. Letters are compared here: neither database folds the case of more than ASCII under the collations used.
/// </summary>
internal sealed class MessageSearch(IDatabase database)
{
    public const int MostRead = 10_000;

    /// <summary>Messages may be long: about a tenth of a second of comparing. Counted when a piece has been read.</summary>
    public const int MostLetters = 20_000_000;

    /// <summary>Read together. Between two pieces others come to read, and whoever does not wait any more is noticed.</summary>
    public const int Piece = 250;

    private const int LongestExcerpt = 160;

    private const int Before = 60;

    private const string Newest = """
        select created_at, id, conversation_id, role, agent, content,
            (select c.title from conversations c where c.id = m.conversation_id and c.owner_id = @owner and c.kind = 'chat' and c.archived = @archived)
        from messages m where owner_id = @owner and dead = 0 and depth > 0 and (created_at, id) < (@time, @id) order by created_at desc, id desc limit @most
        """;

    /// <param name="words">At least one; all have to be there, in any order and case, also as parts of words.</param>
    /// <param name="limit">Most hits.</param>
    public async Task<MessageHits> FindAsync(string ownerId, IReadOnlyList<string> words, bool archived, int limit, HistoryPosition? before, CancellationToken cancellationToken)
    {
        List<MessageHit> hits = [];
        var (count, letters, at) = (0, 0L, before);
        while (true)
        {
            var piece = await ReadAsync(ownerId, words, archived, at, cancellationToken);
            foreach (var message in piece)
            {
                (count, letters, at) = (count + 1, letters + message.Letters, message.Position);
                if (message.Hit is { } hit)
                {
                    hits.Add(hit);
                }

                if (hits.Count == limit || count == MostRead || letters >= MostLetters)
                {
                    return new MessageHits(hits, at);
                }
            }

            if (piece.Count < Piece)
            {
                return new MessageHits(hits, null);
            }
        }
    }

    private Task<List<Read>> ReadAsync(string ownerId, IReadOnlyList<string> words, bool archived, HistoryPosition? before, CancellationToken cancellationToken) => database.LookAsync(
        session => session.Prepared(Newest).Set("owner", ownerId).Set("archived", archived).Set("time", before?.CreatedAt ?? long.MaxValue).Set("id", before?.Id ?? "").Set("most", (long)Piece)
            .ListAsync(row => ReadRow(row, words)),
        cancellationToken);

    /// <summary>The line around the first of the words.</summary>
    internal static string ExcerptOf(string text, string word)
    {
        var at = Math.Max(0, text.IndexOf(word, StringComparison.OrdinalIgnoreCase));
        var start = text.LastIndexOf('\n', at) + 1;
        var end = text.IndexOf('\n', at);
        end = end < 0 ? text.Length : end;
        var (from, to) = (start, end);
        if (end - start > LongestExcerpt)
        {
            from = Math.Max(start, at - Before);
            to = Math.Min(end, from + LongestExcerpt);
            from += from > start && char.IsLowSurrogate(text[from]) ? 1 : 0;
            to -= to < end && char.IsHighSurrogate(text[to - 1]) ? 1 : 0;
        }

        return (from > start ? "…" : "") + text[from..to].Trim() + (to < end ? "…" : "");
    }

    private static Read ReadRow(DbDataReader row, IReadOnlyList<string> words)
    {
        var content = row.GetString(5);
        var hit = row.StringOrNull(6) is { } title && words.All(word => content.Contains(word, StringComparison.OrdinalIgnoreCase))
            ? new MessageHit(row.GetString(1), row.GetString(2), title, row.GetString(3), row.StringOrNull(4), row.Time(0), ExcerptOf(content, words[0]))
            : null;
        return new Read(new HistoryPosition(row.GetInt64(0), row.GetString(1)), content.Length, hit);
    }

    /// <summary>A message that was read, and what is found in it.</summary>
    private readonly record struct Read(HistoryPosition Position, int Letters, MessageHit? Hit);
}
