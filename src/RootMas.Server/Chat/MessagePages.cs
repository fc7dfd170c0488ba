using System.Data.Common;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using RootMas.Server.Platform.Data;

namespace RootMas.Server.Chat;

/// <summary>A page of a conversation's messages, by what can be told of it without giving it.</summary>
/// <param name="After">Where it begins; null: at the first message.</param>
/// <param name="Tag">As <see cref="PageTag"/> makes it.</param>
internal sealed record KnownPage(HistoryPosition? After, int Count, string Tag);

/// <summary>Tells of the pages of a conversation which have changed (decision 46): its messages are read without what they say, which is most of them.</summary>
internal sealed class MessagePages(IDatabase database)
{
    /// <summary>Messages that one look reads, at most.</summary>
    public const int MostRead = 10_000;

    private const string States = """
        select m.created_at, m.id, m.parent_id, m.depth, m.status, m.citations, f.score, f.reason, f.updated_at
        from messages m left join feedback f on f.message_id = m.id and f.owner_id = m.owner_id
        where m.conversation_id = @conversation and m.dead = 0 and (m.created_at, m.id) > (@time, @id) order by m.created_at, m.id limit @most
        """;

    /// <summary>Null: no such conversation. <c>Next</c>: where to go on; null: that was all.</summary>
    /// <param name="size">Messages of a page.</param>
    public async Task<(IReadOnlyList<KnownPage> Pages, HistoryPosition? Next)?> ListAsync(string conversationId, string ownerId, int size, HistoryPosition? after, CancellationToken cancellationToken)
    {
        var most = MostRead / size * size;
        var states = await database.ReadAsync<List<(HistoryPosition Position, MessageState State)>?>(
            async session => !await MessageWrites.ConversationExistsAsync(session, conversationId, ownerId)
                ? null
                : await session.Prepared(States).Set("conversation", conversationId).Set("time", after?.CreatedAt ?? 0).Set("id", after?.Id ?? "").Set("most", (long)most + 1)
                    .ListAsync(static row => (new HistoryPosition(row.GetInt64(0), row.GetString(1)), StateIn(row))),
            cancellationToken);
        if (states is null)
        {
            return null;
        }

        List<KnownPage> pages = [];
        var begin = after;
        foreach (var page in states.Take(most).Chunk(size))
        {
            pages.Add(new KnownPage(begin, page.Length, PageTag.Of(page.Select(static p => p.State))));
            begin = page[^1].Position;
        }

        return (pages, states.Count > most ? begin : null);
    }

    private static MessageState StateIn(DbDataReader row) => new(
        row.GetString(1), row.StringOrNull(2), row.GetInt32(3), row.GetString(4), row.StringOrNull(5),
        row.IsDBNull(6) ? null : new Rating(row.GetInt32(6), row.StringOrNull(7), row.Time(8)));
}

/// <summary>Of a message what may be another when it is read again. What it says, who said it and when stay as they are.</summary>
internal readonly record struct MessageState(string Id, string? ParentId, int Depth, string Status, string? Citations, Rating? Rating)
{
    public static MessageState Of(StoredMessage message) => new(message.Id, message.ParentId, message.Depth, message.Status, message.Citations, message.Rating);
}

/// <summary>Says of messages in their order how they are: the same tag, the same answer.</summary>
internal static class PageTag
{
    public static string Of(IEnumerable<MessageState> messages)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (id, parent, depth, status, citations, rating) in messages)
        {
            Add(hash, id);
            Add(hash, parent);
            Add(hash, depth.ToString(CultureInfo.InvariantCulture));
            Add(hash, status);
            Add(hash, citations);
            Add(hash, rating is null ? null : string.Create(CultureInfo.InvariantCulture, $"{rating.Score} {UnixTime.ToMicros(rating.UpdatedAt)}"));
            Add(hash, rating?.Reason);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset().AsSpan(0, 16));
    }

    /// <summary>With its length, so that no two rows of texts look alike; nothing is another thing than an empty text.</summary>
    private static void Add(IncrementalHash hash, string? text)
    {
        hash.AppendData(BitConverter.GetBytes(text?.Length ?? -1));
        hash.AppendData(Encoding.UTF8.GetBytes(text ?? ""));
    }
}
