using System.Data.Common;
using System.Text.Json;
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
/// Looks through what an owner's messages say, newest first (decision 43). No index knows their words, so that writing a message costs nothing more: one look reads at most <see cref="MostRead"/> messages by
/// their owner's index, and says where it stopped. Letters are compared here: neither database folds the case of more than ASCII under the collations used.
/// </summary>
internal sealed class MessageSearch(IDatabase database)
{
    /// <summary>About a tenth of a second of reading.</summary>
    public const int MostRead = 10_000;

    private const int LongestExcerpt = 160;

    private const int Before = 60;

    private const string Newest = """
        select created_at, id, conversation_id, role, agent, content from messages
        where owner_id = @owner and dead = 0 and depth > 0 and (created_at, id) < (@time, @id) order by created_at desc, id desc limit @most
        """;

    private static readonly SqlText Titles = SqlDialect.InList("select id, title from conversations where", "id", "ids", "and owner_id = @owner and kind = 'chat' and archived = @archived");

    /// <param name="words">At least one; all have to be there, in any order and case, also as parts of words.</param>
    /// <param name="limit">Most hits.</param>
    public Task<MessageHits> FindAsync(string ownerId, IReadOnlyList<string> words, bool archived, int limit, HistoryPosition? before, CancellationToken cancellationToken) => database.ReadAsync(
        async session =>
        {
            var read = await session.Prepared(Newest).Set("owner", ownerId).Set("time", before?.CreatedAt ?? long.MaxValue).Set("id", before?.Id ?? "").Set("most", (long)MostRead)
                .ListAsync(row => new Read(row.GetInt64(0), row.GetString(1), HitIn(row, words)));
            var ids = read.Select(static r => r.Hit?.ConversationId).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
            var titles = ids.Count == 0 ? [] : (await session.Prepared(Titles).Set("ids", JsonSerializer.Serialize(ids)).Set("owner", ownerId).Set("archived", archived)
                .ListAsync(static row => KeyValuePair.Create(row.GetString(0), row.GetString(1)))).ToDictionary(StringComparer.Ordinal);
            return Page(read, titles, limit);
        },
        cancellationToken);

    private static MessageHits Page(List<Read> read, Dictionary<string, string> titles, int limit)
    {
        List<MessageHit> hits = [];
        foreach (var (time, id, found) in read)
        {
            if (found is not { } hit || !titles.TryGetValue(hit.ConversationId, out var title))
            {
                continue;
            }

            hits.Add(hit with { Title = title });
            if (hits.Count == limit)
            {
                return new MessageHits(hits, new HistoryPosition(time, id));
            }
        }

        return new MessageHits(hits, read.Count == MostRead ? new HistoryPosition(read[^1].Time, read[^1].Id) : null);
    }

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

    private static MessageHit? HitIn(DbDataReader row, IReadOnlyList<string> words)
    {
        var content = row.GetString(5);
        return words.All(word => content.Contains(word, StringComparison.OrdinalIgnoreCase))
            ? new MessageHit(row.GetString(1), row.GetString(2), Title: "", row.GetString(3), row.StringOrNull(4), row.Time(0), ExcerptOf(content, words[0]))
            : null;
    }

    /// <summary>A message that was read, and what is found in it.</summary>
    private readonly record struct Read(long Time, string Id, MessageHit? Hit);
}
